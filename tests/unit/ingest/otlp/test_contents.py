"""Content that travels in log records: laid over its span whatever the order of arrival."""

from __future__ import annotations

import json
import random
from itertools import permutations
from typing import Any

import pytest

from ingest.otlp.arrived import Content
from ingest.otlp.contents import content_of, map_log, with_contents
from tests.unit.ingest.otlp.spans import SPAN, TRACE, log

DETAILS = "gen_ai.client.inference.operation.details"
USER = {"role": "user", "content": "Weather in Lima?"}
CALL = {"id": "call_7", "type": "function", "function": {"name": "weather", "arguments": "{}"}}


def content(*args: Any, **fields: Any) -> Content:
    found = map_log(log(*args, **fields))
    assert found is not None
    return found


def test_one_event_with_all_attributes() -> None:
    asked = [{"role": "user", "parts": [{"type": "text", "content": "Weather in Lima?"}]}]
    said = [{"role": "assistant", "parts": [{"type": "text", "content": "Foggy."}], "finish_reason": "stop"}]
    one = content(DETAILS, None, {"gen_ai.input.messages": asked, "gen_ai.output.messages": said})
    assert (one.trace_id, one.address) == (TRACE, f"span:{SPAN}")
    found = with_contents({"llm.model": "m", "llm.finish_reason": "length"}, [one])
    assert json.loads(found["llm.prompt"]) == [USER]
    assert found["llm.completion"] == "Foggy."
    assert found["llm.finish_reason"] == "length"  # what the span says itself
    assert found["beacon.from_logs"] == ["llm.prompt", "llm.completion"]


def conversation() -> list[Content]:
    return [
        content("gen_ai.system.message", {"content": "Be terse."}, time_ns=1, index=0),
        content("gen_ai.user.message", {"content": "Weather in Lima?"}, time_ns=1, index=1),
        content("gen_ai.assistant.message", {"tool_calls": [CALL]}, time_ns=1, index=2),
        content("gen_ai.tool.message", {"id": "call_7", "content": "fog"}, time_ns=1, index=3),
        content("gen_ai.choice", {"index": 1, "message": {"content": "Sunny."}}, time_ns=2, index=4),
        content(
            "gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"content": "Foggy."}}, time_ns=3, index=5
        ),
    ]


def test_one_event_a_message() -> None:
    found = with_contents({}, conversation())
    assert json.loads(found["llm.prompt"]) == [
        {"role": "system", "content": "Be terse."},
        USER,
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_7", "content": "fog"},
    ]
    assert (found["llm.completion"], found["llm.finish_reason"]) == ("Foggy.", "stop")


def test_any_order_and_any_repetition_give_the_same() -> None:
    contents = conversation()
    whole = with_contents({"x": 1}, contents)
    # what came again in a request that was cut otherwise has another place in it
    again = [content("gen_ai.user.message", {"content": "Weather in Lima?"}, time_ns=1, index=9)]
    rng = random.Random(4)
    for order in rng.sample(list(permutations([*contents, *again, contents[0]])), 60):
        attributes: dict[str, Any] = {"x": 1}
        for end in range(1, len(order) + 1):
            attributes = with_contents(attributes, order[:end])
        assert attributes == whole
        assert list(attributes) == list(whole)


def test_a_span_sent_again_with_content_of_its_own_wins() -> None:
    laid = with_contents({}, conversation())
    own = {key: value for key, value in laid.items() if key not in laid["beacon.from_logs"]}
    own["llm.completion"] = "Mine."
    found = with_contents({**own, "beacon.from_logs": laid["beacon.from_logs"][:1]}, conversation())
    assert found["llm.completion"] == "Mine."
    assert "llm.completion" not in found["beacon.from_logs"]


def test_without_contents_nothing_changes() -> None:
    imported = {"llm.prompt": "[]", "beacon.from_logs": ["llm.prompt"]}
    assert with_contents(imported, []) == imported
    assert with_contents(imported, [Content(TRACE, f"span:{SPAN}", 1, "not JSON")]) == imported


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ({"content": "hi"}, {}),
        ("hi", {}),
        ('{"content": "hi"}', {}),
        (None, {"gen_ai.event.content": '{"content": "hi"}'}),
        (None, {"content": "hi", "gen_ai.system": "openai"}),
    ],
)
def test_where_a_message_stands_in_a_record(body: Any, attributes: dict[str, Any]) -> None:
    found = with_contents({}, [content("gen_ai.user.message", body, attributes)])
    assert json.loads(found["llm.prompt"]) == [{"role": "user", "content": "hi"}]


def test_records_that_say_nothing_are_no_content() -> None:
    assert map_log(log("gen_ai.evaluation.result", {"content": "hi"})) is None
    assert map_log(log("", "hi")) is None
    assert map_log(log(DETAILS, None, {})) is None
    assert map_log(log("gen_ai.choice", {"index": 0})) is None


def test_of_several_contents_at_one_address_the_first_after_the_start_counts() -> None:
    early, mine, late = (content_of(TRACE, "input:p:d", t, {"llm.completion": str(t)}) for t in (10, 20, 30))
    for contents in permutations((early, mine, late)):
        assert with_contents({}, contents, start_ns=15)["llm.completion"] == "20"
        assert with_contents({}, contents, start_ns=5)["llm.completion"] == "10"
        assert with_contents({}, contents, start_ns=40)["llm.completion"] == "30"
