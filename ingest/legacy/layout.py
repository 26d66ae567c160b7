"""The original layout: its tables and columns, which of them a file has, and its rows in the order they arrived.

All text is read as bytes: one value that is not UTF-8 must not sink the migration, and ids and attributes are judged
by what is stored. Values have whatever type SQLite kept, since a REAL column holds text that is no number.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from beacon.errors import Refused

REQUIRED: dict[str, tuple[str, ...]] = {
    "traces": (
        "trace_id", "name", "start_time", "end_time", "span_count", "status", "tags", "total_cost_usd",
        "total_tokens", "created_at",
    ),
    "spans": (
        "span_id", "trace_id", "parent_span_id", "span_type", "name", "status", "error_message", "start_time",
        "end_time", "attributes", "created_at",
    ),
    "replay_runs": (
        "replay_id", "original_span_id", "trace_id", "modified_input", "new_output", "diff", "created_at",
    ),
    "prompt_versions": ("version_id", "span_id", "prompt_text", "label", "created_at"),
}  # fmt: skip
"""Columns every file of the original has, for each table it has."""

OPTIONAL: dict[str, tuple[str, ...]] = {
    "traces": ("sdk_language",),
    "spans": ("annotations", "sdk_language"),
    "replay_runs": (),
    "prompt_versions": (),
}
"""Columns that came with later versions of the original."""

FIRST_SPAN_AT = "(SELECT created_at FROM spans WHERE spans.rowid = s.first)"

Value = Any
"""What SQLite hands out: None, int, float, or bytes for text and blobs."""


class LegacyTrace(NamedTuple):
    """A trace that has spans. `first_span_at` is the created_at of its first span; all but it and the id are None for
    a trace whose row is missing."""

    trace_id: Value
    tags: Value
    created_at: Value
    sdk_language: Value
    first_span_at: Value


class LegacySpan(NamedTuple):
    """`key` is the span's place in the batch that asked for it."""

    key: int
    rowid: int
    span_id: Value
    trace_id: Value
    parent_span_id: Value
    span_type: Value
    name: Value
    status: Value
    error_message: Value
    start_time: Value
    end_time: Value
    attributes: Value
    annotations: Value
    sdk_language: Value
    created_at: Value


class LegacyPromptVersion(NamedTuple):
    """`trace_id` is that of its span, `known` 0 when there is no such span."""

    rowid: int
    version_id: Value
    span_id: Value
    trace_id: Value
    known: int
    prompt_text: Value
    label: Value
    created_at: Value


class LegacyReplayRun(NamedTuple):
    """`trace_id` is that of its span, `known` 0 when there is no such span."""

    rowid: int
    replay_id: Value
    span_id: Value
    trace_id: Value
    known: int
    modified_input: Value
    new_output: Value
    diff: Value
    created_at: Value


class Layout(NamedTuple):
    """Which columns each known table of a file has; `left_behind` names tables and columns no one here knows."""

    columns: dict[str, frozenset[str]]
    left_behind: tuple[str, ...]


def read_layout(db: sqlite3.Connection, path: Path) -> Layout:
    """The layout of the file behind `db`. Raises `Refused`, naming `path`, when a required column is missing: then it
    is some other program's file with tables of these names."""
    names = [_text(name) for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    tables = [name for name in names if not name.startswith("sqlite_")]
    columns: dict[str, frozenset[str]] = {}
    left_behind = [name for name in tables if name not in REQUIRED]
    missing: list[str] = []
    for table, required in REQUIRED.items():
        if table in tables:
            found = {_text(name) for (name,) in db.execute("SELECT name FROM pragma_table_info(?)", (table,))}
            columns[table] = frozenset(found)
            missing += [f"{table}.{name}" for name in required if name not in found]
            left_behind += [f"{table}.{name}" for name in sorted(found.difference(required, OPTIONAL[table]))]
    if missing:
        more = f" and {len(missing) - 4} more columns" if len(missing) > 4 else ""
        raise Refused(
            f"{path} looks like a database of Beacon's original layout, but {', '.join(missing[:4])}{more} are "
            "missing. Set BEACON_DB_PATH to another file; this one is left untouched."
        )
    return Layout(columns, tuple(left_behind))


def count_spans(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM spans").fetchone()[0])


def count_traces_without_spans(db: sqlite3.Connection) -> int:
    """Rows of `traces` that no span names."""
    sql = (
        "SELECT count(*) FROM traces WHERE trace_id IS NULL"
        " OR trace_id NOT IN (SELECT trace_id FROM spans WHERE trace_id IS NOT NULL)"
    )
    return int(db.execute(sql).fetchone()[0])


def traces_in_order(db: sqlite3.Connection, layout: Layout) -> Iterator[LegacyTrace]:
    """Every trace that has spans, whether it has a row or not, oldest first."""
    # only rowid and trace_id of the spans: an index on trace_id, which most files have, answers that alone
    sql = (
        f"SELECT s.trace_id, t.tags, t.created_at, {_column(layout, 'traces', 'sdk_language', 't')}, {FIRST_SPAN_AT}"
        " FROM (SELECT trace_id, min(rowid) AS first FROM spans GROUP BY trace_id) s"
        " LEFT JOIN traces t ON t.trace_id = s.trace_id"
        f" ORDER BY coalesce(t.created_at, {FIRST_SPAN_AT}), t.rowid, s.first"
    )
    return map(LegacyTrace._make, db.execute(sql))


def span_rowids_in_order(db: sqlite3.Connection) -> array[int]:
    """The rowids of all spans, oldest first: 8 bytes a span. Sorting the rows themselves would write the whole file
    once more, to the temporary folder."""
    return array("q", (r for (r,) in db.execute("SELECT rowid FROM spans NOT INDEXED ORDER BY created_at, rowid")))


def spans_by_rowid(db: sqlite3.Connection, layout: Layout, rowids: Sequence[int]) -> Iterator[LegacySpan]:
    """These spans, one after the other, so that no more than one of them need be in memory."""
    names = ", ".join(_column(layout, "spans", name, "s") for name in LegacySpan._fields[2:])
    # CROSS JOIN: the rowids lead, and each span is one look-up by rowid
    sql = f"SELECT j.key, s.rowid, {names} FROM json_each(?) j CROSS JOIN spans s ON s.rowid = j.value"
    return map(LegacySpan._make, db.execute(sql, (msgspec.json.encode(list(rowids)).decode(),)))


def prompt_versions_in_order(db: sqlite3.Connection, layout: Layout) -> Iterator[LegacyPromptVersion]:
    if "prompt_versions" not in layout.columns:
        return iter(())
    sql = (
        "SELECT v.rowid, v.version_id, v.span_id, s.trace_id, s.rowid IS NOT NULL, v.prompt_text, v.label, v.created_at"
        " FROM prompt_versions v LEFT JOIN spans s ON s.span_id = v.span_id ORDER BY v.created_at, v.rowid"
    )
    return map(LegacyPromptVersion._make, db.execute(sql))


def replay_runs_in_order(db: sqlite3.Connection, layout: Layout) -> Iterator[LegacyReplayRun]:
    if "replay_runs" not in layout.columns:
        return iter(())
    sql = (
        "SELECT r.rowid, r.replay_id, r.original_span_id, s.trace_id, s.rowid IS NOT NULL, r.modified_input,"
        " r.new_output, r.diff, r.created_at"
        " FROM replay_runs r LEFT JOIN spans s ON s.span_id = r.original_span_id ORDER BY r.created_at, r.rowid"
    )
    return map(LegacyReplayRun._make, db.execute(sql))


def _column(layout: Layout, table: str, name: str, alias: str) -> str:
    return f"{alias}.{name}" if name in layout.columns[table] else "NULL"


def _text(name: str | bytes) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name
