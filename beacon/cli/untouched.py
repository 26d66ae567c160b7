"""Reading a database without leaving anything beside it."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from beacon.store.connect import connect_reader, reader_uri

WAL_VERSION = b"\x02\x02"
"""Bytes 18 and 19 of a file in WAL mode (https://www.sqlite.org/fileformat2.html#file_format_version_numbers)."""

LOCK_BYTES = (0x4000_0002, 510)
"""Where SQLite locks a file, start and length: every connection in WAL mode holds a shared lock there as long as it is
open (https://www.sqlite.org/src/file/src/os.h, SHARED_FIRST and SHARED_SIZE)."""


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads `path`, after which the folder is as it was. Raises sqlite3.Error.

    Even a read-only connection makes `-wal` and `-shm` files for a database in WAL mode that has none, with the mode of
    the database, and leaves them there.
    """
    wal, shm = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    if _in_wal_mode(path) and not shm.exists() and not _holds_anything(wal):
        # nobody has it open: SQLite may take it for a file that never changes
        uri = f"{reader_uri(path)}&immutable=1"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as db:
            yield db
        return
    made = not shm.exists()
    try:
        with closing(connect_reader(path)) as db:
            yield db
    finally:
        if made:
            _remove_unused(shm, path)


def _in_wal_mode(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as file:
        return file.read(20)[18:] == WAL_VERSION
    return False


def _holds_anything(wal: Path) -> bool:
    try:
        return wal.stat().st_size > 0
    except FileNotFoundError:
        return False


def _remove_unused(shm: Path, path: Path) -> None:
    """Remove `shm` as SQLite itself does: under a lock that nobody gets while any connection is open."""
    with suppress(OSError), path.open("rb+") as file:
        start_length = LOCK_BYTES
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, start_length[1], start_length[0])
        shm.unlink()
