"""`python -m ingest`: wires lock, writer, live events and the unix socket together."""

from __future__ import annotations

import asyncio
import gc
import os
import signal

from beacon.bus import DELTAS_HWM, HINTS_HWM, Publisher, Puller, Pusher
from beacon.config import Settings
from beacon.contract.events import HEARTBEAT_S
from beacon.process import run
from beacon.web import serve_unix
from ingest.database import Commit
from ingest.handlers import SpanHandlers, application
from ingest.jobs.analysis import AnalysisHandlers
from ingest.jobs.demo import DemoHandlers
from ingest.jobs.dispatch import Dispatch
from ingest.jobs.handlers import JobHandlers, WorkerHandlers
from ingest.jobs.key_checks import KeyTestHandlers
from ingest.jobs.playground import PlaygroundHandlers
from ingest.jobs.replay import ReplayHandlers
from ingest.jobs.requests import JobRequests
from ingest.lock import DatabaseLock
from ingest.otlp.handlers import OtlpHandlers
from ingest.otlp.prices import Prices
from ingest.publisher import LiveEvents
from ingest.retention import Policy, keep_bounded
from ingest.runs import RunHandlers, sweep
from ingest.settings import SettingsHandlers
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

        def committed(commit: Commit) -> None:
            live.publish(commit)
            dispatch.committed(commit)

        def opened(epoch: str, seq: int) -> None:
            live.opened(epoch, seq)
            dispatch.opened()

        writer = Writer(settings.db_path, settings.durability, committed, opened)
        hints = Pusher(settings.bus_path("jobs"), bind=True, hwm=HINTS_HWM)
        dispatch = Dispatch(writer, workers, hints, publisher)
        deltas = Puller(settings.bus_path("deltas"), dispatch.said, bind=True, hwm=DELTAS_HWM)
        writer.start()
        tasks = [
            asyncio.create_task(beat(live, workers)),
            asyncio.create_task(dispatch.watch()),
            asyncio.create_task(sweep(writer, settings.stale_after)),
            asyncio.create_task(keep_bounded(writer, Policy.of(settings.retention_days, settings.max_db_size))),
            asyncio.create_task(stop_when_failed(writer)),
        ]
        jobs = JobRequests(dispatch)
        handlers = (
            SpanHandlers(writer, workers),
            OtlpHandlers(writer, Prices(settings.home)),
            SettingsHandlers(settings, os.environ),
            RunHandlers(writer),
            WorkerHandlers(dispatch),
            JobHandlers(dispatch),
            ReplayHandlers(settings, os.environ, jobs),
            PlaygroundHandlers(settings, os.environ, jobs),
            DemoHandlers(settings, os.environ, jobs),
            AnalysisHandlers(settings, os.environ, jobs),
            KeyTestHandlers(settings, os.environ, jobs, workers),
        )
        try:
            await serve_unix(application(*handlers), settings.socket_path("ingest"))
        finally:
            for task in tasks:
                task.cancel()
            await dispatch.close()
            deltas.close()
            hints.close()
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
