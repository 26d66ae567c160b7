"""Calls of a model through the whole stack, against a provider on loopback that answers as it is told."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.bench.client import Answer, Connection
from tests.bench.figures import percentile
from tests.bench.load import readable_load
from tests.bench.report import progress
from tests.bench.rows import Session
from tests.bench.stack import REPOSITORY, Stack, running_stack
from tests.bench.warm import warm
from tests.bench.workload import Workload

WORKERS = 2
SLOW_CALLS = 200
STREAMING_CALLS = 100
PROVIDER = "bench"
MODEL = "bench-model"
STREAMED_WORDS = 200
WORD_S = 0.05


class Provider:
    """`tests.fake_provider` in a process of its own, told what to do over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.port = urlsplit(url).port or 0

    async def default(self, **reply: Any) -> None:
        """What every call from here on gets: fields of tests.fake_answers.Reply."""
        await self._ask("/_script", {"default": reply})

    async def call(self, connection: Connection) -> Answer:
        body = {"model": MODEL, "messages": MESSAGES}
        return await connection.post("/v1/chat/completions", json.dumps(body).encode())

    async def first_texts(self, last: int) -> list[float]:
        """time.monotonic() of the first text of each of the last calls."""
        connection = Connection(self.port)
        try:
            seen = json.loads((await connection.get("/_requests")).body)
        finally:
            connection.close()
        return [one["first_text_at"] for one in seen if one["path"].endswith("/chat/completions")][-last:]

    async def _ask(self, path: str, body: dict[str, Any]) -> None:
        connection = Connection(self.port)
        try:
            answer = await connection.post(path, json.dumps(body).encode())
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"the provider answered {answer.status} to {path}")


MESSAGES = [
    {"role": "system", "content": "You plan trips. " * 40},
    {"role": "user", "content": "Three days in Lisbon, on foot. " * 20},
]


@contextmanager
def running_provider() -> Iterator[Provider]:
    command = [sys.executable, "-u", "-m", "tests.fake_provider"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Provider(process.stdout.readline().strip())
        finally:
            process.kill()


async def measure(session: Session) -> None:
    with running_provider() as provider:
        async with running_stack(session.work, "--replay-workers", str(WORKERS)) as stack:
            await warm(stack)
            await _prepare(stack, provider)
            workload = Workload(session.seed)
            for number in range(session.plan.rounds):
                progress(f"calls of a model, round {number + 1}")
                await _overhead(session, stack, provider)
                await _many_slow(session, stack, provider)
                await _first_token(session, stack, provider)
                await _ingest_beside(session, stack, provider, workload)


async def _prepare(stack: Stack, provider: Provider) -> None:
    """A provider that needs no key, a call that was recorded from it, and workers that have loaded what they need."""
    base_url = f"http://127.0.0.1:{provider.port}/v1"
    await _send(stack, "PUT", "/v1/settings/api-keys", {"provider": PROVIDER, "base_url": base_url})
    attributes = {
        "llm.provider": PROVIDER,
        "llm.model": MODEL,
        "llm.prompt": json.dumps(MESSAGES),
        "llm.completion": "A plan that was made before.",
    }
    span = {
        "trace_id": "bench-llm",
        "span_id": "recorded",
        "span_type": "llm_call",
        "name": "plan",
        "status": "ok",
        "start_time": time.time() - 2,
        "end_time": time.time() - 1,
        "attributes": attributes,
    }
    await _send(stack, "POST", "/v1/spans", {"spans": [span]})
    connections = [Connection(stack.port) for _ in range(4 * WORKERS)]
    for answer in await asyncio.gather(*(replay(connection) for connection in connections)):
        if answer.status != 200:
            raise RuntimeError(f"a replay was answered {answer.status}: {answer.body[:300]!r}")
    for connection in connections:
        connection.close()


async def _send(stack: Stack, method: str, path: str, body: dict[str, Any]) -> None:
    connection = Connection(stack.port)
    try:
        answer = await connection.send(method, path, json.dumps(body).encode())
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{method} {path} was answered {answer.status}: {answer.body[:300]!r}")


async def replay(connection: Connection, *, stream: bool = False) -> Answer:
    return await connection.post(
        "/v1/replay", b'{"span_id":"recorded","stream":%b}' % (b"true" if stream else b"false")
    )


def _faults(answers: list[Answer]) -> list[str]:
    bad = [answer for answer in answers if answer.status != 200]
    return [f"{len(bad)} x status {bad[0].status}"] if bad else []


async def _overhead(session: Session, stack: Stack, provider: Provider) -> None:
    """Replays and direct calls in turns, one after another."""
    await provider.default(text="A plan.")
    through, straight = Connection(stack.port), Connection(provider.port)
    replays: list[float] = []
    calls: list[float] = []
    answers = []
    for _ in range(session.plan.replays):
        began = time.perf_counter()
        answers.append(await replay(through))
        between = time.perf_counter()
        await provider.call(straight)
        replays.append((between - began) * 1e3)
        calls.append((time.perf_counter() - between) * 1e3)
    through.close()
    straight.close()
    direct = percentile(calls, 0.5)
    for key, share in (("replay_p50", 0.5), ("replay_p99", 0.99)):
        session.results.add(key, percentile(replays, share) - direct)
        session.results.fault(key, _faults(answers))
    session.results.remark("replay_p50", f"a direct call takes {direct:.2f} ms")


async def _many_slow(session: Session, stack: Stack, provider: Provider) -> None:
    await provider.default(text="At last.", first_byte_s=1.0)
    connections = [Connection(stack.port) for _ in range(SLOW_CALLS)]
    began = time.perf_counter()
    answers = await asyncio.gather(*(replay(connection) for connection in connections))
    session.results.add("calls_200", time.perf_counter() - began)
    session.results.fault("calls_200", _faults(answers))
    for connection in connections:
        connection.close()


async def _first_token(session: Session, stack: Stack, provider: Provider) -> None:
    await provider.default(text="one two three four five", piece_s=0.01)
    connection = Connection(stack.port)
    delays = []
    answers = []
    for _ in range(session.plan.replays // 4):
        answers.append(await replay(connection, stream=True))
        (sent,) = await provider.first_texts(1)
        delays.append((answers[-1].first_text_at - sent) * 1e3)
    connection.close()
    session.results.add("first_token", percentile(delays, 0.5))
    session.results.fault("first_token", _faults(answers))
    session.results.remark("first_token", f"p99 {percentile(delays, 0.99):.1f} ms")


async def _ingest_beside(session: Session, stack: Stack, provider: Provider, workload: Workload) -> None:
    """Ingest alone, and while calls stream: a word every WORD_S each. `workload` gives other spans each time."""
    alone = await readable_load(stack.port, workload.batches(session.plan.by_100 // 2, 100), 4)
    await provider.default(text="word " * STREAMED_WORDS, piece_s=WORD_S)
    connections = [Connection(stack.port) for _ in range(STREAMING_CALLS)]
    streams = asyncio.gather(*(replay(connection, stream=True) for connection in connections))
    await asyncio.sleep(0.5)  # until they have all begun
    servers = stack.cpu_s()
    beside = await readable_load(stack.port, workload.batches(session.plan.by_100 // 2, 100), 4)
    spent = {name: seconds - servers.get(name, 0.0) for name, seconds in sorted(stack.cpu_s().items())}
    still = sum(not stream.done() for stream in [streams])
    answers = await streams
    for connection in connections:
        connection.close()
    share = 100 * (beside.spans / beside.seconds) / (alone.spans / alone.seconds)
    session.results.add("ingest_beside", share)
    faults = _faults(list(answers)) + beside.fault_words() + ([] if still else ["the streams ended before the load"])
    session.results.fault("ingest_beside", faults)
    session.results.remark(
        "ingest_beside",
        f"{beside.spans / beside.seconds:,.0f} spans/s against {alone.spans / alone.seconds:,.0f}; cores used: "
        + ", ".join(f"{name} {s / beside.seconds:.2f}" for name, s in spent.items() if s > 0.02 * beside.seconds),
    )
