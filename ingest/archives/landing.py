"""An import that is whole becomes visible: its traces go into `traces` a few at a time, hidden from every reader, until
one transaction shows them all. Once begun it only goes forward, also after a crash (`land_what_began`)."""

from __future__ import annotations

import logging
import sqlite3

import msgspec

from ingest.changes import Counters, read_counters, write_counters
from ingest.inserts import RowInserts
from ingest.rollup import TraceState

log = logging.getLogger("beacon.imports")

LAND_TRACES = 200
"""Traces in one transaction: each touches a page of its own in the index of ids, 7 ms."""

STEP_BYTES = 2 * 1024 * 1024
"""What such a transaction writes, about."""

_LANDING = "SELECT import_row, trace_count, span_count FROM imports WHERE landing = 1"
_WAITING = (
    "SELECT i.trace FROM import_ranges r CROSS JOIN imported_traces i ON i.trace_row BETWEEN r.low AND r.high "
    "WHERE r.import_row = ? ORDER BY r.low, i.trace_row LIMIT ?"
)
_INSERT = RowInserts("traces", TraceState.__struct_fields__)
_decode = msgspec.json.Decoder(TraceState).decode


def land_some(db: sqlite3.Connection, counters: Counters) -> bool:
    """Put some traces in, in the caller's transaction; with the last of them the import is over and visible. Whether it
    is."""
    found = db.execute(_LANDING).fetchone()
    if found is None:
        return True
    import_row, trace_count, span_count = found
    traces = [_decode(text) for (text,) in db.execute(_WAITING, (import_row, LAND_TRACES))]
    _INSERT(db, [msgspec.structs.astuple(trace) for trace in traces])
    rows = msgspec.json.encode([trace.trace_row for trace in traces]).decode()
    db.execute("DELETE FROM imported_traces WHERE trace_row IN (SELECT value FROM json_each(?))", (rows,))
    if len(traces) == LAND_TRACES:
        return False
    counters.seq += 1
    counters.trace_count += trace_count
    counters.span_count += span_count
    # who followed the changes up to now has to ask for everything anew, as after deletes that were forgotten
    counters.tombstone_floor = counters.seq
    db.execute("DELETE FROM import_ranges WHERE import_row = ?", (import_row,))
    db.execute("DELETE FROM imports WHERE import_row = ?", (import_row,))
    db.execute("UPDATE landings SET under_way = 0, done = done + 1")
    return True


def land_what_began(db: sqlite3.Connection) -> None:
    """Finish what a crash interrupted, before anybody writes. Raises sqlite3.Error."""
    if db.execute(_LANDING).fetchone() is None:
        return
    log.info("an import was about to become visible when this ended; it does now")
    done = False
    while not done:
        db.execute("BEGIN IMMEDIATE")
        try:
            counters = read_counters(db)
            done = land_some(db, counters)
            write_counters(db, counters)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
