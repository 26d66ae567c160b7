"""Spans that are looked at one by one: what a hit has to be, and reading those that can be one.

SQL lets through what fits the fields that were asked for (query/conditions.py) and can hold the longest text at all
(query.matching.Probe), in C and without the interpreter's lock; what is left is decoded and looked at in order: name,
error_message, attributes, trace_name. A span is one hit, and has to hold every text, in whatever field.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from beacon.contract.records import SearchHit, SpanType
from beacon.contract.units import seconds_from_ns
from beacon.store.landing import is_staged
from query.conditions import Condition, over_spans
from query.matching import CONTEXT_CHARS, Match, Probe, context, find, find_in_attributes, holds, probe, texts_of
from query.terms import Asked
from query.walk import Walk

_HIT = (
    "SELECT s.span_row, t.trace_id, s.span_id, s.name, t.name, s.span_type, s.start_ns, s.error_message, "
    "CAST(a.attributes AS BLOB), s.span_id = t.head_span_id "
    "FROM spans s CROSS JOIN span_attributes a ON a.span_row = s.span_row "
    "CROSS JOIN traces t ON t.trace_row = s.trace_row "
)
_NAMES_ITS_TRACE = "(s.span_id = t.head_span_id AND s.name <> t.name)"


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


class Found(NamedTuple):
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


def heads(walk: Walk, top: int, wanted: Wanted) -> list[int]:
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


class Scan:
    """Looks at spans: at all of a range, or at those it is given."""

    def __init__(self, wanted: Wanted, heads: Sequence[int] | None, *, staged: bool = False) -> None:
        """`heads`: as the function of that name gives them, for `slice`; None to ask each span for its trace's name,
        which costs a scan a third more, and a search that scans little nothing. `staged`: an import is on its way,
        whose spans are to be passed over before their texts are read."""
        self._wanted = wanted
        self._heads = heads or ()
        self._params = dict(wanted.fields.params)
        fits = f" AND {wanted.fields.sql}" if wanted.fields.sql else ""
        can_hold = can_hold_verbatim = "1"
        passed = f" AND NOT {is_staged('s.trace_row')}" if staged else ""
        if wanted.first is not None:
            likely = wanted.first.likely
            self._params |= {"like": likely.like, "verbatim": likely.verbatim}
            names = f"{likely.sql('s.name')} OR {likely.sql('s.error_message')}"
            can_hold, can_hold_verbatim = f"{names} OR {likely.attributes_sql}", f"{names} OR {likely.verbatim_sql}"
        named = f"{can_hold} OR {_NAMES_ITS_TRACE}"
        given = "s.span_row IN (SELECT value FROM json_each(:rows))"
        self._sql = (
            f"{_HIT} WHERE s.span_row > :low AND s.span_row <= :high{passed}{fits} "
            f"AND ({can_hold if heads is not None else named}) ORDER BY s.span_row DESC"
        )
        self._given = f"{_HIT} WHERE {given}{fits} AND ({named})"
        self._given_verbatim = f"{_HIT} WHERE {given}{fits} AND ({can_hold_verbatim} OR {_NAMES_ITS_TRACE})"
        joined = " CROSS JOIN traces t ON t.trace_row = s.trace_row" if fits else ""
        self._there = f"SELECT s.span_row FROM spans s{joined} WHERE {given}{fits}"

    def slice(self, db: sqlite3.Connection, low: int, high: int) -> list[Found]:
        """The hits in (low, high], newest first."""
        hits: dict[int, Found] = {}
        # row by row, not all at once: what the condition lets through may be large
        self._take(db.execute(self._sql, {**self._params, "low": low, "high": high}), hits)
        hits |= self.look(db, [row for row in self._heads_in(low, high) if row not in hits])
        return [hits[row] for row in sorted(hits, reverse=True)]

    def count_slice(self, db: sqlite3.Connection, low: int, high: int) -> int:
        """How many hits are in (low, high]."""
        rows = db.execute(self._sql, {**self._params, "low": low, "high": high})
        hits = {candidate.span_row for candidate in map(_Candidate._make, rows) if self._is_hit(candidate)}
        return len(hits) + self.count(db, [row for row in self._heads_in(low, high) if row not in hits])

    def look(self, db: sqlite3.Connection, rows: Sequence[int], *, verbatim: bool = False) -> dict[int, Found]:
        """Those of the given spans that are hits, by span_row. `verbatim`: query.matching.is_verbatim is so of each."""
        hits: dict[int, Found] = {}
        if rows:
            self._take(self._rows(db, rows, verbatim), hits)
        return hits

    def count(self, db: sqlite3.Connection, rows: Sequence[int], *, verbatim: bool = False) -> int:
        """How many of the given spans are hits."""
        return sum(map(self._is_hit, map(_Candidate._make, self._rows(db, rows, verbatim)))) if rows else 0

    def _rows(self, db: sqlite3.Connection, rows: Sequence[int], verbatim: bool) -> Iterable[tuple[Any, ...]]:
        sql = self._given_verbatim if verbatim else self._given
        return db.execute(sql, {**self._params, "rows": _json(rows)})

    def there(self, db: sqlite3.Connection, rows: Sequence[int]) -> list[int]:
        """Those of the given spans that are stored and fit the fields."""
        if not rows:
            return []
        return [row for (row,) in db.execute(self._there, {**self._params, "rows": _json(rows)})]

    def _heads_in(self, low: int, high: int) -> Sequence[int]:
        return self._heads[bisect_right(self._heads, low) : bisect_right(self._heads, high)]

    def _take(self, rows: Iterable[tuple[Any, ...]], hits: dict[int, Found]) -> None:
        first = self._wanted.first
        for row in rows:
            candidate = _Candidate(*row)
            if not self._is_hit(candidate):
                continue
            if first is None:
                # nothing to show but the span itself
                found: tuple[str, Match] | None = "name", Match(candidate.name[: CONTEXT_CHARS * 2], 0, 0)
            else:
                found = _look(candidate, first)
            if found is not None:
                hits[candidate.span_row] = _found(candidate, *found)

    def _is_hit(self, candidate: _Candidate) -> bool:
        wanted = self._wanted
        return (
            (wanted.first is None or _holds(candidate, wanted.first))
            and all(_holds(candidate, other) for other in wanted.others)
            and not any(_holds(candidate, other) for other in wanted.absent)
        )


def _json(rows: Sequence[int]) -> str:
    return msgspec.json.encode(rows).decode()


def _holds(candidate: _Candidate, needle: _Needle) -> bool:
    """Whether the span has the text, in any field; what `_look` finds takes twice as long."""
    folded, likely = needle
    return (
        folded in candidate.name.casefold()
        or (candidate.error_message is not None and folded in candidate.error_message.casefold())
        or likely.surely_matches(candidate.attributes)
        or (likely.might_match(candidate.attributes) and holds(texts_of(candidate.attributes), folded))
        or bool(candidate.is_head and folded in candidate.trace_name.casefold())
    )


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


def _found(candidate: _Candidate, field: str, match: Match) -> Found:
    _, trace_id, span_id, name, trace_name, span_type, start_ns, *_ = candidate
    return Found(trace_id, span_id, name, trace_name, span_type, start_ns, field, match)
