"""OpenTelemetry in, as fast as it goes: protobuf and JSON in the GenAI form, spans of other things, native spans in the
same round; and memory while it goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial

from tests.bench.client import Connection, Hung
from tests.bench.load import Tally, readable_load, stored_spans, until_readable
from tests.bench.otlp import Form, gen_ai, plain, render, render_json
from tests.bench.report import progress
from tests.bench.rows import Session
from tests.bench.stack import Stack, running_stack
from tests.bench.warm import warm
from tests.bench.workload import Span, Workload

CONNECTIONS = 4
SPANS_A_REQUEST = 100
PROTOBUF, JSON = "application/x-protobuf", "application/json"
WARM_SPANS = 400


async def measure(session: Session) -> None:
    for number in range(session.plan.rounds):
        progress(f"OpenTelemetry, round {number + 1}")
        await _round(session)
    await _memory(session)


async def _round(session: Session) -> None:
    plan, results = session.plan, session.results
    async with running_stack(session.work) as stack:
        await warm(stack)
        workload = Workload(session.seed)
        for form in (gen_ai, plain):
            await _load(stack, workload.spans(WARM_SPANS), PROTOBUF, form)
        native = await readable_load(stack.port, workload.batches(plan.by_100 // 2, SPANS_A_REQUEST), CONNECTIONS)
        for key, content_type, form in (
            ("otlp_protobuf", PROTOBUF, gen_ai),
            ("otlp_json", JSON, gen_ai),
            ("otlp_plain", PROTOBUF, plain),
        ):
            before = stack.cpu_s()
            tally = await _load(stack, workload.spans(plan.by_100 // 2), content_type, form)
            rate = tally.spans / tally.seconds
            shares = {name: (s - before.get(name, 0.0)) / tally.seconds for name, s in sorted(stack.cpu_s().items())}
            results.add(key, rate)
            results.fault(key, tally.fault_words())
            results.remark(
                key,
                f"native spans in the same round {native.spans / native.seconds:,.0f}/s; cores used: "
                + ", ".join(
                    f"{name} {s / tally.seconds:.2f}" for name, s in shares.items() if s > 0.02 * tally.seconds
                ),
            )
            progress(f"  {key}: {rate:,.0f}/s {' '.join(tally.fault_words())}")


async def _memory(session: Session) -> None:
    """Memory of all processes after a quarter of the spans, and after all of them."""
    plan, results = session.plan, session.results
    async with running_stack(session.work) as stack:
        await warm(stack)
        workload = Workload(session.seed)
        sizes: list[float] = []
        for part in range(4):
            progress(f"OpenTelemetry, memory: {(part + 1) * plan.otlp // 4:,} spans")
            for _ in range(5):
                tally = await _load(stack, workload.spans(plan.otlp // 20), PROTOBUF, gen_ai)
                results.fault("otlp_memory", tally.fault_words())
            await asyncio.sleep(plan.idle_s)
            sizes.append(stack.memory_mb())
    results.add("otlp_memory", sizes[-1] - sizes[0])
    results.remark("otlp_memory", "after each quarter: " + ", ".join(f"{size:.0f} MB" for size in sizes))


async def _load(stack: Stack, spans: list[Span], content_type: str, form: Form) -> Tally:
    """A closed loop whose time ends when every acknowledged span can be read."""
    drawn = render if content_type == PROTOBUF else render_json
    groups = [spans[at : at + SPANS_A_REQUEST] for at in range(0, len(spans), SPANS_A_REQUEST)]
    bodies = [(drawn(group, form), len(group)) for group in groups]
    control = Connection(stack.port)
    tally = Tally()
    try:
        stored = await stored_spans(control)
        began = time.perf_counter()
        post = partial(_post, stack.port, iter(bodies), content_type, tally)
        await asyncio.gather(*(post() for _ in range(CONNECTIONS)))
        await until_readable(control, stored + tally.spans)
        tally.seconds = time.perf_counter() - began
    finally:
        control.close()
    return tally


async def _post(port: int, bodies: Iterator[tuple[bytes, int]], content_type: str, tally: Tally) -> None:
    connection = Connection(port)
    try:
        for body, count in bodies:
            try:
                answer = await connection.post("/v1/traces", body, content_type)
            except (Hung, OSError) as e:
                tally.faults[f"no answer ({type(e).__name__})"] += 1
                continue
            # in full: no partial success is no byte of protobuf, and {} in JSON
            if answer.status != 200 or answer.body not in (b"", b"{}"):
                tally.faults[f"status {answer.status}: {answer.body[:60]!r}"] += 1
                continue
            tally.spans += count
            tally.requests += 1
    finally:
        connection.close()
