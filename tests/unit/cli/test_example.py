from __future__ import annotations

import json

import msgspec

from beacon.cli.example import example_spans
from beacon.contract.requests import PostSpans, required_fields


def test_the_example_is_one_trace_the_api_takes() -> None:
    now = 1_790_000_000.0
    raw = example_spans("t", now)
    spans = msgspec.json.decode(json.dumps({"spans": raw}), type=PostSpans).spans
    assert all(not required_fields(span) for span in spans)
    assert [span["span_type"] for span in raw] == ["agent_step", "llm_call", "tool_use", "tool_use", "llm_call"]
    root, *children = raw
    assert root["parent_span_id"] is None
    assert all(child["parent_span_id"] == root["span_id"] for child in children)
    assert len({span["span_id"] for span in raw}) == len(raw)
    assert [span["name"] for span in raw if span["status"] == "error"] == ["get_forecast"]
    for span in raw:
        assert root["start_time"] <= span["start_time"] < span["end_time"] <= root["end_time"] <= now + 1e-6
    for call in (span["attributes"] for span in raw if span["span_type"] == "llm_call"):
        messages = json.loads(call["llm.prompt"])
        assert messages[0]["role"] == "system"
        assert call["llm.tokens.total"] == call["llm.tokens.input"] + call["llm.tokens.output"]
        assert call["llm.cost_usd"] > 0
