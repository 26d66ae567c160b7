from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tests.unit.ingest.otlp.dialects.spans import ERROR, conversation, event, junk, mapped, span

SCOPE = "com.anthropic.claude_code.tracing"

CALL: dict[str, Any] = {
    "span.type": "llm_request",
    "session.id": "s-1",
    "user.id": "u-1",
    "model": "claude-opus-x",
    "gen_ai.system": "anthropic",
    "gen_ai.request.model": "claude-opus-x",
    "input_tokens": 2,
    "output_tokens": 1_200,
    "cache_read_tokens": 84_562,
    "cache_creation_tokens": 7_096,
    "duration_ms": 1_900,
    "ttft_ms": 640,
    "success": True,
    "stop_reason": "tool_use",
    "new_context": "[USER]\nFix the test.",
    "response.model_output": "I look at it first.",
}
TOOL: dict[str, Any] = {
    "span.type": "tool",
    "session.id": "s-1",
    "tool_name": "Bash",
    "tool_use_id": "toolu_9",
    "gen_ai.tool.call.id": "toolu_9",
    "full_command": "pytest -q",
    "duration_ms": 1_831,
}
INTERACTION: dict[str, Any] = {
    "span.type": "interaction",
    "session.id": "s-1",
    "user_prompt": "Fix the test.",
    "user_prompt_length": 13,
    "interaction.sequence": 1,
}

CASES = {
    "a call": span("claude_code.llm_request", CALL, scope=SCOPE),
    "a tool": span("claude_code.tool", TOOL, scope=SCOPE),
    "an interaction": span("claude_code.interaction", INTERACTION, scope=SCOPE),
    "by its type": span("renamed", {"span.type": "claude_code.interaction"}),
    "without attributes": span("claude_code.tool.blocked_on_user", {}),
}


def test_a_call_whose_cached_tokens_stand_beside_the_input() -> None:
    found = mapped(CASES["a call"])
    assert found["beacon.dialect"] == "claude_code"
    assert found["span_type"] == "llm_call"
    assert (found["llm.provider"], found["llm.model"]) == ("anthropic", "claude-opus-x")
    assert found["llm.tokens.input"] == 2 + 84_562 + 7_096
    assert (found["llm.tokens.cache_read"], found["llm.tokens.cache_write"]) == (84_562, 7_096)
    assert (found["llm.tokens.output"], found["llm.tokens.total"]) == (1_200, 92_860)
    assert found["llm.ttft_ms"] == 640
    assert found["llm.finish_reason"] == "tool_calls"
    assert conversation(found) == [{"role": "user", "content": "[USER]\nFix the test."}]
    assert found["llm.completion"] == "I look at it first."
    assert (found["session.id"], found["user.id"]) == ("s-1", "u-1")
    assert {key: found[key] for key in CALL} == CALL


def test_a_small_cache_is_added_too() -> None:
    counts = {"input_tokens": 900, "cache_read_tokens": 100, "cache_creation_tokens": 0}
    assert mapped(span("claude_code.llm_request", CALL | counts))["llm.tokens.input"] == 1_000


def test_numbers_may_be_texts() -> None:
    texts = {"input_tokens": "2", "output_tokens": "10", "cache_read_tokens": "5", "ttft_ms": "640"}
    attributes = {key: value for key, value in CALL.items() if key != "cache_creation_tokens"} | texts
    found = mapped(span("claude_code.llm_request", attributes))
    assert (found["llm.tokens.input"], found["llm.tokens.output"], found["llm.ttft_ms"]) == (7, 10, 640)


def test_a_tool() -> None:
    given = span(
        "claude_code.tool", TOOL, scope=SCOPE, events=[event("tool.output", {"output": "<REDACTED>", "content": "ok"})]
    )
    found = mapped(given)
    assert (found["span_type"], found["name"], found["tool.name"]) == ("tool_use", "Bash", "Bash")
    assert found["tool.input"] == '{"full_command":"pytest -q"}'
    assert found["tool.output"] == "ok"
    assert (found["tool.call_id"], found["tool.framework"]) == ("toolu_9", "claude-code")


@pytest.mark.parametrize("name", ["output", "content", "diff"])
def test_where_a_tool_says_what_came_out(name: str) -> None:
    found = mapped(span("claude_code.tool", TOOL, events=[event("other"), event("tool.output", {name: "it"})]))
    assert found["tool.output"] == "it"


def test_the_whole_input_of_a_tool_before_its_details() -> None:
    found = mapped(span("claude_code.tool", TOOL | {"tool_input": '{"command":"ls"}', "file_path": "/x"}))
    assert found["tool.input"] == '{"command":"ls"}'
    found = mapped(span("claude_code.tool", TOOL | {"full_command": "<REDACTED>", "file_path": "/x"}))
    assert found["tool.input"] == '{"file_path":"/x"}'


def test_an_interaction() -> None:
    found = mapped(CASES["an interaction"])
    assert (found["span_type"], found["agent.framework"]) == ("agent_step", "claude-code")
    assert (found["agent.step_name"], found["agent.input"]) == ("interaction", "Fix the test.")


def test_what_is_redacted_is_absent() -> None:
    hidden = {"user_prompt": "<REDACTED>", "new_context": "<REDACTED>", "response.model_output": "<REDACTED>"}
    assert "agent.input" not in mapped(span("claude_code.interaction", INTERACTION | hidden))
    found = mapped(span("claude_code.llm_request", CALL | hidden))
    assert "llm.prompt" not in found
    assert "llm.completion" not in found


@pytest.mark.parametrize("prefix", ["", "claude_code."])
@pytest.mark.parametrize(
    ("kind", "span_type"),
    [
        ("interaction", "agent_step"),
        ("llm_request", "llm_call"),
        ("tool", "tool_use"),
        ("tool.execution", "custom"),
        ("tool.blocked_on_user", "custom"),
        ("hook", "custom"),
    ],
)
def test_kinds(prefix: str, kind: str, span_type: str) -> None:
    assert mapped(span(f"claude_code.{kind}", {"span.type": prefix + kind}))["span_type"] == span_type
    assert mapped(span(f"claude_code.{kind}", {"tool_name": "Bash"}))["span_type"] == span_type


def test_a_failure() -> None:
    found = mapped(span("claude_code.llm_request", CALL | {"success": False, "error": "overloaded"}))
    assert (found["status"], found["error_message"]) == ("error", "overloaded")
    told = span("claude_code.llm_request", CALL | {"success": False}, status=ERROR, status_message="529")
    assert mapped(told)["error_message"] == "529"


NAMES = [*CALL, *TOOL, *INTERACTION, "tool_input", "error", "agent.name", "gen_ai.response.finish_reasons"]


@pytest.mark.parametrize("name", ["claude_code.llm_request", "claude_code.tool", "claude_code.interaction"])
@given(attributes=junk(NAMES), output=junk(["output", "content", "diff"]))
def test_any_values_are_read(name: str, attributes: dict[str, Any], output: dict[str, Any]) -> None:
    mapped(span(name, attributes, events=[event("tool.output", output)]))
