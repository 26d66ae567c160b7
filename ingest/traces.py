"""Changes to whole traces: deleting them, and their tags. Commands for the writer."""

from __future__ import annotations

import sqlite3

import msgspec

from beacon.errors import NotFound
from ingest.database import Command, Transaction
from ingest.rollup import TraceState
from ingest.separate_contents import forget
from ingest.spans import SELECT_TRACE

DELETE_SPANS = 960
"""Spans one deleting transaction takes, at least one trace: 4.5 ms; 48,000 in one stalled writes for 0.47 s."""

TOMBSTONES_KEPT = 10_000
"""Deleted ids remembered for healing live streams; a stream further behind than that resyncs."""


def delete_trace(trace_id: str) -> Command:
    """Delete one trace whole, with all that belongs to it. Raises `NotFound`."""

    def command(tx: Transaction) -> int:
        row = tx.db.execute("SELECT trace_row, span_count FROM traces WHERE trace_id = ?", (trace_id,)).fetchone()
        if row is None:
            raise NotFound("Trace not found")
        return delete_chosen(tx, [(row[0], trace_id, row[1])])

    return command


def delete_some(trace_ids: list[str]) -> Command:
    """Delete the traces at the end of `trace_ids`, as many as one transaction should take, and take their ids off the
    list; returns how many there were. Call it until the list is empty."""

    def command(tx: Transaction) -> int:
        chosen: list[tuple[int, str, int]] = []
        spans = 0
        left = list(trace_ids)
        while left and (spans < DELETE_SPANS and len(chosen) < DELETE_SPANS):
            trace_id = left.pop()
            row = tx.db.execute("SELECT trace_row, span_count FROM traces WHERE trace_id = ?", (trace_id,)).fetchone()
            if row is not None:
                chosen.append((row[0], trace_id, row[1]))
                spans += row[1]
        deleted = delete_chosen(tx, chosen)
        del trace_ids[len(left) :]
        return deleted

    return command


def delete_older(older_than_ns: int) -> Command:
    """Delete the oldest traces created before `older_than_ns`, as many as one transaction should take; returns how
    many. Call it until it returns 0."""

    def command(tx: Transaction) -> int:
        chosen = []
        spans = 0
        # trace_row follows created_ns: the walk ends at the first trace that is young enough
        rows = tx.db.execute("SELECT trace_row, trace_id, span_count, created_ns FROM traces ORDER BY trace_row")
        for trace_row, trace_id, span_count, created_ns in rows:
            if created_ns >= older_than_ns or spans >= DELETE_SPANS:
                break
            chosen.append((trace_row, trace_id, span_count))
            spans += span_count
        rows.close()
        return delete_chosen(tx, chosen)

    return command


def put_tags(trace_id: str, tags: dict[str, str]) -> Command:
    """Replace the tags of a trace. Raises `NotFound`."""

    def command(tx: Transaction) -> None:
        trace = load_trace(tx.db, trace_id)
        text = msgspec.json.encode(tags).decode()
        if text == trace.tags:
            return
        trace.tags = text
        trace.seq = tx.next_seq()
        tx.db.execute(
            "UPDATE traces SET tags = ?1, seq = ?2, edited_seq = ?2 WHERE trace_row = ?3",
            (text, trace.seq, trace.trace_row),
        )
        tx.changes.traces_updated.append(trace)

    return command


def load_trace(db: sqlite3.Connection, trace_id: str) -> TraceState:
    """The trace's row. Raises `NotFound`."""
    row = db.execute(SELECT_TRACE, (trace_id,)).fetchone()
    if row is None:
        raise NotFound("Trace not found")
    return TraceState(*row)


def delete_chosen(tx: Transaction, chosen: list[tuple[int, str, int]]) -> int:
    """Delete traces given as (trace_row, trace_id, span_count); foreign keys take the rest with them, but for contents,
    which know their trace by its id."""
    if not chosen:
        return 0
    seq = tx.next_seq()
    tx.db.executemany("DELETE FROM traces WHERE trace_row = ?", [(row,) for row, _, _ in chosen])
    tx.db.executemany("INSERT INTO tombstones (seq, trace_id) VALUES (?, ?)", [(seq, id_) for _, id_, _ in chosen])
    forget(tx.db, [id_ for _, id_, _ in chosen])
    tx.counters.trace_count -= len(chosen)
    tx.counters.span_count -= sum(spans for _, _, spans in chosen)
    tx.changes.deleted.append((seq, [id_ for _, id_, _ in chosen]))
    _forget_old_tombstones(tx)
    return len(chosen)


def _forget_old_tombstones(tx: Transaction) -> None:
    row = tx.db.execute("SELECT seq FROM tombstones ORDER BY seq DESC LIMIT 1 OFFSET ?", (TOMBSTONES_KEPT,)).fetchone()
    if row is not None:
        tx.db.execute("DELETE FROM tombstones WHERE seq <= ?", row)
        tx.counters.tombstone_floor = row[0]
