"""Cold start, and the memory of a stack that has nothing to do."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from tests.bench.client import Connection
from tests.bench.report import progress
from tests.bench.rows import Session
from tests.bench.stack import START_S, NotUp, Stack, folder_in, free_port
from tests.bench.workload import Batch, Workload

RETRY_S = 0.004


async def measure(session: Session) -> None:
    batch = Workload(session.seed).batches(1, 1)[0]
    for number in range(session.plan.rounds):
        progress(f"start, round {number + 1}")
        async with folder_in(session.work) as home:
            stack = Stack(home, free_port())
            try:
                began = time.perf_counter()
                stack.launch()
                async with asyncio.TaskGroup() as group:
                    up = group.create_task(_first_200(stack))
                    stored = group.create_task(_first_stored(stack, batch))
                session.results.add("cold_200", up.result() - began)
                session.results.add("cold_stored", stored.result() - began)
                await stack.healthy()
                await asyncio.sleep(session.plan.idle_s)
                session.results.add("memory_idle", stack.memory_mb())
            finally:
                stack.stop()


async def _first_200(stack: Stack) -> float:
    await stack.answers("/health")
    return time.perf_counter()


async def _first_stored(stack: Stack, batch: Batch) -> float:
    """When the first POST of a span was acknowledged, tried again and again from the start."""
    deadline = time.perf_counter() + START_S
    connection = Connection(stack.port)
    try:
        while time.perf_counter() < deadline:
            with suppress(OSError):
                answer = await connection.post("/v1/spans", batch.body)
                if answer.status == 200:
                    return time.perf_counter()
            await asyncio.sleep(RETRY_S)
    finally:
        connection.close()
    raise NotUp(f"no span was stored within {START_S:.0f} s\n{stack.tail()}")
