"""What ends without saying so: programs under `beacon run`, and those that have fallen silent."""

from __future__ import annotations

import asyncio
import contextlib

from beacon.contract.records import RunEnd
from beacon.errors import BeaconError
from beacon.web import Call, Reply, json_reply
from ingest.interrupted import end_run, forget_unclaimed, interrupt_silent
from ingest.writer import Writer

SWEEP_S = 60.0
SWEEPS_IN_STALE = 4
"""A minute between two sweeps, or less where spans are stale sooner."""

SWEEP_MIN_S = 0.25


class RunHandlers:
    """Told by `beacon run` when its program has exited."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def end_run(self, call: Call) -> Reply:
        run_id = call.path["run_id"]
        interrupted = 0
        while True:
            ended: RunEnd = await self._writer.run(end_run(run_id))
            interrupted += ended.interrupted
            if not ended.interrupted:
                ended.interrupted = interrupted
                return json_reply(ended)


async def sweep(writer: Writer, stale_after_s: float) -> None:
    """Mark what was interrupted, and drop what nothing came for, again and again."""
    stale_ns = round(stale_after_s * 1_000_000_000)
    while True:
        await asyncio.sleep(max(SWEEP_MIN_S, min(SWEEP_S, stale_after_s / SWEEPS_IN_STALE)))
        with contextlib.suppress(BeaconError):  # a full disk, say: the next sweep does it
            while await writer.run(interrupt_silent(stale_ns)):
                pass
            await writer.run(forget_unclaimed)
