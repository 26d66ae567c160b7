"""Stats, trends and tops against sums made by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beacon.contract.requests import TrendsRange
from query import figures
from tests.store_fixture import SECOND, Store, stored_span
from tests.unit.query.lane import Lane, lane

DAY = 86_400 * SECOND
HOUR = 3_600 * SECOND
NOON = 1_790_035_200 * SECOND  # 2026-09-22T00:00:00Z
NOON += 12 * HOUR


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "traces.db") as opened:
        yield opened


@pytest.fixture
def one(store: Store) -> Iterator[Lane]:
    with lane(store.path) as opened:
        yield opened


def call(trace_id: str, start_ns: int, cost_pico: int | None = None, tokens: int | None = None, **more: Any) -> Any:
    span_id = more.pop("span_id", "s")
    return stored_span(
        span_id, trace_id, span_type="llm_call", start_ns=start_ns, end_ns=start_ns + SECOND,
        cost_pico=cost_pico, tokens=tokens, **more,
    )  # fmt: skip


def trends(one: Lane, now_ns: int, **q: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(one.walk(figures.read_trends, TrendsRange(**q), now_ns))["buckets"]
    return found


def test_trends_fill_every_day_and_count_each_trace_in_the_day_it_started(store: Store, one: Lane) -> None:
    store.put(call("now", NOON, 10**12, 7))
    store.put(call("midnight", NOON - 12 * HOUR, 5 * 10**11, 1))
    store.put(call("before midnight", NOON - 12 * HOUR - 1, None, 3, status="error"))
    store.put(call("also then", NOON - 13 * HOUR, None, None))
    store.skip_rows(100_000, 0)
    store.put(call("first day", NOON - 12 * HOUR - 6 * DAY, 1, 1, status="error"))
    store.put(call("too old", NOON - 12 * HOUR - 6 * DAY - 1, 10**12, 1))
    store.put(call("tomorrow", NOON + 12 * HOUR, 10**12, 1))
    buckets = trends(one, NOON, days=7)
    assert [b["date"] for b in buckets] == [f"2026-09-{day}" for day in range(16, 23)]
    assert buckets[-1] == {
        "date": "2026-09-22",
        "total_cost": 1.5,
        "total_tokens": 8,
        "trace_count": 2,
        "error_count": 0,
        "success_rate": 1.0,
    }
    assert (buckets[-2]["trace_count"], buckets[-2]["error_count"], buckets[-2]["success_rate"]) == (2, 1, 0.5)
    assert (buckets[0]["trace_count"], buckets[0]["total_cost"], buckets[0]["success_rate"]) == (1, 1e-12, 0.0)
    assert {(b["trace_count"], b["total_cost"], b["success_rate"]) for b in buckets[1:5]} == {(0, 0.0, 1.0)}


def test_trends_by_the_hour_name_the_hour_and_end_with_this_one(store: Store, one: Lane) -> None:
    store.put(call("now", NOON + 59 * 60 * SECOND, None, 5))
    store.put(call("yesterday", NOON - 23 * HOUR, None, 6))
    store.put(call("too old", NOON - 24 * HOUR + 59 * 60 * SECOND, None, 6))
    buckets = trends(one, NOON + 30 * 60 * SECOND, days=1, bucket="hour")
    assert len(buckets) == 24
    assert (buckets[0]["date"], buckets[-1]["date"]) == ("2026-09-21T13:00:00Z", "2026-09-22T12:00:00Z")
    assert (buckets[0]["total_tokens"], buckets[-1]["total_tokens"]) == (6, 5)


def test_costs_beyond_64_bits_of_picodollars_are_summed_exactly(store: Store, one: Lane) -> None:
    million_dollars = 10**18
    for i in range(12):
        store.put(call(f"t{i}", NOON, million_dollars + i))
    assert trends(one, NOON, days=1)[0]["total_cost"] == (12 * million_dollars + 66) / 10**12


def test_the_dearest_calls_come_first_and_the_newer_first_among_equals(store: Store, one: Lane) -> None:
    assert json.loads(one.walk(figures.read_top_costs, 10)) == {"prompts": []}
    for i, cost in enumerate((5, None, 9, 5, 1, 9)):
        store.put(call(f"t{i}", NOON, cost, i or None, name=f"n{i}", model="m"))
        store.skip_rows(0, 20_000)
    store.put(stored_span("s", "other", cost_pico=100))
    prompts = json.loads(one.walk(figures.read_top_costs, 4))["prompts"]
    assert [p["trace_id"] for p in prompts] == ["t5", "t2", "t3", "t0"]
    assert prompts[0] == {"span_id": "s", "trace_id": "t5", "name": "n5", "model": "m", "cost": 9e-12, "tokens": 5}
    assert prompts[3]["tokens"] == 0


def test_the_slowest_ended_tools_come_first(store: Store, one: Lane) -> None:
    for i, took in enumerate((5, None, -3, 7, 7)):
        end = None if took is None else NOON + took
        store.put(stored_span("s", f"t{i}", span_type="tool_use", start_ns=NOON, end_ns=end, name=f"n{i}"))
    store.put(stored_span("s", "other", start_ns=0, end_ns=NOON))
    tools = json.loads(one.walk(figures.read_top_duration, 10))["tools"]
    assert [(t["trace_id"], t["duration_ms"]) for t in tools] == [("t4", 7e-6), ("t3", 7e-6), ("t0", 5e-6), ("t2", 0.0)]


def test_stats_count_what_is_there_and_the_log_belongs_to_the_size(store: Store, one: Lane) -> None:
    empty = json.loads(one.read(figures.read_stats, store.path))
    assert (empty["total_traces"], empty["total_spans"], empty["oldest_trace_timestamp"]) == (0, 0, None)
    store.put(stored_span("a", "t1"), stored_span("b", "t1"), created_ns=NOON + 5 * 10**8)
    store.put(stored_span("a", "t2"), created_ns=NOON + SECOND)
    stats = json.loads(one.read(figures.read_stats, store.path))
    assert (stats["total_traces"], stats["total_spans"], stats["seq"]) == (2, 3, store.seq)
    assert stats["oldest_trace_timestamp"] == NOON / SECOND + 0.5
    log = store.path.with_name(store.path.name + "-wal").stat().st_size
    assert log > 0
    assert stats["database_size_bytes"] == store.path.stat().st_size + log
    store.delete("t1")
    assert json.loads(one.read(figures.read_stats, store.path))["oldest_trace_timestamp"] == NOON / SECOND + 1
