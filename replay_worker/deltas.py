"""Text of running jobs on its way to ingest: the first at once, then what has gathered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from beacon.contract.jobs import DELTA_EACH_S, DELTA_EVERY_S, Delta


def pause_s(jobs: int) -> float:
    """Seconds between two messages of one job while its worker runs `jobs`: what reaches ingest stays bounded."""
    return max(DELTA_EVERY_S, jobs * DELTA_EACH_S)


class Deltas:
    """The text of one job. `send` takes a message and must not block; a lost one is nobody's loss, since the result has
    the whole text. `every` says how many seconds lie between two messages."""

    def __init__(
        self, job_id: str, token: str, send: Callable[[bytes], bool], every: Callable[[], float] = lambda: DELTA_EVERY_S
    ) -> None:
        self._every = every
        self._job_id = job_id
        self._token = token
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, list[str]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._last: dict[int, float] = {}

    def say(self, run: int, text: str) -> None:
        """Pass on `text` of the run `run`."""
        if not text:
            return
        now = self._loop.time()
        every = self._every()
        if run not in self._waiting and now - self._last.get(run, -every) >= every:
            self._last[run] = now
            self._out(run, text)
            return
        self._waiting.setdefault(run, []).append(text)
        if self._timer is None:
            self._timer = self._loop.call_later(every, self.flush)

    def flush(self) -> None:
        """Send what has gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._loop.time()
        waiting, self._waiting = self._waiting, {}
        for run, texts in waiting.items():
            self._last[run] = now
            self._out(run, "".join(texts))

    def _out(self, run: int, text: str) -> None:
        self._send(msgspec.msgpack.encode(Delta(self._job_id, self._token, run, text)))
