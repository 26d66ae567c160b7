"""Reads of a file with many spans, alone and while spans arrive."""

from __future__ import annotations

import asyncio
import json
import time

from tests.bench.client import Connection
from tests.bench.figures import percentile
from tests.bench.load import open_loop, read_latencies
from tests.bench.report import progress
from tests.bench.rows import Session
from tests.bench.stack import Stack
from tests.bench.workload import LARGE_TRACE, SMALL_TRACE, Workload, trace_id

FIRST_PAGE = "/v1/traces?limit=50"
FROM_THE_END = 100
"""Traces that are left after a deep page begins."""

LOOK_EVERY_S = 0.005


async def measure(session: Session, stack: Stack, workload: Workload) -> None:
    plan, results = session.plan, session.results
    connection = Connection(stack.port)
    try:
        paths = {
            "first_page": FIRST_PAGE,
            "deep_offset": f"/v1/traces?limit=50&offset={workload.traces - FROM_THE_END}",
            "deep_cursor": f"/v1/traces?limit=50&cursor={await _deep_cursor(connection, workload.traces)}",
            "trace_12": f"/v1/traces/{trace_id(session.seed, SMALL_TRACE)}",
            "trace_500": f"/v1/traces/{trace_id(session.seed, LARGE_TRACE)}",
            "graph_500": f"/v1/traces/{trace_id(session.seed, LARGE_TRACE)}/graph",
        }
        for number in range(plan.rounds + 1):
            progress(f"reads, round {number}" if number else "reads, warming up")
            for key, path in paths.items():
                latencies, answer = await read_latencies(connection, path, plan.reads if number else 10)
                if number:
                    results.add(key, percentile(latencies, 0.5))
                    results.remark(key, f"p99 {percentile(latencies, 0.99):.2f} ms, {len(answer.body):,} bytes")
            if number:
                results.add("memory_stored", stack.memory_mb())
        _check_large(answer_body=(await connection.get(paths["trace_500"])).body)
        for number in range(plan.rounds):
            progress(f"reads while spans arrive, round {number + 1}")
            await _while_spans_arrive(session, stack, connection, workload)
    finally:
        connection.close()


async def _deep_cursor(connection: Connection, traces: int) -> str:
    """The cursor of a page that begins about FROM_THE_END traces before the last."""
    cursor = ""
    seen = 0
    while traces - seen > FROM_THE_END + 200:
        answer = await connection.get(f"/v1/traces?limit=200&count=false{cursor and '&cursor=' + cursor}")
        page = json.loads(answer.body)
        seen += len(page["traces"])
        if page.get("next_cursor") is None:
            raise RuntimeError(f"the pages of traces ended after {seen} of {traces}")
        cursor = page["next_cursor"]
    return cursor


def _check_large(answer_body: bytes) -> None:
    spans = len(json.loads(answer_body)["spans"])
    if spans != 500:
        raise RuntimeError(f"the trace of 500 spans was read with {spans}")


async def _while_spans_arrive(session: Session, stack: Stack, connection: Connection, workload: Workload) -> None:
    """Look at the first page every few milliseconds while 2,000 spans/s come in, ten a request."""
    plan, results = session.plan, session.results
    batches = workload.batches(int(2_000 * plan.rate_s), 10)
    writing = asyncio.create_task(open_loop(stack.port, batches, per_second=200))
    latencies: list[float] = []
    while not writing.done():
        began = time.perf_counter()
        answer = await connection.get(FIRST_PAGE)
        latencies.append((time.perf_counter() - began) * 1e3)
        if answer.status != 200:
            results.fault("busy_p50", [f"status {answer.status}"])
        await asyncio.sleep(LOOK_EVERY_S)
    _, tally = await writing
    for key, share in (("busy_p50", 0.5), ("busy_p99", 0.99)):
        results.add(key, percentile(latencies, share))
        results.fault(key, tally.fault_words())
