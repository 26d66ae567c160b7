"""Who waits for a job: requests for its end, streams for its text too. On the event loop."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from beacon.contract.jobs import Job, JobError

SAID_BYTES_MAX = 256 * 1024
"""Bytes of text kept of a running job for a stream that joins late, and at most as many wait for one that reads slowly;
beyond them a stream gets no more text, and the whole in its result."""


class Ended(Struct, frozen=True):
    """How a job ended: `result` is the JSON of its answer."""

    job: Job
    result: str | None = None
    error: JobError | None = None


class Stream:
    """Text on its way to one client; what is not taken yet is joined, so that a slow one costs a bounded amount."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[str]] = {}
        self._size = 0
        self._full = False
        self.ready = asyncio.Event()

    def say(self, run: int, text: str) -> None:
        if self._full:
            return
        self._size += len(text)
        if self._size > SAID_BYTES_MAX:
            self._full = True  # no gaps: what a client has got is how the answer begins
            return
        self._waiting.setdefault(run, []).append(text)
        self.ready.set()

    def take(self) -> list[tuple[int, str]]:
        """What waits, as (run, text)."""
        taken = [(run, "".join(parts)) for run, parts in self._waiting.items()]
        self._waiting.clear()
        self._size = 0
        self.ready.clear()
        return taken


class Waiting:
    """Everyone who waits for one job, and what it has said so far. `job` is as it was when it was made."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._streams: set[Stream] = set()
        self._said: dict[int, list[str]] = {}
        self._size = 0

    @property
    def streams(self) -> int:
        return len(self._streams)

    def join(self) -> Stream:
        """A stream that gets all of the text, from the beginning; none of it where that is not kept any more."""
        stream = Stream()
        if self._size <= SAID_BYTES_MAX:
            for run, parts in self._said.items():
                stream.say(run, "".join(parts))
            self._streams.add(stream)
        return stream

    def leave(self, stream: Stream) -> None:
        self._streams.discard(stream)

    def say(self, run: int, text: str) -> None:
        self._size += len(text)
        if self._size <= SAID_BYTES_MAX:
            self._said.setdefault(run, []).append(text)
        else:
            self._said.clear()
        for stream in self._streams:
            stream.say(run, text)

    def end(self, ended: Ended) -> None:
        if not self.ended.done():
            self.ended.set_result(ended)
