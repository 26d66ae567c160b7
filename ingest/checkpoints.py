"""Keeps the WAL short without holding up acks.

A passive checkpoint on a thread and connection of its own copies pages into the database while the writer goes on. It
never catches up with a writer that does not pause, and the WAL is only written from its start again when everything was
copied and no reader is inside; so, when little is left to copy, the writer itself does a RESTART between two groups.
Measured with four readers: passive alone let the WAL grow to 251 MB; RESTART alone every 16 MB stalled acks 55-77 ms.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from pathlib import Path

from beacon.store.connect import PAGE_SIZE

log = logging.getLogger("beacon.checkpoints")

PASSIVE_BYTES = 4 * 1024 * 1024
"""Bytes written between two passive copies: small enough that each takes a few milliseconds."""

RESTART_BYTES = 12 * 1024 * 1024
"""Length of the WAL from which the writer restarts it."""

URGENT_BYTES = 32 * 1024 * 1024
"""Length from which the writer waits for readers, URGENT_WAIT_MS at most (reads last at most 100 ms), before it writes
on: this is what keeps the WAL under 64 MiB."""

QUIET_S = 0.3
"""Seconds without a commit after which the WAL is emptied."""

RESTART_WAIT_MS = 2
URGENT_WAIT_MS = 150

OVERHEAD = 1.35
"""Bytes in the WAL for a byte of spans: page headers, indexes, half-filled pages (measured)."""

COMMIT_BYTES = 8 * PAGE_SIZE
"""Bytes in the WAL for a commit of any size: the pages at the ends of tables and indexes, written whole again. Without
it the estimate was 15 times too low for single spans, and the WAL grew to 79 MB (measured)."""


class Checkpoints:
    """The passive thread, and the writer's own short steps. `written` and `idle` are called by the writer's thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wanted = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._since_passive = 0.0
        self._wal_bytes = 0.0
        self._copied = False
        self._dirty = False
        self._last_write = 0.0

    @property
    def due(self) -> bool:
        """Whether the writer's thread should restart the WAL after its next commit: it may wait for readers."""
        return self._wal_bytes >= URGENT_BYTES or (self._copied and self._wal_bytes >= RESTART_BYTES)

    def start(self) -> None:
        if self._thread is None:
            self._stopping = False
            self._wanted.clear()
            self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def written(self, db: sqlite3.Connection | None, size: int) -> None:
        """Told after each commit: `size` bytes of spans were written; no `db` where a restart has to wait for another.
        The WAL's length is an estimate (SQLite tells it only at a checkpoint), set right by every passive copy."""
        self._dirty = True
        self._last_write = time.monotonic()
        grown = COMMIT_BYTES + size * OVERHEAD
        self._since_passive += grown
        self._wal_bytes += grown
        if self._since_passive >= PASSIVE_BYTES:
            self._since_passive = 0.0
            self._wanted.set()
        if db is None:
            return
        if self._wal_bytes >= URGENT_BYTES:
            self._restart(db, URGENT_WAIT_MS)
        elif self._copied and self._wal_bytes >= RESTART_BYTES:
            self._restart(db, RESTART_WAIT_MS)

    def idle(self, db: sqlite3.Connection) -> None:
        """Told when nothing waits: empty the WAL, so that the disk holds each span once."""
        quiet = time.monotonic() - self._last_write > QUIET_S
        if self._dirty and quiet and self._checkpoint(db, "TRUNCATE", URGENT_WAIT_MS):
            self._dirty = False

    def _restart(self, db: sqlite3.Connection, wait_ms: int) -> None:
        self._copied = False
        self._checkpoint(db, "RESTART", wait_ms)

    def _checkpoint(self, db: sqlite3.Connection, mode: str, wait_ms: int) -> bool:
        try:
            before = db.execute("PRAGMA busy_timeout").fetchone()[0]
            db.execute(f"PRAGMA busy_timeout={wait_ms}")
            try:
                busy, frames, _ = db.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
            finally:
                db.execute(f"PRAGMA busy_timeout={before}")
        except sqlite3.Error as e:
            # a full disk, say: the WAL stays, nothing is lost, and the next write says so to its client
            log.warning("checkpoint failed: %s", e)
            return False
        # after a RESTART the frames are still counted, though the next write starts at the first again
        self._wal_bytes = float(frames * PAGE_SIZE) if busy else 0.0
        return not busy

    def _run(self) -> None:
        db: sqlite3.Connection | None = None
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._stopping:
                break
            try:
                if db is None:
                    db = sqlite3.connect(self._path, isolation_level=None, timeout=0)
                    db.execute("PRAGMA wal_autocheckpoint=0")
                _, frames, _ = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                self._wal_bytes = float(max(0, frames) * PAGE_SIZE)
                self._copied = True
            except sqlite3.Error as e:
                log.warning("passive checkpoint failed: %s", e)
                if db is not None:
                    with contextlib.suppress(sqlite3.Error):
                        db.close()
                    db = None
        if db is not None:
            db.close()
