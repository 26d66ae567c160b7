"""Imports that become visible: their traces are put into the table `traces` step by step, and nobody may see some of
them. While that goes on, a few seconds at most, readers hide them; at all other times reads are as they were."""

from __future__ import annotations

import sqlite3

_STATE = "SELECT under_way, done FROM landings"

_RANGE_END = "(SELECT r.high FROM {schema}import_ranges r WHERE r.low <= {row} ORDER BY r.low DESC LIMIT 1)"

# temp. comes before main. when SQLite looks for a name, so every statement reads the view in the table's place
_HIDE = (
    "CREATE TEMP VIEW traces AS SELECT * FROM main.traces WHERE coalesce("
    f"{_RANGE_END.format(schema='main.', row='main.traces.trace_row')} < main.traces.trace_row, 1)"
)
_SHOW = "DROP VIEW temp.traces"


class Reader(sqlite3.Connection):
    """A connection that reads, and knows whether it hides a landing import."""

    hides = False


def begin(db: sqlite3.Connection) -> int:
    """Begin a read transaction in which an import is there whole or not at all. Returns how many imports have become
    visible so far: a read of several transactions that sees two numbers saw a part of one, and has to begin anew."""
    db.execute("BEGIN")
    under_way, done = db.execute(_STATE).fetchone()
    if isinstance(db, Reader) and db.hides != bool(under_way):
        db.execute("PRAGMA query_only=OFF")  # the view is the connection's own; the file is open for reading only
        db.execute(_HIDE if under_way else _SHOW)
        db.execute("PRAGMA query_only=ON")
        db.hides = bool(under_way)
    return int(done)


def is_staged(row: str) -> str:
    """SQL: whether the trace row `row` (an expression) is set aside for an import that is not visible yet."""
    return f"coalesce({_RANGE_END.format(schema='', row=row)} >= {row}, 0)"


def staged_ranges(db: sqlite3.Connection) -> list[tuple[int, int]]:
    """The trace rows that are set aside for imports that are not visible yet, as [low, high]."""
    return db.execute("SELECT low, high FROM import_ranges ORDER BY low").fetchall()
