"""The index's file: where it stands, its tables, its connections. All of it can be made anew from traces.db."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import unicodedata
from pathlib import Path
from typing import NamedTuple

from beacon.store.connect import reader_uri

FORMAT = f"2 unicode {unicodedata.unidata_version}"
"""What the file holds follows from this: another one is made anew. Case folding is Python's."""

PAGE_SIZE = 16_384
CACHE_KIB = 8_192
READER_CACHE_KIB = 2_048

_TABLES = """
CREATE TABLE meta (
  id        INTEGER PRIMARY KEY CHECK (id = 1),
  format    TEXT    NOT NULL,
  epoch     TEXT    NOT NULL,   -- of the database this is made from
  seq       INTEGER NOT NULL,   -- every change up to this one is in the index, of rows up to `top`
  top       INTEGER NOT NULL    -- the last span_row it covers
) STRICT;

-- Words of spans (low, high] in the FTS5 table words_<segment>, which never changes once it is listed here.
CREATE TABLE segments (
  segment    INTEGER PRIMARY KEY,
  low        INTEGER NOT NULL,
  high       INTEGER NOT NULL,
  span_count INTEGER NOT NULL
) STRICT;

-- Its distinct words between line feeds, those of many spans first, in blocks (query/index/vocabulary.py).
CREATE TABLE vocabularies (
  segment    INTEGER NOT NULL,
  block      INTEGER NOT NULL,
  words      BLOB    NOT NULL,
  PRIMARY KEY (segment, block)
) STRICT;

-- Which blocks of a large vocabulary hold three bytes in a row, by their hash.
CREATE TABLE masks (
  segment    INTEGER NOT NULL,
  part       INTEGER NOT NULL,
  masks      BLOB    NOT NULL,
  PRIMARY KEY (segment, part)
) STRICT;

-- Spans after the last segment, and spans of segments that have changed: these rows count, the segment's do not.
CREATE TABLE recent (
  span_row  INTEGER PRIMARY KEY,
  seq       INTEGER NOT NULL,
  words     TEXT    NOT NULL
) STRICT;

-- Spans whose text is not, or not all, in the index, and those that may be found by the name of their trace.
CREATE TABLE unsure (
  span_row  INTEGER PRIMARY KEY
) STRICT;
"""


_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_MODE = 0o600


class Meta(NamedTuple):
    epoch: str
    seq: int
    top: int


class Segment(NamedTuple):
    number: int
    low: int
    high: int
    span_count: int


def path_beside(database: Path) -> Path:
    """Where the index of `database` stands."""
    return database.with_name(database.name + "-search")


def remove(path: Path) -> None:
    """Remove the index with what SQLite keeps beside it. Raises OSError."""
    for suffix in ("-wal", "-shm", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def open_writer(path: Path, epoch: str) -> sqlite3.Connection:
    """The connection of the process that keeps the index of database `epoch`; an index of another one, or in another
    format, is emptied. Raises sqlite3.Error, DatabaseError for a file that is broken or none of ours."""
    # before SQLite makes it, with the mode of the umask: what lies beside it gets the mode it has
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE))
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute(f"PRAGMA page_size={PAGE_SIZE}")
        db.execute("PRAGMA auto_vacuum=INCREMENTAL")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("PRAGMA secure_delete=ON")  # a deleted text does not stay in a free page
        db.execute("PRAGMA journal_size_limit=4194304")
        db.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        meta = read_meta(db)
        if meta is None or meta.epoch != epoch:
            _make_anew(db, epoch)
    except BaseException:
        db.close()
        raise
    return db


def _make_anew(db: sqlite3.Connection, epoch: str) -> None:
    db.execute("BEGIN IMMEDIATE")
    for kind, name in db.execute(
        "SELECT type, name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
        "ORDER BY sql NOT LIKE 'CREATE VIRTUAL%'"  # FTS5 drops its own tables with itself
    ).fetchall():
        db.execute(f"DROP {kind} IF EXISTS {name}")
    for statement in _TABLES.split(";\n"):
        if statement.strip():
            db.execute(statement)
    db.execute("INSERT INTO meta VALUES (1, ?, ?, 0, 0)", (FORMAT, epoch))
    db.execute("COMMIT")


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection for searches, of any thread. Raises sqlite3.Error while there is none."""
    db = sqlite3.connect(reader_uri(path), uri=True, isolation_level=None, check_same_thread=False, timeout=0.2)
    with contextlib.suppress(sqlite3.Error):
        db.execute(f"PRAGMA cache_size=-{READER_CACHE_KIB}")
    return db


def tells_of_a_broken_file(error: sqlite3.Error) -> bool:
    """Whether what is in a file cannot be read, now or later; that it cannot be read now is nothing of the kind."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in _BROKEN or code == sqlite3.SQLITE_IOERR_SHORT_READ  # the last: it was cut off


def is_broken(path: Path, error: sqlite3.DatabaseError) -> bool:
    """Whether `error`, which came while index and database were read, is for an index at `path` that is broken."""
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CORRUPT_VTAB:  # of FTS5: the database has no such tables
        return True
    if not tells_of_a_broken_file(error):
        return False
    try:
        with contextlib.closing(open_reader(path)) as db:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
    except sqlite3.DatabaseError as e:
        return tells_of_a_broken_file(e)


def read_meta(db: sqlite3.Connection) -> Meta | None:
    """How far the index is, and of which database; None where it has no tables yet, or another format."""
    try:
        row = db.execute("SELECT format, epoch, seq, top FROM meta").fetchone()
    except sqlite3.OperationalError as e:
        if "no such table" in str(e):
            return None
        raise
    return Meta(*row[1:]) if row is not None and row[0] == FORMAT else None


def read_segments(db: sqlite3.Connection) -> list[Segment]:
    """Oldest spans first."""
    rows = db.execute("SELECT segment, low, high, span_count FROM segments ORDER BY low")
    return [Segment(*row) for row in rows]
