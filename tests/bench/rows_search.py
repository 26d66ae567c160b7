"""Searches of a million spans, and the index they read: how fast it is made, how large it is, how far behind."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

from tests.bench.client import Connection
from tests.bench.figures import median, percentile
from tests.bench.load import open_loop, read_latencies, stored_spans
from tests.bench.prose import corpus
from tests.bench.report import progress
from tests.bench.rows import Session
from tests.bench.stack import Stack
from tests.bench.workload import Workload

TERMS = {
    "common": ("the", "user", "error", "gpt-4o-mini", "web_search", '"role"', "untimeErr"),
    "in some": ("RuntimeError", "claude-opus-4-1", "日本語", "ДАННЫЕ", "zürich", "rare-model", "🙂"),
    "rare or absent": ("session-2999", "session-17", "quokkaledger", "zqxv", "gpt-5o", "中文字", "a.b(c)"),
}
"""Without a blank: what the index answers alone."""

PHRASES = ("the user", "a query", "user: error")
SENTENCE_AT = 400_000
"""Where in the corpus a phrase is cut that two in a thousand spans have."""

POLL_S = 0.02
INDEX_MAX_S = 600.0
RATE = 2_000


async def measure_building(session: Session, stack: Stack) -> None:
    """From no index to one of every span, nothing else going on."""
    stack.stop()
    for suffix in ("", "-wal", "-shm"):
        (stack.folder / f"traces.db-search{suffix}").unlink(missing_ok=True)
    stack.launch()
    await stack.healthy()
    progress("indexing a million spans")
    connection = Connection(stack.port)
    try:
        began = time.perf_counter()
        spans = await stored_spans(connection)
        before = await _indexed(connection)
        while await _indexed(connection) < spans:
            if time.perf_counter() - began > INDEX_MAX_S:
                raise RuntimeError("the index was not made in time")
            await asyncio.sleep(POLL_S)
        session.results.add("index_built", (spans - before) / (time.perf_counter() - began))
        session.results.add("index_disk", stack.disk_bytes() / spans)
        index = sum(path.stat().st_size for path in stack.folder.glob("traces.db-search*"))
        session.results.remark("index_disk", f"of which the index {index / spans:.0f}")
    finally:
        connection.close()


async def measure_searches(session: Session, stack: Stack) -> None:
    """Terms of every kind, phrases, and another read beside them."""
    progress("searches")
    results = session.results
    times = max(5, session.plan.reads // 10)
    connection = Connection(stack.port)
    every: list[float] = []
    of_kind = []
    try:
        for kind, terms in TERMS.items():
            slowest, name = 0.0, ""
            for term in terms:
                latencies, _ = await read_latencies(connection, _search(term), times)
                progress(f"{median(latencies):8.1f} ms  {term}")
                every += latencies
                slowest, name = max((slowest, name), (median(latencies), term))
            of_kind.append(f"{kind}: the slowest {name} {slowest:.0f} ms")
        results.add("search_p50", percentile(every, 0.5))
        results.add("search_p99", percentile(every, 0.99))
        results.remark("search_p99", "; ".join(of_kind))
        sentence = corpus()[SENTENCE_AT : SENTENCE_AT + 40]
        phrases = []
        for phrase in (sentence, *PHRASES):
            latencies, answer = await read_latencies(connection, _search(f'"{phrase.replace(chr(34), "")}"'), 3)
            found = json.loads(answer.body)
            phrases.append((median(latencies), f"{phrase!r} ({found['total_relation']} {found['total']:,})"))
        results.add("search_phrase", max(phrases)[0])
        results.remark("search_phrase", "; ".join(f"{name} {took:,.0f} ms" for took, name in phrases))
        results.add("search_beside", percentile(await _pages_beside_searches(stack.port), 0.99))
    finally:
        connection.close()


async def _pages_beside_searches(port: int) -> list[float]:
    """Latencies of the first page of traces while two clients search without a pause."""
    ended = asyncio.Event()

    async def search(term: str) -> None:
        connection = Connection(port)
        while not ended.is_set():
            await connection.get(_search(term))
        connection.close()

    searching = [asyncio.create_task(search(term)) for term in ("the", '"the user"')]
    connection = Connection(port)
    latencies: list[float] = []
    began = time.perf_counter()
    while time.perf_counter() - began < 5:
        took, _ = await read_latencies(connection, "/v1/traces?limit=50", 1)
        latencies += took
        await asyncio.sleep(POLL_S)
    ended.set()
    await asyncio.gather(*searching)
    connection.close()
    return latencies


async def measure_lag(session: Session, stack: Stack) -> None:
    """How far the index is behind at RATE spans a second, and what the acknowledgements make of it: the same load with
    the indexer stopped."""
    progress("the index while spans arrive")
    results = session.results
    workload = Workload(session.seed + 3)

    async def load() -> tuple[list[float], list[str]]:
        latencies, tally = await open_loop(
            stack.port, workload.batches(int(RATE * session.plan.rate_s), 10), per_second=RATE / 10
        )
        return latencies, tally.fault_words()

    async with _stopped(stack, "query.index"):
        without, _ = await load()
    connection = Connection(stack.port)
    try:
        while await _indexed(connection) < await stored_spans(connection):
            await asyncio.sleep(POLL_S)
        loading = asyncio.create_task(load())
        seen: list[tuple[float, int, int]] = []
        while not loading.done():
            stats = json.loads((await connection.get("/v1/stats")).body)
            seen.append((time.perf_counter(), stats["total_spans"], stats["indexed"]))
            await asyncio.sleep(POLL_S)
        beside, faults = await loading
    finally:
        connection.close()
    lags = _lags(seen)
    results.add("index_lag", percentile(lags, 0.99))
    results.fault("index_lag", faults)
    results.remark("index_lag", f"p50 {percentile(lags, 0.5):.0f} ms, the largest {max(lags):.0f}")
    results.add("index_ack", percentile(beside, 0.99))
    results.remark(
        "index_ack",
        f"p50 {percentile(beside, 0.5):.1f} ms; with the indexer stopped p50 {percentile(without, 0.5):.1f}, "
        f"p99 {percentile(without, 0.99):.1f} ms",
    )


def _lags(seen: list[tuple[float, int, int]]) -> list[float]:
    """For each look (seconds, spans stored, spans indexed) the ms since so many were stored for the last time."""
    lags = []
    at = 0
    for now, _, indexed in seen:
        while at < len(seen) and seen[at][1] <= indexed:
            at += 1
        more_since = seen[at][0] if at < len(seen) else now
        lags.append(max(0.0, now - more_since) * 1e3)
    return lags


@asynccontextmanager
async def _stopped(stack: Stack, module: str) -> AsyncIterator[None]:
    """While the process that runs `module` stands still."""
    processes = [process for process in stack.processes() if module in process.cmdline()]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


def _search(term: str) -> str:
    return f"/v1/search?limit=50&q={quote(term)}"


async def _indexed(connection: Connection) -> int:
    indexed: int = json.loads((await connection.get("/v1/stats")).body)["indexed"]
    return indexed
