"""The one thread that writes traces.db.

Requests queue; the thread takes everything that waits, up to GROUP_SPANS and GROUP_BYTES, writes it in one transaction
(group commit), and only after COMMIT wakes the requests. Only an error of the data makes a group run again, request by
request, so that a bad one hurts only itself; a full disk, a lock or an I/O error fails the whole group with a 503.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from beacon.errors import QueueFull, StoreBusy
from ingest.database import Command, Commit, Database, Locked, Transaction
from ingest.decode import Arrival
from ingest.faults import DATA_ERRORS
from ingest.otlp.arrived import Content
from ingest.spans import Stored, store

log = logging.getLogger("beacon.writer")

GROUP_SPANS = 2_000
GROUP_BYTES = 8 * 1024 * 1024
"""Most that one transaction takes: about 50 ms of work, so that no ack waits long behind others."""

QUEUE_SPANS = 60_000
QUEUE_BYTES = 128 * 1024 * 1024
"""Most that may wait; above it a request is answered 503 at once."""

NEAR_SPANS = 64
NEAR_BYTES = 512 * 1024
"""Most that is written on the event loop itself, when the thread has nothing to do: at most 2 ms. Waking a thread and
being woken by it costs a lone request more than its commit (2.1 ms against 1.3 at 200 requests/s)."""

IDLE_S = 0.4
"""Seconds without work after which the WAL is emptied."""


@dataclass(slots=True)
class _Work:
    """One request's work: spans and contents of spans to store, or a command; and who waits for it."""

    future: asyncio.Future[Any]
    arrivals: list[Arrival] | None = None
    contents: Sequence[Content] = ()
    command: Command | None = None
    size: int = 0
    threaded: bool = True

    @property
    def rows(self) -> int:
        return len(self.arrivals or ()) + len(self.contents)


def _store_group(group: list[_Work]) -> Command:
    def command(tx: Transaction) -> list[Stored]:
        return store(tx, [w.arrivals or [] for w in group], [w.contents for w in group])

    return command


class Writer:
    """Owns the database and the thread. Made on the event loop; `submit` and `run` are called there.

    Small requests are written on the event loop, if that needs no waiting: `_turn` says whose turn it is to use the
    connection. Everything else, whatever may take long among it, is the thread's.

    `failed` is set when it cannot go on: to a Refused, or to the bug that ended its thread.
    `on_commit` is called on the event loop, after the requests were woken, in commit order; `on_open` once the
    database is open, with (epoch, seq).
    """

    def __init__(
        self,
        path: Path,
        durability: Literal["normal", "full"],
        on_commit: Callable[[Commit], None],
        on_open: Callable[[str, int], None],
    ) -> None:
        self._on_commit = on_commit
        self._loop = asyncio.get_running_loop()
        self._database = Database(
            path,
            durability,
            on_open=lambda epoch, seq: self._tell(on_open, epoch, seq),
            on_refused=lambda refused: self._tell(self._fail, refused),
        )
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._queued_spans = 0
        self._queued_bytes = 0
        self._threaded = 0
        self._near: list[_Work] = []
        self._near_spans = 0
        self._near_bytes = 0
        self._turn = threading.Lock()
        self.failed: asyncio.Future[BaseException] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run_or_fail, name="writer", daemon=True)

    # ------------------------------------------------------------ on the event loop

    def start(self) -> None:
        self._thread.start()

    async def submit(self, arrivals: list[Arrival], size: int, contents: Sequence[Content] = ()) -> Stored:
        """Store one request's arrivals, and its contents of these or other spans, whether those are stored yet or not;
        returns after COMMIT. Raises `QueueFull`, `StoreBusy`."""
        # a request larger than the whole queue is taken when nothing waits: the body limit bounds it
        if self._queued_spans and (
            self._queued_spans + len(arrivals) + len(contents) > QUEUE_SPANS or self._queued_bytes + size > QUEUE_BYTES
        ):
            raise QueueFull("Spans arrive faster than the disk takes them; send this again in a moment.")
        work = _Work(self._loop.create_future(), arrivals=arrivals, contents=contents, size=size, threaded=False)
        self._queued_spans += work.rows
        self._queued_bytes += size
        if not self._near:
            self._loop.call_soon(self._write_near)  # once all that has arrived by now has come this far
        self._near.append(work)
        self._near_spans += work.rows
        self._near_bytes += size
        stored: Stored = await work.future
        return stored

    def _write_near(self) -> None:
        """Write what came in this turn of the event loop, here if that is quick, else on the thread."""
        group, spans, size = self._near, self._near_spans, self._near_bytes
        self._near, self._near_spans, self._near_bytes = [], 0, 0
        quick = not self._threaded and spans <= NEAR_SPANS and size <= NEAR_BYTES and self._database.quick
        if not quick or not self._write_here(group, size):
            for work in group:
                self._hand_over(work)

    def _write_here(self, group: list[_Work], size: int) -> bool:
        """Write `group` on the event loop; False when it has to be the thread."""
        if not self._turn.acquire(blocking=False):
            return False
        try:
            if not self._database.open_and_in_place:
                return False
            answers, commit = self._database.transact(_store_group(group), wait=False)
        except (*DATA_ERRORS, Locked):
            return False  # the thread finds out whose data it was, or waits for the lock
        except Exception as e:
            self._deliver(group, None, e, None)
        else:
            self._deliver(group, answers, None, commit)
            self._database.written(size, may_restart=False)
        finally:
            self._turn.release()
        return True

    def _hand_over(self, work: _Work) -> None:
        work.threaded = True
        self._threaded += 1
        self._queue.put(work)

    async def run(self, command: Command, size: int = 0) -> Any:
        """Run `command` in a transaction of its own; returns what it returned, after COMMIT. Its BeaconErrors roll the
        transaction back and are raised here."""
        work = _Work(self._loop.create_future(), command=command, size=size)
        self._hand_over(work)
        return await work.future

    @property
    def state(self) -> StoreBusy | None:
        """None while the database is open and takes writes, else why it does not."""
        return self._database.state

    async def close(self) -> None:
        """Write what is queued, empty the WAL, close."""
        self._database.stopping = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    # ------------------------------------------------------------ on the writer's thread

    def _run_or_fail(self) -> None:
        """A bug must not leave requests waiting for a thread that is gone: they are answered, and the process ends, to
        be started anew."""
        try:
            self._run()
        except BaseException as e:
            log.exception("the writer has failed; this is a bug, and the process ends to start anew")
            failed = StoreBusy("Beacon's writer has failed and is being restarted; send this again in a moment.")
            self._database.state = failed
            self._tell(self._fail, e)
            while (work := self._queue.get()) is not None:
                self._answer([work], error=failed)

    def _run(self) -> None:
        carry: _Work | None = None
        closing = False
        with self._turn:
            self._database.ready()
        while carry is not None or not closing:
            try:
                work = carry or self._queue.get(timeout=IDLE_S)
            except queue.Empty:
                with self._turn:
                    self._database.idle()
                continue
            carry = None
            if work is None:
                closing = True
                continue
            with self._turn:
                if not self._database.ready():
                    self._answer([work], error=self._database.why_not)
                elif work.command is not None:
                    self._run_command(work)
                else:
                    group, carry, closing = self._gather(work)
                    self._write_group(group)
        with self._turn:
            self._database.close()

    def _gather(self, first: _Work) -> tuple[list[_Work], _Work | None, bool]:
        """`first` and what waits behind it, up to the limits of a group; a command ends the group."""
        group = [first]
        spans, size = first.rows, first.size
        while spans < GROUP_SPANS and size < GROUP_BYTES:
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                break
            if work is None:
                return group, None, True
            if work.arrivals is None:
                return group, work, False
            group.append(work)
            spans += work.rows
            size += work.size
        return group, None, False

    def _write_group(self, group: list[_Work]) -> None:
        try:
            answers, commit = self._database.transact(_store_group(group))
        except DATA_ERRORS as e:
            if len(group) > 1:
                for work in group:
                    self._write_group([work])
                return
            self._answer(group, error=e)
        except Exception as e:
            self._answer(group, error=e)
        else:
            self._answer(group, results=answers, commit=commit)
            self._database.written(sum(w.size for w in group), may_restart=True)

    def _run_command(self, work: _Work) -> None:
        assert work.command is not None
        try:
            result, commit = self._database.transact(work.command)
        except Exception as e:
            self._answer([work], error=e)
        else:
            self._answer([work], results=[result], commit=commit)
            self._database.written(work.size, may_restart=True)

    def _answer(
        self,
        group: list[_Work],
        *,
        results: list[Any] | None = None,
        error: Exception | None = None,
        commit: Commit | None = None,
    ) -> None:
        self._tell(self._deliver, group, results, error, commit)

    def _tell(self, what: Callable[..., object], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            self._loop.call_soon_threadsafe(what, *args)

    # ------------------------------------------------------------ on the event loop again

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_result(error)

    def _deliver(
        self, group: list[_Work], results: list[Any] | None, error: Exception | None, commit: Commit | None
    ) -> None:
        for i, work in enumerate(group):
            self._threaded -= work.threaded
            if work.arrivals is not None:
                self._queued_spans -= work.rows
                self._queued_bytes -= work.size
            if work.future.done():
                continue
            if results is not None:
                work.future.set_result(results[i])
            elif error is not None:
                work.future.set_exception(error)
        if commit is not None and commit.last != commit.prev:
            self._loop.call_soon(self._on_commit, commit)  # behind the requests that were just woken
