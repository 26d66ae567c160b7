"""Takes the live stream from the bus to the clients: the subscription, the state machine, the healing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from beacon.bus import Subscriber
from beacon.contract.events import TOPIC_EVENTS, TOPIC_HEARTBEAT, unpack, unpack_heartbeat, unpack_job_frame
from beacon.contract.jobs import TOPIC_JOBS
from hub.live.clients import Client, Clients
from hub.live.heal import CannotHeal, fetch_changes
from hub.live.stream import Deliver, Heal, Resync, Step, Stream
from hub.pool import Pool

log = logging.getLogger("beacon.hub.live")

HEARTBEAT_STALE_S = 2.0
"""Seconds after which the newest heartbeat says nothing about now: eight should have come."""


class Feed:
    """One a hub, on its event loop. Heartbeats are always listened to; events only while there is a client, so that
    ingest builds no frames for nobody."""

    def __init__(self, events: Path, query: Pool) -> None:
        self._loop = asyncio.get_running_loop()
        self._query = query
        self._stream = Stream()
        self._clients = Clients()
        self._healing: set[asyncio.Task[None]] = set()
        self._beat_at = float("-inf")
        self._workers = 0
        self._bus = Subscriber(events, self._on_message)
        self._bus.subscribe(TOPIC_HEARTBEAT)

    @property
    def full(self) -> bool:
        """Whether there are as many clients as may be."""
        return self._clients.full

    @property
    def workers(self) -> int | None:
        """How many replay workers there are, or None when ingest has not said so for HEARTBEAT_STALE_S."""
        return self._workers if self._loop.time() - self._beat_at < HEARTBEAT_STALE_S else None

    def join(self) -> Client:
        """A new client, on the global stream: it gets every event from here on."""
        client = self._clients.add()
        if len(self._clients) == 1:
            self._stream.follow()
            self._bus.subscribe(TOPIC_EVENTS)
            self._bus.subscribe(TOPIC_JOBS)
        return client

    def leave(self, client: Client) -> None:
        self._clients.remove(client)
        if len(self._clients) == 0:
            self._bus.unsubscribe(TOPIC_EVENTS)
            self._bus.unsubscribe(TOPIC_JOBS)
            self._stream.unfollow()

    def subscribe(self, client: Client, trace_id: str | None) -> None:
        """Move a client to one trace's events, or back to the global stream with None."""
        self._clients.subscribe(client, trace_id)

    def close(self) -> None:
        self._bus.close()
        for task in self._healing:
            task.cancel()

    # ------------------------------------------------------------ inside

    def _on_message(self, topic: bytes, message: bytes) -> None:
        try:
            if topic == TOPIC_EVENTS:
                self._take(self._stream.envelope(unpack(message)))
            elif topic == TOPIC_HEARTBEAT:
                beat = unpack_heartbeat(message)
                self._beat_at = self._loop.time()
                self._workers = beat.workers
                self._take(self._stream.heartbeat(beat))
            elif topic == TOPIC_JOBS:
                # past the stream: its gaps are told by change numbers, and these frames have none
                self._clients.deliver_frame(*unpack_job_frame(message))
        except (ValueError, TypeError) as e:
            log.error("a message on the bus cannot be read: %s", e)

    def _take(self, steps: Sequence[Step]) -> None:
        for step in steps:
            match step:
                case Deliver(events):
                    self._clients.deliver(events)
                case Heal(ticket, after):
                    task = self._loop.create_task(self._heal(ticket, after))
                    self._healing.add(task)
                    task.add_done_callback(self._healing.discard)
                case Resync(reason):
                    log.info("resync of %d clients: %s", len(self._clients), reason)
                    self._clients.resync()

    async def _heal(self, ticket: int, after: int) -> None:
        try:
            envelope = await fetch_changes(self._query, after)
        except CannotHeal as e:
            self._take(self._stream.cannot_heal(ticket, str(e)))
        else:
            log.info("healed a gap: %d events after %d", len(envelope.events), after)
            self._take(self._stream.changes(ticket, envelope))
