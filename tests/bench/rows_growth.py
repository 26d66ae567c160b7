"""Ingest that goes on: the WAL while clients read, and the speed when the file has grown."""

from __future__ import annotations

import asyncio
from itertools import cycle

from tests.bench.client import Connection
from tests.bench.load import readable_load
from tests.bench.report import progress
from tests.bench.rows import Session
from tests.bench.rows_reads import FIRST_PAGE
from tests.bench.stack import Stack, running_stack
from tests.bench.warm import warm
from tests.bench.workload import LARGE_TRACE, SMALL_TRACE, Workload, trace_id

READERS = 4
LOOK_EVERY_S = 0.01


async def sustained(session: Session, stack: Stack, workload: Workload) -> None:
    """The largest WAL while spans come as fast as they go and four clients read without a pause."""
    progress("the WAL under sustained ingest")
    batches = workload.batches(session.plan.sustained, 100)
    largest = 0
    reads = [0]

    async def look() -> None:
        nonlocal largest
        while True:
            largest = max(largest, stack.wal_bytes())
            await asyncio.sleep(LOOK_EVERY_S)

    others = [asyncio.create_task(look()), *(asyncio.create_task(_read(session, stack, reads)) for _ in range(READERS))]
    try:
        tally = await readable_load(stack.port, batches, 4, max_s=40)
    finally:
        for task in others:
            task.cancel()
        ended = await asyncio.gather(*others, return_exceptions=True)
    largest = max(largest, stack.wal_bytes())
    results = session.results
    results.add("wal", largest / 2**20)
    results.fault("wal", tally.fault_words())
    results.fault("wal", [f"a reader failed: {e}" for e in ended if isinstance(e, Exception)])
    results.remark(
        "wal",
        f"{tally.spans:,} spans at {tally.spans / tally.seconds:,.0f} spans/s "
        f"beside {reads[0] / tally.seconds:,.0f} reads/s",
    )


async def _read(session: Session, stack: Stack, reads: list[int]) -> None:
    """One client that reads a page, a small and a large trace, a graph, and again."""
    large, small = trace_id(session.seed, LARGE_TRACE), trace_id(session.seed, SMALL_TRACE)
    connection = Connection(stack.port)
    try:
        for path in cycle((FIRST_PAGE, f"/v1/traces/{small}", f"/v1/traces/{large}", f"/v1/traces/{large}/graph")):
            answer = await connection.get(path)
            if answer.status != 200:
                raise RuntimeError(f"GET {path} answered {answer.status}")
            reads[0] += 1
    finally:
        connection.close()


async def against_empty(session: Session, stack: Stack, workload: Workload) -> None:
    """Ingest into the grown file and into an empty one, in turns, so that the machine's mood weighs on both."""
    plan, results = session.plan, session.results
    for number in range(plan.rounds):
        progress(f"ingest into a grown file, round {number + 1}")
        async with running_stack(session.work) as fresh:
            await warm(fresh)
            empty = await readable_load(fresh.port, Workload(session.seed).batches(plan.by_100, 100), 4)
        grown = await readable_load(stack.port, workload.batches(plan.by_100, 100), 4)
        share = (grown.spans / grown.seconds) / (empty.spans / empty.seconds)
        results.add("grown", 100 * share)
        results.fault("grown", grown.fault_words() + empty.fault_words())
        results.remark(
            "grown",
            f"{grown.spans / grown.seconds:,.0f} spans/s against {empty.spans / empty.seconds:,.0f}",
        )
