"""GET /internal/changes: what changed after a seq, in one snapshot, as one event envelope; how a live stream that
missed something is healed."""

from __future__ import annotations

import sqlite3
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from beacon.contract import events
from beacon.contract.events import Envelope, Event
from beacon.contract.limits import CHANGES_MAX
from beacon.errors import Conflict
from beacon.store.rows import SPAN_COLUMNS, TRACE_COLUMNS, span_of, trace_of

BYTES_MAX = 32 * 1024 * 1024
"""Bytes of frames one answer may carry; a stream that far behind resyncs."""

# A span's row number and its created_seq rise together, so what was created after a seq is the end of the table
_CREATED_SPANS = "SELECT span_row, created_seq, trace_row FROM spans ORDER BY span_row DESC"
_UPDATED_SPANS = (
    "SELECT span_row, seq, trace_row FROM spans WHERE seq > ? AND seq > created_seq AND created_seq <= ? LIMIT ?"
)
# A trace changes with its spans, or by an edit of its own
_EDITED_TRACES = "SELECT trace_row FROM traces WHERE edited_seq > ? LIMIT ?"
_TRACES = (
    f"SELECT t.created_seq, t.seq, {TRACE_COLUMNS} FROM json_each(?) j "
    "CROSS JOIN traces t ON t.trace_row = j.value WHERE t.seq > ?"
)
_TOMBSTONES = "SELECT seq, trace_id FROM tombstones WHERE seq > ? ORDER BY seq, trace_id LIMIT ?"
_SPAN = (
    f"SELECT {SPAN_COLUMNS} FROM spans s JOIN traces t ON t.trace_row = s.trace_row "
    "JOIN span_attributes a ON a.span_row = s.span_row WHERE s.span_row = ?"
)


class _Change(NamedTuple):
    """One event to come: `seq` is the change number it takes its place by."""

    seq: int
    kind: events.Kind
    of: Any


def read_changes(db: sqlite3.Connection, after: int) -> bytes:
    """Everything that changed after the seq `after`, packed, `prev` = after and `last` = the newest seq.

    Raises `Conflict` where only a resync helps: `after` is of another database or lies before the oldest tombstone, or
    there is too much.
    """
    epoch, head, floor = db.execute("SELECT epoch, seq, tombstone_floor FROM counters").fetchone()
    if after > head:
        raise Conflict(f"The newest change is {head}, before {after}: this is another database. Start anew.")
    if after < floor:
        raise Conflict(f"Deletions up to change {floor} are forgotten; {after} is before that. Start anew.")
    changed = _changes(db, after)
    frames: list[Event] = []
    size = 0
    for change in changed:
        event = _event(db, change)
        size += len(event.frame)
        if size > BYTES_MAX:
            raise Conflict(f"The changes after {after} are larger than {BYTES_MAX:,} bytes. Start anew.")
        frames.append(event)
    return events.pack(Envelope(epoch, after, head, frames))


def _changes(db: sqlite3.Connection, after: int) -> list[_Change]:
    """What changed, in order, still without its content. Raises `Conflict` above CHANGES_MAX rows."""
    most = CHANGES_MAX + 1
    found: list[_Change] = []

    def add(change: _Change) -> None:
        if len(found) == CHANGES_MAX:
            raise _too_many(after)
        found.append(change)

    traces: set[int] = {trace_row for (trace_row,) in db.execute(_EDITED_TRACES, (after, most))}
    for span_row, created_seq, trace_row in db.execute(_CREATED_SPANS):
        if created_seq <= after:
            break
        add(_Change(created_seq, "span_created", span_row))
        traces.add(trace_row)
    for span_row, seq, trace_row in db.execute(_UPDATED_SPANS, (after, after, most)):
        add(_Change(seq, "span_updated", span_row))
        traces.add(trace_row)
    for row in db.execute(_TRACES, (msgspec.json.encode(list(traces)).decode(), after)):
        created_seq, seq = row[:2]
        if created_seq > after:
            # before the trace's first span, whose created_seq comes after the trace's own
            add(_Change(created_seq, "trace_created", row[2:]))
        else:
            add(_Change(seq, "trace_updated", row[2:]))
    tombstones = db.execute(_TOMBSTONES, (after, most)).fetchall()
    if len(found) + len(tombstones) > CHANGES_MAX:
        raise _too_many(after)
    for seq, group in groupby(tombstones, key=lambda row: row[0]):
        found.append(_Change(seq, "traces_deleted", [trace_id for _, trace_id in group]))
    return sorted(found, key=lambda change: change.seq)


def _too_many(after: int) -> Conflict:
    return Conflict(f"More than {CHANGES_MAX:,} rows changed after {after}. Start anew.")


def _event(db: sqlite3.Connection, change: _Change) -> Event:
    if change.kind == "trace_created":
        return events.trace_created(change.seq, trace_of(change.of))
    if change.kind == "trace_updated":
        return events.trace_updated(change.seq, trace_of(change.of))
    if change.kind == "traces_deleted":
        return events.traces_deleted(change.seq, change.of)
    span = span_of(db.execute(_SPAN, (change.of,)).fetchone())
    if change.kind == "span_created":
        return events.span_created(change.seq, span)
    return events.span_updated(change.seq, span)
