"""`beacon send-example`: one small trace, posted as any client would, so that there is something to look at."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import uuid
from typing import Any

from beacon.cli.banner import reading, token_hint
from beacon.cli.edge import Unreachable, request
from beacon.cli.target import find
from beacon.cli.whose import require_own


def run(arguments: argparse.Namespace) -> int:
    target = find(arguments)
    require_own(target)
    trace_id = str(uuid.uuid4())
    body = json.dumps({"spans": example_spans(trace_id, time.time())}).encode()
    try:
        answer = request(target.url, "POST", "/v1/spans", body=body, token=target.settings.token)
    except Unreachable as e:
        print(f"beacon: {e}. Start Beacon with: {target.beacon('up')}", file=sys.stderr)
        return 1
    if answer.status != 200:
        print(f"beacon: the spans were not taken: {answer.status} {_detail(answer.body)}", file=sys.stderr)
        return 1
    print(f"Stored the trace {trace_id}. Read it:\n")
    print(f"  {reading(target.settings, target.url, f'/v1/traces/{trace_id}')}")
    print(token_hint(target.settings, os.environ), end="")
    return 0


def _detail(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode("utf-8", "replace")


def example_spans(trace_id: str, now: float) -> list[dict[str, Any]]:
    """The spans of an agent that plans a trip with two tools, one of which fails; it ended at `now` (epoch seconds)."""
    start = now - 5.2
    root = str(uuid.uuid4())
    question = "I am in Lyon and want to spend Saturday in Annecy. Which train should I take, and will it rain?"
    answer = (
        "Take the 08:08 from Lyon Part-Dieu, arriving in Annecy at 10:04. I could not get a forecast: the weather "
        "service did not answer, so please check it on Friday evening."
    )
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "You plan day trips. Use the tools; never guess a timetable."},
        {"role": "user", "content": question},
    ]
    calls = [
        {
            "id": "call_1",
            "type": "function",
            "function": {
                "name": "search_trains",
                "arguments": json.dumps({"origin": "Lyon", "destination": "Annecy", "day": "Saturday"}),
            },
        },
        {
            "id": "call_2",
            "type": "function",
            "function": {"name": "get_forecast", "arguments": json.dumps({"city": "Annecy", "day": "Saturday"})},
        },
    ]
    trains = [
        {"departs": "08:08", "arrives": "10:04", "price_eur": 27.9},
        {"departs": "10:08", "arrives": "12:04", "price_eur": 27.9},
    ]
    timeout = "TimeoutError: the weather service did not answer within 2 s"

    def span(
        span_type: str, name: str, begin: float, end: float, attributes: dict[str, Any], **more: Any
    ) -> dict[str, Any]:
        return {
            "span_id": str(uuid.uuid4()),
            "trace_id": trace_id,
            "parent_span_id": root,
            "span_type": span_type,
            "name": name,
            "status": "ok",
            "start_time": start + begin,
            "end_time": start + end,
            "attributes": attributes,
        } | more

    def llm_call(
        begin: float, end: float, prompt: list[dict[str, Any]], tokens: tuple[int, int], attributes: dict[str, Any]
    ) -> dict[str, Any]:
        used, made = tokens
        return span(
            "llm_call",
            "chat gpt-4o-mini",
            begin,
            end,
            {
                "llm.provider": "openai",
                "llm.model": "gpt-4o-mini",
                "llm.prompt": json.dumps(prompt),
                "llm.tokens.input": used,
                "llm.tokens.output": made,
                "llm.tokens.total": used + made,
                "llm.cost_usd": round(used * 0.15e-6 + made * 0.60e-6, 9),
                "llm.temperature": 0.2,
            }
            | attributes,
        )

    return [
        span(
            "agent_step",
            "plan a day trip",
            0.0,
            5.2,
            {
                "agent.framework": "example",
                "agent.step_name": "plan a day trip",
                "agent.input": question,
                "agent.output": answer,
            },
            span_id=root,
            parent_span_id=None,
        ),
        llm_call(
            0.1,
            1.4,
            messages,
            (164, 47),
            {"llm.completion": "", "llm.tool_calls": json.dumps(calls), "llm.finish_reason": "tool_calls"},
        ),
        span(
            "tool_use",
            "search_trains",
            1.5,
            2.1,
            {
                "tool.name": "search_trains",
                "tool.input": calls[0]["function"]["arguments"],  # type: ignore[index]
                "tool.output": json.dumps(trains),
            },
        ),
        span(
            "tool_use",
            "get_forecast",
            1.5,
            3.5,
            {"tool.name": "get_forecast", "tool.input": calls[1]["function"]["arguments"]},  # type: ignore[index]
            status="error",
            error_message=timeout,
        ),
        llm_call(
            3.6,
            5.1,
            [
                *messages,
                {"role": "assistant", "content": "", "tool_calls": calls},
                {"role": "tool", "tool_call_id": "call_1", "content": json.dumps(trains)},
                {"role": "tool", "tool_call_id": "call_2", "content": timeout},
            ],
            (318, 58),
            {"llm.completion": answer, "llm.finish_reason": "stop"},
        ),
    ]
