"""Spans as agents send them."""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import Any

Span = dict[str, Any]


def span(
    trace_id: str, name: str, *, parent: str | None = None, at: float = 0.0, lasts: float | None = 1.0, **fields: Any
) -> Span:
    """A span that began `at` seconds after ten seconds ago; its id is `TRACE-NAME`, with what an id may
    not have left out. `lasts` None: it still runs."""
    start = _began() + at
    made = {
        "trace_id": trace_id,
        "span_id": span_id(trace_id, name),
        "parent_span_id": span_id(trace_id, parent) if parent else None,
        "span_type": "custom",
        "name": name,
        "status": "ok",
        "start_time": start,
        "end_time": None if lasts is None else start + lasts,
    }
    return made | fields


def span_id(trace_id: str, name: str) -> str:
    return f"{trace_id}-{re.sub(r'[^A-Za-z0-9._:-]', '', name)}"[:128]


def new_id(stem: str = "run") -> str:
    return f"{stem}-{uuid.uuid4().hex[:12]}"


def refund_agent(trace_id: str) -> list[Span]:
    """An agent that looked an order up, got over a failing cache, and failed at the refund: `issue_refund` is why."""
    messages = [
        {"role": "system", "content": "You are a support agent."},
        {"role": "user", "content": "Refund order 4711."},
    ]
    failed: Span = {
        "status": "error",
        "error_message": "HTTPError: 503 Service Unavailable\n  agent.py:88 in issue_refund",
    }
    return [
        span(trace_id, "support_agent", lasts=14.2, span_type="agent_step", **failed),
        span(
            trace_id, "gpt-4o", parent="support_agent", at=0.1, lasts=2.5, span_type="llm_call",
            attributes={
                "llm.model": "gpt-4o", "llm.prompt": json.dumps(messages), "llm.completion": "I will look it up.",
                "llm.tokens.input": 800, "llm.tokens.output": 57, "llm.tokens.total": 857, "llm.cost_usd": 0.0026,
            },
        ),
        span(trace_id, "lookup_order", parent="support_agent", at=2.7, lasts=0.6, span_type="tool_use"),
        span(trace_id, "cache", parent="lookup_order", at=2.8, lasts=0.1, status="error", error_message="cold"),
        span(
            trace_id, "issue_refund", parent="support_agent", at=11.1, lasts=3.0, span_type="tool_use",
            attributes={"tool.name": "issue_refund", "tool.input": '{"order_id": 4711, "amount": 49.9}'}, **failed,
        ),
    ]  # fmt: skip


def _began() -> float:
    return time.time() - 10
