from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from tests.unit.ingest.otlp.dialects.spans import conversation, junk, mapped, span

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Capital of Peru?"}]},
    {
        "role": "assistant",
        "content": [{"type": "tool-call", "toolCallId": "call_9", "toolName": "lookup", "input": {"q": "Peru"}}],
    },
    {
        "role": "tool",
        "content": [
            {"type": "tool-result", "toolCallId": "call_9", "toolName": "lookup",
             "output": {"type": "json", "value": {"city": "Lima"}}}
        ],
    },
]  # fmt: skip
INNER: dict[str, Any] = {
    "operation.name": "ai.generateText.doGenerate guide",
    "resource.name": "guide",
    "ai.operationId": "ai.generateText.doGenerate",
    "ai.telemetry.functionId": "guide",
    "ai.telemetry.metadata.sessionId": "s-1",
    "ai.telemetry.metadata.userId": "u-1",
    "ai.telemetry.metadata.plan": "pro",
    "ai.telemetry.metadata.tags": ["beta"],
    "ai.model.provider": "openai.chat",
    "ai.model.id": "gpt-4o-mini",
    "ai.settings.maxRetries": 2,
    "ai.settings.maxOutputTokens": 40,
    "ai.settings.temperature": 0.5,
    "ai.settings.topP": 0.9,
    "ai.prompt.messages": json.dumps(MESSAGES),
    "ai.prompt.tools": [
        json.dumps({"type": "function", "name": "lookup", "description": "Look up.", "inputSchema": {"type": "object"}})
    ],
    "ai.prompt.toolChoice": '{"type":"auto"}',
    "ai.response.finishReason": "tool-calls",
    "ai.response.text": "Let me see.",
    "ai.response.reasoning": "Hm.",
    "ai.response.toolCalls": '[{"toolCallId":"call_10","toolName":"lookup","input":{"q":"Cusco"}}]',
    "ai.response.model": "gpt-4o-mini-2024-07-18",
    "ai.response.providerMetadata": '{"openai":{"reasoningTokens":5}}',
    "ai.response.msToFirstChunk": 120.5,
    "ai.usage.inputTokens": 50,
    "ai.usage.outputTokens": 9,
    "ai.usage.totalTokens": 59,
    "ai.usage.cachedInputTokens": 32,
    "ai.usage.reasoningTokens": 5,
    "gen_ai.system": "openai.chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 50,
    "gen_ai.usage.output_tokens": 9,
    "gen_ai.response.finish_reasons": ["tool-calls"],
}
OUTER: dict[str, Any] = {
    "operation.name": "ai.generateText guide",
    "ai.operationId": "ai.generateText",
    "ai.telemetry.functionId": "guide",
    "ai.model.provider": "openai.chat",
    "ai.model.id": "gpt-4o-mini",
    "ai.prompt": '{"system":"Be brief.","prompt":"Capital of Peru?"}',
    "ai.response.text": "Lima.",
    "ai.response.finishReason": "stop",
    "ai.usage.inputTokens": 120,
    "ai.usage.outputTokens": 15,
}
TOOL: dict[str, Any] = {
    "operation.name": "ai.toolCall guide",
    "ai.operationId": "ai.toolCall",
    "ai.toolCall.name": "lookup",
    "ai.toolCall.id": "call_9",
    "ai.toolCall.args": '{"q":"Peru"}',
    "ai.toolCall.result": '{"city":"Lima"}',
}
NEWEST_ROOT: dict[str, Any] = {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.agent.name": "guide",
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"Capital of Peru?"}]}]',
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"Lima."}]}]',
    "gen_ai.usage.input_tokens": 120,
    "gen_ai.usage.output_tokens": 15,
}

CASES = {
    "doGenerate": span("ai.generateText.doGenerate", INNER, scope="ai"),
    "generateText": span("ai.generateText", OUTER, scope="ai"),
    "a tool": span("ai.toolCall", TOOL, scope="ai"),
    "version 7": span("invoke_agent gpt-4o-mini", NEWEST_ROOT, scope="gen_ai"),
    "another tracer": span("ai.streamText", {"ai.operationId": "ai.streamText"}, scope="my.app"),
}


def test_a_call() -> None:
    found = mapped(CASES["doGenerate"])
    assert found["beacon.dialect"] == "vercel"
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
                {"id": "call_9", "type": "function", "function": {"name": "lookup", "arguments": '{"q":"Peru"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_9", "name": "lookup", "content": '{"city":"Lima"}'},
    ]
    assert conversation(found, "llm.tools") == [
        {
            "type": "function",
            "function": {"name": "lookup", "description": "Look up.", "parameters": {"type": "object"}},
        }
    ]
    assert found["llm.tool_choice"] == "auto"
    assert (found["llm.completion"], found["llm.reasoning"]) == ("Let me see.", "Hm.")
    assert conversation(found, "llm.tool_calls") == [
        {"id": "call_10", "type": "function", "function": {"name": "lookup", "arguments": '{"q":"Cusco"}'}}
    ]
    assert found["llm.finish_reason"] == "tool_calls"
    assert (found["llm.temperature"], found["llm.max_tokens"]) == (0.5, 40)
    assert conversation(found, "llm.params") == {"top_p": 0.9}
    assert [found[f"llm.tokens.{name}"] for name in ("input", "output", "total", "cache_read", "reasoning")] == [
        50, 9, 59, 32, 5,
    ]  # fmt: skip
    assert found["llm.ttft_ms"] == 120.5
    assert (found["session.id"], found["user.id"]) == ("s-1", "u-1")
    assert found["tags"] == {"plan": "pro", "beta": "true"}
    assert {key: found[key] for key in INNER} == INNER


def test_the_outer_span_is_an_agent_whose_tokens_are_a_sum() -> None:
    found = mapped(CASES["generateText"])
    assert found["span_type"] == "agent_step"
    assert (found["agent.framework"], found["agent.step_name"]) == ("vercel-ai", "guide")
    assert (found["agent.input"], found["agent.output"]) == ("Capital of Peru?", "Lima.")
    assert found["agent.tokens.total"] == 135
    assert not [key for key in found if key.startswith("llm.tokens")]
    assert "llm.prompt" not in found


@pytest.mark.parametrize(
    ("operation", "span_type"),
    [
        ("ai.generateText.doGenerate", "llm_call"),
        ("ai.streamText.doStream my agent", "llm_call"),
        ("ai.generateObject.doGenerate", "llm_call"),
        ("ai.streamObject.doStream", "llm_call"),
        ("ai.streamText my agent", "agent_step"),
        ("ai.generateObject", "agent_step"),
        ("ai.streamObject", "agent_step"),
        ("ai.toolCall", "tool_use"),
        ("ai.embed", "custom"),
        ("ai.embedMany.doEmbed", "custom"),
        ("ai.rerank", "custom"),
    ],
)
@pytest.mark.parametrize("key", ["ai.operationId", "operation.name"])
def test_types_by_operation(key: str, operation: str, span_type: str) -> None:
    assert mapped(span("x", {key: operation, "ai.model.id": "m"}))["span_type"] == span_type


def test_a_tool() -> None:
    found = mapped(CASES["a tool"])
    assert (found["span_type"], found["name"], found["tool.name"]) == ("tool_use", "lookup", "lookup")
    assert (found["tool.input"], found["tool.output"]) == ('{"q":"Peru"}', '{"city":"Lima"}')
    assert (found["tool.call_id"], found["tool.framework"]) == ("call_9", "vercel-ai")


def test_the_names_of_version_3_and_4() -> None:
    found = mapped(
        span(
            "ai.streamText.doStream",
            {
                "ai.operationId": "ai.streamText.doStream",
                "ai.model.id": "gpt-4o-mini",
                "ai.model.provider": "openai.responses",
                "ai.prompt.messages": json.dumps(
                    [
                        {"role": "assistant", "content": [
                            {"type": "tool-call", "toolCallId": "a", "toolName": "t", "args": {"x": 1}}]},
                        {"role": "tool", "content": [
                            {"type": "tool-result", "toolCallId": "a", "toolName": "t", "result": 2}]},
                        {"role": "user", "content": [{"type": "image", "image": "https://x.test/a.png"}]},
                    ]
                ),
                "ai.result.text": "Hi",
                "ai.result.toolCalls": '[{"toolCallId":"b","toolName":"t","args":{"x":3}}]',
                "ai.finishReason": "stop",
                "ai.usage.promptTokens": 7,
                "ai.usage.completionTokens": 2,
                "ai.settings.maxTokens": 40,
                "ai.stream.msToFirstChunk": 80,
            },
        )
    )  # fmt: skip
    assert found["llm.provider"] == "openai"
    assistant, tool, user = conversation(found)
    assert assistant["tool_calls"][0]["function"]["arguments"] == '{"x":1}'
    assert (tool["tool_call_id"], tool["content"]) == ("a", "2")
    assert user["content"] == [{"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}]
    assert found["llm.completion"] == "Hi"
    assert conversation(found, "llm.tool_calls")[0]["function"]["arguments"] == '{"x":3}'
    assert (found["llm.tokens.input"], found["llm.tokens.output"], found["llm.tokens.total"]) == (7, 2, 9)
    assert (found["llm.max_tokens"], found["llm.ttft_ms"], found["llm.finish_reason"]) == (40, 80.0, "stop")
    assert found["llm.stream"] is True


def test_a_prompt_that_is_a_text_and_objects_as_answers() -> None:
    found = mapped(
        span(
            "ai.generateObject.doGenerate",
            {
                "ai.operationId": "ai.generateObject.doGenerate",
                "ai.prompt": "Capital of Peru?",
                "ai.response.object": '{"city":"Lima"}',
                "ai.schema": '{"type":"object"}',
                "ai.schema.name": "place",
                "aisdk.model.provider": "anthropic.messages",
                "aisdk.model.id": "claude-x",
                "ai.usage.inputTokenDetails.cacheReadTokens": 3,
                "ai.usage.inputTokenDetails.cacheWriteTokens": 4,
                "ai.usage.outputTokenDetails.reasoningTokens": 1,
                "ai.usage.inputTokens": 10,
                "ai.usage.outputTokens": 2,
            },
        )
    )
    assert conversation(found) == [{"role": "user", "content": "Capital of Peru?"}]
    assert found["llm.completion"] == '{"city":"Lima"}'
    assert conversation(found, "llm.response_format")["json_schema"] == {"name": "place", "schema": {"type": "object"}}
    assert (found["llm.provider"], found["llm.model"]) == ("anthropic", "claude-x")
    assert [found[f"llm.tokens.{n}"] for n in ("input", "cache_read", "cache_write", "reasoning")] == [10, 3, 4, 1]


@pytest.mark.parametrize(
    ("usage", "metadata", "expected"),
    [
        # version 4: no cached tokens among ai.usage, the input as Anthropic says it
        ({"promptTokens": 10}, {"cacheReadInputTokens": 70, "cacheCreationInputTokens": 20}, (100, 70, 20)),
        # version 5: cached tokens are known, and stand beside the input
        (
            {"inputTokens": 10, "cachedInputTokens": 70},
            {"usage": {"input_tokens": 10, "cache_read_input_tokens": 70, "cache_creation_input_tokens": 20}},
            (100, 70, 20),
        ),
        # version 6: all inside the input
        (
            {"inputTokens": 100, "inputTokenDetails.cacheReadTokens": 70, "inputTokenDetails.cacheWriteTokens": 20},
            {"usage": {"input_tokens": 10, "cache_read_input_tokens": 70, "cache_creation_input_tokens": 20}},
            (100, 70, 20),
        ),
        ({"inputTokens": 10}, {"usage": {"input_tokens": 10}}, (10, None, None)),
    ],
)
def test_the_cache_of_anthropic(
    usage: dict[str, int], metadata: dict[str, Any], expected: tuple[int, int | None, int | None]
) -> None:
    attributes: dict[str, Any] = {f"ai.usage.{name}": value for name, value in usage.items()}
    attributes |= {
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.usage.outputTokens": 5,
        "ai.response.providerMetadata": json.dumps({"anthropic": metadata}),
    }
    found = mapped(span("ai.generateText.doGenerate", attributes, scope="ai"))
    assert tuple(found.get(f"llm.tokens.{name}") for name in ("input", "cache_read", "cache_write")) == expected
    assert found["llm.tokens.total"] == expected[0] + 5


def test_an_embedding() -> None:
    found = mapped(
        span("ai.embed", {"ai.operationId": "ai.embed.doEmbed", "ai.model.id": "e", "ai.usage.tokens": 8}, scope="ai")
    )
    assert (found["span_type"], found["llm.model"], found["llm.tokens.input"]) == ("custom", "e", 8)


def test_version_7() -> None:
    root = mapped(CASES["version 7"])
    assert (root["span_type"], root["agent.step_name"]) == ("agent_step", "guide")
    assert (root["agent.input"], root["agent.output"]) == ("Capital of Peru?", "Lima.")
    assert root["agent.tokens.total"] == 135
    assert not [key for key in root if key.startswith("llm.tokens")]
    step = mapped(span("step 1", {"gen_ai.operation.name": "agent_step"}, scope="gen_ai"))
    assert step["span_type"] == "agent_step"
    chat = mapped(span("chat m", NEWEST_ROOT | {"gen_ai.operation.name": "chat"}, scope="gen_ai"))
    assert (chat["span_type"], chat["llm.tokens.input"], chat["llm.completion"]) == ("llm_call", 120, "Lima.")
    tool = mapped(
        span(
            "execute_tool lookup",
            {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "lookup",
                "gen_ai.tool.call.id": "call_9",
                "gen_ai.tool.call.arguments": '{"q":1}',
                "gen_ai.tool.call.result": "Lima",
            },
            scope="gen_ai",
        )
    )
    assert (tool["span_type"], tool["tool.input"], tool["tool.output"]) == ("tool_use", '{"q":1}', "Lima")


NAMES = [
    *INNER, *OUTER, *TOOL, *NEWEST_ROOT, "ai.schema", "ai.result.text", "ai.response.object", "ai.usage.tokens",
    "ai.usage.inputTokenDetails.cacheReadTokens", "aisdk.model.id", "ai.telemetry.metadata.",
    "ai.stream.msToFirstChunk",
]  # fmt: skip


@pytest.mark.parametrize("operation", ["ai.generateText.doGenerate", "ai.streamText x", "ai.toolCall", "ai.embed", "x"])
@given(attributes=junk(NAMES))
def test_any_values_are_read(operation: str, attributes: dict[str, Any]) -> None:
    mapped(span("x", {"ai.operationId": operation} | attributes, scope="ai"))
