"""The tables in memory: a narrow row a trace with an index for each order, and what traces are filtered by."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

ENDLESS = 2**63 - 1
"""How long an open trace lasts when the shortest come first: it comes last. When the longest do, it lasts -1."""

COLUMNS = (
    "trace_row", "id_hash", "start_ns", "down_ns", "up_ns", "cost_pico", "tokens", "span_count", "failed", "running",
    "unpriced", "created_ns", "seen_ns", "session", "top_call_pico", "top_tool_ns", "facts",
)  # fmt: skip

_TABLES = f"""
CREATE TABLE traces (
  trace_row INTEGER PRIMARY KEY, {", ".join(f"{name} INTEGER" for name in COLUMNS[1:-1])}, facts BLOB
);
CREATE TABLE facts (fact INTEGER, trace_row INTEGER, PRIMARY KEY (fact, trace_row)) WITHOUT ROWID;
"""

ORDERED = ("start_ns", "down_ns", "up_ns", "cost_pico", "tokens", "span_count")
"""The columns a list can be ordered by; each index is named by_ and the column."""

INDEXES = (
    *(f"CREATE INDEX by_{name} ON traces ({name})" for name in ORDERED),
    "CREATE INDEX by_top_call ON traces (top_call_pico) WHERE top_call_pico IS NOT NULL",
    "CREATE INDEX by_top_tool ON traces (top_tool_ns) WHERE top_tool_ns IS NOT NULL",
    "CREATE INDEX by_id_hash ON traces (id_hash)",
)
"""Made when the rows are there: that takes a third of the time."""

PUT = f"INSERT OR REPLACE INTO traces VALUES ({', '.join('?' * len(COLUMNS))})"


def new_tables() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA temp_store=MEMORY")
    db.executescript(_TABLES)
    return db


def put(db: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert or replace rows of COLUMNS."""
    db.executemany(PUT, rows)
