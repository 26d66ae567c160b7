"""Figures over everything that is stored: stats, trends, the dearest and the slowest spans."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from beacon.contract.records import (
    CostlyPrompt,
    SlowTool,
    Stats,
    TopCosts,
    TopDuration,
    TrendBucket,
    Trends,
    encode,
)
from beacon.contract.requests import TrendsRange
from beacon.contract.units import NS, duration_ms, seconds_from_ns, usd_from_pico
from query.walk import Walk

BUCKET_NS = {"day": 86_400 * NS, "hour": 3_600 * NS}

_MICRO = 1_000_000
"""Sums are taken in two parts, of whole and of broken millions: picodollars of very dear traces leave 64 bits when
summed, and SQLite answers that with an error."""

_TRENDS = f"""
SELECT t.start_ns / :bucket, sum(t.cost_pico / {_MICRO}), sum(t.cost_pico % {_MICRO}),
       sum(t.tokens / {_MICRO}), sum(t.tokens % {_MICRO}), count(*), sum(t.status = 'error')
FROM traces t
WHERE t.trace_row > :low AND t.trace_row <= :high AND t.start_ns >= :since AND t.start_ns < :until
GROUP BY 1
"""

_COSTS = """
SELECT s.cost_pico, s.span_row, s.span_id, t.trace_id, s.name, s.model, s.tokens
FROM spans s CROSS JOIN traces t ON t.trace_row = s.trace_row
WHERE s.span_row > ? AND s.span_row <= ? AND s.span_type = 'llm_call' AND s.cost_pico IS NOT NULL
ORDER BY s.cost_pico DESC, s.span_row DESC LIMIT ?
"""

_DURATIONS = """
SELECT max(0, s.end_ns - s.start_ns), s.span_row, s.span_id, t.trace_id, s.name
FROM spans s CROSS JOIN traces t ON t.trace_row = s.trace_row
WHERE s.span_row > ? AND s.span_row <= ? AND s.span_type = 'tool_use' AND s.end_ns IS NOT NULL
ORDER BY 1 DESC, s.span_row DESC LIMIT ?
"""


def read_stats(db: sqlite3.Connection, path: Path) -> bytes:
    """How much is stored, as JSON. The size is that of the database and of its write-ahead log."""
    seq, traces, spans = db.execute("SELECT seq, trace_count, span_count FROM counters").fetchone()
    # rows are numbered in the order they were created
    oldest = db.execute("SELECT created_ns FROM traces ORDER BY trace_row LIMIT 1").fetchone()
    return encode(Stats(_size(path), traces, spans, None if oldest is None else seconds_from_ns(oldest[0]), seq))


def _size(path: Path) -> int:
    size = path.stat().st_size
    try:
        return size + path.with_name(path.name + "-wal").stat().st_size
    except FileNotFoundError:
        return size


class _Sums(NamedTuple):
    cost_pico: int = 0
    tokens: int = 0
    traces: int = 0
    errors: int = 0


def read_trends(walk: Walk, q: TrendsRange, now_ns: int) -> bytes:
    """Sums by the UTC day or hour in which traces started, as JSON: the last `days` days, today included."""
    width = BUCKET_NS[q.bucket]
    last = now_ns // width
    first = last - q.days * (BUCKET_NS["day"] // width) + 1
    bounds = {"bucket": width, "since": first * width, "until": (last + 1) * width}
    sums: dict[int, _Sums] = {}
    for rows in walk.descend(
        _top_row(walk, "next_trace_row"),
        lambda db, low, high: db.execute(_TRENDS, {**bounds, "low": low, "high": high}).fetchall(),
    ):
        for number, cost_m, cost, tokens_m, tokens, traces, errors in rows:
            have = sums.get(number, _Sums())
            sums[number] = _Sums(
                have.cost_pico + cost_m * _MICRO + cost,
                have.tokens + tokens_m * _MICRO + tokens,
                have.traces + traces,
                have.errors + errors,
            )
    return encode(Trends([_bucket(n * width, q.bucket, sums.get(n, _Sums())) for n in range(first, last + 1)]))


def _bucket(start_ns: int, bucket: str, sums: _Sums) -> TrendBucket:
    start = datetime.fromtimestamp(start_ns // NS, UTC)
    return TrendBucket(
        start.strftime("%Y-%m-%d" if bucket == "day" else "%Y-%m-%dT%H:%M:%SZ"),
        usd_from_pico(sums.cost_pico),
        sums.tokens,
        sums.traces,
        sums.errors,
        1 - sums.errors / sums.traces if sums.traces else 1.0,
    )


def read_top_costs(walk: Walk, limit: int) -> bytes:
    """The dearest LLM calls, dearest first, the newer first among equals, as JSON."""
    prompts = [
        CostlyPrompt(span_id, trace_id, name, model, usd_from_pico(cost), tokens or 0)
        for cost, _, span_id, trace_id, name, model, tokens in _top(walk, _COSTS, limit)
    ]
    return encode(TopCosts(prompts))


def read_top_duration(walk: Walk, limit: int) -> bytes:
    """The slowest ended tool calls, slowest first, as JSON."""
    tools = [
        SlowTool(span_id, trace_id, name, duration_ms(0, duration) or 0.0)
        for duration, _, span_id, trace_id, name in _top(walk, _DURATIONS, limit)
    ]
    return encode(TopDuration(tools))


def _top(walk: Walk, sql: str, limit: int) -> Iterable[tuple[Any, ...]]:
    best: list[tuple[Any, ...]] = []
    for rows in walk.descend(
        _top_row(walk, "next_span_row"),
        lambda db, low, high: db.execute(sql, (low, high, limit)).fetchall(),
        size=8_192,
    ):
        best = heapq.nlargest(limit, [*best, *rows], key=lambda row: row[:2])
    return best


def _top_row(walk: Walk, column: str) -> int:
    with walk.snapshot() as db:
        return int(db.execute(f"SELECT {column} - 1 FROM counters").fetchone()[0])
