"""GET /v1/traces and the baseline: pages of trace summaries."""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple

import msgspec

from beacon.contract.records import TracePage, TraceSummary, encode
from beacon.contract.requests import ListTraces
from beacon.store.rows import TRACE_COLUMNS, trace_of
from query.asked import asked, column_of
from query.conditions import Condition
from query.filters import Cursor, Order, cursor, cursor_text, order
from query.overview.keep import Overview
from query.overview.select import After, select
from query.overview.tables import ENDLESS
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


def read_overview(walk: Walk, q: ListTraces, overview: Overview, now_ns: int) -> bytes | None:
    """The page as JSON, of one moment, found in the overview; None while that is being filled, or cannot tell."""
    wanted = asked(q, now_ns)
    if wanted is None:
        return None
    ordering = order(q)
    column = column_of(q)
    begin = cursor(q)
    after = None
    if begin is not None:
        endless = -1 if ordering.descending else ENDLESS
        after = After(endless if begin.key is None else begin.key, begin.trace_row)
    with overview.moment(walk) as now:
        if now is None:
            return None
        counters = _counters(now.db)
        page = select(
            now, wanted, column, ordering.descending, after, offset=q.offset, limit=q.limit + 1, count=q.count
        )
        rows = page.rows[: q.limit]
        found = _rows(now.db, [trace_row for _, trace_row in rows])
        following = None
        if len(page.rows) > q.limit:
            key, trace_row = rows[-1]
            following = Cursor(None if column in ("down_ns", "up_ns") and key in (-1, ENDLESS) else key, trace_row)
        return _page(q, counters, [found[row] for _, row in rows], page.total or 0, following)


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
    begin = cursor(q)
    if begin is not None:
        less, way = ("<", "DESC") if descending else (">", "ASC")
        rows = db.execute(
            f"{_ROWS} WHERE t.trace_row {less} ? ORDER BY t.trace_row {way} LIMIT ?", (begin.trace_row, q.limit + 1)
        ).fetchall()
        more = len(rows) > q.limit
    elif q.offset >= total:
        rows, more = [], False
    else:
        take = min(q.limit, total - q.offset)
        behind = total - q.offset - take
        # SQLite steps over every row of an OFFSET: from whichever end is nearer
        backwards = behind < q.offset
        direction = "DESC" if descending != backwards else "ASC"
        rows = db.execute(
            f"{_ROWS} ORDER BY t.trace_row {direction} LIMIT ? OFFSET ?",
            (take, behind if backwards else q.offset),
        ).fetchall()
        if backwards:
            rows.reverse()
        more = behind > 0
    rows = rows[: q.limit]
    return _page(q, counters, rows, total, Cursor(None, rows[-1][0]) if more else None)


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
        self._newest_first = ordering.key is None and ordering.descending
        self._sign = -1 if ordering.descending else 1
        self._counters = counters
        self._total = 0
        self._best: list[Row] = []
        self._after = cursor(q)
        self.top = counters.top
        if self._newest_first and self._after is not None and not q.count:
            # with a total to count, rows above the cursor are looked at too
            self.top = min(counters.top, self._after.trace_row - 1)
        self._keep = q.offset + q.limit + 1

    @property
    def is_complete(self) -> bool:
        """Whether older rows can change nothing any more."""
        return self._newest_first and not self._q.count and len(self._best) >= self._keep

    def take(self, rows: list[Row]) -> None:
        self._total += len(rows)
        if self._after is not None:
            begin = self._place(self._after)
            rows = [row for row in rows if self._place(row) > begin]
        if self._newest_first:
            self._best += rows[: max(0, self._keep - len(self._best))]
            return
        self._best += rows
        self._best.sort(key=self._place)
        del self._best[self._keep :]

    def _place(self, row: Row | Cursor) -> tuple[bool, int, int]:
        key, trace_row = row
        return key is None, self._sign * (key or 0), self._sign * trace_row

    def page(self, db: sqlite3.Connection) -> bytes:
        q = self._q
        wanted = self._best[q.offset : q.offset + q.limit]
        found = _rows(db, [trace_row for _, trace_row in wanted])
        # deleted since its slice was read: then the page is that much shorter
        rows = [found[row] for _, row in wanted if row in found]
        more = len(self._best) > q.offset + q.limit
        return _page(q, self._counters, rows, self._total, Cursor(*wanted[-1]) if more else None)


def _rows(db: sqlite3.Connection, wanted: list[int]) -> dict[int, Row]:
    """The rows of these traces, by their numbers."""
    sql = f"{_ROWS} WHERE t.trace_row IN (SELECT value FROM json_each(?))"
    return {row[0]: row for row in db.execute(sql, (msgspec.json.encode(wanted).decode(),))}


def _page(q: ListTraces, counters: _Counters, rows: list[Row], total: int, last: Cursor | None) -> bytes:
    traces: list[TraceSummary] = [trace_of(row[1:]) for row in rows]
    following = None if last is None else cursor_text(q, last)
    return encode(TracePage(traces, q.limit, q.offset, counters.seq, total if q.count else None, following))
