"""One read: the snapshots it takes, and how it is bounded."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

READ_MAX_S = 5.0
"""Seconds one transaction may take before it is interrupted and answered 503. Reads are built to take 0.1 s at most;
this is for what nobody foresaw: a reader that stays keeps the writer's WAL from shrinking."""

SLICE_S = 0.04
SLICE_MAX_S = 0.09
"""Seconds: what a slice of a walk aims at, and where it is broken off to be tried again smaller. The WAL is bounded
only while no read transaction lasts longer than 100 ms."""

SLICE_ROWS_MAX = 65_536
"""Rows a slice grows to; over the gaps that deletes leave, slices are nearly free."""

PROGRESS_OPS = 1_000
"""SQLite's virtual machine asks this often whether a slice is late: some 50 rows, 0.1 ms."""


class Abandoned(Exception):
    """Nobody waits for this read any more."""


class _SliceLate(Exception):
    """A slice took longer than SLICE_MAX_S."""


class Job:
    """One read on its way: queued, running on a reader, or settled."""

    __slots__ = ("_db", "_lock", "abandoned", "deadline", "future", "loop", "run")

    def __init__(self, run: Callable[[Walk], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.run = run
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self.deadline: float | None = None
        self.abandoned = False

    @contextlib.contextmanager
    def on(self, db: sqlite3.Connection) -> Iterator[None]:
        """While it runs on `db`."""
        with self._lock:
            self._db = db
        try:
            yield
        finally:
            with self._lock:
                self._db = None

    def interrupt(self) -> None:
        """Stop the statement it is at, if any."""
        with self._lock:  # the connection may be at another job's statement the moment this one is done
            if self._db is not None:
                self._db.interrupt()


class Walk:
    """What a read is given: the database in snapshots, each a transaction of its own."""

    def __init__(self, db: sqlite3.Connection, job: Job) -> None:
        self._db = db
        self._job = job

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """One transaction: everything read inside it is of one moment. Raises `Abandoned`."""
        if self._job.abandoned:
            raise Abandoned
        self._job.deadline = time.monotonic() + READ_MAX_S
        self._db.execute("BEGIN")
        try:
            yield self._db
        finally:
            self._job.deadline = None
            if self._db.in_transaction:
                self._db.execute("COMMIT")

    def descend(self, top: int, read: Callable[[sqlite3.Connection, int, int], T], size: int = 2_048) -> Iterator[T]:
        """`read(db, low, high)` for ranges (low, high] of row numbers from `top` down to 1, each in a snapshot of its
        own and at most about SLICE_MAX_S long: a range that takes longer is tried again smaller."""
        high = top
        while high > 0:
            low = max(0, high - size)
            began = time.monotonic()
            try:
                result = self._slice(read, low, high, None if size == 1 else began + SLICE_MAX_S)
            except _SliceLate:
                size = max(1, size // 4)
                continue
            took = time.monotonic() - began
            yield result
            if took < SLICE_S / 2:
                size = min(size * 2, SLICE_ROWS_MAX)
            elif took > SLICE_S:
                size = max(1, size // 2)
            high = low

    def _slice(
        self, read: Callable[[sqlite3.Connection, int, int], T], low: int, high: int, late_at: float | None
    ) -> T:
        with self.snapshot() as db:
            if late_at is None:
                return read(db, low, high)
            db.set_progress_handler(lambda: time.monotonic() > late_at, PROGRESS_OPS)
            try:
                return read(db, low, high)
            except sqlite3.OperationalError as e:
                if e.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT and time.monotonic() > late_at:
                    raise _SliceLate from e
                raise
            finally:
                db.set_progress_handler(None, 0)
