"""An import on its way: its spans stand under trace rows that `traces` does not have, so that no read finds them. All
of it in transactions of a few milliseconds, between which spans of agents are written. Commands for the writer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from beacon.contract.requests import ArchivedTraceInput
from beacon.contract.units import ns_from_seconds
from beacon.errors import Conflict, StoreBusy
from ingest.database import Command, Transaction
from ingest.decode import Arrival
from ingest.inserts import RowInserts
from ingest.merge import SpanState, first_seen
from ingest.nesting import Flat, Node, covered, node_of
from ingest.otel_rows import OtelRows
from ingest.otlp.arrived import Otel
from ingest.rollup import TraceState, add, cover, new_trace
from ingest.spans import INSERT_ATTRIBUTES, INSERT_SPANS

BLOCK = 1_024
"""Trace rows set aside at a time: few ranges, however many traces of agents come meanwhile."""

SWEEP_SPANS = 192
"""Spans one transaction deletes of an import that was given up: some 4 ms."""

NEW_TRACES = 5_000
"""Traces of agents that one transaction compares with the import's."""

_INSERT_TRACES = RowInserts("imported_traces", ("trace_row", "trace"))
_STORED = "SELECT trace_id FROM traces WHERE trace_id IN (SELECT value FROM json_each(?))"
_NEW = "SELECT trace_row, trace_id FROM traces WHERE trace_row > ? ORDER BY trace_row LIMIT ?"
_SPANS_OF_ROWS = "SELECT span_row FROM spans WHERE trace_row BETWEEN ? AND ? LIMIT ?"


class Staging(Struct):
    """What is known of one import between its transactions. `trace_rows` finds a trace's row by the hash of its id: 0
    until it has one."""

    skip_existing: bool
    import_row: int = 0
    epoch: str = ""
    checked: int = 0
    next_row: int = 1
    last_row: int = 0
    trace_count: int = 0
    span_count: int = 0
    skipped: int = 0
    trace_rows: dict[int, int] = {}
    conflicts: list[int] = []


class OpenTrace:
    """A trace whose line is being read, which may come in parts."""

    def __init__(self, number: int, said: ArchivedTraceInput) -> None:
        self.number = number
        self.trace_id = said.trace_id
        self.row = 0
        self.skipped = False
        self.seen: set[str] = set()
        self._tags = msgspec.json.encode(said.tags).decode()
        self._created_ns = None if said.created_at is UNSET else ns_from_seconds(said.created_at)
        self._state: TraceState | None = None
        self._nodes: list[Node] = []
        self._single: list[SpanState] | None = None

    def take(self, spans: list[SpanState]) -> None:
        """Roll more of its spans up."""
        if self._state is None:
            self._state = new_trace(0, self.trace_id, spans[0], 0)
            rest = spans[1:]
            self._single = spans
        else:
            rest = spans
            if self._single is not None:
                self._nodes += map(node_of, self._single)
                self._single = None
            self._nodes += map(node_of, spans)
        for span in rest:
            add(self._state, span)

    def whole(self, now_ns: int, seq: int) -> TraceState:
        """Its row, when all of it was taken."""
        state = self._state
        assert state is not None
        if self._single is not None:
            if not Flat().put(self._single):
                cover(state, covered(map(node_of, self._single)))
        else:
            cover(state, covered(self._nodes))
        state.trace_row = self.row
        state.tags = self._tags
        state.seen_ns = now_ns
        state.created_ns = now_ns if self._created_ns is None else min(now_ns, self._created_ns)
        # they are what the trace had, a tag of its service included, or had no more
        state.created_seq = state.seq = state.edited_seq = seq
        return state


class Part(Struct):
    """Spans of one trace to be staged together; `last`: then it is whole."""

    trace: OpenTrace
    spans: list[SpanState]
    otel: list[tuple[SpanState, Otel]]
    last: bool
    size: int


def part_of(trace: OpenTrace, arrivals: Sequence[Arrival], *, last: bool) -> Part:
    """The checked `arrivals`, rolled up."""
    spans = [first_seen(arrival) for arrival in arrivals]
    if spans:
        trace.take(spans)
    otel = [(span, a.otel) for span, a in zip(spans, arrivals, strict=True) if a.otel is not None]
    size = sum(len(span.attributes) + 300 for span in spans) + sum(len(one.text) for _, one in otel)
    return Part(trace, spans, otel, last, size)


# ---------------------------------------------------------------- commands


def begin(staging: Staging, active: set[int]) -> Command:
    """Begin an import; its row is added to `active`, so that nobody sweeps it."""

    def command(tx: Transaction) -> None:
        (newest,) = tx.db.execute("SELECT coalesce(max(import_row), 0) FROM imports").fetchone()
        staging.import_row = max([newest, *active]) + 1
        active.add(staging.import_row)
        tx.db.execute("INSERT INTO imports (import_row) VALUES (?)", (staging.import_row,))
        staging.epoch = tx.counters.epoch
        staging.checked = tx.counters.next_trace_row - 1

    return command


def stage(staging: Staging, parts: list[Part]) -> Command:
    """Write `parts`, in a transaction without foreign keys. Raises `Conflict` for a trace that is stored already."""

    def command(tx: Transaction) -> None:
        _check_there(tx, staging)
        _look_for_conflicts(tx, staging)
        _leave_out_stored(tx, staging, [part.trace for part in parts if not part.trace.row])
        kept = [part for part in parts if not part.trace.skipped]
        otel = OtelRows(tx.db, tx.kept)
        rows: list[tuple[Any, ...]] = []
        whole: list[tuple[int, str]] = []
        counters = tx.counters
        for part in kept:
            trace = part.trace
            if not trace.row:
                trace.row = staging.trace_rows[hash(trace.trace_id)] = _next_row(tx, staging)
            for span in part.spans:
                span.span_row = counters.next_span_row
                counters.next_span_row += 1
                span.trace_row = trace.row
                span.created_ns = tx.now_ns
                # of the newest change there is, so that nobody looks for them among the next
                span.created_seq = span.seq = counters.seq
                rows.append(msgspec.structs.astuple(span))
            if part.last:
                whole.append((trace.row, msgspec.json.encode(trace.whole(tx.now_ns, counters.seq)).decode()))
            for span, said in part.otel:
                otel.put(span, said, late=False)
        INSERT_SPANS(tx.db, [row[:-1] for row in rows])
        INSERT_ATTRIBUTES(tx.db, [(row[0], row[-1]) for row in rows])
        otel.write()
        _INSERT_TRACES(tx.db, whole)
        staging.trace_count += len(whole)
        staging.span_count += len(rows)

    return command


def decide(staging: Staging) -> Command:
    """The import is whole: from here on it only goes forward. Returns the rows of traces that have come another way
    meanwhile, and have to be taken out first; then nothing was decided. Raises `Conflict`."""

    def command(tx: Transaction) -> list[int]:
        _check_there(tx, staging)
        while _look_for_conflicts(tx, staging):
            pass
        if staging.conflicts:
            return staging.conflicts
        tx.db.execute(
            "UPDATE imports SET landing = 1, trace_count = ?, span_count = ? WHERE import_row = ?",
            (staging.trace_count, staging.span_count, staging.import_row),
        )
        tx.db.execute("UPDATE landings SET under_way = 1")
        return []

    return command


def take_out(staging: Staging, trace_row: int) -> Command:
    """Delete some of a staged trace; whether there is more. With the last of it, it is skipped."""

    def command(tx: Transaction) -> bool:
        _check_there(tx, staging)
        deleted = _delete_spans(tx.db, trace_row, trace_row)
        staging.span_count -= deleted
        if deleted:
            return True
        tx.db.execute("DELETE FROM imported_traces WHERE trace_row = ?", (trace_row,))
        tx.db.execute("DELETE FROM trace_origins WHERE trace_row = ?", (trace_row,))
        staging.conflicts.remove(trace_row)
        staging.trace_count -= 1
        staging.skipped += 1
        return False

    return command


def given_up(active: set[int]) -> Command:
    """The imports that nobody goes on with."""

    def command(tx: Transaction) -> list[int]:
        rows = tx.db.execute("SELECT import_row FROM imports WHERE landing = 0").fetchall()
        return [row for (row,) in rows if row not in active]

    return command


def sweep(import_row: int) -> Command:
    """Delete some of an import that was given up; whether there is more."""

    def command(tx: Transaction) -> bool:
        found = tx.db.execute(
            "SELECT low, high FROM import_ranges WHERE import_row = ? ORDER BY low DESC LIMIT 1", (import_row,)
        ).fetchone()
        if found is None:
            tx.db.execute("DELETE FROM imports WHERE import_row = ?", (import_row,))
            return False
        if not _delete_spans(tx.db, *found):
            tx.db.execute("DELETE FROM imported_traces WHERE trace_row BETWEEN ? AND ?", found)
            tx.db.execute("DELETE FROM trace_origins WHERE trace_row BETWEEN ? AND ?", found)
            # last of all: while it is there, nobody takes the spans for stored ones
            tx.db.execute("DELETE FROM import_ranges WHERE low = ?", found[:1])
        return True

    return command


# ---------------------------------------------------------------- their parts


def _check_there(tx: Transaction, staging: Staging) -> None:
    found = tx.db.execute("SELECT 1 FROM imports WHERE import_row = ?", (staging.import_row,)).fetchone()
    if found is None or tx.counters.epoch != staging.epoch:
        raise StoreBusy(
            "The database was replaced while the archive came in; nothing of it is stored. Import it again."
        )


def _look_for_conflicts(tx: Transaction, staging: Staging) -> bool:
    """Whether agents have sent traces of the import meanwhile; False when there are no more to compare. Raises
    `Conflict`."""
    rows = tx.db.execute(_NEW, (staging.checked, NEW_TRACES)).fetchall()
    for trace_row, trace_id in rows:
        staging.checked = trace_row
        staged = staging.trace_rows.get(hash(trace_id))
        if staged:
            if not staging.skip_existing:
                raise Conflict(stored_already(trace_id))
            staging.conflicts.append(staged)
    return len(rows) == NEW_TRACES


def _leave_out_stored(tx: Transaction, staging: Staging, traces: list[OpenTrace]) -> None:
    ids = {trace.trace_id for trace in traces if not trace.skipped}
    if not ids:
        return
    stored = {one for (one,) in tx.db.execute(_STORED, (msgspec.json.encode(sorted(ids)).decode(),))}
    for trace in traces:
        if trace.trace_id in stored and not trace.skipped:
            if not staging.skip_existing:
                raise Conflict(f"Line {trace.number}: {stored_already(trace.trace_id)}")
            trace.skipped = True
            staging.skipped += 1


def stored_already(trace_id: str) -> str:
    return (
        f"trace {trace_id} is stored already; nothing was imported. Say --skip-existing to leave such traces as they "
        "are, or delete them first."
    )


def _next_row(tx: Transaction, staging: Staging) -> int:
    if staging.next_row > staging.last_row:
        staging.next_row = tx.counters.next_trace_row
        staging.last_row = staging.next_row + BLOCK - 1
        tx.counters.next_trace_row += BLOCK
        grown = tx.db.execute(
            "UPDATE import_ranges SET high = ? WHERE high = ? AND import_row = ?",
            (staging.last_row, staging.next_row - 1, staging.import_row),
        )
        if not grown.rowcount:
            tx.db.execute(
                "INSERT INTO import_ranges VALUES (?, ?, ?)", (staging.next_row, staging.last_row, staging.import_row)
            )
    row = staging.next_row
    staging.next_row += 1
    return row


def _delete_spans(db: sqlite3.Connection, low: int, high: int) -> int:
    rows = [row for (row,) in db.execute(_SPANS_OF_ROWS, (low, high, SWEEP_SPANS))]
    if rows:
        db.execute(
            "DELETE FROM spans WHERE span_row IN (SELECT value FROM json_each(?))",
            (msgspec.json.encode(rows).decode(),),
        )
    return len(rows)
