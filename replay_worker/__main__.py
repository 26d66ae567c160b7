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
from pathlib import Path

from beacon.config import Settings
from beacon.process import run
from beacon.unix_http import ask

ANNOUNCE_S = 1.0
"""Seconds between two announcements; ingest forgets a worker after five of them have not come."""

FIRST_RETRY_S = 0.05
"""Seconds between attempts until the first success: at a start ingest's socket comes a moment after this process, and
/health stays `degraded` for as long as ingest knows of no worker."""

RETRY_S = 0.2
"""Seconds between attempts after an ingest that was there has gone."""

SILENT_S = 3.0
"""Seconds ingest may be unreachable before that is worth a warning; starts and restarts take less."""

log = logging.getLogger("beacon.worker")


async def main(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    worker_id = f"worker-{os.getpid()}"
    retry_s = FIRST_RETRY_S
    silent_since: float | None = None
    warned = False
    while not stopping.is_set():
        tried = loop.time()
        wrong = await asyncio.to_thread(announce, settings.socket_path("ingest"), worker_id)
        if wrong is None:
            if warned:
                log.info("ingest is back")
            silent_since, warned, retry_s = None, False, RETRY_S
        else:
            silent_since = tried if silent_since is None else silent_since
            if not warned and loop.time() - silent_since >= SILENT_S:
                log.warning("ingest cannot be reached (%s); trying again every %.0f ms", wrong, retry_s * 1000)
                warned = True
        try:
            await asyncio.wait_for(stopping.wait(), ANNOUNCE_S if wrong is None else retry_s)
        except TimeoutError:
            continue


def announce(ingest: Path, worker_id: str) -> str | None:
    """Tell the ingest behind the unix socket `ingest` that this worker is there; what went wrong, or None."""
    try:
        status, _ = ask(ingest, "PUT", f"/internal/workers/{worker_id}")
    except (OSError, http.client.HTTPException) as e:
        return str(e) or type(e).__name__
    return None if status == 200 else f"it answers {status}"


if __name__ == "__main__":
    run("replay_worker", main)
