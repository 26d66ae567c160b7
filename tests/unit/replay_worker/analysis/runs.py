"""Runs put together for the tests of the analyses, as query would answer them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from replay_worker.analysis.trace import Trace, trace_of

START = 1_790_000_000.0


def span(span_id: str, kind: str = "custom", begin: float = 0.0, seconds: float | None = 1.0, **fields: Any) -> Any:
    """A span that begins `begin` seconds into the run; `seconds` None is one that still runs."""
    given = {
        "span_id": span_id,
        "trace_id": "t",
        "parent_span_id": None,
        "span_type": kind,
        "name": span_id,
        "status": "ok",
        "error_message": None,
        "start_time": START + begin,
        "end_time": None if seconds is None else START + begin + seconds,
        "duration_ms": None if seconds is None else seconds * 1000,
        "attributes": {},
    } | fields
    for name in ("parent", "error"):
        if name in given:
            given[{"parent": "parent_span_id", "error": "error_message"}[name]] = given.pop(name)
    return given


def tool(
    span_id: str, begin: float, given: Any = None, came: Any = None, name: str = "search", **fields: Any
) -> dict[str, Any]:
    """A tool call of half a second."""
    attributes = {"tool.name": name, "tool.input": given, "tool.output": came}
    attributes = {key: value for key, value in attributes.items() if value is not None}
    made: dict[str, Any] = span(span_id, "tool_use", begin, 0.5, name=name, attributes=attributes, **fields)
    return made


def call(span_id: str, begin: float = 0.0, seconds: float = 1.0, **attributes: Any) -> dict[str, Any]:
    """A model's call; attributes by their names behind `llm.`, with _ for the points."""
    named = {f"llm.{key.replace('_', '.', 1) if key.startswith('tokens') else key}": v for key, v in attributes.items()}
    made: dict[str, Any] = span(
        span_id, "llm_call", begin, seconds, name="chat m", attributes={"llm.model": "m"} | named
    )
    return made


def run(spans: Sequence[dict[str, Any]], trace_id: str = "t", **fields: Any) -> Trace:
    """A trace of `spans`, with the totals Beacon would give it."""
    ends = [one["end_time"] for one in spans if one["end_time"] is not None]
    start = min(one["start_time"] for one in spans)
    calls = [one["attributes"] for one in spans if one["span_type"] == "llm_call"]
    tokens = sum((c.get("llm.tokens.input") or 0) + (c.get("llm.tokens.output") or 0) for c in calls)
    return trace_of(
        {
            "trace_id": trace_id,
            "name": "agent",
            "status": "error" if any(one["status"] == "error" for one in spans) else "ok",
            "start_time": start,
            "end_time": max(ends, default=None),
            "duration_ms": (max(ends) - start) * 1000 if ends else None,
            "total_cost_usd": sum(c.get("llm.cost_usd") or 0.0 for c in calls),
            "total_tokens": tokens,
            "unpriced_count": 0,
            "spans": list(spans),
        }
        | fields
    )
