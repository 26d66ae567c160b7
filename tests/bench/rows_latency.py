"""How long an acknowledgement takes when requests come by the clock."""

from __future__ import annotations

import asyncio

from tests.bench.figures import percentile
from tests.bench.load import open_loop
from tests.bench.report import progress
from tests.bench.rows import Session
from tests.bench.stack import running_stack
from tests.bench.warm import warm
from tests.bench.workload import Workload

SETTLE_S = 0.5


async def measure(session: Session) -> None:
    plan, results = session.plan, session.results
    async with running_stack(session.work) as stack:
        await warm(stack)
        workload = Workload(session.seed)
        for number in range(plan.rounds):
            progress(f"latency, round {number + 1}")
            singles = workload.batches(int(200 * plan.rate_s), 1)
            await asyncio.sleep(SETTLE_S)
            latencies, tally = await open_loop(stack.port, singles, per_second=200)
            for key, share in (("ack_200_p50", 0.5), ("ack_200_p99", 0.99)):
                results.add(key, percentile(latencies, share))
                results.fault(key, tally.fault_words())
            hundreds = workload.batches(int(1_000 * plan.rate_s), 100)
            await asyncio.sleep(SETTLE_S)
            latencies, tally = await open_loop(stack.port, hundreds, per_second=10)
            results.add("ack_1000_p99", percentile(latencies, 0.99))
            results.fault("ack_1000_p99", tally.fault_words())
            results.remark("ack_1000_p99", f"p50 {percentile(latencies, 0.5):.1f} ms")
