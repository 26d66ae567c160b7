"""Ingest as fast as it goes, from an empty file: the grid of batch sizes and connections, beside raw sqlite3."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tests.bench.client import Connection
from tests.bench.load import closed_loop, readable_load, stored_spans, until_readable
from tests.bench.peer import ingest_rate
from tests.bench.report import progress
from tests.bench.rows import Session
from tests.bench.sqlite_floor import insertion_rate
from tests.bench.stack import Stack, folder_in, running_stack
from tests.bench.warm import warm
from tests.bench.watcher import watching
from tests.bench.workload import Batch, Workload


async def measure(session: Session) -> None:
    for number in range(session.plan.rounds):
        progress(f"ingest, round {number + 1}")
        await _round(session)


async def _round(session: Session) -> None:
    plan, results = session.plan, session.results
    async with folder_in(session.work) as folder:
        raw = insertion_rate(folder / "raw.db", Workload(session.seed).spans(plan.by_100 // 2))
    results.add("sqlite", raw)
    async with running_stack(session.work) as stack:
        await warm(stack)
        workload = Workload(session.seed)
        rate = await cell(session, stack, "by_100", workload.batches(plan.by_100, 100), 4)
        results.add("of_sqlite", 100 * rate / raw)
        await _watched(session, stack, workload.batches(plan.by_100, 100))
        await cell(session, stack, "by_10", workload.batches(plan.by_10, 10), 4)
        await cell(session, stack, "single_1", workload.batches(plan.requests_of_1, 1), 1)
        await cell(session, stack, "single_16", workload.batches(plan.requests_of_1 * 3, 1), 16)
        await cell(session, stack, "by_10_64", workload.batches(plan.by_10 * 3 // 2, 10), 64)
    if session.peer is not None:
        peer = await ingest_rate(session.peer, session.work, Workload(session.seed).spans(plan.by_100))
        results.add("peer", peer)
        results.add("times_peer", rate / peer)


async def cell(session: Session, stack: Stack, key: str, batches: Sequence[Batch], connections: int) -> float:
    """One closed loop; its rate of readable spans a second goes to row `key` and is returned."""
    client, servers = time.process_time(), stack.cpu_s()
    tally = await readable_load(stack.port, batches, connections)
    rate = tally.spans / tally.seconds
    spent = {"the client": time.process_time() - client} | {
        name: seconds - servers.get(name, 0.0) for name, seconds in sorted(stack.cpu_s().items())
    }
    shares = ", ".join(f"{name} {s / tally.seconds:.2f}" for name, s in spent.items() if s > 0.02 * tally.seconds)
    session.results.add(key, rate)
    session.results.fault(key, tally.fault_words())
    session.results.remark(key, f"cores used: {shares}")
    progress(f"  {key}: {rate:,.0f}/s {' '.join(tally.fault_words())}")
    return rate


async def _watched(session: Session, stack: Stack, batches: Sequence[Batch]) -> None:
    """As a cell, but the time ends when the websocket client has every event, too."""
    control = Connection(stack.port)
    try:
        before = await stored_spans(control)
        async with watching(stack.port) as watcher:
            watcher.expect(batches)
            began = time.perf_counter()
            tally = await closed_loop(stack.port, batches, 4)
            await until_readable(control, before + tally.spans)
            readable = time.perf_counter()
            await watcher.until_all()
            ended = max(readable, watcher.last())
    finally:
        control.close()
    rate = tally.spans / (ended - began)
    session.results.add("by_100_watched", rate)
    session.results.fault("by_100_watched", tally.fault_words() + watcher.faults())
    session.results.remark(
        "by_100_watched",
        f"readable at {tally.spans / (readable - began):,.0f} spans/s, the last event {ended - readable:.2f} s later",
    )
    progress(f"  by_100_watched: {rate:,.0f}/s {' '.join(watcher.faults())}")
