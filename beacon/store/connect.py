"""Connections to traces.db. Every PRAGMA stands here, once, with its reason and unit."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

PAGE_SIZE = 16_384
"""Bytes. Attribute texts of 1-7 KB leave 23 % of 8 KiB pages empty and 11 % of these: 3,560 bytes a span against 3,220,
and groups of 400 spans are written in 15 µs a span against 19; a commit of one span costs 30 µs more (measured). Set
before WAL: nothing but writing a new file changes it later."""

APPLICATION_ID = 0x42434E31
"""`BCN1` in the file's header: tells a Beacon file from any other SQLite file."""

BUSY_MS = 5_000
"""Milliseconds a connection waits for another program's lock (a backup, the sqlite3 shell) before `locked`."""

READER_BUSY_MS = 500
"""Milliseconds a read waits. In WAL mode nothing locks readers out but a program that takes the whole file: then a
client is told soon, and the reader is free for others."""

READER_CACHE_KIB = 4_096
WRITER_CACHE_KIB = 16_384
"""KiB of page cache a connection may keep; memory of the stack is bounded by their sum."""


def connect_writer(path: Path, durability: Literal["normal", "full"] = "normal") -> sqlite3.Connection:
    """The one connection that writes; the file is made if there is none. Autocommit: transactions are explicit.

    `normal` survives the crash of any process; `full` also syncs at each commit, and survives a power cut.
    """
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000)
    db.execute(f"PRAGMA page_size={PAGE_SIZE}")
    db.execute("PRAGMA auto_vacuum=INCREMENTAL")  # lets retention give the disk back without a whole rewrite
    db.execute("PRAGMA journal_mode=WAL")
    db.execute(f"PRAGMA synchronous={durability.upper()}")
    db.execute("PRAGMA foreign_keys=ON")
    db.execute("PRAGMA wal_autocheckpoint=0")  # ingest.checkpoints does it on a thread of its own
    db.execute(f"PRAGMA cache_size=-{WRITER_CACHE_KIB}")
    db.execute("PRAGMA temp_store=MEMORY")
    return db


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that can only read. Raises sqlite3.OperationalError while there is no such file."""
    db = sqlite3.connect(
        reader_uri(path), uri=True, isolation_level=None, check_same_thread=False, timeout=READER_BUSY_MS / 1000
    )
    for pragma in READER_PRAGMAS:
        db.execute(pragma)
    return db


def reader_uri(path: Path) -> str:
    """`path` as a read-only SQLite URI, its special characters escaped."""
    return f"{path.absolute().as_uri()}?mode=ro"


READER_PRAGMAS = (
    "PRAGMA query_only=ON",
    f"PRAGMA cache_size=-{READER_CACHE_KIB}",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA case_sensitive_like=OFF",
)
