"""`python -m replay_worker`: tells ingest that it is there, and does the jobs it is told of, for as long as it is.

On SIGTERM it takes no more jobs, finishes those it has, and ends; a second one ends it at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Coroutine
from typing import Any

from beacon.bus import Puller, Pusher
from beacon.config import Settings
from beacon.process import run
from replay_worker.models import LazyModels
from replay_worker.runner import Runner
from replay_worker.stack import Stack

ANNOUNCE_S = 1.0
"""Seconds between two announcements; ingest forgets a worker after five of them have not come."""

FIRST_RETRY_S = 0.05
"""Seconds between attempts until the first success: at a start ingest's socket comes a moment after this process, and
/health stays `degraded` for as long as ingest knows of no worker."""

RETRY_S = 0.2
"""Seconds between attempts after an ingest that was there has gone."""

SILENT_S = 3.0
"""Seconds ingest may be unreachable before that is worth a warning; starts and restarts take less."""

HINTS_HWM = 1
"""Hints that wait in a worker that is busy; the others are for those that are not."""

DELTAS_HWM = 1_000

log = logging.getLogger("beacon.worker")


NICE = 10
"""How far a worker steps back for the others: spans are taken in first where processors are short."""


async def main(settings: Settings) -> None:
    os.nice(NICE)  # what it waits for takes seconds
    leaving, ending = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: (ending if leaving.is_set() else leaving).set())
    worker_id = f"worker-{os.getpid()}"
    stack = Stack(settings)
    models = LazyModels()
    deltas = Pusher(settings.bus_path("deltas"), bind=False, hwm=DELTAS_HWM)
    runner = Runner(settings, worker_id, stack, models.get, deltas.send)
    hints = Puller(settings.bus_path("jobs"), runner.hint, bind=False, hwm=HINTS_HWM)
    runner.listen(hints)
    announcing = asyncio.create_task(announce(stack, worker_id))
    try:
        await leaving.wait()
        hints.close()
        runner.leave()
        stack.leave()
        announcing.cancel()
        if runner.count:
            log.info("finishing %d jobs before the end; one more signal ends them", runner.count)
        # with ingest gone for good the stack is ending, and there is nobody to take a result
        await first_of(runner.finished(), ending.wait(), stack.gone())
        if runner.count:
            runner.abandon()
            await runner.finished()
    finally:
        announcing.cancel()
        hints.close()
        deltas.close()
        await models.close()
        stack.close()


async def first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Returns when one of the coroutines has; the others are cancelled."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


async def announce(stack: Stack, worker_id: str) -> None:
    """Tell ingest every ANNOUNCE_S that this worker is there; oftener while nobody hears it."""
    loop = asyncio.get_running_loop()
    retry_s = FIRST_RETRY_S
    silent_since: float | None = None
    warned = False
    while True:
        tried = loop.time()
        wrong = await stack.announce(worker_id)
        if wrong is None:
            if warned:
                log.info("ingest is back")
            silent_since, warned, retry_s = None, False, RETRY_S
        else:
            silent_since = tried if silent_since is None else silent_since
            if not warned and loop.time() - silent_since >= SILENT_S:
                log.warning("ingest cannot be reached (%s); trying again every %.0f ms", wrong, retry_s * 1000)
                warned = True
        await asyncio.sleep(ANNOUNCE_S if wrong is None else retry_s)


if __name__ == "__main__":
    run("replay_worker", main)
