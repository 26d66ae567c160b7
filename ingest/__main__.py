"""`python -m ingest`: wires lock, writer, live events and the unix socket together."""

from __future__ import annotations

import asyncio
import gc
import os
import signal

from beacon.bus import Publisher
from beacon.config import Settings
from beacon.contract.events import HEARTBEAT_S
from beacon.process import run
from beacon.web import serve_unix
from ingest.handlers import Handlers
from ingest.lock import DatabaseLock
from ingest.publisher import LiveEvents
from ingest.workers import Workers
from ingest.writer import Writer

GC_THRESHOLDS = (20_000, 50, 50)
"""Spans are trees that reference counts free; at the default of 700 allocations the collector looked at every batch."""


async def main(settings: Settings) -> None:
    gc.set_threshold(*GC_THRESHOLDS)
    with DatabaseLock(settings.lock_path):
        publisher = Publisher(settings.bus_path("events"))
        live = LiveEvents(publisher)
        workers = Workers()
        writer = Writer(settings.db_path, settings.durability, live.publish, live.opened)
        writer.start()
        beats = asyncio.create_task(beat(live, workers))
        failure = asyncio.create_task(stop_when_failed(writer))
        try:
            await serve_unix(Handlers(writer, workers).application(), settings.socket_path("ingest"))
        finally:
            beats.cancel()
            failure.cancel()
            await writer.close()
            publisher.close()
        if writer.failed.done():
            raise writer.failed.result()


async def beat(live: LiveEvents, workers: Workers) -> None:
    """A heartbeat every HEARTBEAT_S, for as long as the process lives."""
    while True:
        live.beat(workers.count())
        await asyncio.sleep(HEARTBEAT_S)


async def stop_when_failed(writer: Writer) -> None:
    """A database that must not be opened (newer schema, not ours) ends the process, and it stays down; a bug of the
    writer ends it too, and supervisord starts it anew."""
    await asyncio.shield(writer.failed)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    run("ingest", main)
