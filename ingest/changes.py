"""The counters of a database, and what one transaction changed."""

from __future__ import annotations

import sqlite3

import msgspec
from msgspec import Struct

from beacon.errors import Refused
from ingest.merge import SpanState
from ingest.rollup import TraceState


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
