"""ingest's events on the bus: after the commit, in its order, only while somebody listens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from beacon.bus import Subscriber
from beacon.contract.events import (
    TOPIC_EVENTS,
    TOPIC_HEARTBEAT,
    Envelope,
    Heartbeat,
    unpack,
    unpack_heartbeat,
)
from tests.process.test_ingest_spans import post
from tests.processes import Process, short_home, span


@pytest.fixture
def ingest() -> Iterator[Process]:
    with short_home() as home, Process("ingest", home) as process:
        yield process


class Listener:
    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.beats: list[Heartbeat] = []

    def __call__(self, topic: bytes, message: bytes) -> None:
        if topic == TOPIC_EVENTS:
            self.envelopes.append(unpack(message))
        else:
            self.beats.append(unpack_heartbeat(message))

    @property
    def frames(self) -> list[Any]:
        return [json.loads(e.frame) for envelope in self.envelopes for e in envelope.events]


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def listening(ingest: Process, *topics: bytes) -> AsyncIterator[Listener]:
    listener = Listener()
    subscriber = Subscriber(ingest.home / "run" / "events.zmq", listener)
    try:
        for topic in (TOPIC_HEARTBEAT, *topics):
            subscriber.subscribe(topic)
        await until(lambda: listener.beats)
        yield listener
    finally:
        subscriber.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(bounded())


def test_a_commit_becomes_events_in_its_order(ingest: Process) -> None:
    async def test() -> None:
        async with listening(ingest, TOPIC_EVENTS) as heard:
            first = span("s1", status="unset", end_time=None, attributes={"k": "v"})
            await asyncio.to_thread(post, ingest, first, span("s2"))
            await until(lambda: len(heard.frames) == 3)
            await asyncio.to_thread(post, ingest, span("s1", attributes={"k": "v"}))
            await until(lambda: len(heard.frames) == 5)
            await asyncio.to_thread(ingest.ask, "DELETE", "/v1/traces/t1")
            await until(lambda: len(heard.frames) == 6)
            created, s1, s2, updated, summary, deleted = heard.frames
            assert [f["event"] for f in heard.frames] == [
                "trace_created", "span_created", "span_created", "span_updated", "trace_updated", "traces_deleted"
            ]  # fmt: skip
            assert [f["seq"] for f in heard.frames] == [1, 2, 3, 4, 5, 6]
            assert (created["trace"]["span_count"], created["trace"]["running_count"]) == (2, 1)
            assert (s1["span"]["attributes"], s2["span"]["span_id"]) == ({"k": "v"}, "s2")
            assert updated["updates"] == {"status": "ok", "end_time": 1_790_000_001.5, "duration_ms": 1250.0}
            assert summary["trace"]["running_count"] == 0
            assert deleted["trace_ids"] == ["t1"]
            ends = [(e.prev, e.last) for e in heard.envelopes]
            assert ends == [(0, 3), (3, 5), (5, 6)]

    run(test)


def test_nothing_is_built_for_nobody_and_heartbeats_tell_of_it(ingest: Process) -> None:
    async def test() -> None:
        async with listening(ingest) as heard:
            await asyncio.to_thread(post, ingest, span("s1"))
            await until(lambda: heard.beats[-1].last == 2)
            assert heard.envelopes == []

    run(test)


def test_a_large_commit_is_split_and_each_part_names_the_one_before(ingest: Process) -> None:
    async def test() -> None:
        async with listening(ingest, TOPIC_EVENTS) as heard:
            spans = [span(f"s{i}", attributes={"text": "x" * 20_000}) for i in range(60)]
            await asyncio.to_thread(post, ingest, *spans)
            await until(lambda: len(heard.frames) == 61)
            assert len(heard.envelopes) > 3
            assert all(sum(len(e.frame) for e in part.events) <= 256 * 1024 for part in heard.envelopes)
            for one, following in zip(heard.envelopes, heard.envelopes[1:], strict=False):
                assert one.last == following.prev
            assert heard.envelopes[-1].last == 61

    run(test)


def test_a_span_too_large_for_the_bus_goes_without_its_attributes(ingest: Process) -> None:
    async def test() -> None:
        async with listening(ingest, TOPIC_EVENTS) as heard:
            await asyncio.to_thread(post, ingest, span("s1", attributes={"text": "x" * 600_000}))
            await until(lambda: len(heard.frames) == 2)
            assert heard.frames[1]["attributes_omitted"] is True
            assert heard.frames[1]["span"]["attributes"] == {}

    run(test)


def test_what_was_committed_before_a_crash_is_in_the_next_heartbeat(ingest: Process) -> None:
    async def test() -> None:
        await asyncio.to_thread(post, ingest, span("s1"))
        await asyncio.to_thread(ingest.end, 9)
        await asyncio.to_thread(ingest.start)
        async with listening(ingest) as heard:
            assert heard.beats[0].last == 2

    run(test)


def test_workers_are_counted_while_they_say_so(ingest: Process) -> None:
    async def test() -> None:
        async with listening(ingest) as heard:
            await until(lambda: heard.beats[-1].workers == 0)
            await asyncio.to_thread(ingest.ask, "PUT", "/internal/workers/w1")
            await until(lambda: heard.beats[-1].workers == 1)

    run(test)
