"""`python -m replay_worker`: tells ingest that it is there, for as long as it is.

LLM work (the job board, providers, replay) is claimed over ingest's socket; a worker that knows no kind of job
claims none.
"""

from __future__ import annotations

import asyncio
import http.client
import logging
import os
import signal

from beacon.config import Settings
from beacon.process import run
from beacon.unix_http import ask

ANNOUNCE_S = 1.0
"""Seconds between two announcements; ingest forgets a worker after five of them have not come."""

log = logging.getLogger("beacon.worker")


async def main(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    worker_id = f"worker-{os.getpid()}"
    reachable = True
    while not stopping.is_set():
        try:
            await asyncio.to_thread(ask, settings.socket_path("ingest"), "PUT", f"/internal/workers/{worker_id}")
            if not reachable:
                log.info("ingest is back")
            reachable = True
        except (OSError, http.client.HTTPException) as e:
            if reachable:
                log.warning("ingest cannot be reached (%s); trying again every %.0f s", e, ANNOUNCE_S)
            reachable = False
        try:
            await asyncio.wait_for(stopping.wait(), ANNOUNCE_S if reachable else ANNOUNCE_S / 5)
        except TimeoutError:
            continue


if __name__ == "__main__":
    run("replay_worker", main)
