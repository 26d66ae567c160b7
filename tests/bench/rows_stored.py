"""What holds with many spans in the file: size, memory, reads, and then ingest again with even more."""

from __future__ import annotations

import asyncio

from tests.bench import rows_growth, rows_reads
from tests.bench.client import Connection
from tests.bench.load import closed_loop, stored_spans, until_readable
from tests.bench.report import progress
from tests.bench.rows import Session
from tests.bench.stack import Stack, running_stack
from tests.bench.workload import Workload

RENDERED_AT_ONCE = 20_000
"""Spans held in memory while filling: 56 MB of bodies."""


async def measure(session: Session) -> None:
    plan, results = session.plan, session.results
    async with running_stack(session.work) as stack:
        workload = Workload(session.seed)
        await fill(stack, workload, plan.stored)
        await asyncio.sleep(plan.idle_s)
        results.add("disk", stack.disk_bytes() / plan.stored)
        results.remark("disk", f"of which WAL {stack.wal_bytes() / plan.stored:.0f}")
        await rows_reads.measure(session, stack, workload)
        await rows_growth.sustained(session, stack, workload)
        await fill(stack, workload, plan.grown)
        await rows_growth.against_empty(session, stack, workload)


async def fill(stack: Stack, workload: Workload, until: int) -> None:
    """Post until `until` spans are stored. Raises `RuntimeError` when one is refused."""
    control = Connection(stack.port)
    try:
        while (have := await stored_spans(control)) < until:
            batches = workload.batches(min(RENDERED_AT_ONCE, until - have), 100)
            tally = await closed_loop(stack.port, batches, 4)
            if tally.faults:
                raise RuntimeError(f"filling stopped at {have} spans: {', '.join(tally.fault_words())}")
            await until_readable(control, have + tally.spans)
            progress(f"  {have + tally.spans:,} spans stored, {tally.spans / tally.seconds:,.0f}/s")
    finally:
        control.close()
