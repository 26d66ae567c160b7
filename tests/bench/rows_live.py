"""From a POST to the event at a websocket client, one span at a time and in a burst."""

from __future__ import annotations

import asyncio
import time

from tests.bench.client import Connection
from tests.bench.figures import percentile
from tests.bench.load import Tally, post_batch
from tests.bench.report import progress
from tests.bench.rows import Session
from tests.bench.stack import running_stack
from tests.bench.warm import warm
from tests.bench.watcher import Watcher, watching
from tests.bench.workload import Batch, Workload

BURST_SPANS = 1_000
PAUSE_S = 0.01


async def measure(session: Session) -> None:
    async with running_stack(session.work) as stack:
        await warm(stack)
        workload = Workload(session.seed)
        connection = Connection(stack.port)
        try:
            for number in range(session.plan.rounds):
                progress(f"live, round {number + 1}")
                async with watching(stack.port) as watcher:
                    await _one_by_one(session, connection, watcher, workload.batches(session.plan.live_posts, 1))
                async with watching(stack.port) as watcher:
                    await _burst(session, connection, watcher, workload.batches(BURST_SPANS, 100))
        finally:
            connection.close()


async def _one_by_one(session: Session, connection: Connection, watcher: Watcher, batches: list[Batch]) -> None:
    tally = Tally()
    began: dict[str, float] = {}
    for batch in batches:
        watcher.expect([batch])
        began[batch.span_ids[0]] = time.perf_counter()
        await post_batch(connection, batch, tally)
        await watcher.until_all()
        await asyncio.sleep(PAUSE_S)
    latencies = [(watcher.seen[span] - due) * 1e3 for span, due in began.items() if span in watcher.seen]
    for key, share in (("live_p50", 0.5), ("live_p99", 0.99)):
        session.results.add(key, percentile(latencies, share))
        session.results.fault(key, tally.fault_words() + watcher.faults())


async def _burst(session: Session, connection: Connection, watcher: Watcher, batches: list[Batch]) -> None:
    tally = Tally()
    watcher.expect(batches)
    began = time.perf_counter()
    for batch in batches:
        await post_batch(connection, batch, tally)
    acknowledged = time.perf_counter() - began
    await watcher.until_all()
    session.results.add("burst", watcher.last() - began)
    session.results.fault("burst", tally.fault_words() + watcher.faults())
    session.results.remark("burst", f"acknowledged after {acknowledged:.3f} s")
