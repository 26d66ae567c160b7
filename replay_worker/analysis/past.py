"""The runs before a run: what is usual."""

from __future__ import annotations

import asyncio
from typing import Any

from beacon.errors import BadRequest
from replay_worker.analysis.anomalies import Past
from replay_worker.analysis.trace import Trace
from replay_worker.work import Store

RUNS_MAX = 30
"""Earlier runs of the same name that are looked at."""

DETAILED_MAX = 10
"""Of those, the ones whose spans are read too."""

DETAILED_SPANS_MAX = 2_000


async def read_past(store: Store, trace: Trace) -> Past:
    """The ended runs of the same name that began before `trace` did, or None of them when they cannot be told apart.

    A run's name is that of its root span; runs that only share a part of it are others.
    """
    listed = await store.list_traces(q=trace.name[:200], limit=200, count="false")
    runs = [
        run
        for run in listed
        if run["name"] == trace.name
        and run["trace_id"] != trace.trace_id
        and run["start_time"] < trace.start
        and run["duration_ms"] is not None
        and not run.get("running_count")
    ][:RUNS_MAX]
    spans: dict[tuple[str, str], list[float]] = {}
    for run in runs[:DETAILED_MAX]:
        if run["span_count"] > DETAILED_SPANS_MAX:
            continue
        try:
            detail = await store.get_trace(run["trace_id"], light=True)
        except BadRequest:
            continue  # deleted since it was listed
        await asyncio.to_thread(_add, spans, detail["spans"])
    return Past(
        durations_ms=[run["duration_ms"] for run in runs],
        costs_usd=[run["total_cost_usd"] for run in runs],
        tokens=[run["total_tokens"] for run in runs],
        span_durations_ms=spans,
    )


def _add(durations: dict[tuple[str, str], list[float]], spans: list[dict[str, Any]]) -> None:
    for span in spans:
        if span["duration_ms"] is not None:
            durations.setdefault((span["span_type"], span["name"]), []).append(span["duration_ms"])
