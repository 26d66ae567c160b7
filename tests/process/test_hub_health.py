"""GET /health of a real hub, with parts that come, go, stall and complain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from beacon.bus import Publisher
from beacon.contract.events import TOPIC_HEARTBEAT, Heartbeat, pack_heartbeat
from tests.edge import Hub, Request, answer, behind, head, run, send_raw
from tests.processes import Answer, short_home


@pytest.fixture
def hub() -> Iterator[Hub]:
    with short_home() as home, Hub(home, BEACON_REPLAY_WORKERS="2") as process:
        yield process


async def health(hub: Hub) -> Answer:
    return await send_raw(hub.port, head("GET", "/health"))


async def health_when(hub: Hub, status: int, says: str, part: str) -> Answer:
    """The first answer with this status in which `part` is what it should be."""
    async with asyncio.timeout(10):
        while True:
            got = await health(hub)
            if got.status == status and got.json["parts"][part].startswith(says):
                return got
            await asyncio.sleep(0.02)


@asynccontextmanager
async def workers(hub: Hub, count: int) -> AsyncIterator[None]:
    publisher = Publisher(hub.home / "run" / "events.zmq")

    async def beat() -> None:
        while True:
            publisher.send(TOPIC_HEARTBEAT, pack_heartbeat(Heartbeat("one", 0, count)))
            await asyncio.sleep(0.05)

    beats = asyncio.create_task(beat())
    try:
        yield
    finally:
        beats.cancel()
        publisher.close()


def test_all_is_well_when_every_part_is_there(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "ingest") as ingest, behind(hub, "query") as query, workers(hub, 2):
            got = await health_when(hub, 200, "2 up", "replay_worker")
            assert got.json == {
                "status": "ok",
                "version": "0.1.0",
                "db_path": str(hub.home / "traces.db"),
                "parts": {"ingest": "up", "query": "up", "replay_worker": "2 up"},
                "otlp_port": None,
            }
            assert {r.target for r in ingest.seen} == {"/internal/ingest/health"}
            assert {r.target for r in query.seen} == {"/internal/query/health"}

    run(test)


@pytest.mark.parametrize(("there", "says"), [(1, "1 of 2 up"), (0, "down")])
def test_a_missing_worker_degrades_with_200(hub: Hub, there: int, says: str) -> None:
    async def test() -> None:
        async with behind(hub, "ingest"), behind(hub, "query"):
            got = await health_when(hub, 200, "down", "replay_worker")
            assert got.json["status"] == "degraded"
            async with workers(hub, there):
                assert (await health_when(hub, 200, says, "replay_worker")).json["status"] == "degraded"

    run(test)


def test_workers_nobody_has_told_of_lately_are_down(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "ingest"), behind(hub, "query"):
            async with workers(hub, 2):
                await health_when(hub, 200, "2 up", "replay_worker")
            await health_when(hub, 200, "down", "replay_worker")

    run(test)


@pytest.mark.parametrize("missing", ["ingest", "query"])
def test_a_part_that_is_away_is_a_503_that_says_which(hub: Hub, missing: str) -> None:
    async def test() -> None:
        there = "query" if missing == "ingest" else "ingest"
        async with behind(hub, there):
            got = await health(hub)
            assert got.status == 503
            assert got.headers["retry-after"] == "1"
            assert got.json["status"] == "degraded"
            assert got.json["parts"][there] == "up"
            assert got.json["parts"][missing].startswith("down: ")
            assert missing in got.json["detail"]
            # and back: at once, a bad answer is not kept
            async with behind(hub, missing):
                assert (await health(hub)).status == 200

    run(test)


def test_a_part_that_complains_is_down_in_its_own_words(hub: Hub) -> None:
    async def respond(request: Request, writer: Any) -> None:
        writer.write(answer({"detail": "the disk is full"}, "503 Service Unavailable"))

    async def test() -> None:
        async with behind(hub, "ingest", respond), behind(hub, "query"):
            got = await health(hub)
            assert got.json["parts"]["ingest"] == "down: the disk is full"
            assert got.status == 503

    run(test)


def test_a_part_that_stalls_is_down_after_a_second_and_does_not_hold_up_the_other(hub: Hub) -> None:
    async def respond(request: Request, writer: Any) -> None:
        await asyncio.sleep(30)

    async def test() -> None:
        async with behind(hub, "ingest", respond), behind(hub, "query") as query:
            start = time.monotonic()
            answers = await asyncio.gather(*(health(hub) for _ in range(20)))
            assert 0.9 < time.monotonic() - start < 2.5
            assert {a.status for a in answers} == {503}
            assert answers[0].json["parts"]["query"] == "up"
            assert "no answer within 1 s" in answers[0].json["parts"]["ingest"]
            assert len(query.seen) <= 3, "one look serves all who wait"

    run(test)


def test_a_good_answer_is_kept_for_half_a_second_at_most(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "query"):
            async with behind(hub, "ingest") as ingest:
                for _ in range(50):
                    assert (await health(hub)).status == 200
                assert len(ingest.seen) < 10
            start = time.monotonic()
            await health_when(hub, 503, "down", "ingest")
            assert time.monotonic() - start < 1.5

    run(test)
