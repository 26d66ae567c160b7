"""Stores arrivals: a constant number of statements for a batch of any size, inside the caller's transaction.

Read the traces and the spans that are known, fold the arrivals over them in Python, write what changed. A span that is
sent again unchanged is no write, no seq and no event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter

import msgspec
from msgspec import Struct

from beacon.contract.records import SpanError
from ingest.changes import SpanChange
from ingest.database import Transaction
from ingest.decode import Arrival
from ingest.inserts import RowInserts
from ingest.merge import SILENT, Incomplete, SpanState, first_seen, is_open_copy, merge
from ingest.nesting import NOTHING
from ingest.otel_rows import OtelRows
from ingest.otlp.arrived import Content
from ingest.rollup import TraceState, add, apply_change, cover, new_trace, set_extremes
from ingest.separate_contents import ContentRows, Key, contents_for, with_laid
from ingest.service_tags import TagsMade

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
SELECT_SILENT = (
    f"SELECT {SPAN_LIST}, a.attributes FROM spans s JOIN span_attributes a ON a.span_row = s.span_row "
    f"WHERE s.trace_row = ? AND s.end_ns IS NULL AND s.interrupted = {SILENT}"
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
    f
    for f in TRACE_FIELDS
    if f not in ("trace_row", "trace_id", "start_ns", "tags", "created_ns", "created_seq", "edited_seq")
)
UPDATE_TRACES = RowInserts("traces", TRACE_FIELDS, update=_TRACE_MUTABLE)
UPDATE_TRACE_START = "UPDATE traces SET start_ns = ? WHERE trace_row = ?"
UPDATE_TRACE_TAGS = "UPDATE traces SET tags = ?, edited_seq = ? WHERE trace_row = ?"

_mutable_of_span = attrgetter(*_SPAN_MUTABLE, "span_row")
_decode_traces = msgspec.json.Decoder(list[TraceState]).decode


class Stored(Struct):
    """What became of one request's arrivals."""

    accepted: int
    errors: list[SpanError]
    refused_contents: int = 0


def store(
    tx: Transaction, requests: Iterable[list[Arrival]], contents: Sequence[Sequence[Content]] = ()
) -> list[Stored]:
    """Write every request's arrivals, and its `contents`. What changed is added to `tx.changes`.

    Raises sqlite3 errors; the caller rolls back.
    """
    batch = list(requests)
    separate = contents_for(tx, batch, contents)
    keys: set[Key] = set()
    if separate is not None:
        keys = separate.load(batch)
        batch = [[with_laid(arrival, separate) for arrival in arrivals] for arrivals in batch]
    fold = Fold(tx)
    fold.load([arrival for arrivals in batch for arrival in arrivals], keys)
    answers = [fold.take(arrivals) for arrivals in batch]
    if separate is not None:
        for key in keys:
            fold.lay(key, separate)
        for request, count in separate.refused.items():
            answers[request].refused_contents = count
    fold.write()
    return answers


class Fold:
    """The state of one transaction: what was stored, what it becomes."""

    def __init__(self, tx: Transaction) -> None:
        self._db = tx.db
        self._kept = tx.kept
        self._counters = tx.counters
        self._now_ns = tx.now_ns
        self._changes = tx.changes
        self._traces: dict[str, TraceState] = {}
        self._created_traces: dict[str, TraceState] = {}
        self._touched: dict[str, TraceState] = {}
        self._known: dict[Key, SpanState] = {}
        self._before: dict[Key, SpanState] = {}
        self._changed: dict[Key, SpanState] = {}
        self._stale: set[str] = set()
        self._starts: dict[str, int] = {}
        self._heard: set[str] = set()
        self._otel = OtelRows(tx.db, tx.kept)
        self._tags = TagsMade()

    # ------------------------------------------------------------ what is stored

    def load(self, arrivals: list[Arrival], more: Iterable[Key] = ()) -> None:
        """Read the spans that `arrivals` and `more` name, and their traces."""
        keys: Sequence[Key] = [(a.span.trace_id, a.span.span_id) for a in arrivals]
        if more:
            keys = list({*keys, *more})
        ids = {trace_id for trace_id, _ in keys}
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
        self._tags.known(found)
        wanted = [
            (trace.trace_row, span_id)
            for trace_id, span_id in keys
            if (trace := self._traces.get(trace_id)) is not None
        ]
        trace_ids = {trace.trace_row: trace_id for trace_id, trace in self._traces.items()}
        known = (
            self._db.execute(SELECT_KNOWN_SPAN, wanted[0])
            if len(wanted) == 1  # saves a lone request 6 us of JSON
            else self._db.execute(SELECT_KNOWN, (msgspec.json.encode(wanted).decode(),))
        )
        for row in known:
            self._known[trace_ids[row[1]], row[2]] = SpanState(*row)
        if self._known:
            self._otel.load(self._known[key].span_row for a in arrivals if a.otel and (key := _key(a)) in self._known)

    # ------------------------------------------------------------ what becomes of it

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
        key = _key(arrival)
        known = self._known.get(key)
        if known is None:
            span = first_seen(arrival)
            self._insert(key, span)
            if arrival.otel is not None:
                self._otel.put(span, arrival.otel, late=False)
                self._tags.sent(key[0], arrival.otel)
            return
        after = merge(known, arrival)
        if after is not known:
            self._change(key, known, after)
        if arrival.otel is not None:
            self._tags.sent(key[0], arrival.otel)
            if self._otel.put(known, arrival.otel, late=is_open_copy(known, arrival)) and after is known:
                self._change(key, known, msgspec.structs.replace(known))
        trace = self._touched.get(key[0])
        if trace is not None:
            self._hear(trace)

    def _hear(self, trace: TraceState) -> None:
        """Something more of a trace that was known has come."""
        trace.seen_ns = self._now_ns
        if trace.interrupted_count:
            self._heard.add(trace.trace_id)

    def _resume(self, trace_id: str) -> None:
        """The trace was thought silent, and goes on: so do the spans of it that are open. An agent may wait for hours
        for somebody's word."""
        for row in self._db.execute(SELECT_SILENT, (self._traces[trace_id].trace_row,)).fetchall():
            stored = SpanState(*row)
            key = (trace_id, stored.span_id)
            known = self._known.get(key, stored)
            if known.interrupted == SILENT:
                self._change(key, known, msgspec.structs.replace(known, interrupted=0))

    def lay(self, key: Key, separate: ContentRows) -> None:
        """Lay the content that came apart from a span over what is stored of it now."""
        known = self._known.get(key)
        if known is None:
            return
        laid = separate.over_stored(key, known)
        if laid is not known:
            self._change(key, known, laid)
        separate.claim(key)

    def interrupt(self, key: Key, why: int) -> bool:
        """Mark a span that is still open, as SILENT or ENDED; whether it was."""
        known = self._known.get(key)
        if known is None or known.end_ns is not None or known.interrupted:
            return False
        self._change(key, known, msgspec.structs.replace(known, interrupted=why))
        return True

    def _change(self, key: Key, known: SpanState, after: SpanState) -> None:
        trace_id = key[0]
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

    def _insert(self, key: Key, span: SpanState) -> None:
        trace_id = key[0]
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
                self._hear(trace)
                self._touched[trace_id] = trace
        counters.seq += 1
        span.span_row = counters.next_span_row
        span.trace_row = trace.trace_row
        span.created_ns = self._now_ns
        span.created_seq = span.seq = counters.seq
        counters.next_span_row += 1
        counters.span_count += 1
        self._known[key] = self._changed[key] = span

    # ------------------------------------------------------------ writing it

    def write(self) -> None:
        """Write what changed, and add it to the transaction's changes, for the live stream."""
        db, counters = self._db, self._counters
        astuple = msgspec.structs.astuple
        for trace_id in sorted(self._heard):
            self._resume(trace_id)
        spans = [SpanChange(key[0], s, self._before.get(key)) for key, s in self._changed.items()]
        self._count_once(spans)
        for trace_id, trace in self._created_traces.items():
            self._tags.settle(trace_id, trace)
        if self._created_traces:
            # parents first: foreign keys are checked row by row
            INSERT_TRACES(db, [astuple(t) for t in self._created_traces.values()])
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
        self._otel.write()
        for trace_id in self._stale:
            trace = self._traces[trace_id]
            rest = db.execute(SELECT_TRACE_SPANS, (trace.trace_row,))
            set_extremes(trace, (SpanState(*row) for row in rest))
            if trace_id in self._created_traces:
                self._tags.settle(trace_id, trace)
                UPDATE_TRACES(db, [astuple(trace)])
                db.execute(UPDATE_TRACE_START, (trace.start_ns, trace.trace_row))
                db.execute(UPDATE_TRACE_TAGS, (trace.tags, trace.edited_seq, trace.trace_row))
        touched = [t for trace_id, t in self._touched.items() if trace_id not in self._created_traces]
        for trace in touched:
            counters.seq += 1
            trace.seq = counters.seq
        if touched:
            retagged = [t for t in touched if self._tags.settle(t.trace_id, t)]
            UPDATE_TRACES(db, [astuple(t) for t in touched])
            db.executemany(
                UPDATE_TRACE_START,
                [(t.start_ns, t.trace_row) for t in touched if t.start_ns != self._starts[t.trace_id]],
            )
            if retagged:
                db.executemany(UPDATE_TRACE_TAGS, [(t.tags, t.edited_seq, t.trace_row) for t in retagged])
        self._changes.traces_created += self._created_traces.values()
        self._changes.traces_updated += touched
        self._changes.spans += spans

    def _count_once(self, spans: list[SpanChange]) -> None:
        """Calls that nest around others count no more, or again."""
        changes: dict[str, list[SpanChange]] = {}
        for change in spans:
            of_trace = changes.get(change.trace_id)
            if of_trace is None:
                changes[change.trace_id] = [change]
            else:
                of_trace.append(change)
        shapes = self._kept.shapes
        for trace_id, of_trace in changes.items():
            trace = self._traces[trace_id]
            more = shapes.settle(self._db, trace.trace_row, trace_id in self._created_traces, of_trace)
            if more is not NOTHING:
                cover(trace, more)


def _key(arrival: Arrival) -> Key:
    return arrival.span.trace_id, arrival.span.span_id
