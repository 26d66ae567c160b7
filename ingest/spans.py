"""Stores arrivals: a constant number of statements for a batch of any size, inside the caller's transaction.

Read the traces and the spans that are known, fold the arrivals over them in Python, write what changed. A span that is
sent again unchanged is no write, no seq and no event.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from operator import attrgetter

import msgspec
from msgspec import Struct

from beacon.contract.records import SpanError
from beacon.errors import Refused
from ingest.decode import Arrival
from ingest.inserts import RowInserts
from ingest.merge import Incomplete, SpanState, first_seen, merge
from ingest.rollup import TraceState, add, apply_change, new_trace, set_extremes

SPAN_FIELDS = SpanState.__struct_fields__[:-1]
TRACE_FIELDS = TraceState.__struct_fields__
SPAN_LIST = ", ".join(f"s.{f}" for f in SPAN_FIELDS)

SELECT_TRACE = f"SELECT {', '.join(TRACE_FIELDS)} FROM traces WHERE trace_id = ?"
# One row of JSON, not a row a trace: the interpreter's lock changes hands at every row that is fetched
SELECT_TRACES = (
    f"SELECT json_group_array(json_array({', '.join(TRACE_FIELDS)})) FROM traces "
    "WHERE trace_id IN (SELECT value FROM json_each(?))"
)
# CROSS JOIN keeps SQLite from starting with the table: one probe of UNIQUE (trace_row, span_id) an arrival
SELECT_KNOWN = (
    f"SELECT {SPAN_LIST}, a.attributes FROM json_each(?) j "
    "CROSS JOIN spans s ON s.trace_row = json_extract(j.value, '$[0]') AND s.span_id = json_extract(j.value, '$[1]') "
    "CROSS JOIN span_attributes a ON a.span_row = s.span_row"
)
SELECT_KNOWN_SPAN = (
    f"SELECT {SPAN_LIST}, a.attributes FROM spans s JOIN span_attributes a ON a.span_row = s.span_row "
    "WHERE s.trace_row = ? AND s.span_id = ?"
)
SELECT_TRACE_SPANS = f"SELECT {SPAN_LIST}, '' FROM spans s WHERE s.trace_row = ?"
INSERT_SPANS = RowInserts("spans", SPAN_FIELDS)
INSERT_ATTRIBUTES = RowInserts("span_attributes", ("span_row", "attributes"))
# Only what can change is named: SQLite rewrites an index for every column that SET mentions
_SPAN_MUTABLE = tuple(
    f for f in SPAN_FIELDS if f not in ("span_row", "trace_row", "span_id", "created_ns", "created_seq")
)
UPDATE_SPAN = f"UPDATE spans SET {', '.join(f'{f} = ?' for f in _SPAN_MUTABLE)} WHERE span_row = ?"
UPDATE_ATTRIBUTES = "UPDATE span_attributes SET attributes = ? WHERE span_row = ?"
INSERT_TRACES = RowInserts("traces", TRACE_FIELDS)
_TRACE_MUTABLE = tuple(
    f for f in TRACE_FIELDS if f not in ("trace_row", "trace_id", "start_ns", "tags", "created_ns", "created_seq")
)
UPDATE_TRACES = RowInserts("traces", TRACE_FIELDS, update=_TRACE_MUTABLE)
UPDATE_TRACE_START = "UPDATE traces SET start_ns = ? WHERE trace_row = ?"

_mutable_of_span = attrgetter(*_SPAN_MUTABLE, "span_row")
_decode_traces = msgspec.json.Decoder(list[TraceState]).decode


class Counters(Struct):
    """The row of `counters`: numbers that must not be derived from rowids, because rowids are reused."""

    epoch: str
    seq: int
    next_trace_row: int
    next_span_row: int
    trace_count: int
    span_count: int
    tombstone_floor: int


_SELECT_COUNTERS = f"SELECT {', '.join(Counters.__struct_fields__)} FROM counters"
_UPDATE_COUNTERS = f"UPDATE counters SET {', '.join(f'{f} = ?' for f in Counters.__struct_fields__)}"


def read_counters(db: sqlite3.Connection) -> Counters:
    """Raises `Refused` for a database that has lost the row: nothing can be counted on in it."""
    row = db.execute(_SELECT_COUNTERS).fetchone()
    if row is None:
        raise Refused("The database is damaged: its row of counters is gone. Restore a backup (see `beacon doctor`).")
    return Counters(*row)


def write_counters(db: sqlite3.Connection, counters: Counters) -> None:
    db.execute(_UPDATE_COUNTERS, msgspec.structs.astuple(counters))


class SpanChange(Struct):
    """A span that was created (`before` None) or updated, as it now stands."""

    trace_id: str
    after: SpanState
    before: SpanState | None


class Changes(Struct):
    """What one transaction changed, in the order of its seqs."""

    traces_created: list[TraceState]
    traces_updated: list[TraceState]
    spans: list[SpanChange]
    deleted: list[tuple[int, list[str]]]

    @property
    def empty(self) -> bool:
        return not (self.traces_created or self.traces_updated or self.spans or self.deleted)


def no_changes() -> Changes:
    return Changes([], [], [], [])


class Stored(Struct):
    """What became of one request's arrivals."""

    accepted: int
    errors: list[SpanError]


def store(
    db: sqlite3.Connection, counters: Counters, requests: Iterable[list[Arrival]], now_ns: int
) -> tuple[list[Stored], Changes]:
    """Write every request's arrivals. `counters` is moved on in place and written by the caller.

    Raises sqlite3 errors; the caller rolls back.
    """
    batch = list(requests)
    fold = _Fold(db, counters, now_ns)
    fold.load([arrival for arrivals in batch for arrival in arrivals])
    answers = [fold.take(arrivals) for arrivals in batch]
    return answers, fold.write()


class _Fold:
    """The state of one transaction: what was stored, what it becomes."""

    def __init__(self, db: sqlite3.Connection, counters: Counters, now_ns: int) -> None:
        self._db = db
        self._counters = counters
        self._now_ns = now_ns
        self._traces: dict[str, TraceState] = {}
        self._created_traces: dict[str, TraceState] = {}
        self._touched: dict[str, TraceState] = {}
        self._known: dict[tuple[str, str], SpanState] = {}
        self._before: dict[tuple[str, str], SpanState] = {}
        self._changed: dict[tuple[str, str], SpanState] = {}
        self._stale: set[str] = set()
        self._starts: dict[str, int] = {}

    def load(self, arrivals: list[Arrival]) -> None:
        ids = {a.span.trace_id for a in arrivals}
        if len(ids) == 1:
            row = self._db.execute(SELECT_TRACE, tuple(ids)).fetchone()
            found = [] if row is None else [TraceState(*row)]
        else:
            (text,) = self._db.execute(SELECT_TRACES, (msgspec.json.encode(list(ids)).decode(),)).fetchone()
            found = _decode_traces(text)
        self._traces = {trace.trace_id: trace for trace in found}
        self._starts = {trace_id: trace.start_ns for trace_id, trace in self._traces.items()}
        if not self._traces:
            return
        wanted = [
            (trace.trace_row, a.span.span_id)
            for a in arrivals
            if (trace := self._traces.get(a.span.trace_id)) is not None
        ]
        trace_ids = {trace.trace_row: trace_id for trace_id, trace in self._traces.items()}
        known = (
            self._db.execute(SELECT_KNOWN_SPAN, wanted[0])
            if len(wanted) == 1  # saves a lone request 6 us of JSON
            else self._db.execute(SELECT_KNOWN, (msgspec.json.encode(wanted).decode(),))
        )
        for row in known:
            self._known[trace_ids[row[1]], row[2]] = SpanState(*row)

    def take(self, arrivals: list[Arrival]) -> Stored:
        errors: list[SpanError] = []
        for arrival in arrivals:
            try:
                self._take_one(arrival)
            except Incomplete as e:
                errors.append(
                    SpanError(
                        arrival.index,
                        f"spans[{arrival.index}]",
                        f"this span is not stored yet, so it needs {', '.join(e.missing)} too",
                    )
                )
        return Stored(len(arrivals) - len(errors), errors)

    def _take_one(self, arrival: Arrival) -> None:
        trace_id = arrival.span.trace_id
        key = (trace_id, arrival.span.span_id)
        known = self._known.get(key)
        if known is None:
            self._insert(trace_id, key, first_seen(arrival))
            return
        after = merge(known, arrival)
        if after is known:
            return
        self._known[key] = after
        trace = self._traces[trace_id]
        if key not in self._changed:
            self._before[key] = known
            self._counters.seq += 1
            after.seq = self._counters.seq
        self._changed[key] = after
        if apply_change(trace, known, after):
            self._stale.add(trace_id)
        self._touched[trace_id] = trace

    def _insert(self, trace_id: str, key: tuple[str, str], span: SpanState) -> None:
        counters = self._counters
        trace = self._traces.get(trace_id)
        if trace is None:
            counters.seq += 1  # before its first span: trace_created precedes span_created
            trace = new_trace(counters.next_trace_row, trace_id, span, self._now_ns)
            trace.created_seq = trace.seq = counters.seq
            counters.next_trace_row += 1
            counters.trace_count += 1
            self._traces[trace_id] = self._created_traces[trace_id] = trace
        else:
            add(trace, span)
            if trace_id not in self._created_traces:
                self._touched[trace_id] = trace
        counters.seq += 1
        span.span_row = counters.next_span_row
        span.trace_row = trace.trace_row
        span.created_ns = self._now_ns
        span.created_seq = span.seq = counters.seq
        counters.next_span_row += 1
        counters.span_count += 1
        self._known[key] = self._changed[key] = span

    def write(self) -> Changes:
        """Write what changed; gives it back for the live stream."""
        db, counters = self._db, self._counters
        astuple = msgspec.structs.astuple
        if self._created_traces:
            # parents first: foreign keys are checked row by row
            INSERT_TRACES(db, [astuple(t) for t in self._created_traces.values()])
        spans = [SpanChange(key[0], s, self._before.get(key)) for key, s in self._changed.items()]
        created = [astuple(c.after) for c in spans if c.before is None]
        if created:
            INSERT_SPANS(db, [row[:-1] for row in created])
            INSERT_ATTRIBUTES(db, [(row[0], row[-1]) for row in created])
        updated = [c for c in spans if c.before is not None]
        if updated:
            db.executemany(UPDATE_SPAN, [_mutable_of_span(c.after) for c in updated])
            db.executemany(
                UPDATE_ATTRIBUTES,
                [
                    (c.after.attributes, c.after.span_row)
                    for c in updated
                    if c.before is not None and c.before.attributes != c.after.attributes
                ],
            )
        for trace_id in self._stale:
            trace = self._traces[trace_id]
            rest = db.execute(SELECT_TRACE_SPANS, (trace.trace_row,))
            set_extremes(trace, (SpanState(*row) for row in rest))
            if trace_id in self._created_traces:
                UPDATE_TRACES(db, [astuple(trace)])
                db.execute(UPDATE_TRACE_START, (trace.start_ns, trace.trace_row))
        touched = [t for trace_id, t in self._touched.items() if trace_id not in self._created_traces]
        for trace in touched:
            counters.seq += 1
            trace.seq = counters.seq
        if touched:
            UPDATE_TRACES(db, [astuple(t) for t in touched])
            db.executemany(
                UPDATE_TRACE_START,
                [(t.start_ns, t.trace_row) for t in touched if t.start_ns != self._starts[t.trace_id]],
            )
        return Changes(list(self._created_traces.values()), touched, spans, [])
