"""`beacon export` of a database at rest, and `beacon import` of that into a Beacon that is up: alone, and while spans
arrive."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from tests.bench.client import Connection
from tests.bench.figures import percentile
from tests.bench.load import open_loop, stored_spans
from tests.bench.million import SPANS, fill
from tests.bench.report import progress
from tests.bench.rows import Session
from tests.bench.stack import Stack, beacon_command, folder_in, running_stack
from tests.bench.warm import warm
from tests.bench.workload import Workload

SINGLES_A_S = 200

EXPECTED_A_S = 17_000
"""Spans a second that an import is expected to take in: so long spans arrive beside it."""


async def measure(session: Session) -> None:
    plan, results = session.plan, session.results
    async with folder_in(session.work) as folder:
        home = session.million or folder / "home"
        if not (home / "traces.db").exists():
            progress(f"filling {home}")
            fill(home, plan.archived / SPANS)
        for number in range(min(plan.rounds, 3)):
            progress(f"archive, round {number + 1}")
            file = folder / f"{number}.jsonl"
            seconds = await _beacon("export", str(file), home=home)
            results.remark("archive_export", f"{file.stat().st_size / 1e6:,.0f} MB")
            spans = await _imported(session, file)
            results.add("archive_export", spans / seconds)
            await _imported_beside(session, file, spans)
            file.unlink()


async def _imported(session: Session, file: Path) -> int:
    """Into an empty Beacon that has nothing else to do; how many spans there are."""
    async with running_stack(session.work) as stack:
        seconds = await _beacon("import", str(file), home=stack.folder)
        spans = await _stored(stack)
        session.results.add("archive_import", spans / seconds)
        session.results.remark("archive_import", f"largest WAL at its end {stack.wal_bytes() / 1e6:.0f} MB")
        return spans


async def _imported_beside(session: Session, file: Path, spans: int) -> None:
    """Into one that takes spans meanwhile: how long their acknowledgements take."""
    workload = Workload(session.seed)
    async with running_stack(session.work) as stack:
        await warm(stack)
        singles = workload.batches(SINGLES_A_S * max(2, spans // EXPECTED_A_S), 1)
        load = asyncio.create_task(open_loop(stack.port, singles, per_second=SINGLES_A_S))
        seconds = await _beacon("import", str(file), home=stack.folder)
        latencies, tally = await load
        session.results.add("archive_ack_p99", percentile(latencies, 0.99))
        session.results.fault("archive_ack_p99", tally.fault_words())
        session.results.remark(
            "archive_ack_p99",
            f"p50 {percentile(latencies, 0.5):.1f} ms, slowest {max(latencies):.0f} ms; {spans / seconds:,.0f} spans/s "
            f"imported, for {seconds:.0f} of {tally.seconds:.0f} s",
        )


async def _stored(stack: Stack) -> int:
    connection = Connection(stack.port)
    try:
        return await stored_spans(connection)
    finally:
        connection.close()


async def _beacon(*arguments: str, home: Path) -> float:
    """Seconds that the command took. Raises `RuntimeError` when it failed."""
    began = time.perf_counter()
    child = await asyncio.create_subprocess_exec(
        *beacon_command(), *arguments, "--home", str(home), env=dict(os.environ), stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await child.communicate()
    if child.returncode:
        raise RuntimeError(f"beacon {arguments[0]} failed: {said.decode()}")
    return time.perf_counter() - began
