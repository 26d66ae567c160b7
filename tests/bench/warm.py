"""Untimed requests before the clock starts, so that lazy imports, pools and caches are not part of a figure."""

from __future__ import annotations

from tests.bench.client import Connection
from tests.bench.load import closed_loop, until_readable
from tests.bench.stack import Stack
from tests.bench.workload import Workload, trace_id

WARM_SEED = 1_000_003
"""Another workload than the measured ones: these traces must not be there already when those are posted."""


async def warm(stack: Stack) -> None:
    """Post and read a little of everything. Raises `RuntimeError` when the stack does not store spans."""
    workload = Workload(WARM_SEED)
    tally = await closed_loop(stack.port, workload.batches(100, 1) + workload.batches(1_000, 50), 8)
    if tally.faults:
        raise RuntimeError(f"spans could not be posted: {', '.join(tally.fault_words())}\n{stack.tail()}")
    control = Connection(stack.port)
    try:
        await until_readable(control, tally.spans)
        trace = trace_id(WARM_SEED, 0)
        for _ in range(5):
            for path in ("/v1/traces?limit=50", f"/v1/traces/{trace}", f"/v1/traces/{trace}/graph", "/v1/stats"):
                await control.get(path)
    finally:
        control.close()
