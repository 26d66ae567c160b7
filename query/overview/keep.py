"""The overview: filled once in slices, and brought up to the moment of each read by what changed since the last."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from query.overview.facts import Facts, packed, unpacked
from query.overview.hours import Hours
from query.overview.rows import STORED, trace_of
from query.overview.sessions import Sessions
from query.overview.tables import INDEXES, new_tables, put
from query.walk import Walk

SLICE_TRACES = 1_000
"""Traces read in one step of filling: some 15 ms."""

SLICE_SPANS = 1_024
"""New spans whose traces are read in one step: 5 ms, and 55 where each is of a trace of its own."""

NEAR_CHANGES = 2_048
"""Changes a read catches up with in its own snapshot, as long as a step at most; more are taken in steps before it."""

STEPS_BEHIND = 8
"""Steps that a read takes itself; further behind, it is answered from the file, and the overview follows meanwhile."""

IN_USE_S = 5.0
"""Seconds after a read for which the overview is kept as near the file as it can be. Else it follows a few steps a
second (query/overview/following.py)."""

_COUNTERS = "SELECT epoch, seq, next_trace_row, next_span_row, trace_count, tombstone_floor FROM counters"
_FILL = f"SELECT {STORED} FROM traces t WHERE t.trace_row > ? ORDER BY t.trace_row LIMIT ?"
_ROWS = f"SELECT {STORED} FROM json_each(?) j CROSS JOIN traces t ON t.trace_row = j.value"
# Of what query/changes.py tells clients, the traces alone
_CREATED = "SELECT DISTINCT trace_row FROM spans WHERE span_row >= ? AND span_row < ?"
# with DISTINCT, SQLite went through all spans by their traces: 330 ms at a million
_UPDATED = "SELECT trace_row FROM spans INDEXED BY spans_updated WHERE seq > ? AND seq > created_seq"
_EDITED = "SELECT trace_row FROM traces WHERE edited_seq > ?"
_TOMBSTONES = "SELECT DISTINCT trace_id FROM tombstones WHERE seq > ?"
_OLD = "SELECT start_ns, cost_pico, tokens, failed, session, facts FROM traces WHERE trace_row = ?"


class Counters(NamedTuple):
    epoch: str
    seq: int
    next_trace_row: int
    next_span_row: int
    trace_count: int
    tombstone_floor: int


class Moment(NamedTuple):
    """What a read is given: the file in one snapshot, and the overview of just that moment."""

    db: sqlite3.Connection
    memory: sqlite3.Connection
    facts: Facts
    hours: Hours
    sessions: Sessions
    counters: Counters


class Overview:
    """One for the process, used by every reader; a lock lets one at a time. What it holds is a function of the file: it
    is dropped and filled anew when the file is another one, or has forgotten what was deleted since."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._memory: sqlite3.Connection | None = None
        self._asked_at = -IN_USE_S
        self._clear()

    def _clear(self) -> None:
        if self._memory is not None:
            self._memory.close()
        self._memory = None
        self._ready = False
        self._facts = Facts()
        self._hours = Hours()
        self._sessions = Sessions()
        self._epoch = ""
        self._seq = 0
        self._next_span_row = 1
        self._filled = 0

    @contextlib.contextmanager
    def moment(self, walk: Walk) -> Iterator[Moment | None]:
        """The moment of now; None while the overview is being filled, or is far behind."""
        self._asked_at = time.monotonic()
        if not self._ready:
            yield None
            return
        # the lock first: a snapshot that waited for it would be older than what is in memory by then
        with self._lock:
            for _ in range(STEPS_BEHIND):
                if not self._step_behind(walk):
                    break
            else:
                yield None
                return
            with walk.snapshot() as db:
                counters = _counters(db)
                if self._memory is None or not self._follows(counters):
                    self._clear()
                    yield None
                    return
                self._catch_up(db, counters)
                yield Moment(db, self._memory, self._facts, self._hours, self._sessions, counters)

    @property
    def ready(self) -> bool:
        """Whether it was filled."""
        return self._ready

    @property
    def in_use(self) -> bool:
        """Whether it was asked for a moment ago."""
        return time.monotonic() - self._asked_at < IN_USE_S

    def advance(self, walk: Walk) -> bool:
        """One step of filling, or of following spans that come while nobody reads; whether there is more to do now."""
        with self._lock:
            if self._ready:
                return self._step_behind(walk) or not self._ready
            return self._fill(walk)

    def close(self) -> None:
        with self._lock:
            self._clear()

    # ------------------------------------------------------------ filling

    def _fill(self, walk: Walk) -> bool:
        with walk.snapshot() as db:
            counters = _counters(db)
            if self._memory is None or not self._follows(counters):
                self._clear()
                self._memory = new_tables()
                self._epoch, self._seq, self._next_span_row = counters.epoch, counters.seq, counters.next_span_row
            rows = db.execute(_FILL, (self._filled, SLICE_TRACES)).fetchall()
            self._put(db, rows)
        if rows:
            self._filled = rows[-1][0]
            return True
        for index in INDEXES:
            self._memory.execute(index)
        # what changed while the rows were read is told by the changes since the first of them
        self._ready = True
        return True

    # ------------------------------------------------------------ following

    def _follows(self, counters: Counters) -> bool:
        """Whether the changes since `_seq` lead from what is in memory to the file."""
        return self._epoch == counters.epoch and counters.tombstone_floor <= self._seq <= counters.seq

    def _step_behind(self, walk: Walk) -> bool:
        """Take a slice of the newest spans when there are too many for a read; whether that was so."""
        with walk.snapshot() as db:
            counters = _counters(db)
            if not self._follows(counters):
                self._clear()
                return False
            behind = counters.next_span_row - self._next_span_row  # spans of an import on its way are no changes
            if max(behind, counters.seq - self._seq) <= NEAR_CHANGES:
                return False
            if behind <= SLICE_SPANS:
                self._catch_up(db, counters)
                return False
            end = self._next_span_row + SLICE_SPANS
            self._take(db, (row for (row,) in db.execute(_CREATED, (self._next_span_row, end))))
            self._next_span_row = end
            return True

    def _catch_up(self, db: sqlite3.Connection, counters: Counters) -> None:
        if counters.seq == self._seq:
            return
        changed = {row for (row,) in db.execute(_CREATED, (self._next_span_row, counters.next_span_row))}
        changed.update(row for (row,) in db.execute(_UPDATED, (self._seq,)))
        changed.update(row for (row,) in db.execute(_EDITED, (self._seq,)))
        self._take(db, changed)
        for (trace_id,) in db.execute(_TOMBSTONES, (self._seq,)).fetchall():
            self._forget(db, trace_id)
        self._seq, self._next_span_row = counters.seq, counters.next_span_row

    def _take(self, db: sqlite3.Connection, trace_rows: Iterable[int]) -> None:
        asked = sorted(trace_rows)
        for at in range(0, len(asked), SLICE_TRACES):
            some = asked[at : at + SLICE_TRACES]
            self._put(db, db.execute(_ROWS, (msgspec.json.encode(some).decode(),)).fetchall())

    def _put(self, db: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
        """Take rows of the file into memory, in place of what was there of them."""
        memory = self._memory
        assert memory is not None
        puts, pairs = [], []
        memory.execute("BEGIN")
        try:
            for row in rows:
                trace = trace_of(db, row)
                # while it is filled, no row comes twice
                old = memory.execute(_OLD, (trace.trace_row,)).fetchone() if self._ready else None
                numbers = self._facts.take(trace.facts)
                if old is None:
                    pairs += [(number, trace.trace_row) for number in numbers]
                else:
                    self._uncount(old)
                    before = unpacked(old[-1])
                    if before != numbers:
                        gone, come = set(before) - set(numbers), set(numbers) - set(before)
                        memory.executemany(
                            "DELETE FROM facts WHERE fact = ? AND trace_row = ?", [(n, trace.trace_row) for n in gone]
                        )
                        pairs += [(number, trace.trace_row) for number in come]
                start_ns, _, _, cost_pico, tokens, _, failed = trace.numbers[:7]
                self._hours.count(start_ns, cost_pico, tokens, failed, 1)
                session = None if trace.session is None else self._facts.number(trace.session)
                if session is not None:
                    self._sessions.changed(session)
                puts.append((trace.trace_row, trace.id_hash, *trace.numbers, session, *trace.tops, packed(numbers)))
            put(memory, puts)
            memory.executemany("INSERT INTO facts VALUES (?, ?)", pairs)
            memory.execute("COMMIT")
        except BaseException:
            self._broken()
            raise

    def _uncount(self, old: tuple[Any, ...]) -> None:
        """Take what was in memory of a trace (a row of _OLD) off the sums."""
        start_ns, cost_pico, tokens, failed, session, facts = old
        if session is not None:
            self._sessions.changed(session)
        self._hours.count(start_ns, cost_pico, tokens, failed, -1)
        self._facts.drop(unpacked(facts))

    def _forget(self, db: sqlite3.Connection, trace_id: str) -> None:
        memory = self._memory
        assert memory is not None
        for (trace_row,) in memory.execute(
            "SELECT trace_row FROM traces WHERE id_hash = ?", (hash(trace_id),)
        ).fetchall():
            if db.execute("SELECT 1 FROM traces WHERE trace_row = ?", (trace_row,)).fetchone():
                continue  # sent again since, or of the same hash
            old = memory.execute(_OLD, (trace_row,)).fetchone()
            self._uncount(old)
            memory.executemany(
                "DELETE FROM facts WHERE fact = ? AND trace_row = ?", [(n, trace_row) for n in unpacked(old[-1])]
            )
            memory.execute("DELETE FROM traces WHERE trace_row = ?", (trace_row,))

    def _broken(self) -> None:
        """The tables and the sums differ now: begin anew."""
        self._clear()


def _counters(db: sqlite3.Connection) -> Counters:
    return Counters(*db.execute(_COUNTERS).fetchone())
