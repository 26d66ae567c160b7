"""traces.db as its writer holds it: opened, locked, lost and opened again; and transactions, which leave all as it was
when they fail.

A full disk, a lock or an I/O error is a state to sit out (`state`), not a reason to end.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from beacon.config import close_database
from beacon.errors import BeaconError, Refused, StoreBusy
from beacon.store.connect import BUSY_MS, connect_writer
from beacon.store.lookup import index_complete_segments
from beacon.store.version import upgrade
from ingest.changes import Changes, Counters, no_changes, read_counters, write_counters
from ingest.checkpoints import Checkpoints
from ingest.faults import as_store_busy
from ingest.kept import Kept
from ingest.legacy.migrate import migrate_if_legacy

log = logging.getLogger("beacon.writer")

BUSY_POLL_S = 0.005
"""Seconds between two attempts to get a lock that another program holds."""

IN_PLACE_S = 0.02
"""Seconds for which the file is taken to be still at its path."""

REOPEN_S = 1.0
"""Seconds between attempts to open the database while the disk is full or the file locked."""


class Transaction:
    """What a command gets: the connection inside BEGIN IMMEDIATE, the counters to move on, the changes to report; and
    what is remembered of the file, which is forgotten when the transaction fails."""

    def __init__(self, db: sqlite3.Connection, counters: Counters, now_ns: int, kept: Kept | None = None) -> None:
        self.db = db
        self.counters = counters
        self.now_ns = now_ns
        self.kept = Kept() if kept is None else kept
        self.changes = no_changes()

    def next_seq(self) -> int:
        self.counters.seq += 1
        return self.counters.seq


Command = Callable[[Transaction], Any]


@dataclass(slots=True)
class Commit:
    """One committed transaction, for the live stream: `prev` and `last` are the seqs before and after it."""

    epoch: str
    prev: int
    last: int
    changes: Changes


class Locked(Exception):
    """Another program holds the database at this moment."""


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


class Database:
    """The open file. One thread at a time may use it; who that is, its owner decides.

    `on_open(epoch, seq)` is called each time it was opened; `on_refused` when it must not be, and then never again.
    `state` is None while it takes writes, else why it does not.
    """

    def __init__(
        self,
        path: Path,
        durability: Literal["normal", "full"],
        on_open: Callable[[str, int], None],
        on_refused: Callable[[Refused], None],
    ) -> None:
        self._path = path
        self._durability = durability
        self._on_open = on_open
        self._on_refused = on_refused
        self.state: StoreBusy | None = _opening()
        self.stopping = False
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._side_files: list[tuple[int, int] | None] = [None, None]
        self._open_again = 0.0
        self._seen_in_place = 0.0
        self._checkpoints = Checkpoints(path)
        self._kept = Kept()

    # ------------------------------------------------------------ transactions

    @property
    def why_not(self) -> StoreBusy:
        """What to answer while it is not open."""
        return self.state or _opening()

    @property
    def quick(self) -> bool:
        """Whether the next commit needs no waiting: no sync of the disk, no restart of the WAL, no fault to sit out."""
        # `full` syncs the disk: 1-10 ms on a laptop
        return self._durability == "normal" and self.state is None and not self._checkpoints.due

    @property
    def open_and_in_place(self) -> bool:
        return self._db is not None and self._in_place()

    def transact(self, body: Command, *, wait: bool = True) -> tuple[Any, Commit]:
        """Run `body` between BEGIN and COMMIT. On any error everything is as before, and the error is raised;
        states of disk and file as StoreBusy. Without `wait`, a locked database is `Locked` at once."""
        db = self._db
        if db is None:  # let go after a fault, by the request before this one
            raise self.why_not
        try:
            self._begin(db, wait=wait)
            counters = read_counters(db)
            prev, next_span_row = counters.seq, counters.next_span_row
            tx = Transaction(db, counters, time.time_ns(), self._kept)
            result = body(tx)
            if counters.seq != prev:
                write_counters(db, counters)
                index_complete_segments(db, next_span_row, counters.next_span_row)
            db.execute("COMMIT")
        except BaseException as e:
            self._roll_back()
            if isinstance(e, sqlite3.Error) and (busy := as_store_busy(e)) is not None:
                log.warning("write failed: %s (%s)", e, getattr(e, "sqlite_errorname", "?"))
                self.state = busy
                raise busy from e
            raise
        self.state = None
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
                    raise Locked from e
                if time.monotonic() >= until:
                    raise
                time.sleep(BUSY_POLL_S)

    def _roll_back(self) -> None:
        assert self._db is not None
        self._kept.clear()
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.Error:
            log.exception("could not roll back; opening the database anew")
            self._close_connection()

    def written(self, size: int, *, may_restart: bool) -> None:
        """Told after each commit of `size` bytes of spans; `may_restart` allows what takes a moment to be done now."""
        self._checkpoints.written(self._db if may_restart else None, size)

    # ------------------------------------------------------------ opening and closing

    def _open(self) -> None:
        try:
            migrate_if_legacy(self._path, self._migrating)
            close_database(self._path)  # first: SQLite makes the WAL with the mode of the database
            db = connect_writer(self._path, self._durability)
            upgrade(db, self._path)
            close_database(self._path)
            counters = read_counters(db)
            db.execute("UPDATE counters SET seq = seq")  # a write makes the WAL, so that we know which one is ours
            self._file = file_id(self._path)
            db.execute("PRAGMA busy_timeout=0")  # _begin waits
            self._side_files = [file_id(side) for side in side_files(self._path)]
        except StoreBusy as e:
            self._wait_to_open(e, e)
            return
        except Refused as e:
            self.state = StoreBusy(e.detail, 60)
            self._on_refused(e)
            return
        except (sqlite3.Error, OSError) as e:
            busy = as_store_busy(e) if isinstance(e, sqlite3.Error) else None
            self._wait_to_open(busy or StoreBusy(f"The database cannot be opened: {e}. See `beacon doctor`."), e)
            return
        self._db = db
        self._kept.clear()
        self.state = None
        self._on_open(counters.epoch, counters.seq)
        self._checkpoints.start()

    def _wait_to_open(self, state: StoreBusy, error: Exception) -> None:
        """Something to sit out: log it once, answer it to whoever asks, try again."""
        if self.state is None or self.state.detail != state.detail:
            log.warning("%s: %s (%s); trying again every %.0f s", self._path, state.detail, error, REOPEN_S)
        self.state = state

    def _migrating(self, done: int, total: int) -> None:
        share = 100 * done // max(1, total)
        self.state = StoreBusy(f"Beacon is migrating its database: {done:,} of {total:,} spans ({share} %).", 2)
        if self.stopping:
            raise self.state  # the old file stays, whole; the next start begins anew

    def ready(self) -> bool:
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
        self.state = _opening()
        self._open_again = 0.0
        self._close_connection()

    def idle(self) -> None:
        if not self.ready():
            return
        if self.state is not None:
            self._probe()
        elif self._db is not None:
            self._checkpoints.idle(self._db)

    def _probe(self) -> None:
        """After a fault, and with nobody writing: find out by a write whether it has passed."""
        with contextlib.suppress(BeaconError, sqlite3.Error):
            self.transact(_touch)

    def close(self) -> None:
        self._checkpoints.stop()
        if self._db is not None:
            self._checkpoints.idle(self._db)
        self._close_connection()

    def _close_connection(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None
