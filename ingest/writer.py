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
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from beacon.errors import BeaconError, QueueFull, Refused, StoreBusy
from beacon.store.connect import BUSY_MS, connect_writer
from beacon.store.lookup import index_complete_segments
from beacon.store.version import upgrade
from ingest.checkpoints import Checkpoints
from ingest.decode import Arrival
from ingest.faults import DATA_ERRORS, as_store_busy
from ingest.legacy.migrate import migrate_if_legacy
from ingest.spans import Changes, Counters, Stored, no_changes, read_counters, store, write_counters

log = logging.getLogger("beacon.writer")

GROUP_SPANS = 2_000
GROUP_BYTES = 8 * 1024 * 1024
"""Most that one transaction takes: about 50 ms of work, so that no ack waits long behind others."""

QUEUE_SPANS = 60_000
QUEUE_BYTES = 128 * 1024 * 1024
"""Most that may wait; above it a request is answered 503 at once."""

BUSY_POLL_S = 0.005
"""Seconds between two attempts to get a lock that another program holds."""

IN_PLACE_S = 0.02
"""Seconds for which the file is taken to be still at its path."""

NEAR_SPANS = 64
NEAR_BYTES = 512 * 1024
"""Most that is written on the event loop itself, when the thread has nothing to do: at most 2 ms. Waking a thread and
being woken by it costs a lone request more than its commit (2.1 ms against 1.3 at 200 requests/s)."""

IDLE_S = 0.4
"""Seconds without work after which the WAL is emptied."""

REOPEN_S = 1.0
"""Seconds between attempts to open the database while the disk is full or the file locked."""


class Transaction:
    """What a command gets: the connection inside BEGIN IMMEDIATE, the counters to move on, the changes to report."""

    def __init__(self, db: sqlite3.Connection, counters: Counters, now_ns: int) -> None:
        self.db = db
        self.counters = counters
        self.now_ns = now_ns
        self.changes = no_changes()

    def next_seq(self) -> int:
        self.counters.seq += 1
        return self.counters.seq


Command = Callable[[Transaction], Any]


def _opening() -> StoreBusy:
    return StoreBusy("Beacon is opening its database; send this again in a moment.")


def file_id(path: Path) -> tuple[int, int] | None:
    """What tells the file at `path` from any other that was or will be there; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def side_files(path: Path) -> list[Path]:
    """The WAL and the shared memory that belong to the database at `path`."""
    return [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm")]


def _touch(tx: Transaction) -> None:
    """A write that changes nothing a client can see."""
    tx.db.execute("UPDATE counters SET seq = seq")


@dataclass(slots=True)
class _Work:
    """One request's work: spans to store, or a command; and who waits for it."""

    future: asyncio.Future[Any]
    arrivals: list[Arrival] | None = None
    command: Command | None = None
    size: int = 0
    threaded: bool = True


def _store_group(group: list[_Work]) -> Command:
    def command(tx: Transaction) -> list[Stored]:
        stored, tx.changes = store(tx.db, tx.counters, [w.arrivals or [] for w in group], tx.now_ns)
        return stored

    return command


@dataclass(slots=True)
class Commit:
    """One committed transaction, for the live stream: `prev` and `last` are the seqs before and after it."""

    epoch: str
    prev: int
    last: int
    changes: Changes


class _Locked(Exception):
    """Another program holds the database at this moment."""


class Writer:
    """Owns the connection and the thread. Made on the event loop; `submit` and `run` are called there.

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
        self._path = path
        self._durability = durability
        self._on_commit = on_commit
        self._on_open = on_open
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._queued_spans = 0
        self._queued_bytes = 0
        self._threaded = 0
        self._near: list[_Work] = []
        self._near_spans = 0
        self._near_bytes = 0
        self._turn = threading.Lock()
        self._state: StoreBusy | None = _opening()
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._side_files: list[tuple[int, int] | None] = [None, None]
        self._open_again = 0.0
        self._seen_in_place = 0.0
        self._stopping = False
        self._checkpoints = Checkpoints(path)
        self.failed: asyncio.Future[BaseException] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run_or_fail, name="writer", daemon=True)

    # ------------------------------------------------------------ on the event loop

    def start(self) -> None:
        self._thread.start()

    async def submit(self, arrivals: list[Arrival], size: int) -> Stored:
        """Store one request's arrivals; returns after COMMIT. Raises `QueueFull`, `StoreBusy`."""
        # a request larger than the whole queue is taken when nothing waits: the body limit bounds it
        if self._queued_spans and (
            self._queued_spans + len(arrivals) > QUEUE_SPANS or self._queued_bytes + size > QUEUE_BYTES
        ):
            raise QueueFull("Spans arrive faster than the disk takes them; send this again in a moment.")
        self._queued_spans += len(arrivals)
        self._queued_bytes += size
        work = _Work(self._loop.create_future(), arrivals=arrivals, size=size, threaded=False)
        if not self._near:
            self._loop.call_soon(self._write_near)  # once all that has arrived by now has come this far
        self._near.append(work)
        self._near_spans += len(arrivals)
        self._near_bytes += size
        stored: Stored = await work.future
        return stored

    def _write_near(self) -> None:
        """Write what came in this turn of the event loop, here if that is quick, else on the thread."""
        group, spans, size = self._near, self._near_spans, self._near_bytes
        self._near, self._near_spans, self._near_bytes = [], 0, 0
        quick = (
            not self._threaded
            and spans <= NEAR_SPANS
            and size <= NEAR_BYTES
            and self._durability == "normal"  # `full` syncs the disk: 1-10 ms on a laptop
            and self._state is None
            and not self._checkpoints.due
        )
        if not quick or not self._write_here(group, size):
            for work in group:
                self._hand_over(work)

    def _write_here(self, group: list[_Work], size: int) -> bool:
        """Write `group` on the event loop; False when it has to be the thread."""
        if not self._turn.acquire(blocking=False):
            return False
        try:
            if self._db is None or not self._in_place():
                return False
            answers, commit = self._transact(_store_group(group), wait=False)
        except (*DATA_ERRORS, _Locked):
            return False  # the thread finds out whose data it was, or waits for the lock
        except Exception as e:
            self._deliver(group, None, e, None)
        else:
            self._deliver(group, answers, None, commit)
            self._checkpoints.written(None, size)
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
        return self._state

    async def close(self) -> None:
        """Write what is queued, empty the WAL, close."""
        self._stopping = True
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
            self._state = StoreBusy("Beacon's writer has failed and is being restarted; send this again in a moment.")
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._fail, e)
            while (work := self._queue.get()) is not None:
                self._answer([work], error=self._state)

    def _run(self) -> None:
        carry: _Work | None = None
        closing = False
        with self._turn:
            self._ready()
        while carry is not None or not closing:
            try:
                work = carry or self._queue.get(timeout=IDLE_S)
            except queue.Empty:
                with self._turn:
                    self._idle()
                continue
            carry = None
            if work is None:
                closing = True
                continue
            with self._turn:
                if not self._ready():
                    self._answer([work], error=self._state or _opening())
                elif work.command is not None:
                    self._run_command(work)
                else:
                    group, carry, closing = self._gather(work)
                    self._write_group(group)
        with self._turn:
            self._close()

    def _gather(self, first: _Work) -> tuple[list[_Work], _Work | None, bool]:
        """`first` and what waits behind it, up to the limits of a group; a command ends the group."""
        group = [first]
        spans, size = len(first.arrivals or ()), first.size
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
            spans += len(work.arrivals)
            size += work.size
        return group, None, False

    def _write_group(self, group: list[_Work]) -> None:
        try:
            answers, commit = self._transact(_store_group(group))
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
            self._checkpoints.written(self._db, sum(w.size for w in group))

    def _run_command(self, work: _Work) -> None:
        assert work.command is not None
        try:
            result, commit = self._transact(work.command)
        except Exception as e:
            self._answer([work], error=e)
        else:
            self._answer([work], results=[result], commit=commit)
            self._checkpoints.written(self._db, work.size)

    def _transact(self, body: Command, *, wait: bool = True) -> tuple[Any, Commit]:
        """Run `body` between BEGIN and COMMIT. On any error everything is as before, and the error is raised;
        states of disk and file as StoreBusy. Without `wait`, a locked database is `_Locked` at once."""
        db = self._db
        if db is None:  # let go after a fault, by the request before this one
            raise self._state or _opening()
        try:
            self._begin(db, wait=wait)
            counters = read_counters(db)
            prev, next_span_row = counters.seq, counters.next_span_row
            tx = Transaction(db, counters, time.time_ns())
            result = body(tx)
            if counters.seq != prev:
                write_counters(db, counters)
                index_complete_segments(db, next_span_row, counters.next_span_row)
            db.execute("COMMIT")
        except BaseException as e:
            self._roll_back()
            if isinstance(e, sqlite3.Error) and (busy := as_store_busy(e)) is not None:
                log.warning("write failed: %s (%s)", e, getattr(e, "sqlite_errorname", "?"))
                self._state = busy
                raise busy from e
            raise
        self._state = None
        return result, Commit(counters.epoch, prev, counters.seq, tx.changes)

    def _begin(self, db: sqlite3.Connection, *, wait: bool) -> None:
        """Waits here, not in SQLite: the same connection must not wait when the event loop uses it."""
        until = time.monotonic() + BUSY_MS / 1000 if wait else 0.0
        while True:
            try:
                db.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as e:
                if e.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                if not wait:
                    raise _Locked from e
                if time.monotonic() >= until:
                    raise
                time.sleep(BUSY_POLL_S)

    def _roll_back(self) -> None:
        assert self._db is not None
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.Error:
            log.exception("could not roll back; opening the database anew")
            self._close_connection()

    def _answer(
        self,
        group: list[_Work],
        *,
        results: list[Any] | None = None,
        error: Exception | None = None,
        commit: Commit | None = None,
    ) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            self._loop.call_soon_threadsafe(self._deliver, group, results, error, commit)

    def _deliver(
        self, group: list[_Work], results: list[Any] | None, error: Exception | None, commit: Commit | None
    ) -> None:
        for i, work in enumerate(group):
            self._threaded -= work.threaded
            if work.arrivals is not None:
                self._queued_spans -= len(work.arrivals)
                self._queued_bytes -= work.size
            if work.future.done():
                continue
            if results is not None:
                work.future.set_result(results[i])
            elif error is not None:
                work.future.set_exception(error)
        if commit is not None and commit.last != commit.prev:
            self._loop.call_soon(self._on_commit, commit)  # behind the requests that were just woken

    # ------------------------------------------------------------ opening and closing

    def _open(self) -> None:
        try:
            migrate_if_legacy(self._path, self._migrating)
            db = connect_writer(self._path, self._durability)
            upgrade(db, self._path)
            self._path.chmod(0o600)
            counters = read_counters(db)
            db.execute("UPDATE counters SET seq = seq")  # a write makes the WAL, so that we know which one is ours
            self._file = file_id(self._path)
            db.execute("PRAGMA busy_timeout=0")  # _begin waits
            self._side_files = [file_id(side) for side in side_files(self._path)]
        except StoreBusy as e:
            self._wait_to_open(e, e)
            return
        except Refused as e:
            self._state = StoreBusy(e.detail, 60)
            self._loop.call_soon_threadsafe(self._fail, e)
            return
        except (sqlite3.Error, OSError) as e:
            busy = as_store_busy(e) if isinstance(e, sqlite3.Error) else None
            self._wait_to_open(busy or StoreBusy(f"The database cannot be opened: {e}. See `beacon doctor`."), e)
            return
        self._db = db
        self._state = None
        self._loop.call_soon_threadsafe(self._on_open, counters.epoch, counters.seq)
        self._checkpoints.start()

    def _wait_to_open(self, state: StoreBusy, error: Exception) -> None:
        """Something to sit out: log it once, answer it to whoever asks, try again."""
        if self._state is None or self._state.detail != state.detail:
            log.warning("%s: %s (%s); trying again every %.0f s", self._path, state.detail, error, REOPEN_S)
        self._state = state

    def _migrating(self, done: int, total: int) -> None:
        share = 100 * done // max(1, total)
        self._state = StoreBusy(f"Beacon is migrating its database: {done:,} of {total:,} spans ({share} %).", 2)
        if self._stopping:
            raise self._state  # the old file stays, whole; the next start begins anew

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_result(error)

    def _ready(self) -> bool:
        """Whether the database is open; opens it, at most every REOPEN_S, when it is not. A file that was deleted or
        replaced is let go: what is written to it now nobody would ever read."""
        if self._db is not None and not self._in_place():
            self._let_go()
        if self._db is None and time.monotonic() >= self._open_again:
            self._open()
            self._open_again = time.monotonic() + REOPEN_S
        return self._db is not None

    def _in_place(self) -> bool:
        now = time.monotonic()
        if now - self._seen_in_place > IN_PLACE_S:
            if file_id(self._path) != self._file:
                return False
            self._seen_in_place = now
        return True

    def _let_go(self) -> None:
        """Close a file that is no longer at its path. SQLite finds a WAL by its path alone: our old one, which query's
        readers still hold open, would be played back into the file that is there now, so it goes first."""
        log.warning("%s was deleted or replaced; opening what is there now", self._path)
        self._checkpoints.stop()
        for side, known in zip(side_files(self._path), self._side_files, strict=True):
            if known is not None and file_id(side) == known:
                side.unlink()
        self._state = _opening()
        self._open_again = 0.0
        self._close_connection()

    def _idle(self) -> None:
        if not self._ready():
            return
        if self._state is not None:
            self._probe()
        elif self._db is not None:
            self._checkpoints.idle(self._db)

    def _probe(self) -> None:
        """After a fault, and with nobody writing: find out by a write whether it has passed."""
        with contextlib.suppress(BeaconError, sqlite3.Error):
            self._transact(_touch)

    def _close(self) -> None:
        self._checkpoints.stop()
        if self._db is not None:
            self._checkpoints.idle(self._db)
        self._close_connection()

    def _close_connection(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None
