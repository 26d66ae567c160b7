"""A websocket client of the live stream that reads everything it is sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.bench.workload import Batch

SETTLE_S = 0.6


class _Named(msgspec.Struct):
    span_id: str


class _Event(msgspec.Struct):
    event: str
    span: _Named | None = None


_decode = msgspec.json.Decoder(_Event).decode


class Watcher:
    """When the `span_created` event of each expected span came (`seen`, by span id, on the clock of
    time.perf_counter), and what should not have come: resyncs, repeated events."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}
        self._awaited: set[str] = set()
        self._resyncs = 0
        self._repeated = 0
        self._closed = False

    def expect(self, batches: Iterable[Batch]) -> None:
        """These spans are going to be posted."""
        for batch in batches:
            self._awaited.update(batch.span_ids)

    async def until_all(self, quiet_s: float = 5.0) -> None:
        """Wait for every expected event, or until none came for `quiet_s` seconds."""
        have, since = len(self.seen), time.monotonic()
        while self._awaited and not self._closed and time.monotonic() - since < quiet_s:
            if len(self.seen) != have:
                have, since = len(self.seen), time.monotonic()
            await asyncio.sleep(0.001)

    def last(self) -> float:
        """When the last expected event came. Raises `RuntimeError` when none has."""
        if not self.seen:
            raise RuntimeError("not one event came over the websocket")
        return max(self.seen.values())

    def faults(self) -> list[str]:
        """What was wrong with the stream."""
        found = []
        if self._awaited:
            found.append(f"{len(self._awaited)} of {len(self._awaited) + len(self.seen)} events did not come")
        if self._resyncs:
            found.append(f"{self._resyncs} resyncs")
        if self._repeated:
            found.append(f"{self._repeated} events came twice")
        return found

    async def read(self, socket: ClientConnection) -> None:
        """Take every message until the connection ends."""
        with suppress(ConnectionClosed):
            while True:
                message = await socket.recv(decode=False)
                self._take(message, time.perf_counter())
        self._closed = True

    def _take(self, message: bytes, now: float) -> None:
        event = _decode(message)
        if event.event == "resync":
            self._resyncs += 1
        elif event.event == "span_created" and event.span is not None:
            span_id = event.span.span_id
            if span_id in self._awaited:
                self._awaited.remove(span_id)
                self.seen[span_id] = now
            elif span_id in self.seen:
                self._repeated += 1


@asynccontextmanager
async def watching(port: int) -> AsyncIterator[Watcher]:
    """A watcher of everything, connected and reading, on a stream at rest."""
    # ingest says every 250 ms where it stands: what was stored just before would still be news to a client
    await asyncio.sleep(SETTLE_S)
    # max_queue: frames taken off the socket ahead of the reader, so that the library does not pause the transport
    # between every two of them
    async with connect(f"ws://127.0.0.1:{port}/ws/live", max_size=None, compression=None, max_queue=1024) as socket:
        watcher = Watcher()
        reading = asyncio.create_task(watcher.read(socket))
        try:
            await asyncio.sleep(SETTLE_S)
            yield watcher
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading
