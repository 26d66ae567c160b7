"""GET /v1/traces and the baseline: pages of trace summaries."""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple

import msgspec

from beacon.contract.records import TracePage, TraceSummary, encode
from beacon.contract.requests import ListTraces
from beacon.store.rows import TRACE_COLUMNS, trace_of
from query.conditions import Condition
from query.filters import Order, cursor_row, order
from query.walk import Walk

WALK_FROM_TRACES = 20_000
WALK_FROM_SPANS = 20_000
"""Stored rows from which a filtered or sorted list is no point read any more: some 10 ms, and growing with the file.
It then walks in slices, on readers of its own, so that it never stands in the way of a first page."""

_ROWS = f"SELECT t.trace_row, {TRACE_COLUMNS} FROM traces t"

Row = tuple[Any, ...]


class _Counters(NamedTuple):
    seq: int
    top: int
    trace_count: int
    span_count: int


def list_traces(db: sqlite3.Connection, q: ListTraces, condition: Condition) -> bytes | None:
    """The page of what passes `condition`, as JSON, read in one snapshot; None when `walk_traces` should do it."""
    counters = _counters(db)
    ordering = order(q)
    if not condition.sql and ordering.key is None:
        return _created_order(db, q, counters, ordering.descending)
    if counters.trace_count > WALK_FROM_TRACES or (condition.reads_spans and counters.span_count > WALK_FROM_SPANS):
        return None
    selection = _Selection(q, condition, ordering, counters)
    selection.take(_select(db, condition, ordering, 0, counters.top))
    return selection.page(db)


def walk_traces(walk: Walk, q: ListTraces, condition: Condition) -> bytes:
    """The page as JSON, read slice by slice. Its `seq` is that of the first slice: what changed since is in events
    after it."""
    with walk.snapshot() as db:
        counters = _counters(db)
    ordering = order(q)
    selection = _Selection(q, condition, ordering, counters)
    for rows in walk.descend(
        selection.top,
        lambda db, low, high: _select(db, condition, ordering, low, high),
        size=256 if condition.reads_spans else 4_096,
    ):
        selection.take(rows)
        if selection.is_complete:
            break
    with walk.snapshot() as db:
        return selection.page(db)


def read_baseline(walk: Walk, exclude: str | None) -> bytes:
    """The newest trace tagged `baseline: "true"` but `exclude`, as JSON, or `null`."""
    sql = (
        f"{_ROWS} WHERE t.trace_row > ? AND t.trace_row <= ? AND t.tags <> '{{}}' AND EXISTS "
        "(SELECT 1 FROM json_each(t.tags) WHERE key = 'baseline' AND value = 'true') "
        "AND t.trace_id IS NOT ? ORDER BY t.trace_row DESC LIMIT 1"
    )
    with walk.snapshot() as db:
        top = _counters(db).top
    for row in walk.descend(top, lambda db, low, high: db.execute(sql, (low, high, exclude)).fetchone()):
        if row is not None:
            return encode(trace_of(row[1:]))
    return b"null"


def _counters(db: sqlite3.Connection) -> _Counters:
    return _Counters(*db.execute("SELECT seq, next_trace_row - 1, trace_count, span_count FROM counters").fetchone())


# ---------------------------------------------------------------- created order, everything


def _created_order(db: sqlite3.Connection, q: ListTraces, counters: _Counters, descending: bool) -> bytes:
    total = counters.trace_count
    more = False
    cursor = cursor_row(q)
    if cursor is not None:
        rows = db.execute(
            f"{_ROWS} WHERE t.trace_row < ? ORDER BY t.trace_row DESC LIMIT ?", (cursor, q.limit + 1)
        ).fetchall()
        more = len(rows) > q.limit
    elif q.offset >= total:
        rows = []
    else:
        take = min(q.limit, total - q.offset)
        after = total - q.offset - take
        # SQLite steps over every row of an OFFSET: from whichever end is nearer
        backwards = after < q.offset
        direction = "DESC" if descending != backwards else "ASC"
        rows = db.execute(
            f"{_ROWS} ORDER BY t.trace_row {direction} LIMIT ? OFFSET ?",
            (take, after if backwards else q.offset),
        ).fetchall()
        if backwards:
            rows.reverse()
        more = after > 0
    cursor_after = str(rows[q.limit - 1][0]) if more and descending else None
    return _page(q, counters, rows[: q.limit], total, cursor_after)


# ---------------------------------------------------------------- filtered or sorted


def _select(db: sqlite3.Connection, condition: Condition, ordering: Order, low: int, high: int) -> list[Row]:
    """(key or None, trace_row) of every trace in (low, high] that passes, newest first."""
    return db.execute(
        f"SELECT {ordering.key or 'NULL'}, t.trace_row FROM traces t "
        f"WHERE t.trace_row > :low AND t.trace_row <= :high{' AND ' if condition.sql else ''}{condition.sql} "
        "ORDER BY t.trace_row DESC",
        {**condition.params, "low": low, "high": high},
    ).fetchall()


class _Selection:
    """The rows of one page, picked from slices that come newest first, and how many there are in all."""

    def __init__(self, q: ListTraces, condition: Condition, ordering: Order, counters: _Counters) -> None:
        self._q = q
        self._order = ordering
        self._counters = counters
        self._total = 0
        self._best: list[Row] = []
        cursor = cursor_row(q)
        self._below = counters.top + 1 if cursor is None else cursor
        # with a total to count, rows above the cursor are looked at too
        self.top = counters.top if q.count else min(counters.top, self._below - 1)
        self._keep = q.offset + q.limit + 1

    @property
    def is_complete(self) -> bool:
        """Whether older rows can change nothing any more."""
        newest_first = self._order.key is None and self._order.descending
        return newest_first and not self._q.count and len(self._best) >= self._keep

    def take(self, rows: list[Row]) -> None:
        self._total += len(rows)
        if self._order.key is None and self._order.descending:
            wanted = self._keep - len(self._best)
            if wanted > 0:
                self._best += [row for row in rows if row[1] < self._below][:wanted]
            return
        sign = -1 if self._order.descending else 1
        self._best += rows
        self._best.sort(key=lambda row: (row[0] is None, sign * (row[0] or 0), sign * row[1]))
        del self._best[self._keep :]

    def page(self, db: sqlite3.Connection) -> bytes:
        q = self._q
        wanted = [row for _, row in self._best[q.offset : q.offset + q.limit]]
        found = {
            row[0]: row
            for row in db.execute(
                f"{_ROWS} WHERE t.trace_row IN (SELECT value FROM json_each(?))",
                (msgspec.json.encode(wanted).decode(),),
            )
        }
        # deleted since its slice was read: then the page is that much shorter
        rows = [found[row] for row in wanted if row in found]
        newest_first = self._order.key is None and self._order.descending
        more = newest_first and len(self._best) > q.offset + q.limit
        return _page(q, self._counters, rows, self._total, str(wanted[-1]) if more else None)


def _page(q: ListTraces, counters: _Counters, rows: list[Row], total: int, cursor: str | None) -> bytes:
    traces: list[TraceSummary] = [trace_of(row[1:]) for row in rows]
    return encode(TracePage(traces, q.limit, q.offset, counters.seq, total if q.count else None, cursor))
