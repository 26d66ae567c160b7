"""GET /v1/search: a scan, newest first, in slices; exact, because every hit is found in decoded text.

A slice's SQL lets through what fits the fields that were asked for (query/conditions.py) and can hold the longest text
at all (query.matching.Probe), in C and without the interpreter's lock; what is left is decoded and looked at in order:
name, error_message, attributes, trace_name. A span is one hit, and has to hold every text, in whatever field.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from beacon.contract.records import SearchHit, SearchPage, SpanType, encode
from beacon.contract.requests import Search
from beacon.contract.units import seconds_from_ns
from query.conditions import Condition, over_spans
from query.matching import CONTEXT_CHARS, Match, Probe, context, find, find_in_attributes, probe
from query.terms import Asked
from query.walk import Walk

TOTAL_MAX = 10_000
"""Hits counted exactly; above it the scan ends with the page and says "gte"."""

SLICE_SPANS = 1_024
"""Spans in the first slice; the next ones follow what it took."""

_HIT = (
    "SELECT s.span_row, t.trace_id, s.span_id, s.name, t.name, s.span_type, s.start_ns, s.error_message, "
    "CAST(a.attributes AS BLOB), s.span_id = t.head_span_id "
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
    is_head: int


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


def search(walk: Walk, q: Search, asked: Asked) -> bytes:
    """The page of hits as JSON. Spans stored after the scan began are not looked at."""
    wanted = Wanted.of(asked)
    with walk.snapshot() as db:
        top_trace, top_span = db.execute("SELECT next_trace_row - 1, next_span_row - 1 FROM counters").fetchone()
    scan = _Scan(wanted, _heads(walk, top_trace, wanted))
    page: list[SearchHit] = []
    total = 0
    end = q.offset + q.limit
    for hits in walk.descend(top_span, scan.slice, size=SLICE_SPANS):
        page += [hit.record() for hit in hits[max(0, q.offset - total) : max(0, end - total)]]
        total += len(hits)
        if total > TOTAL_MAX and total >= end:
            break
    texts = [text.text for text in asked.texts if not text.negated]
    return encode(SearchPage(page, min(total, TOTAL_MAX), "gte" if total > TOTAL_MAX else "eq", texts))


class _Needle(NamedTuple):
    """A case-folded text, and what lets a stored text be passed over without decoding it."""

    folded: str
    likely: Probe


class Wanted(NamedTuple):
    """What a hit has to be. `first` is the longest text and the one that is shown (None: there is none); `others` are
    to be there too, `absent` in no field."""

    first: _Needle | None
    others: tuple[_Needle, ...]
    absent: tuple[_Needle, ...]
    fields: Condition

    @classmethod
    def of(cls, asked: Asked) -> Wanted:
        texts = sorted(asked.texts, key=lambda text: len(text.folded), reverse=True)
        present = [_Needle(text.folded, probe(text.folded)) for text in texts if not text.negated]
        absent = [_Needle(text.folded, probe(text.folded)) for text in texts if text.negated]
        return cls(present[0] if present else None, tuple(present[1:]), tuple(absent), over_spans(asked.fields))


def _heads(walk: Walk, top: int, wanted: Wanted) -> list[int]:
    """The span_row, ascending, of each trace's head span where the trace's name has the first text and is not the
    span's own."""
    if wanted.first is None:
        return []
    folded, likely = wanted.first
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

    def __init__(self, wanted: Wanted, heads: list[int]) -> None:
        self._wanted = wanted
        self._heads = heads
        self._params = dict(wanted.fields.params)
        fits = f" AND {wanted.fields.sql}" if wanted.fields.sql else ""
        can_hold = ""
        if wanted.first is not None:
            likely = wanted.first.likely
            self._params["like"] = likely.like
            can_hold = f" AND ({likely.sql('s.name')} OR {likely.sql('s.error_message')} OR {likely.attributes_sql})"
        self._sql = f"{_HIT} WHERE s.span_row > :low AND s.span_row <= :high{fits}{can_hold} ORDER BY s.span_row DESC"
        self._named = f"{_HIT} WHERE s.span_row IN (SELECT value FROM json_each(:heads)){fits}"

    def slice(self, db: sqlite3.Connection, low: int, high: int) -> list[_Found]:
        """The hits in (low, high], newest first."""
        hits: dict[int, _Found] = {}
        # row by row, not all at once: what the condition lets through may be large
        self._take(db.execute(self._sql, {**self._params, "low": low, "high": high}), hits)
        heads = self._heads[bisect_right(self._heads, low) : bisect_right(self._heads, high)]
        heads = [row for row in heads if row not in hits]
        if not heads:
            return list(hits.values())
        self._take(db.execute(self._named, {**self._params, "heads": msgspec.json.encode(heads).decode()}), hits)
        return [hits[row] for row in sorted(hits, reverse=True)]

    def _take(self, rows: Iterable[tuple[Any, ...]], hits: dict[int, _Found]) -> None:
        wanted = self._wanted
        for row in rows:
            candidate = _Candidate(*row)
            if wanted.first is None:
                # nothing to show but the span itself
                found: tuple[str, Match] | None = "name", Match(candidate.name[: CONTEXT_CHARS * 2], 0, 0)
            else:
                found = _look(candidate, wanted.first)
            if (
                found is not None
                and all(_look(candidate, other) for other in wanted.others)
                and not any(_look(candidate, other) for other in wanted.absent)
            ):
                hits[candidate.span_row] = _found(candidate, *found)


def _look(candidate: _Candidate, needle: _Needle) -> tuple[str, Match] | None:
    """(field, match) of the first place where the span has the text."""
    folded, likely = needle
    match = find(candidate.name, folded)
    if match is not None:
        return "name", match
    if candidate.error_message is not None:
        match = find(candidate.error_message, folded)
        if match is not None:
            return "error_message", match
    if likely.might_match(candidate.attributes):
        found = find_in_attributes(candidate.attributes, folded)
        if found is not None:
            return f"attributes.{found[0]}", found[1]
    match = find(candidate.trace_name, folded) if candidate.is_head else None
    return None if match is None else ("trace_name", match)


def _found(candidate: _Candidate, field: str, match: Match) -> _Found:
    _, trace_id, span_id, name, trace_name, span_type, start_ns, *_ = candidate
    return _Found(trace_id, span_id, name, trace_name, span_type, start_ns, field, match)
