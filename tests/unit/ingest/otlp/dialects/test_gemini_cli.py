from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from tests.unit.ingest.otlp.dialects.spans import conversation, junk, mapped, span

SCOPE = "gemini-cli"

CALL: dict[str, Any] = {
    "gen_ai.operation.name": "llm_call",
    "gen_ai.agent.name": "gemini-cli",
    "gen_ai.conversation.id": "s-1",
    "gen_ai.request.model": "gemini-2.5-pro",
    "gen_ai.system_instructions": '[{"text":"Be brief."}]',
    "gen_ai.tool.definitions": '[{"functionDeclarations":[{"name":"lookup",'
    '"parametersJsonSchema":{"type":"object"}}]}]',
    "gen_ai.input.messages": json.dumps(
        [
            {"role": "user", "parts": [{"text": "Capital of Peru?"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "lookup", "args": {"q": "Peru"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "lookup", "response": {"output": "Lima"}}}]},
        ]
    ),
    "gen_ai.output.messages": json.dumps(
        [
            {"role": "model", "parts": [{"text": "Hm.", "thought": True}]},
            {"role": "model", "parts": [{"text": "Li"}]},
            {"role": "model", "parts": [{"text": "ma."}]},
        ]
    ),
    "gen_ai.usage.input_tokens": 50,
    "gen_ai.usage.output_tokens": 9,
}

CASES = {
    "a call": span("llm_call", CALL, scope=SCOPE),
    "by the agent's name": span("tool_call", {"gen_ai.agent.name": "gemini-cli", "gen_ai.operation.name": "tool_call"}),
    "by its scope": span("schedule", {"input-json": "{}"}, scope=SCOPE),
}


def test_a_call() -> None:
    found = mapped(CASES["a call"])
    assert found["beacon.dialect"] == "gemini_cli"
    assert found["span_type"] == "llm_call"
    assert (found["llm.provider"], found["llm.model"]) == ("google", "gemini-2.5-pro")
    system, user, assistant, tool = conversation(found)
    assert system == {"role": "system", "content": "Be brief."}
    assert user == {"role": "user", "content": "Capital of Peru?"}
    assert assistant["tool_calls"][0]["function"] == {"name": "lookup", "arguments": '{"q":"Peru"}'}
    assert tool["tool_call_id"] == assistant["tool_calls"][0]["id"]
    assert conversation(found, "llm.tools")[0]["function"]["name"] == "lookup"
    # the pieces of a stream are one answer
    assert (found["llm.completion"], found["llm.reasoning"]) == ("Lima.", "Hm.")
    assert found["llm.tokens.total"] == 59
    assert found["session.id"] == "s-1"
    assert {key: found[key] for key in CALL} == CALL


def test_a_prompt_that_is_a_text() -> None:
    found = mapped(span("llm_call", CALL | {"gen_ai.input.messages": "Capital of Peru?"}))
    assert conversation(found)[-1] == {"role": "user", "content": "Capital of Peru?"}


def test_whole_requests_and_answers_of_earlier_versions() -> None:
    request = {"model": "gemini-x", "contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "config": {"topP": 0.5}}
    response = [{"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}}]}]
    found = mapped(
        span(
            "generateContent",
            {"gen_ai.operation.name": "llm_call", "input-json": json.dumps(request),
             "output-json": json.dumps(response)},
            scope=SCOPE,
        )
    )  # fmt: skip
    assert (found["span_type"], found["llm.request_model"]) == ("llm_call", "gemini-x")
    assert conversation(found) == [{"role": "user", "content": "Hi"}]
    assert conversation(found, "llm.params") == {"top_p": 0.5}
    assert found["llm.completion"] == "Hello"


def test_a_tool() -> None:
    found = mapped(
        span(
            "tool_call",
            {
                "gen_ai.operation.name": "tool_call",
                "gen_ai.agent.name": "gemini-cli",
                "gen_ai.tool.name": "run_shell_command",
                "gen_ai.tool.call.id": "c",
                "gen_ai.input.messages": '{"command":"ls"}',
                "gen_ai.output.messages": '{"output":"a"}',
            },
            scope=SCOPE,
        )
    )
    assert (found["span_type"], found["name"]) == ("tool_use", "run_shell_command")
    assert (found["tool.input"], found["tool.output"]) == ('{"command":"ls"}', '{"output":"a"}')
    assert found["tool.call_id"] == "c"


@pytest.mark.parametrize(
    ("operation", "span_type"),
    [
        ("llm_call", "llm_call"),
        ("tool_call", "tool_use"),
        ("agent_call", "agent_step"),
        ("user_prompt", "agent_step"),
        ("system_prompt", "custom"),
        ("schedule_tool_calls", "custom"),
        (["x"], "custom"),
    ],
)
def test_operations(operation: Any, span_type: str) -> None:
    found = mapped(span("x", {"gen_ai.operation.name": operation, "gen_ai.input.messages": "hi"}, scope=SCOPE))
    assert found["span_type"] == span_type
    if span_type == "agent_step":
        assert (found["agent.input"], found["agent.framework"]) == ("hi", "gemini-cli")


NAMES = [*CALL, "input-json", "output-json", "tool_name", "gen_ai.tool.name"]


@pytest.mark.parametrize("operation", ["llm_call", "tool_call", "agent_call", None])
@given(attributes=junk(NAMES))
def test_any_values_are_read(operation: str | None, attributes: dict[str, Any]) -> None:
    mapped(span("x", {"gen_ai.operation.name": operation} | attributes, scope=SCOPE))
