"""The connections of this process to the database file, and which file that is now."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from beacon.errors import StoreBusy
from query.database import Identity, as_answer, identity, open_database

log = logging.getLogger("beacon.query")


class Connections:
    """Every reader's connection to the file at `path`.

    When another file has come to stand there, all are closed before one is opened anew: SQLite keeps the write-ahead
    log and its index by path, and a connection that has the old file open would tie the old index to the new file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._slots: list[Slot] = []

    def slot(self) -> Slot:
        """Room for one reader's connection."""
        slot = Slot(self)
        with self._lock:
            self._slots.append(slot)
        return slot

    def remove(self, slot: Slot) -> None:
        """Close the connection of `slot` for good."""
        slot.close()
        with self._lock:
            self._slots.remove(slot)

    def identity(self) -> Identity:
        """Which file is there now. Raises `StoreBusy` when there is none."""
        return identity(self._path)

    def open(self, slot: Slot, now: Identity) -> None:
        """Open the file `now` for `slot`. Raises `StoreBusy` while it cannot be read."""
        with self._lock:
            for other in self._slots:
                if other.identity not in (None, now):
                    other.close()
            slot.open(self._path, now)


class Slot:
    """One reader's connection, opened when it is used, at the file that is there then."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self.identity: Identity | None = None

    @property
    def is_open(self) -> bool:
        return self._db is not None

    @contextlib.contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """The connection, nobody else's meanwhile. Errors of SQLite become answers (`StoreBusy`, `Unavailable`), but
        for those of our own SQL; after any of them the next use opens it anew."""
        while True:
            now = self._identity_now()
            if self.identity != now:
                self._connections.open(self, now)
            with self._lock:
                db = self._db
                if db is None or self.identity != now:
                    continue  # replaced once more, just now
                try:
                    yield db
                except sqlite3.Error as e:
                    self._close()
                    answer = as_answer(e)
                    if answer is e:
                        raise
                    log.warning("read failed: %s (%s)", e, getattr(e, "sqlite_errorname", "?"))
                    raise answer from e
                return

    def open(self, path: Path, now: Identity) -> None:
        """Called by Connections, when no connection to another file is left."""
        with self._lock:
            if self._db is None:
                self._db = open_database(path)
                # asked before opening: if the file was replaced in between, the next use sees another one
                self.identity = now

    def close(self) -> None:
        """Close the connection, if there is one, when it is not in use."""
        with self._lock:
            self._close()

    def _identity_now(self) -> Identity:
        try:
            return self._connections.identity()
        except StoreBusy:
            self.close()
            raise

    def _close(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
        self._db = self.identity = None
