"""Streamed exports: consistent, bounded, and nothing held while the client takes its time."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from beacon.errors import NotFound, QueueFull, StoreBusy
from query.export import trace_walk
from query.export.streams import Exports, Pieces
from query.export.trace_walk import TraceChanged
from tests.processes import wait_for
from tests.store_fixture import START_NS, Store, stored_span

SPANS = 200


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "traces.db") as opened:
        opened.put(
            *(
                stored_span(f"s{i:03}", "t", start_ns=START_NS - i, attributes={"n": i, "text": "x" * 1_000})
                for i in range(SPANS)
            )
        )
        yield opened


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part holds one slice, of eight spans."""
    monkeypatch.setattr(trace_walk, "PART_BYTES", 1)
    monkeypatch.setattr(trace_walk, "SLICE_SPANS", 8)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


async def all_of(pieces: Pieces) -> bytes:
    return b"".join([bytes(piece) async for piece in pieces])


def test_parts_put_together_are_the_whole_trace_in_order(store: Store, small_parts: None) -> None:
    async def test() -> None:
        exports = Exports(store.path)
        export = json.loads(await all_of(exports.beacon_json("t")))
        assert [s["span_id"] for s in export["spans"]] == [f"s{i:03}" for i in reversed(range(SPANS))]
        assert export["trace"]["span_count"] == SPANS
        detail = json.loads(await all_of(exports.detail("t", light=False)))
        assert detail.pop("seq") == store.seq
        assert detail.pop("spans") == export["spans"]
        assert detail == export["trace"]
        light = json.loads(await all_of(exports.detail("t", light=True)))["spans"]
        made = {"label": None, "tokens": None, "cost_usd": None}
        assert light == [{k: v for k, v in s.items() if k != "attributes"} | made for s in export["spans"]]
        otlp = json.loads(await all_of(exports.otlp_json("t")))
        assert len(otlp["resourceSpans"][0]["scopeSpans"][0]["spans"]) == SPANS
        assert (await all_of(exports.csv("t"))).count(b"\r\n") == SPANS + 1

    run(test)


def test_spans_that_come_while_a_trace_is_sent_are_not_in_it(store: Store, small_parts: None) -> None:
    async def test() -> None:
        pieces = Exports(store.path).beacon_json("t")
        text = bytes(await anext(pieces))
        store.put(stored_span("new", "t", start_ns=START_NS - 1_000))
        text += await all_of(pieces)
        assert len(json.loads(text)["spans"]) == SPANS

    run(test)


@pytest.mark.parametrize("how", ["updated", "deleted", "deleted and stored again"])
def test_a_trace_that_changes_while_it_is_sent_breaks_off(
    store: Store, small_parts: None, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        pieces = Exports(store.path).beacon_json("t")
        await anext(pieces)
        if how == "updated":
            store.put(stored_span("s000", "t", name="changed"))
        else:
            store.delete("t")
        if how == "deleted and stored again":
            store.put(*(stored_span(f"s{i:03}", "t", start_ns=START_NS - i) for i in range(SPANS)))
        with pytest.raises(TraceChanged):
            await all_of(pieces)
        assert "breaks off" in caplog.text

    run(test)


def test_a_trace_of_one_part_is_of_one_moment(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_walk, "PART_S", 60.0)  # a machine that is busy would make two parts of it

    async def test() -> None:
        pieces = Exports(store.path).beacon_json("t")
        text = bytes(await anext(pieces))
        store.delete("t")
        text += await all_of(pieces)
        assert len(json.loads(text)["spans"]) == SPANS

    run(test)


def test_nothing_is_open_between_two_parts(store: Store, small_parts: None) -> None:
    async def test() -> None:
        before = threading.active_count()
        pieces = Exports(store.path).beacon_json("t")
        store.db.execute("PRAGMA busy_timeout=0")
        for i in range(20):
            await anext(pieces)
            wait_for(no_connection, "the connection of the part to be closed")
            store.put(stored_span(f"s{i}", "other"))
            assert store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        await pieces.aclose()
        assert threading.active_count() <= before + 2  # the threads that render

    run(test)


def no_connection() -> bool:
    return not any("_connection_worker_thread" in thread.name for thread in threading.enumerate())


def test_only_so_many_exports_run_at_a_time_and_one_that_is_closed_makes_room(store: Store) -> None:
    async def test() -> None:
        exports = Exports(store.path)
        running = [exports.beacon_json("t") for _ in range(trace_walk.WALKS_MAX)]
        for pieces in running:
            await anext(pieces)
        with pytest.raises(QueueFull):
            await anext(exports.csv("t"))
        await running[0].aclose()
        assert await all_of(exports.csv("t"))
        for pieces in running[1:]:
            await pieces.aclose()

    run(test)


def test_a_client_that_stops_reading_is_given_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_walk, "STALL_S", 0.1)

    async def test() -> None:
        async def send() -> None:
            async for _ in Exports(store.path).beacon_json("t"):
                await asyncio.sleep(60)

        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.create_task(send()), 10)

    run(test)


def test_a_client_that_reads_slowly_is_not(store: Store, small_parts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_walk, "STALL_S", 1.0)

    async def test() -> None:
        began = time.monotonic()
        async for _ in Exports(store.path).beacon_json("t"):
            await asyncio.sleep(0.06)
        assert time.monotonic() - began > 1.2

    run(test)


def test_what_is_not_there_is_said_before_the_first_byte(store: Store, tmp_path: Path) -> None:
    async def test() -> None:
        exports = Exports(store.path)
        for pieces in (
            exports.beacon_json("no"),
            exports.otlp_json("no"),
            exports.csv("no"),
            exports.detail("no", True),
        ):
            with pytest.raises(NotFound):
                await anext(pieces)
        with pytest.raises(NotFound, match="Trace not found: no, nor"):
            await anext(exports.beacon_json_of_several(["t", "no", "nor"]))
        with pytest.raises(StoreBusy):
            await anext(Exports(tmp_path / "absent.db").beacon_json("t"))

    run(test)


def test_large_spans_make_small_slices(store: Store) -> None:
    store.put(*(stored_span(f"s{i}", "large", attributes={"text": "x" * 600_000}) for i in range(40)))

    async def test() -> None:
        sizes = [len(piece) async for piece in Exports(store.path).beacon_json("large")]
        assert sum(sizes) > 40 * 600_000
        assert max(sizes) < 1_000_000

    run(test)
