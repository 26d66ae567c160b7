"""GET /v1/search: a scan, newest first, in slices; exact, because every hit is found in decoded text.

A slice's SQL lets through what can match at all (query.matching.Probe), in C and without the interpreter's lock; what
is left is decoded and looked at in order: name, error_message, attributes, trace_name. A span is one hit.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from typing import NamedTuple

import msgspec

from beacon.contract.records import SearchHit, SearchPage, SpanType, encode
from beacon.contract.requests import Search
from beacon.contract.units import seconds_from_ns
from query.matching import Match, Probe, context, find, find_in_attributes, probe
from query.walk import Walk

TOTAL_MAX = 10_000
"""Hits counted exactly; above it the scan ends with the page and says "gte"."""

SLICE_SPANS = 1_024
"""Spans in the first slice; the next ones follow what it took."""

_HIT = (
    "SELECT s.span_row, t.trace_id, s.span_id, s.name, t.name, s.span_type, s.start_ns, s.error_message, "
    "CAST(a.attributes AS BLOB) "
    "FROM spans s CROSS JOIN span_attributes a ON a.span_row = s.span_row "
    "CROSS JOIN traces t ON t.trace_row = s.trace_row "
)


class _Candidate(NamedTuple):
    """A row of _HIT."""

    span_row: int
    trace_id: str
    span_id: str
    name: str
    trace_name: str
    span_type: SpanType
    start_ns: int
    error_message: str | None
    attributes: bytes


class _Found(NamedTuple):
    """A hit, its context not yet cut out: only those of the page need it."""

    trace_id: str
    span_id: str
    name: str
    trace_name: str
    span_type: SpanType
    start_ns: int
    field: str
    match: Match

    def record(self) -> SearchHit:
        words, offsets = context(self.match)
        return SearchHit(
            self.trace_id,
            self.span_id,
            self.name,
            words,
            self.trace_name,
            self.field,
            offsets,
            self.span_type,
            seconds_from_ns(self.start_ns),
        )


def search(walk: Walk, q: Search) -> bytes:
    """The page of hits as JSON. Spans stored after the scan began are not looked at."""
    folded = q.q.casefold()
    likely = probe(folded)
    with walk.snapshot() as db:
        top_trace, top_span = db.execute("SELECT next_trace_row - 1, next_span_row - 1 FROM counters").fetchone()
    heads = _heads(walk, top_trace, folded, likely)
    scan = _Scan(folded, likely, heads)
    page: list[SearchHit] = []
    total = 0
    wanted = q.offset + q.limit
    for hits in walk.descend(top_span, scan.slice, size=SLICE_SPANS):
        page += [hit.record() for hit in hits[max(0, q.offset - total) : max(0, wanted - total)]]
        total += len(hits)
        if total > TOTAL_MAX and total >= wanted:
            break
    return encode(SearchPage(page, min(total, TOTAL_MAX), "gte" if total > TOTAL_MAX else "eq"))


def _heads(walk: Walk, top: int, folded: str, likely: Probe) -> list[int]:
    """The span_row, ascending, of each trace's head span where the trace's name matches and is not the span's own."""
    sql = (
        "SELECT s.span_row, t.name FROM traces t "
        "CROSS JOIN spans s ON s.trace_row = t.trace_row AND s.span_id = t.head_span_id "
        f"WHERE t.trace_row > :low AND t.trace_row <= :high AND {likely.sql('t.name')} AND s.name <> t.name"
    )

    def read(db: sqlite3.Connection, low: int, high: int) -> list[int]:
        rows = db.execute(sql, {"low": low, "high": high, "like": likely.like})
        return [span_row for span_row, name in rows if find(name, folded)]

    return sorted(span_row for rows in walk.descend(top, read) for span_row in rows)


class _Scan:
    """Reads one slice of spans after another."""

    def __init__(self, folded: str, likely: Probe, heads: list[int]) -> None:
        self._folded = folded
        self._likely = likely
        self._heads = heads
        self._sql = (
            f"{_HIT} WHERE s.span_row > :low AND s.span_row <= :high AND ({likely.sql('s.name')} "
            f"OR {likely.sql('s.error_message')} OR {likely.attributes_sql}) ORDER BY s.span_row DESC"
        )

    def slice(self, db: sqlite3.Connection, low: int, high: int) -> list[_Found]:
        """The hits in (low, high], newest first."""
        hits: dict[int, _Found] = {}
        # row by row, not all at once: what the condition lets through may be large
        for row in db.execute(self._sql, {"low": low, "high": high, "like": self._likely.like}):
            candidate = _Candidate(*row)
            found = self._match(candidate)
            if found is not None:
                hits[candidate.span_row] = _found(candidate, *found)
        heads = self._heads[bisect_right(self._heads, low) : bisect_right(self._heads, high)]
        heads = [row for row in heads if row not in hits]
        if not heads:
            return list(hits.values())
        named = f"{_HIT} WHERE s.span_row IN (SELECT value FROM json_each(?))"
        for row in db.execute(named, (msgspec.json.encode(heads).decode(),)):
            candidate = _Candidate(*row)
            match = find(candidate.trace_name, self._folded)
            if match is not None:
                hits[candidate.span_row] = _found(candidate, "trace_name", match)
        return [hits[row] for row in sorted(hits, reverse=True)]

    def _match(self, candidate: _Candidate) -> tuple[str, Match] | None:
        match = find(candidate.name, self._folded)
        if match is not None:
            return "name", match
        if candidate.error_message is not None:
            match = find(candidate.error_message, self._folded)
            if match is not None:
                return "error_message", match
        if not self._likely.might_match(candidate.attributes):
            return None
        found = find_in_attributes(candidate.attributes, self._folded)
        return None if found is None else (f"attributes.{found[0]}", found[1])


def _found(candidate: _Candidate, field: str, match: Match) -> _Found:
    _, trace_id, span_id, name, trace_name, span_type, start_ns, *_ = candidate
    return _Found(trace_id, span_id, name, trace_name, span_type, start_ns, field, match)
