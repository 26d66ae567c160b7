"""trace-view, a local trace viewer on PyPI that is one native program, measured with the same spans for comparison.

It takes OTLP over HTTP, so the spans are rendered as OTLP protobuf (`tests.bench.otlp`), and it has no count of spans
in its API, so what can be read is counted in its SQLite file.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests.bench.client import Connection
from tests.bench.load import READABLE_S
from tests.bench.otlp import render
from tests.bench.report import progress
from tests.bench.stack import Program, folder_in, free_port
from tests.bench.workload import Span

READY = "/api/sessions?limit=1"


async def ingest_rate(program: Path, work: Path, spans: list[Span]) -> float:
    """Readable spans a second, 100 a request over 4 connections, into an empty file.

    Raises `RuntimeError` when a request is refused or spans do not appear, `NotUp` when it does not start.
    """
    bodies = [render(spans[at : at + 100]) for at in range(0, len(spans), 100)]
    async with folder_in(work) as folder:
        port, file = free_port(), folder / "peer.db"
        peer = Program([str(program), "--port", str(port), "--db", str(file), "serve"], folder, port)
        try:
            peer.launch()
            await peer.answers(READY)
            began = time.perf_counter()
            left = iter(bodies)
            await asyncio.gather(*(_post(port, left) for _ in range(4)))
            while _count(file) < len(spans):
                if time.perf_counter() - began > READABLE_S:
                    raise RuntimeError(f"{_count(file)} of {len(spans)} spans appeared")
                await asyncio.sleep(0.005)
            rate = len(spans) / (time.perf_counter() - began)
        finally:
            peer.stop()
    progress(f"  peer: {rate:,.0f}/s")
    return rate


async def _post(port: int, bodies: Iterator[bytes]) -> None:
    connection = Connection(port)
    try:
        for body in bodies:
            answer = await connection.post("/v1/traces", body, "application/x-protobuf")
            if answer.status != 200:
                raise RuntimeError(f"trace-view answered {answer.status}: {answer.body[:200]!r}")
    finally:
        connection.close()


def _count(file: Path) -> int:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as connection:
        count: int = connection.execute("SELECT count(*) FROM spans").fetchone()[0]
    return count
