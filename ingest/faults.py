"""What a SQLite error means for the requests that met it. Pure."""

from __future__ import annotations

import sqlite3

from beacon.errors import StoreBusy

_BUSY = {
    "SQLITE_FULL": "The disk is full: Beacon cannot store anything until there is room. Free some and retry.",
    "SQLITE_BUSY": "Another program holds the database locked; send this again when it has finished.",
    "SQLITE_LOCKED": "Another program holds the database locked; send this again when it has finished.",
    "SQLITE_READONLY": "The database file is read-only; make it writable (see `beacon doctor`) and send this again.",
    "SQLITE_CANTOPEN": "The database file cannot be opened; see `beacon doctor`.",
    "SQLITE_IOERR": "The disk reports an error; see `beacon doctor`, and send this again.",
    "SQLITE_CORRUPT": "The database file is damaged; run `beacon doctor` before anything else.",
    "SQLITE_NOTADB": "The database file is damaged; run `beacon doctor` before anything else.",
    "SQLITE_NOMEM": "The machine is out of memory; send this again in a moment.",
}

RETRY_AFTER_S = 2


def as_store_busy(error: sqlite3.Error) -> StoreBusy | None:
    """A state of disk or file to sit out, as a 503; None for an error of the data itself."""
    name = getattr(error, "sqlite_errorname", "") or ""
    for known, detail in _BUSY.items():
        if name == known or name.startswith(known + "_"):
            return StoreBusy(detail, RETRY_AFTER_S)
    return None


DATA_ERRORS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError,
               OverflowError, UnicodeError)  # fmt: skip
"""Errors that one request's data causes: the others of its group must not suffer for it."""
