"""The database file as query sees it: not there yet, not ready, replaced, or ours; and its errors as answers."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from beacon.errors import BeaconError, StoreBusy, Unavailable
from beacon.store.connect import APPLICATION_ID, connect_reader
from beacon.store.version import newest_schema

Identity = tuple[int, int, int]
"""(device, inode, inode of the shared memory): a migration renames a new file over the path, and an open connection
would go on reading the old; one that was opened before ingest put a foreign WAL away would go on reading that."""

# Primary result codes (the low byte of sqlite_errorcode) that are states of file, disk or lock, not bugs of ours
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_UNREADABLE = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}


def identity(path: Path) -> Identity:
    """Which file stands at `path` now. Raises `StoreBusy` when there is none."""
    try:
        stat = os.stat(path)  # half the cost of Path.stat, and every read pays for it
    except FileNotFoundError as e:
        raise StoreBusy("There is no database yet. ingest makes it when it starts; try again in a moment.") from e
    except OSError as e:
        raise StoreBusy(f"The database cannot be reached: {e.strerror}. See `beacon doctor`.", 2) from e
    try:
        shared = os.stat(f"{path}-shm").st_ino
    except OSError:
        shared = 0
    return stat.st_dev, stat.st_ino, shared


def open_database(path: Path) -> sqlite3.Connection:
    """A read-only connection to a whole Beacon database of this program's schema, with the SQL function `holds`.

    Raises `StoreBusy` while the file is missing, still without its tables, or waiting to be migrated; sqlite3 errors.
    """
    identity(path)
    try:
        db = connect_reader(path)
    except sqlite3.Error as e:
        raise as_answer(e) from e
    try:
        application_id = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if application_id != APPLICATION_ID or version != newest_schema():
            raise StoreBusy(
                f"The database is not ready: it has schema {version if application_id == APPLICATION_ID else 'none'}, "
                f"this Beacon reads {newest_schema()}. ingest brings it up to date; try again in a moment.",
            )
        db.create_function("holds", 2, holds, deterministic=True)
    except sqlite3.Error as e:
        db.close()
        raise as_answer(e) from e
    except BaseException:
        db.close()
        raise
    return db


def holds(text: str | None, folded: str) -> bool:
    """Whether the case-folded `text` contains `folded`; SQLite's own LIKE and lower() know ASCII only."""
    return text is not None and folded in text.casefold()


def as_answer(error: sqlite3.Error) -> BeaconError | sqlite3.Error:
    """`error` as what a client is told; an error of our own SQL comes back as it is, and is logged as a bug."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_INTERRUPT:
        return Unavailable("This read took too long and was stopped. Ask for less, or try again later.", 5)
    if code in _BUSY:
        return StoreBusy("The database is locked by another program; try again in a moment.")
    if code in _UNREADABLE:
        return StoreBusy(f"The database cannot be read: {error}. See `beacon doctor`.", 2)
    return error
