from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given

from ingest.otlp.dialects import traceloop
from tests.unit.ingest.otlp.dialects.spans import conversation, event, junk, mapped, span

SCOPE = "opentelemetry.instrumentation.openai.v1"

OLD_CALL: dict[str, Any] = {
    "llm.request.type": "chat",
    "gen_ai.system": "OpenAI",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.request.max_tokens": 40,
    "gen_ai.request.temperature": 0.5,
    "llm.headers": "None",
    "llm.is_streaming": False,
    "llm.frequency_penalty": 0.1,
    "llm.presence_penalty": 0.2,
    "llm.top_k": 5,
    "llm.chat.stop_sequences": ["END"],
    "gen_ai.openai.api_base": "http://127.0.0.1:9009/v1/",
    "gen_ai.request.structured_output_schema": '{"type": "object"}',
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "Be brief.",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": "Capital of Peru?",
    "gen_ai.prompt.2.role": "assistant",
    "gen_ai.prompt.2.tool_calls.0.id": "call_9",
    "gen_ai.prompt.2.tool_calls.0.name": "lookup",
    "gen_ai.prompt.2.tool_calls.0.arguments": '{"q": "Peru"}',
    "gen_ai.prompt.3.role": "tool",
    "gen_ai.prompt.3.tool_call_id": "call_9",
    "gen_ai.prompt.3.content": "Lima",
    "llm.request.functions.0.name": "lookup",
    "llm.request.functions.0.description": "Look up.",
    "llm.request.functions.0.parameters": '{"type": "object"}',
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "llm.usage.total_tokens": 59,
    "gen_ai.usage.prompt_tokens": 50,
    "gen_ai.usage.completion_tokens": 9,
    "gen_ai.usage.cache_read_input_tokens": 32,
    "gen_ai.usage.cache_creation_input_tokens": 4,
    "llm.usage.reasoning_tokens": 5,
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "Lima.",
    "gen_ai.completion.0.finish_reason": "stop",
}
NEW_CALL: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.is_streaming": True,
    "gen_ai.openai.api_base": "https://api.openai.com/v1/",
    "gen_ai.input.messages": '[{"role": "user", "parts": [{"content": "Hi", "type": "text"}]}]',
    "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"content": "Hello", "type": "text"}], '
    '"finish_reason": "stop"}]',
    "gen_ai.usage.input_tokens": 3,
    "gen_ai.usage.output_tokens": 2,
    "gen_ai.usage.total_tokens": 5,
    "gen_ai.usage.reasoning_tokens": 1,
}


def step(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "traceloop.span.kind": kind,
        "traceloop.entity.name": "plan",
        "traceloop.entity.path": "day.plan",
        "traceloop.workflow.name": "day",
        **more,
    }


CASES = {
    "numbered": span("openai.chat", OLD_CALL, scope=SCOPE),
    "current": span("openai.chat", NEW_CALL, scope=SCOPE),
    "workflow": span("day.workflow", step("workflow"), scope="traceloop.tracer"),
    "a database below a workflow": span("SELECT", {"db.system": "x", "traceloop.workflow.name": "day"}),
}


def test_numbered_attributes() -> None:
    found = mapped(CASES["numbered"])
    assert found["beacon.dialect"] == "traceloop"
    assert found["span_type"] == "llm_call"
    assert found["llm.provider"] == "openai"
    assert (found["llm.model"], found["llm.request_model"]) == ("gpt-4o-mini-2024-07-18", "gpt-4o-mini")
    assert conversation(found) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Capital of Peru?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_9", "type": "function", "function": {"name": "lookup", "arguments": '{"q": "Peru"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_9", "content": "Lima"},
    ]
    assert found["llm.completion"] == "Lima."
    assert found["llm.finish_reason"] == "stop"
    assert conversation(found, "llm.tools")[0]["function"]["name"] == "lookup"
    assert [found[f"llm.tokens.{name}"] for name in ("input", "output", "total")] == [50, 9, 59]
    assert [found[f"llm.tokens.{name}"] for name in ("cache_read", "cache_write", "reasoning")] == [32, 4, 5]
    assert (found["llm.temperature"], found["llm.max_tokens"]) == (0.5, 40)
    assert conversation(found, "llm.params") == {
        "frequency_penalty": 0.1, "presence_penalty": 0.2, "top_k": 5, "stop": ["END"],
    }  # fmt: skip
    assert conversation(found, "llm.response_format")["json_schema"]["schema"] == {"type": "object"}
    assert found["llm.base_url"].rstrip("/") == "http://127.0.0.1:9009/v1"
    assert found["llm.stream"] is False
    assert {key: found[key] for key in OLD_CALL} == OLD_CALL


def test_calls_of_tools_in_numbered_answers() -> None:
    base = {key: value for key, value in OLD_CALL.items() if not key.startswith("gen_ai.completion.")}
    calls = {
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.finish_reason": "tool_calls",
        "gen_ai.completion.0.tool_calls.0.id": "call_1",
        "gen_ai.completion.0.tool_calls.0.name": "lookup",
        "gen_ai.completion.0.tool_calls.0.arguments": "{}",
        "gen_ai.completion.0.tool_calls.1.name": "other",
        "gen_ai.completion.0.tool_calls.1.arguments": "{}",
    }
    found = mapped(span("openai.chat", base | calls))
    assert [call["function"]["name"] for call in conversation(found, "llm.tool_calls")] == ["lookup", "other"]
    assert found["llm.finish_reason"] == "tool_calls"
    older = {
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.function_call.name": "lookup",
        "gen_ai.completion.0.function_call.arguments": "{}",
    }
    found = mapped(span("openai.chat", base | older))
    assert conversation(found, "llm.tool_calls")[0]["function"] == {"name": "lookup", "arguments": "{}"}


def test_blocks_of_anthropic_as_json_text() -> None:
    found = mapped(
        span(
            "anthropic.chat",
            {
                "gen_ai.system": "Anthropic",
                "llm.request.type": "chat",
                "gen_ai.prompt.0.role": "user",
                "gen_ai.prompt.0.content": '[{"type": "text", "text": "What is it?"}, {"type": "image", "source": '
                '{"type": "base64", "media_type": "image/png", "data": "AAAA"}}]',
                "gen_ai.completion.0.content": "A map.",
            },
        )
    )
    assert found["llm.provider"] == "anthropic"
    assert conversation(found)[0]["content"][1] == {
        "type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"},
    }  # fmt: skip


@pytest.mark.parametrize("key", ["gen_ai.response.stop_reason", "llm.response.stop_reason"])
def test_stop_reasons(key: str) -> None:
    assert mapped(span("x", {"llm.request.type": "completion", key: "max_tokens"}))["llm.finish_reason"] == "length"


def test_the_current_form() -> None:
    chunks = [event("gen_ai.content.completion.chunk") for _ in range(3)]
    found = mapped(span("openai.chat", NEW_CALL, scope=SCOPE, events=chunks))
    assert found["span_type"] == "llm_call"
    assert conversation(found) == [{"role": "user", "content": "Hi"}]
    assert found["llm.completion"] == "Hello"
    assert found["llm.stream"] is True
    assert (found["llm.tokens.total"], found["llm.tokens.reasoning"]) == (5, 1)


def test_a_workflow_and_a_task() -> None:
    given = json.dumps({"inputs": {"city": "Lima"}, "tags": [], "metadata": {}, "kwargs": {"name": "x"}})
    got = json.dumps({"outputs": "Day 1", "kwargs": {}})
    found = mapped(span("plan.task", step("task", **{"traceloop.entity.input": given, "traceloop.entity.output": got})))
    assert (found["span_type"], found["chain.type"], found["name"]) == ("chain", "task", "plan")
    assert conversation(found, "chain.input") == {"city": "Lima"}
    assert found["chain.output"] == "Day 1"
    assert found["tags"]["workflow"] == "day"
    assert mapped(CASES["workflow"])["chain.type"] == "workflow"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"args": ["Lima"], "kwargs": {}}, "Lima"),
        ({"args": ["Lima", 2], "kwargs": {}}, '["Lima",2]'),
        ({"args": [], "kwargs": {"city": "Lima"}}, '{"city":"Lima"}'),
        ({"args": [1], "kwargs": {"city": "Lima"}}, '{"args":[1],"kwargs":{"city":"Lima"}}'),
        ({"city": "Lima"}, '{"city":"Lima"}'),
    ],
)
def test_what_went_into_a_tool(given: dict[str, Any], expected: str) -> None:
    text = json.dumps(given, separators=(",", ":"))
    found = mapped(span("plan.tool", step("tool", **{"traceloop.entity.input": text, "traceloop.entity.output": "ok"})))
    assert (found["span_type"], found["tool.name"], found["name"]) == ("tool_use", "plan", "plan")
    assert found["tool.input"].replace(" ", "") == expected
    assert found["tool.output"] == "ok"


def test_an_agent() -> None:
    attributes = step("agent", **{"traceloop.entity.input": "go", "traceloop.entity.output": "done"})
    found = mapped(span("plan.agent", attributes | {"gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 1}))
    assert (found["span_type"], found["agent.step_name"]) == ("agent_step", "plan")
    assert (found["agent.input"], found["agent.output"]) == ("go", "done")
    assert found["agent.tokens.total"] == 10
    assert "llm.tokens.total" not in found


def test_what_a_trace_is_associated_with() -> None:
    prefix = "traceloop.association.properties."
    found = mapped(
        span(
            "openai.chat",
            OLD_CALL
            | {
                f"{prefix}session_id": "s-1",
                f"{prefix}user_id": "u-1",
                f"{prefix}plan": "pro",
                f"{prefix}langgraph_step": 3,
                f"{prefix}ls_provider": "openai",
            },
        )
    )
    assert (found["session.id"], found["user.id"]) == ("s-1", "u-1")
    assert found["tags"] == {"plan": "pro"}
    database = mapped(span("SELECT", {"db.system": "sqlite", f"{prefix}session_id": "s-1"}))
    assert (database["session.id"], database["span_type"]) == ("s-1", "custom")
    assert mapped(span("x", {f"{prefix}thread_id": "t-1", "llm.request.type": "chat"}))["session.id"] == "t-1"


def test_an_embedding() -> None:
    found = mapped(
        span("openai.embeddings", {"llm.request.type": "embedding", "gen_ai.request.model": "e", "gen_ai.system": "o"})
    )
    assert (found["span_type"], found["llm.model"]) == ("custom", "e")


def test_huge_indices_cost_nothing() -> None:
    attributes: dict[str, Any] = {f"gen_ai.prompt.{10**9 + i}.role": "user" for i in range(5_000)}
    attributes |= {f"gen_ai.prompt.{i}.content": "x" for i in range(5_000)}
    attributes["gen_ai.completion.4000000000.content"] = "y"
    before = time.process_time()
    facts = traceloop.read(span("x", attributes))
    assert time.process_time() - before < 2
    assert facts.prompt is not None
    assert len(facts.prompt) <= 4_096


NAMES = [
    *OLD_CALL, *NEW_CALL, *step("x"), "traceloop.entity.input", "traceloop.entity.output", "gen_ai.prompt",
    "gen_ai.prompt.0", "gen_ai.completion", "gen_ai.completion.0", "gen_ai.completion.0.function_call",
    "traceloop.association.properties.session_id", "traceloop.association.properties.user_id",
    "traceloop.association.properties.x", "traceloop.association.properties", "llm.response.stop_reason",
]  # fmt: skip


@pytest.mark.parametrize("kind", [None, "workflow", "task", "agent", "tool", "llm", "nothing"])
@given(attributes=junk(NAMES))
def test_any_values_are_read(kind: str | None, attributes: dict[str, Any]) -> None:
    mapped(span("x", attributes | ({"traceloop.span.kind": kind} if kind else {}), scope="traceloop.tracer"))
