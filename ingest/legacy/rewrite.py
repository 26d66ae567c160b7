"""The new file: every row of the old one, converted, and each trace's row computed anew from its spans."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from beacon import called_models
from beacon.store.connect import connect_writer
from beacon.store.lookup import index_complete_segments
from beacon.store.version import upgrade
from ingest.inserts import RowInserts
from ingest.legacy import layout as legacy
from ingest.legacy.convert import (
    NOTE,
    ConvertedSpan,
    convert_span,
    convert_trace,
    fit_id,
    fit_trace_id,
    json_object,
    other_id,
    text_of,
    time_ns,
    with_note,
)
from ingest.legacy.files import NotWhole
from ingest.legacy.layout import Layout, LegacySpan
from ingest.legacy.progress import Progress
from ingest.merge import SpanState
from ingest.nesting import Node, covered, node_of
from ingest.rollup import TraceState, add, cover, new_trace

BATCH_SPANS = 128
BATCH_BYTES = 8 << 20
"""Rows converted and written together: whichever comes first, since an original may hold spans of several MB each.
Small, so that a row is still in the processor's cache when it is written (1,000 took a quarter longer)."""

COMMIT_SPANS = 4_096
"""Rows of a transaction. The pages at the ends of the tables and indexes are written once in each."""

BATCH_TRACES = 5_000

_TRACE_FIELDS = TraceState.__struct_fields__
_ROLLUP = (*_TRACE_FIELDS[_TRACE_FIELDS.index("name") : _TRACE_FIELDS.index("tags")], "models")
"""The columns of `traces` that are a function of the spans."""
_SPAN_COLUMNS = SpanState.__struct_fields__[:-1]

INSERT_TRACE = (
    f"INSERT INTO traces ({', '.join(_TRACE_FIELDS)}) VALUES ({', '.join('?' * len(_TRACE_FIELDS))})"
    " ON CONFLICT (trace_id) DO NOTHING"
)
SET_ROLLUP = f"UPDATE traces SET {', '.join(f'{name} = ?' for name in _ROLLUP)} WHERE trace_row = ?"
INSERT_SPANS = RowInserts("spans", _SPAN_COLUMNS)
INSERT_ATTRIBUTES = RowInserts("span_attributes", ("span_row", "attributes"))
SPANS_BY_TRACE = f"SELECT {', '.join(_SPAN_COLUMNS)} FROM spans ORDER BY trace_row, span_id"
FIND_TRACES = "SELECT t.trace_id, t.trace_row, t.sdk_language FROM json_each(?) j JOIN traces t ON t.trace_id = j.value"
FIND_SPAN = "SELECT s.trace_row FROM traces t JOIN spans s USING (trace_row) WHERE t.trace_id = ? AND s.span_id = ?"
INSERT_PROMPT_VERSION = (
    "INSERT INTO prompt_versions (version_id, trace_row, span_id, prompt_text, label, created_ns)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
INSERT_REPLAY_RUN = (
    "INSERT INTO replay_runs (replay_id, trace_row, span_id, modified_input, new_output, diff, created_ns)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
SET_COUNTERS = (
    "UPDATE counters SET seq = ?, next_trace_row = ?, next_span_row = ?,"
    " trace_count = (SELECT count(*) FROM traces), span_count = (SELECT count(*) FROM spans)"
)


class Tally(Struct):
    """What was written; `mended` as in MigrationReport."""

    traces: int = 0
    spans: int = 0
    prompt_versions: int = 0
    replay_runs: int = 0
    prompt_versions_without_span: int = 0
    replay_runs_without_span: int = 0
    mended: Counter[str] = msgspec.field(default_factory=Counter)


def rewrite(old: sqlite3.Connection, layout: Layout, target: Path, progress: Progress) -> Tally:
    """Fill `target`, an empty file, from `old`, whose text is read as bytes. What is left is one closed file in
    rollback mode, not synced. Raises sqlite3.Error when the disk is full or `old` cannot be read, `NotWhole` when a row
    is missing afterwards."""
    tally = Tally()
    with closing(connect_writer(target)) as new:
        # Nobody reads this file before it is synced and renamed, so neither a WAL (a second copy of everything) nor a
        # sync a transaction is of use; a journal in memory lets a transaction be taken back.
        new.execute("PRAGMA journal_mode=MEMORY")
        new.execute("PRAGMA synchronous=OFF")
        new.execute("PRAGMA foreign_keys=OFF")  # checked as a whole at the end: 0.8 µs a span instead of 8
        upgrade(new, target)
        with progress.during(old), progress.during(new):
            progress.doing("reading the traces of")
            _write_traces(old, layout, new, tally)
            progress.doing("sorting the spans of")
            _write_spans(old, layout, new, tally, progress)
            progress.doing("rolling up the traces of")
            _roll_up(new)
            _write_prompt_versions(old, layout, new, tally)
            _write_replay_runs(old, layout, new, tally)
            _check(new, progress.total)
    return tally


def _write_traces(old: sqlite3.Connection, layout: Layout, new: sqlite3.Connection, tally: Tally) -> None:
    """A row for every trace that has spans, in order; their rollups come later, from the spans that were written."""
    found = legacy.traces_in_order(old, layout)
    row = 0
    while batch := list(islice(found, BATCH_TRACES)):
        rows = []
        for trace in map(convert_trace, batch):
            row += 1
            rows.append(
                (
                    row, trace.trace_id, "", "unset", 0, None, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "", None, None, None,
                    trace.sdk_language, None, trace.tags, trace.created_ns, row, row, trace.created_ns, None,
                    called_models.NONE,
                )
            )  # fmt: skip
            if trace.mended:
                tally.mended[NOTE + "tags"] += 1
        with _transaction(new):
            new.executemany(INSERT_TRACE, rows)
    tally.traces = row


def _write_spans(
    old: sqlite3.Connection, layout: Layout, new: sqlite3.Connection, tally: Tally, progress: Progress
) -> None:
    rowids = legacy.span_rowids_in_order(old)
    progress.spans(0)
    for first in range(0, len(rowids), COMMIT_SPANS):
        with _transaction(new):
            for at in range(first, min(first + COMMIT_SPANS, len(rowids)), BATCH_SPANS):
                end = min(at + BATCH_SPANS, first + COMMIT_SPANS)
                for batch in _converted(legacy.spans_by_rowid(old, layout, rowids[at:end]), at + 1, tally):
                    _write_batch(new, batch, tally)
                progress.spans(tally.spans)


def _converted(rows: Iterator[LegacySpan], first_row: int, tally: Tally) -> Iterator[list[ConvertedSpan]]:
    """The rows as spans of ours, `first_row` the span_row of the first, in lists of at most BATCH_BYTES and a span."""
    batch: list[ConvertedSpan] = []
    size = 0
    for row in rows:
        converted = convert_span(row)
        if converted.notes:
            tally.mended.update(converted.notes.keys())
        converted.span.span_row = first_row + row.key
        batch.append(converted)
        size += len(converted.span.attributes)
        if size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _write_batch(new: sqlite3.Connection, batch: list[ConvertedSpan], tally: Tally) -> None:
    ids = msgspec.json.encode(list({c.trace_id for c in batch})).decode()
    known = {trace_id: (row, language) for trace_id, row, language in new.execute(FIND_TRACES, (ids,))}
    for trace_id, span, _ in batch:
        if trace_id not in known:
            raise NotWhole(f"the trace {trace_id} was not found when traces were read, and then a span of it was")
        span.trace_row, language = known[trace_id]
        span.created_seq = span.seq = tally.traces + span.span_row
        if span.sdk_language is None:
            span.sdk_language = language  # earlier originals kept it in the trace alone
    try:
        INSERT_SPANS(new, [msgspec.structs.astuple(c.span)[:-1] for c in batch])
    except sqlite3.IntegrityError:
        _write_one_by_one(new, batch, tally)
    INSERT_ATTRIBUTES(new, [(c.span.span_row, c.span.attributes) for c in batch])
    tally.spans += len(batch)


def _write_one_by_one(new: sqlite3.Connection, batch: list[ConvertedSpan], tally: Tally) -> None:
    """Two ids that the original told apart (text, and a blob of the same bytes) have become one: the later span gets
    another id."""
    for _, span, notes in batch:
        if new.execute("SELECT 1 FROM spans WHERE span_row = ?", (span.span_row,)).fetchone():
            continue  # written before the statement that failed
        try:
            INSERT_SPANS(new, [msgspec.structs.astuple(span)[:-1]])
        except sqlite3.IntegrityError:
            if NOTE + "span_id" not in notes:
                span.attributes = with_note(span.attributes, "span_id", span.span_id)
                tally.mended[NOTE + "span_id"] += 1
            span.span_id = other_id(span.span_id, span.span_row)
            INSERT_SPANS(new, [msgspec.structs.astuple(span)[:-1]])


def _roll_up(new: sqlite3.Connection) -> None:
    """Each trace's row from its spans. The original added every update of a span to its rollups once more."""
    with _transaction(new):
        new.executemany(SET_ROLLUP, map(_rollup_values, _traces_of(new)))


def _traces_of(new: sqlite3.Connection) -> Iterator[TraceState]:
    trace: TraceState | None = None
    nodes: list[Node] = []
    for row in new.execute(SPANS_BY_TRACE):
        span = SpanState(*(*row, ""))
        if trace is not None and trace.trace_row == span.trace_row:
            add(trace, span)
            nodes.append(node_of(span))
            continue
        if trace is not None:
            cover(trace, covered(nodes))
            yield trace
        trace = new_trace(span.trace_row, "", span, 0)
        nodes = [node_of(span)]
    if trace is not None:
        cover(trace, covered(nodes))
        yield trace


def _rollup_values(trace: TraceState) -> tuple[Any, ...]:
    return (*(getattr(trace, name) for name in _ROLLUP), trace.trace_row)


def _write_prompt_versions(old: sqlite3.Connection, layout: Layout, new: sqlite3.Connection, tally: Tally) -> None:
    with _transaction(new):
        for v in legacy.prompt_versions_in_order(old, layout):
            span = _span_of(new, v.known, v.trace_id, v.span_id)
            if span is None:
                tally.prompt_versions_without_span += 1
                continue
            values = (*span, text_of(v.prompt_text) or "", text_of(v.label), time_ns(v.created_at) or 0)
            _insert(new, INSERT_PROMPT_VERSION, fit_id(v.version_id, f"prompt_version:{v.rowid}"), v.rowid, values)
            tally.prompt_versions += 1


def _write_replay_runs(old: sqlite3.Connection, layout: Layout, new: sqlite3.Connection, tally: Tally) -> None:
    with _transaction(new):
        for r in legacy.replay_runs_in_order(old, layout):
            span = _span_of(new, r.known, r.trace_id, r.span_id)
            if span is None:
                tally.replay_runs_without_span += 1
                continue
            texts = (json_object(r.modified_input), json_object(r.new_output), json_object(r.diff))
            values = (*span, *texts, time_ns(r.created_at) or 0)
            _insert(new, INSERT_REPLAY_RUN, fit_id(r.replay_id, f"replay_run:{r.rowid}"), r.rowid, values)
            tally.replay_runs += 1


def _span_of(
    new: sqlite3.Connection, known: int, trace_id: legacy.Value, span_id: legacy.Value
) -> tuple[int, str] | None:
    """(trace_row, span_id) of the span that a row of the original names."""
    if not known:
        return None
    fitted = fit_id(span_id, "")
    found = new.execute(FIND_SPAN, (fit_trace_id(trace_id), fitted)).fetchone()
    return None if found is None else (found[0], fitted)


def _insert(new: sqlite3.Connection, sql: str, row_id: str, rowid: int, values: tuple[Any, ...]) -> None:
    try:
        new.execute(sql, (row_id, *values))
    except sqlite3.IntegrityError:
        new.execute(sql, (other_id(row_id, rowid), *values))


def _check(new: sqlite3.Connection, spans: int) -> None:
    """Set the counters, and make sure that every span has arrived: the old file goes when this returns."""
    with _transaction(new):
        seq, trace_rows, span_rows, attribute_rows, unrolled = new.execute(
            "SELECT (SELECT max(seq) FROM spans), (SELECT max(trace_row) FROM traces), (SELECT count(*) FROM spans),"
            " (SELECT count(*) FROM span_attributes), (SELECT count(*) FROM traces WHERE span_count = 0)"
        ).fetchone()
        broken = new.execute("PRAGMA foreign_key_check").fetchone()
        if span_rows != spans or attribute_rows != spans or unrolled or broken is not None:
            raise NotWhole(
                f"{span_rows} of {spans} spans were written, {attribute_rows} attributes, {unrolled} traces have no "
                f"rollup, broken references: {broken}"
            )
        new.execute(SET_COUNTERS, (seq or 0, (trace_rows or 0) + 1, span_rows + 1))
        index_complete_segments(new, 0, span_rows + 1)


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
