"""The table of span types, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.otlp.span_types import span_type_of

ROWS: list[tuple[dict[str, Any], str, str | None]] = [
    # 1: what the client says itself
    ({"beacon.span_type": "file_operation", "openinference.span.kind": "LLM"}, "file_operation", None),
    ({"span_type": "browser_action"}, "browser_action", None),
    ({"span_type": "no such type", "gen_ai.operation.name": "chat"}, "llm_call", None),
    # 2
    ({"openinference.span.kind": "LLM", "gen_ai.operation.name": "execute_tool"}, "llm_call", None),
    ({"openinference.span.kind": "tool"}, "tool_use", None),
    ({"openinference.span.kind": "AGENT"}, "agent_step", None),
    ({"openinference.span.kind": "CHAIN"}, "chain", "chain"),
    ({"openinference.span.kind": "PROMPT"}, "chain", "prompt"),
    ({"openinference.span.kind": "GUARDRAIL"}, "chain", "guardrail"),
    ({"openinference.span.kind": "EVALUATOR"}, "chain", "evaluator"),
    ({"openinference.span.kind": "RETRIEVER"}, "chain", "retriever"),
    ({"openinference.span.kind": "RERANKER"}, "chain", "reranker"),
    ({"openinference.span.kind": "EMBEDDING"}, "custom", None),
    # 3
    *(
        ({"gen_ai.operation.name": name}, "llm_call", None)
        for name in ("chat", "text_completion", "completion", "generate_content", "generate", "llm_call")
    ),
    ({"gen_ai.operation.name": "execute_tool"}, "tool_use", None),
    ({"gen_ai.operation.name": "tool_call"}, "tool_use", None),
    *(
        ({"gen_ai.operation.name": name, "gen_ai.request.model": "m"}, "agent_step", None)
        for name in ("invoke_agent", "create_agent", "agent_call", "plan")
    ),
    ({"gen_ai.operation.name": "invoke_workflow"}, "chain", "workflow"),
    *(
        ({"gen_ai.operation.name": name}, "chain", name)
        for name in ("handoff", "guardrail", "retrieval", "rerank", "search_memory")
    ),
    ({"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "m"}, "custom", None),
    ({"gen_ai.operation.name": "fetch_response"}, "custom", None),
    # 4
    ({"traceloop.span.kind": "workflow", "ai.operationId": "ai.toolCall"}, "chain", "workflow"),
    ({"traceloop.span.kind": "task"}, "chain", "task"),
    ({"traceloop.span.kind": "agent"}, "agent_step", None),
    ({"traceloop.span.kind": "tool"}, "tool_use", None),
    ({"traceloop.span.kind": "llm"}, "llm_call", None),
    ({"llm.request.type": "chat"}, "llm_call", None),
    ({"llm.request.type": "completion"}, "llm_call", None),
    ({"llm.request.type": "embedding"}, "custom", None),
    ({"llm.request.type": "rerank"}, "custom", None),
    # 5
    ({"ai.operationId": "ai.generateText.doGenerate"}, "llm_call", None),
    ({"ai.operationId": "ai.streamText.doStream"}, "llm_call", None),
    ({"operation.name": "ai.streamObject.doStream my-function"}, "llm_call", None),
    ({"ai.operationId": "ai.toolCall"}, "tool_use", None),
    *(
        ({"ai.operationId": f"ai.{name}"}, "agent_step", None)
        for name in ("generateText", "streamText", "generateObject", "streamObject")
    ),
    ({"operation.name": "ai.generateText my-function"}, "agent_step", None),
    ({"ai.operationId": "ai.embedMany.doEmbed"}, "custom", None),
    ({"ai.operationId": "ai.rerank"}, "custom", None),
    # 6
    ({"langsmith.span.kind": "llm"}, "llm_call", None),
    ({"langsmith.span.kind": "tool"}, "tool_use", None),
    ({"langsmith.span.kind": "chain"}, "chain", None),
    ({"langsmith.span.kind": "prompt"}, "chain", "prompt"),
    ({"langsmith.span.kind": "parser"}, "chain", "parser"),
    ({"langsmith.span.kind": "retriever"}, "chain", "retriever"),
    ({"langsmith.span.kind": "embedding", "gen_ai.request.model": "m"}, "custom", None),
    # 7
    ({"span.type": "interaction"}, "agent_step", None),
    ({"span.type": "llm_request"}, "llm_call", None),
    ({"span.type": "tool"}, "tool_use", None),
    ({"genkit:metadata:subtype": "model"}, "llm_call", None),
    ({"genkit:metadata:subtype": "tool"}, "tool_use", None),
    ({"raindrop.span.kind": "llm"}, "llm_call", None),
    ({"lmnr.span.type": "TOOL"}, "tool_use", None),
    ({"langfuse.observation.type": "generation"}, "llm_call", None),
    ({"mlflow.spanType": "CHAT_MODEL"}, "llm_call", None),
    ({"mlflow.spanType": "AGENT"}, "agent_step", None),
    # 8
    ({"mcp.method.name": "tools/call"}, "tool_use", None),
    ({"mcp.method.name": "initialize"}, "custom", None),
    ({"gen_ai.tool.name": "bash", "gen_ai.request.model": "m"}, "tool_use", None),
    ({"gen_ai.tool.call.id": "c"}, "tool_use", None),
    ({"tool.name": "bash"}, "tool_use", None),
    # 9
    ({"gen_ai.input.messages": "[]"}, "llm_call", None),
    ({"gen_ai.prompt.0.role": "user"}, "llm_call", None),
    ({"gen_ai.prompt": "hi", "gen_ai.agent.name": "a"}, "llm_call", None),
    ({"llm.input_messages.0.message.role": "user"}, "llm_call", None),
    ({"gen_ai.request.model": "m"}, "llm_call", None),
    # 10
    ({"gen_ai.agent.name": "a"}, "agent_step", None),
    # 11
    ({"process.command_line": "ls"}, "shell_command", None),
    ({"url.full": "https://example.com"}, "custom", None),
    ({}, "custom", None),
]


@pytest.mark.parametrize(("attributes", "span_type", "chain_type"), ROWS)
def test_row(attributes: dict[str, Any], span_type: str, chain_type: str | None) -> None:
    assert span_type_of(attributes, "a span") == (span_type, chain_type)


@pytest.mark.parametrize(
    ("name", "span_type"),
    [
        ("claude_code.interaction", "agent_step"),
        ("claude_code.llm_request", "llm_call"),
        ("claude_code.tool", "tool_use"),
        ("tool", "custom"),
        ("bash", "custom"),
    ],
)
def test_name(name: str, span_type: str) -> None:
    assert span_type_of({}, name).span_type == span_type


@pytest.mark.parametrize("junk", [None, 1, ["LLM"], {"a": 1}, True, b"LLM"])
def test_a_kind_that_is_no_text_says_nothing(junk: Any) -> None:
    keys = ("span_type", "openinference.span.kind", "gen_ai.operation.name", "ai.operationId", "span.type")
    assert span_type_of(dict.fromkeys(keys, junk), "x").span_type == "custom"
