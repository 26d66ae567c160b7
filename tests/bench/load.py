"""How requests are sent: as fast as answers come (closed loop), or by the clock (open loop)."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.bench.client import Answer, Connection, Hung
from tests.bench.workload import Batch

READABLE_S = 60.0
"""Seconds to wait until what was acknowledged can be read; then it counts as lost."""

OPEN_LOOP_CONNECTIONS = 8


@dataclass
class Tally:
    """What came of a load: spans acknowledged, requests answered 200, and what went wrong, by kind."""

    spans: int = 0
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def fault_words(self) -> list[str]:
        return [f"{count} x {fault}" for fault, count in sorted(self.faults.items())]


async def post_batch(connection: Connection, batch: Batch, tally: Tally) -> bool:
    """Post one batch and count what came of it; whether it was acknowledged in full."""
    try:
        answer = await connection.post("/v1/spans", batch.body)
    except Hung:
        tally.faults["no answer"] += 1
        return False
    except OSError as e:
        tally.faults[f"connection failed ({type(e).__name__})"] += 1
        return False
    if answer.status != 200:
        tally.faults[f"status {answer.status}"] += 1
        return False
    accepted: int = json.loads(answer.body)["accepted"]
    if accepted != len(batch.span_ids):
        tally.faults["spans rejected"] += len(batch.span_ids) - accepted
    tally.spans += accepted
    tally.requests += 1
    return True


async def closed_loop(
    port: int, batches: Sequence[Batch], connections: int, max_s: float = 60.0, stop: Callable[[], bool] | None = None
) -> Tally:
    """Post `batches` over `connections` connections, each sending its next request when it has its answer; ends early
    after `max_s` seconds or when `stop` says so. No request is sent a second time."""
    tally = Tally()
    left = iter(batches)
    began = time.perf_counter()

    async def one() -> None:
        connection = Connection(port)
        try:
            for batch in left:
                await post_batch(connection, batch, tally)
                if time.perf_counter() - began > max_s or (stop is not None and stop()):
                    return
        finally:
            connection.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    tally.seconds = time.perf_counter() - began
    return tally


async def stored_spans(connection: Connection) -> int:
    """How many spans can be read, as GET /v1/stats counts them."""
    answer = await connection.get("/v1/stats")
    if answer.status != 200:
        raise RuntimeError(f"GET /v1/stats answered {answer.status}: {answer.body[:200]!r}")
    total: int = json.loads(answer.body)["total_spans"]
    return total


async def until_readable(connection: Connection, count: int) -> None:
    """Wait until `count` spans can be read. Raises `RuntimeError` after READABLE_S seconds."""
    deadline = time.perf_counter() + READABLE_S
    while (readable := await stored_spans(connection)) < count:
        if time.perf_counter() > deadline:
            raise RuntimeError(f"{count} spans were acknowledged, {readable} can be read")
        await asyncio.sleep(0.002)


async def readable_load(port: int, batches: Sequence[Batch], connections: int, max_s: float = 60.0) -> Tally:
    """A closed loop whose time ends when every acknowledged span can be read."""
    control = Connection(port)
    try:
        before = await stored_spans(control)
        began = time.perf_counter()
        tally = await closed_loop(port, batches, connections, max_s)
        await until_readable(control, before + tally.spans)
        tally.seconds = time.perf_counter() - began
        return tally
    finally:
        control.close()


async def open_loop(port: int, batches: Sequence[Batch], per_second: float) -> tuple[list[float], Tally]:
    """Post `per_second` batches a second whatever the answers do; (latencies in ms, tally).

    A latency runs from the moment the request was due: what had to wait behind a stall counts in full.
    """
    tally = Tally()
    latencies: list[float] = []
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    connections = [Connection(port) for _ in range(OPEN_LOOP_CONNECTIONS)]
    for connection in connections:
        await connection.get("/health")  # connected before the clock starts
        idle.put_nowait(connection)

    async def one(batch: Batch, due: float) -> None:
        connection = await idle.get()
        try:
            await post_batch(connection, batch, tally)
        finally:
            idle.put_nowait(connection)
        latencies.append((time.perf_counter() - due) * 1e3)

    # uvloop's timers tick in whole milliseconds of this clock: a start on a tick keeps the client itself punctual
    start = math.ceil(time.perf_counter() * 1e3 + 50) / 1e3
    async with asyncio.TaskGroup() as group:
        for number, batch in enumerate(batches):
            due = start + number / per_second
            while (left := due - time.perf_counter()) > 0:
                await asyncio.sleep(left)
            group.create_task(one(batch, due))
    tally.seconds = time.perf_counter() - start
    for connection in connections:
        connection.close()
    return latencies, tally


async def read_latencies(connection: Connection, path: str, times: int) -> tuple[list[float], Answer]:
    """Milliseconds of `times` GETs of `path`, one after another, and the last answer.

    Raises `RuntimeError` for an answer other than 200.
    """
    latencies: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        answer = await connection.get(path)
        latencies.append((time.perf_counter() - began) * 1e3)
        if answer.status != 200:
            raise RuntimeError(f"GET {path} answered {answer.status}: {answer.body[:200]!r}")
    return latencies, answer
