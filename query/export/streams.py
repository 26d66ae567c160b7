"""Each export as a stream of bytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from beacon.contract.records import encode
from beacon.errors import NotFound
from query.export import beacon_json, csv, otlp_json
from query.export.trace_walk import OpenTrace, SpanRow, TraceWalks, not_stalled
from query.spans import light_of, list_items

Pieces = AsyncGenerator[bytes | bytearray, None]
Render = Callable[[list[SpanRow], bytes], bytes | bytearray]


class Exports:
    """Streams over `path`. All raise `NotFound`, `QueueFull` and `StoreBusy` before the first piece, and break off
    (`TraceChanged`) when a trace larger than one read changes under way."""

    def __init__(self, path: Path) -> None:
        self._walks = TraceWalks(path)

    async def detail(self, trace_id: str, light: bool) -> Pieces:
        """GET /v1/traces/{trace_id} for a trace too large to be read at once."""
        with self._walks.room():
            trace = await self._walks.trace(trace_id)
            head = encode(trace.trace)[:-1] + b',"seq":%d,"spans":[' % trace.seq
            async for piece in _pieces(trace, head, _light if light else beacon_json.plain_spans, b"]}"):
                yield piece

    async def beacon_json(self, trace_id: str) -> Pieces:
        with self._walks.room():
            trace = await self._walks.trace(trace_id)
            head = beacon_json.opening(trace.trace, time.time())
            async for piece in _pieces(trace, head, beacon_json.spans, beacon_json.CLOSING):
                yield piece

    async def beacon_json_of_several(self, trace_ids: list[str]) -> Pieces:
        """Raises `NotFound` naming every trace that is not there."""
        with self._walks.room():
            missing = await self._walks.missing(trace_ids)
            if missing:
                raise NotFound(f"Trace not found: {', '.join(missing)}")
            now = time.time()
            before = beacon_json.head(now) + b',"traces":['
            for trace_id in trace_ids:
                trace = await self._walks.trace(trace_id)
                head = before + beacon_json.opening(trace.trace, now)
                async for piece in _pieces(trace, head, beacon_json.spans, beacon_json.CLOSING):
                    yield piece
                before = b","
            yield b"]}"

    async def otlp_json(self, trace_id: str) -> Pieces:
        with self._walks.room():
            trace = await self._walks.trace(trace_id, by_origin=True)
            document = otlp_json.Document(trace.trace)
            async for piece in _pieces(trace, b"", document.spans, otlp_json.CLOSING, between=b""):
                yield piece

    async def csv(self, trace_id: str) -> Pieces:
        with self._walks.room():
            trace = await self._walks.trace(trace_id)
            async for piece in _pieces(trace, csv.HEADER, csv.spans, b"", between=b""):
                yield piece

    @staticmethod
    def csv_headers(trace_id: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        """Content type and headers of the download."""
        disposition = f'attachment; filename="{csv.filename(trace_id)}"'
        return csv.CONTENT_TYPE, [(b"content-disposition", disposition.encode())]


async def _pieces(trace: OpenTrace, before: bytes, render: Render, closing: bytes, between: bytes = b",") -> Pieces:
    """`before`, every slice of spans rendered, `closing`."""
    with not_stalled() as stall:
        async for rows in trace.spans:
            # on a thread of its own: a slice of OTLP takes some milliseconds
            yield await asyncio.to_thread(render, rows, before)
            before = between
            stall.moved()
        if closing:
            yield closing


def _light(rows: list[SpanRow], before: bytes) -> bytearray:
    return list_items([light_of(row.columns, row.tokens, row.cost_pico) for row in rows], before)
