"""The spans of one trace, part by part, for answers as large as the trace is.

Reading alternates with the client's pace, so it has connections of its own, through aiosqlite: one for each part,
closed before a byte of the part is sent. Neither a reader of the pool nor a transaction waits for a slow client.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiosqlite
import msgspec

from beacon.contract.records import TraceSummary
from beacon.errors import NotFound, QueueFull
from beacon.store.rows import SPAN_COLUMNS, TRACE_COLUMNS, trace_of
from query.database import as_answer, open_database
from query.walk import READ_MAX_S

WALKS_MAX = 4
"""Exports at a time in this process; each holds a part in memory."""

SLICE_SPANS = 64
SLICE_BYTES = 512 * 1024
"""A slice is what one statement reads, and what is rendered at once: this many spans, or fewer where they are large."""

PART_BYTES = 8 * 1024 * 1024
PART_S = 0.06
"""A part is what one transaction reads. A trace of one part is of one moment; later parts are checked, span by span,
against the change numbers of that moment."""

STALL_S = 60.0
"""Seconds a client may leave a piece of its answer unread before the answer is given up."""

log = logging.getLogger("beacon.query")

_KEYS = "SELECT span_row, seq FROM spans WHERE trace_row = ? ORDER BY start_ns, span_id"
_SLICE = (
    f"SELECT s.span_row, s.seq, s.tokens, s.cost_pico, x.otel, o.resource, o.scope, {SPAN_COLUMNS} FROM json_each(?) j "
    "CROSS JOIN spans s ON s.span_row = j.value CROSS JOIN span_attributes a ON a.span_row = s.span_row "
    "CROSS JOIN traces t ON t.trace_row = s.trace_row LEFT JOIN span_otel x ON x.span_row = s.span_row "
    "LEFT JOIN origins o ON o.origin_row = x.origin_row"
)
_ORIGINS = (
    "SELECT s.span_row, o.resource, o.scope FROM spans s CROSS JOIN span_otel x ON x.span_row = s.span_row "
    "CROSS JOIN origins o ON o.origin_row = x.origin_row WHERE s.trace_row = ?"
)


class TraceChanged(Exception):
    """The trace was changed or deleted while a part of it was still to be read: the answer breaks off, since what
    follows would not belong to what was sent."""


class OtelColumns(NamedTuple):
    """What came with a span by OpenTelemetry, as JSON text (ingest/otlp/arrived.py)."""

    span: str
    resource: str
    scope: str


class SpanRow(NamedTuple):
    """One span: `columns` are SPAN_COLUMNS, for beacon.store.rows.span_of. `otel` is None for a native span."""

    tokens: int | None
    cost_pico: int | None
    columns: tuple[Any, ...]
    otel: OtelColumns | None = None


class OpenTrace(NamedTuple):
    """A trace and its spans by (start_time, span_id), to be iterated once."""

    trace: TraceSummary
    seq: int
    spans: AsyncIterator[list[SpanRow]]


class TraceWalks:
    """Reads traces of the database at `path`, for at most WALKS_MAX exports at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._running = 0

    @contextlib.contextmanager
    def room(self) -> Iterator[None]:
        """Room for one export. Raises `QueueFull`."""
        if self._running >= WALKS_MAX:
            raise QueueFull("As many exports run as may at a time; try again in a moment.")
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    async def missing(self, trace_ids: list[str]) -> list[str]:
        """Those of `trace_ids` that are not stored, in their order."""
        async with _transaction(self._path) as fetch:
            rows = await fetch(
                "SELECT trace_id FROM traces WHERE trace_id IN (SELECT value FROM json_each(?))", _json(trace_ids)
            )
        stored = {row[0] for row in rows}
        return [trace_id for trace_id in trace_ids if trace_id not in stored]

    async def trace(self, trace_id: str, *, by_origin: bool = False) -> OpenTrace:
        """The trace and its first part, in one transaction; the rest follows as `spans` is iterated. Raises
        `NotFound`, `StoreBusy`; the iteration raises `TraceChanged`."""
        async with _transaction(self._path) as fetch:
            rows = await fetch(
                f"SELECT c.seq, t.trace_row, {TRACE_COLUMNS} FROM traces t, counters c WHERE t.trace_id = ?", trace_id
            )
            if not rows:
                raise NotFound("Trace not found")
            seq, trace_row, *columns = rows[0]
            keys = _Keys(await fetch(_KEYS, trace_row))
            if by_origin:
                keys.group({row[0]: row[1:] for row in await fetch(_ORIGINS, trace_row)})
            part = await _read_part(fetch, keys)
        return OpenTrace(trace_of(tuple(columns)), seq, self._spans(trace_id, part, keys))

    async def _spans(self, trace_id: str, part: list[list[SpanRow]], keys: _Keys) -> AsyncIterator[list[SpanRow]]:
        while True:
            part.reverse()
            while part:
                yield part.pop()
            if not keys.left:
                return
            try:
                async with _transaction(self._path) as fetch:
                    part = await _read_part(fetch, keys)
            except TraceChanged:
                log.warning("trace %s changed while it was being sent; its answer breaks off", trace_id)
                raise


Fetch = Callable[..., Awaitable[list[tuple[Any, ...]]]]


@contextlib.asynccontextmanager
async def _transaction(path: Path) -> AsyncIterator[Fetch]:
    """A connection for one transaction: `await fetch(sql, *params)` gives all rows, within READ_MAX_S."""
    loop = asyncio.get_running_loop()
    # opened here, not by aiosqlite: where opening fails, it leaves its thread to outlive the event loop
    raw = await asyncio.to_thread(open_database, path)

    async def fetch(sql: str, *params: Any) -> list[tuple[Any, ...]]:
        bound = loop.call_later(READ_MAX_S, raw.interrupt)
        try:
            rows: list[tuple[Any, ...]] = list(map(tuple, await db.execute_fetchall(sql, params)))
            return rows
        except asyncio.CancelledError:
            raw.interrupt()  # closing would wait for the statement
            raise
        except sqlite3.Error as e:
            raise as_answer(e) from e
        finally:
            bound.cancel()

    async with aiosqlite.Connection(lambda: raw, iter_chunk_size=SLICE_SPANS) as db:
        await fetch("BEGIN")
        yield fetch
        # closing ends the transaction


async def _read_part(fetch: Fetch, keys: _Keys) -> list[list[SpanRow]]:
    """The next slices, at least one, up to PART_BYTES or PART_S. Raises `TraceChanged`."""
    began = time.monotonic()
    part: list[list[SpanRow]] = []
    size = 0
    while keys.left and size < PART_BYTES and (not part or time.monotonic() - began < PART_S):
        wanted = keys.next()
        found = {row[0]: row for row in await fetch(_SLICE, _json([span_row for span_row, _ in wanted]))}
        rows = []
        for span_row, seq in wanted:
            row = found.get(span_row)
            if row is None or row[1] != seq:
                raise TraceChanged
            rows.append(SpanRow(row[2], row[3], row[7:], None if row[4] is None else OtelColumns(*row[4:7])))
        part.append(rows)
        size += keys.took(rows)
    return part


class _Keys:
    """(span_row, seq) of the spans still to be read, handed out in slices of about SLICE_BYTES."""

    def __init__(self, keys: list[tuple[Any, ...]]) -> None:
        self._keys = keys
        self._at = 0
        self._size = 1  # until it is known how large they are

    def group(self, origins: dict[int, tuple[Any, ...]]) -> None:
        """Put spans of one resource together, and those of one scope within it: both in the order of their first spans.
        `origins` has (resource, scope) by span_row; the others are Beacon's own."""
        resources: dict[Any, int] = {}
        scopes: dict[Any, int] = {}
        for span_row, _ in self._keys:
            origin = origins.get(span_row, (None, None))
            resources.setdefault(origin[0], len(resources))
            scopes.setdefault(origin, len(scopes))

        def rank(key: tuple[Any, ...]) -> tuple[int, int]:
            origin = origins.get(key[0], (None, None))
            return resources[origin[0]], scopes[origin]

        self._keys.sort(key=rank)

    @property
    def left(self) -> bool:
        return self._at < len(self._keys)

    def next(self) -> list[tuple[Any, ...]]:
        wanted = self._keys[self._at : self._at + self._size]
        self._at += len(wanted)
        return wanted

    def took(self, rows: list[SpanRow]) -> int:
        """Told what the last slice was, so that the next one follows it; gives back its bytes of attributes."""
        size = sum(len(row.columns[9]) + (0 if row.otel is None else len(row.otel.span)) for row in rows)
        if size > 2 * SLICE_BYTES:
            self._size = max(1, self._size // 4)
        elif size < SLICE_BYTES // 2:
            self._size = min(SLICE_SPANS, self._size * 2)
        return size


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


@contextlib.contextmanager
def not_stalled() -> Iterator[_Stall]:
    """Cancels the task it runs in when STALL_S pass without a `moved()`."""
    task = asyncio.current_task()
    assert task is not None
    stall = _Stall(task)
    try:
        yield stall
    finally:
        stall.stop()


class _Stall:
    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task
        self._handle: asyncio.TimerHandle | None = None
        self.moved()

    def moved(self) -> None:
        self.stop()
        self._handle = asyncio.get_running_loop().call_later(STALL_S, self._task.cancel, "the client does not read")

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
