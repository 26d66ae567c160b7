"""The websocket clients of the live stream: what each wants, and what waits for it, within limits.

A client that does not read costs its queue and no more. When the queue is full it is emptied, and the client gets
`resync` as the next thing it reads: what was dropped could be read from the database before it was dropped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence

from beacon.contract.events import Event

QUEUE_EVENTS_MAX = 40_000
QUEUE_BYTES_MAX = 32 * 1024 * 1024
"""What may wait for one client: half a second of the fastest stream (23,000 spans of 2.8 KB a second), or one commit of
many small spans."""

TOTAL_BYTES_MAX = 256 * 1024 * 1024
"""What may wait for all clients, a frame counted once for each that waits for it."""

CLIENTS_MAX = 1_000

TURN_FRAMES = 2_000
TURN_BYTES = 512 * 1024
"""Frames and bytes from which on one client has had its turn, and others are served: as much as the bus brings in one
turn (beacon.bus.DRAIN_MAX messages), or a commit of 20,000 small spans overflows the queue of one that keeps up."""


class Client:
    """One websocket. Its sender waits for `ready`, then takes frames with `next_frames`."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self.trace_id: str | None = None
        self.lapsed = False
        self.ready = asyncio.Event()

    @property
    def waiting(self) -> tuple[int, int]:
        """(frames, bytes) that wait for this client."""
        return len(self._queue), self._bytes

    def offer(self, frames: Sequence[bytes], size: int) -> None:
        """Queue `frames`, `size` bytes in all. A client that has lapsed gets nothing until it has read its resync."""
        if self.lapsed:
            return
        if len(self._queue) + len(frames) > QUEUE_EVENTS_MAX or self._bytes + size > QUEUE_BYTES_MAX:
            self.lapse()
            return
        if not self._clients.make_room(size, self):
            return
        self._queue.extend(frames)
        self._bytes += size
        self._clients.waiting_bytes += size
        self.ready.set()

    def lapse(self) -> None:
        """Empty the queue; `resync` is due."""
        self._queue.clear()
        self._clients.waiting_bytes -= self._bytes
        self._bytes = 0
        self.lapsed = True
        self.ready.set()

    def next_frames(self) -> list[bytes]:
        """The next frames to send in one write, within TURN_FRAMES and TURN_BYTES; none when none waits for now."""
        queue = self._queue
        frames: list[bytes] = []
        size = 0
        while queue and len(frames) < TURN_FRAMES and size < TURN_BYTES:
            frame = queue.popleft()
            frames.append(frame)
            size += len(frame)
        self._bytes -= size
        self._clients.waiting_bytes -= size
        if not queue:
            self.ready.clear()
        return frames


class Clients:
    """Every client there is; `deliver` and `resync` reach those it concerns."""

    def __init__(self) -> None:
        self._global: set[Client] = set()
        self._by_trace: dict[str, set[Client]] = {}
        self.waiting_bytes = 0

    def __len__(self) -> int:
        return len(self._global) + sum(map(len, self._by_trace.values()))

    @property
    def full(self) -> bool:
        return len(self) >= CLIENTS_MAX

    def add(self) -> Client:
        """A new client, on the global stream."""
        client = Client(self)
        self._global.add(client)
        return client

    def remove(self, client: Client) -> None:
        client.lapse()  # gives its bytes back
        self._take_out(client)

    def subscribe(self, client: Client, trace_id: str | None) -> None:
        """Move `client` to the events of one trace, or with None back to the global stream."""
        self._take_out(client)
        client.trace_id = trace_id
        if trace_id is None:
            self._global.add(client)
        else:
            self._by_trace.setdefault(trace_id, set()).add(client)

    def deliver(self, events: Sequence[Event]) -> None:
        """Queue `events` for every client they concern."""
        if self._global:
            frames = [event.frame for event in events]
            size = sum(map(len, frames))
            for client in self._global:
                client.offer(frames, size)
        if self._by_trace:
            for event in events:
                for trace_id in event.trace_ids:
                    for client in self._by_trace.get(trace_id, ()):
                        client.offer((event.frame,), len(event.frame))

    def deliver_frame(self, trace_id: str | None, frame: bytes) -> None:
        """Queue a frame that is no event of the stream (no seq, nothing heals it) for the global clients and those of
        `trace_id`."""
        frames = (frame,)
        for client in self._global:
            client.offer(frames, len(frame))
        if trace_id is not None:
            for client in self._by_trace.get(trace_id, ()):
                client.offer(frames, len(frame))

    def resync(self) -> None:
        """Everyone may have missed something."""
        for client in self._everyone():
            client.lapse()

    def make_room(self, size: int, client: Client) -> bool:
        """Let those furthest behind lapse until `size` more bytes may wait: who keeps up is not to pay for them.
        False when `client` itself was one of them."""
        while self.waiting_bytes and self.waiting_bytes + size > TOTAL_BYTES_MAX:
            max(self._everyone(), key=lambda each: each.waiting[1]).lapse()
        return not client.lapsed

    def _everyone(self) -> Iterator[Client]:
        yield from self._global
        for clients in self._by_trace.values():
            yield from clients

    def _take_out(self, client: Client) -> None:
        if client.trace_id is None:
            self._global.discard(client)
            return
        clients = self._by_trace[client.trace_id]
        clients.discard(client)
        if not clients:
            del self._by_trace[client.trace_id]
