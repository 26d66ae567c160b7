"""Reads of a million spans in 80,000 traces: searches, every filter and order of the list, figures, a trace of 5,000;
ingest into that file, its cold start and its memory."""

from __future__ import annotations

import asyncio
import json
import shutil
import time

from tests.bench.client import Connection
from tests.bench.figures import median, percentile
from tests.bench.load import open_loop, read_latencies, readable_load
from tests.bench.million import DAYS, LONG_SPANS, fill, long_trace_id
from tests.bench.report import progress
from tests.bench.rows import Session
from tests.bench.rows_search import measure_building, measure_lag, measure_searches
from tests.bench.stack import Stack, folder_in, free_port, running_stack
from tests.bench.warm import warm
from tests.bench.workload import Workload

LIST = "/v1/traces?limit=50"
LOOK_S = 0.1
LOOK_EVERY_S = 0.02
FILTERS = {
    "all": "",
    "status": "&status=error",
    "common status": "&status=ok",
    "tag": "&tag=env:prod",
    "rare tag": "&tag=customer:c7",
    "session": "&session_id=session-17",
    "model": "&model=gpt-4o-mini",
    "rare model": "&model=rare-model",
    "type": "&span_type=tool_use",
    "rare type": "&span_type=shell_command",
    "nothing": "&model=none-such",
}
ORDERS = ("-created_at", "created_at", "-start_time", "start_time", "-duration_ms", "duration_ms", "-total_cost_usd",
          "total_cost_usd")  # fmt: skip
COMBINED = {
    "status, tag, model": "&status=error&tag=env:prod&model=gpt-4o-mini",
    "two tags, dear": "&tag=env:prod&tag=feature3:on&min_cost_usd=0.01&sort=-duration_ms",
    "type, model, by tokens": "&span_type=llm_call&model=gpt-4o-mini&sort=-total_tokens",
    "long ones, by spans": "&min_duration_ms=5000&sort=-span_count",
    "ok, type, long, by start": "&status=ok&span_type=llm_call&min_duration_ms=1000&sort=start_time",
}


async def measure(session: Session) -> None:
    home = session.million or session.work / "million"
    if not (home / "traces.db").exists():
        progress(f"filling {home}: two minutes")
        fill(home)
    async with folder_in(session.work) as copy:
        # ingest adds to it
        shutil.copy(home / "traces.db", copy / "traces.db")
        stack = Stack(copy, free_port())
        try:
            await _starts(session, stack)
            await measure_building(session, stack)
            await measure_searches(session, stack)
            await measure_lag(session, stack)
            await _reads(session, stack)
            await _while_spans_arrive(session, stack)
            await _against_empty(session, stack)
        finally:
            stack.stop()


async def _starts(session: Session, stack: Stack) -> None:
    stack.launch()  # the first start may bring the file up to date
    await stack.healthy()
    for number in range(session.plan.rounds):
        progress(f"cold start at a million spans, round {number + 1}")
        stack.stop()
        began = time.perf_counter()
        stack.launch()
        await stack.answers(LIST)
        session.results.add("million_start", time.perf_counter() - began)
    await stack.healthy()


async def _settled(connection: Connection) -> float:
    """Wait until sorted lists are as fast as they get; the seconds that took."""
    began = time.perf_counter()
    while time.perf_counter() - began < 15:
        latencies, _ = await read_latencies(connection, f"{LIST}&sort=-total_cost_usd", 3)
        if median(latencies) < 10:
            break
        await asyncio.sleep(LOOK_S)
    return time.perf_counter() - began


async def _reads(session: Session, stack: Stack) -> None:
    plan, results = session.plan, session.results
    connection = Connection(stack.port)
    times = max(5, plan.reads // 10)
    try:
        progress(f"the index of traces was there after {await _settled(connection):.2f} s")
        day = time.time() - DAYS * 43_200
        filters = FILTERS | {
            "since": f"&since={time.time() - 5 * 86_400:.0f}",
            "until": f"&until={day:.0f}",
            "an hour": f"&since={day:.0f}&until={day + 3600:.0f}",
        }
        slowest: list[tuple[float, str]] = []
        for name, asked in filters.items():
            for order in ORDERS:
                path = f"{LIST}{asked}&sort={order}"
                for depth in ("first", "deep"):
                    if depth == "deep":
                        path = await _deeper(connection, path)
                    latencies, _ = await read_latencies(connection, path, times)
                    slowest.append((percentile(latencies, 0.5), f"{name} by {order}, {depth} page"))
        _worst(session, "million_list", slowest)
        slowest = []
        for name, asked in COMBINED.items():
            latencies, _ = await read_latencies(connection, f"{LIST}{asked}", times)
            slowest.append((percentile(latencies, 0.5), name))
        _worst(session, "million_combined", slowest)
        paths = {
            "million_trends": [f"/v1/stats/trends?days={days}&bucket={b}" for days in (7, 60) for b in ("hour", "day")],
            "million_tops": ["/v1/stats/top-costs", "/v1/stats/top-duration", "/v1/stats/top-costs?limit=200"],
            "million_figures": ["/v1/stats", "/v1/sessions", "/v1/sessions?offset=1000"],
            "million_trace": [f"/v1/traces/{long_trace_id(3)}"],
            "million_graph": [f"/v1/traces/{long_trace_id(3)}/graph"],
        }
        for key, of_key in paths.items():
            slowest = []
            for path in of_key:
                latencies, answer = await read_latencies(connection, path, times)
                slowest.append((percentile(latencies, 0.5), path))
            _worst(session, key, slowest)
            if key == "million_trace" and len(json.loads(answer.body)["spans"]) != LONG_SPANS:
                raise RuntimeError("the long trace was read with other spans")
        results.add("million_memory", stack.memory_mb())
    finally:
        connection.close()


async def _while_spans_arrive(session: Session, stack: Stack) -> None:
    """Look at what changes with every request, while 2,000 spans/s come in, ten a request."""
    progress("lists while spans arrive")
    batches = Workload(session.seed + 2).batches(int(2_000 * session.plan.rate_s), 10)
    connection = Connection(stack.port)
    writing = asyncio.create_task(open_loop(stack.port, batches, per_second=200))
    latencies: list[float] = []
    try:
        while not writing.done():
            took, _ = await read_latencies(connection, f"{LIST}&status=ok&sort=-start_time", 1)
            latencies += took
            await asyncio.sleep(LOOK_EVERY_S)
        acknowledged, tally = await writing
    finally:
        connection.close()
    session.results.add("million_busy", percentile(latencies, 0.5))
    session.results.fault("million_busy", tally.fault_words())
    session.results.remark(
        "million_busy",
        f"p99 {percentile(latencies, 0.99):.1f} ms; acknowledged meanwhile: p50 {percentile(acknowledged, 0.5):.1f}, "
        f"p99 {percentile(acknowledged, 0.99):.1f} ms",
    )


async def _deeper(connection: Connection, path: str) -> str:
    """The path of a page some way down: by the cursors of ten pages of 200."""
    cursor = ""
    for _ in range(10):
        answer = await connection.get(f"{path.replace('limit=50', 'limit=200')}&count=false{cursor}")
        following = json.loads(answer.body).get("next_cursor")
        if following is None:
            break
        cursor = f"&cursor={following}"
    return path + cursor


def _worst(session: Session, key: str, slowest: list[tuple[float, str]]) -> None:
    slowest.sort(reverse=True)
    session.results.add(key, slowest[0][0])
    for took, name in slowest:
        progress(f"{key}: {took:7.2f} ms  {name}")
    most = "; ".join(f"{name} {took:.1f} ms" for took, name in slowest[:3])
    middle = median([took for took, _ in slowest])
    session.results.remark(key, f"the slowest of {len(slowest)}: {most}; the middle one {middle:.1f} ms")


async def _against_empty(session: Session, stack: Stack) -> None:
    """Ingest into the large file and into an empty one, in turns."""
    results, workload = session.results, Workload(session.seed + 1)
    for number in range(session.plan.rounds):
        progress(f"ingest at a million spans, round {number + 1}")
        async with running_stack(session.work) as fresh:
            await warm(fresh)
            empty = await readable_load(fresh.port, Workload(session.seed).batches(session.plan.by_100, 100), 4)
        large = await readable_load(stack.port, workload.batches(session.plan.by_100, 100), 4)
        results.add("million_ingest", 100 * (large.spans / large.seconds) / (empty.spans / empty.seconds))
        results.fault("million_ingest", large.fault_words() + empty.fault_words())
        results.remark(
            "million_ingest",
            f"{large.spans / large.seconds:,.0f} spans/s against {empty.spans / empty.seconds:,.0f}",
        )
    results.add("million_memory", stack.memory_mb())
