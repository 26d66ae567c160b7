from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given

from ingest.otlp.dialects import openinference
from tests.unit.ingest.otlp.dialects.spans import ERROR, conversation, event, junk, mapped, span

SCOPE = "openinference.instrumentation.openai"

TOOL = {
    "type": "function",
    "function": {"name": "lookup", "description": "Look up.", "parameters": {"type": "object"}},
}
REQUEST = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital of Peru?"}],
    "max_tokens": 40,
    "temperature": 0.5,
    "top_p": 0.9,
    "tools": [TOOL],
    "tool_choice": "auto",
    "response_format": {"type": "json_object"},
    "stream": True,
}
RESPONSE = {
    "id": "c-1",
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "call_9", "type": "function", "function": {"name": "lookup", "arguments": '{"q":"Peru"}'}}
                ],
            },
        }
    ],
    "usage": {"prompt_tokens": 50, "completion_tokens": 9, "total_tokens": 59},
}
CALL: dict[str, Any] = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.model_name": "gpt-4o-mini-2024-07-18",
    "llm.invocation_parameters": '{"model": "gpt-4o-mini", "max_tokens": 40, "temperature": 0.5, "seed": 7}',
    "input.value": json.dumps(REQUEST),
    "input.mime_type": "application/json",
    "output.value": json.dumps(RESPONSE),
    "output.mime_type": "application/json",
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": "Be brief.",
    "llm.input_messages.1.message.role": "user",
    "llm.input_messages.1.message.content": "Capital of Peru?",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.tool_calls.0.tool_call.id": "call_9",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "lookup",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"q":"Peru"}',
    "llm.tools.0.tool.json_schema": json.dumps(TOOL),
    "llm.token_count.prompt": 50,
    "llm.token_count.completion": 9,
    "llm.token_count.total": 59,
    "llm.token_count.prompt_details.cache_read": 32,
    "llm.token_count.prompt_details.cache_write": 4,
    "llm.token_count.completion_details.reasoning": 5,
    "llm.finish_reason": "tool_calls",
    "session.id": "s-1",
    "user.id": "u-1",
    "metadata": '{"env": "test"}',
    "tag.tags": ["beta", "eu"],
}

CASES = {
    "call": span("ChatCompletion", CALL, scope=SCOPE),
    "kind alone": span("step", {"openinference.span.kind": "CHAIN"}, scope="my.tracer"),
    "scope alone": span("ChatCompletion", {"llm.system": "openai"}, scope=SCOPE),
    "pydantic-ai, translated": span(
        "chat x", {"openinference.span.kind": "LLM", "gen_ai.operation.name": "chat"}, scope="pydantic-ai"
    ),
}


def test_a_call_from_the_whole_request() -> None:
    found = mapped(CASES["call"])
    assert found["span_type"] == "llm_call"
    assert found["beacon.dialect"] == "openinference"
    assert found["llm.provider"] == "openai"
    assert found["llm.model"] == "gpt-4o-mini-2024-07-18"
    assert found["llm.request_model"] == "gpt-4o-mini"
    assert conversation(found) == REQUEST["messages"]
    assert conversation(found, "llm.tools") == [TOOL]
    assert found["llm.tool_choice"] == "auto"
    assert conversation(found, "llm.response_format") == {"type": "json_object"}
    assert (found["llm.temperature"], found["llm.max_tokens"]) == (0.5, 40)
    assert conversation(found, "llm.params") == {"seed": 7, "top_p": 0.9}
    assert found["llm.stream"] is True
    assert "llm.completion" not in found
    assert conversation(found, "llm.tool_calls") == [
        {"id": "call_9", "type": "function", "function": {"name": "lookup", "arguments": '{"q":"Peru"}'}}
    ]
    assert found["llm.finish_reason"] == "tool_calls"
    assert [found[f"llm.tokens.{name}"] for name in ("input", "output", "total")] == [50, 9, 59]
    assert [found[f"llm.tokens.{name}"] for name in ("cache_read", "cache_write", "reasoning")] == [32, 4, 5]
    assert (found["session.id"], found["user.id"]) == ("s-1", "u-1")
    assert "agent.framework" not in found  # a client of a provider is none
    assert found["tags"] == {"beta": "true", "eu": "true"}


def test_every_original_attribute_stays() -> None:
    found = mapped(CASES["call"])
    assert {key: found[key] for key in CALL} == CALL


def test_numbered_messages_where_there_is_no_request() -> None:
    attributes = {key: value for key, value in CALL.items() if not key.startswith(("input.", "output."))}
    found = mapped(span("ChatCompletion", attributes, scope=SCOPE))
    assert conversation(found) == REQUEST["messages"]
    assert conversation(found, "llm.tools") == [TOOL]
    assert conversation(found, "llm.tool_calls")[0]["function"]["name"] == "lookup"
    assert found["llm.request_model"] == "gpt-4o-mini"


def test_parts_with_an_image_a_tool_result_and_a_name() -> None:
    prefix = "llm.input_messages.0.message"
    found = mapped(
        span(
            "ChatCompletion",
            {
                "openinference.span.kind": "LLM",
                f"{prefix}.role": "user",
                f"{prefix}.name": "ada",
                f"{prefix}.contents.0.message_content.type": "text",
                f"{prefix}.contents.0.message_content.text": "What is it?",
                f"{prefix}.contents.1.message_content.type": "image",
                f"{prefix}.contents.1.message_content.image.image.url": "data:image/png;base64,AAAA",
                "llm.input_messages.1.message.role": "assistant",
                "llm.input_messages.1.message.function_call_name": "lookup",
                "llm.input_messages.1.message.function_call_arguments_json": '{"q": 1}',
                "llm.input_messages.2.message.role": "tool",
                "llm.input_messages.2.message.tool_call_id": "call_1",
                "llm.input_messages.2.message.content": "a map",
            },
        )
    )
    user, assistant, tool = conversation(found)
    assert user["name"] == "ada"
    assert user["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    assert assistant["tool_calls"][0]["function"] == {"name": "lookup", "arguments": '{"q": 1}'}
    assert tool == {"role": "tool", "tool_call_id": "call_1", "content": "a map"}


def test_the_answer_in_parts_with_what_was_thought() -> None:
    prefix = "llm.output_messages.0.message"
    found = mapped(
        span(
            "messages",
            {
                "openinference.span.kind": "LLM",
                f"{prefix}.role": "assistant",
                f"{prefix}.contents.0.message_content.type": "reasoning",
                f"{prefix}.contents.0.message_content.text": "Lima or Cusco?",
                f"{prefix}.contents.1.message_content.type": "text",
                f"{prefix}.contents.1.message_content.text": "Lima.",
            },
        )
    )
    assert found["llm.completion"] == "Lima."
    assert found["llm.reasoning"] == "Lima or Cusco?"


def test_completions_of_the_older_kind() -> None:
    found = mapped(
        span(
            "Completion",
            {
                "openinference.span.kind": "LLM",
                "llm.provider": "openai",
                "llm.prompts.0.prompt.text": "Once upon",
                "llm.choices.0.completion.text": " a time",
            },
        )
    )
    assert conversation(found) == [{"role": "user", "content": "Once upon"}]
    assert found["llm.completion"] == " a time"


def test_what_came_out_as_a_text_or_a_whole_answer() -> None:
    base = {"openinference.span.kind": "LLM", "llm.model_name": "m"}
    assert mapped(span("x", {**base, "output.value": "Lima."}))["llm.completion"] == "Lima."
    whole = {**RESPONSE, "choices": [{"message": {"role": "assistant", "content": "Lima."}, "finish_reason": "stop"}]}
    found = mapped(span("x", {**base, "output.value": json.dumps(whole)}))
    assert (found["llm.completion"], found["llm.finish_reason"], found["llm.tokens.total"]) == ("Lima.", "stop", 59)


def test_a_refused_call_has_the_model_that_was_asked() -> None:
    given = {key: value for key, value in CALL.items() if not key.startswith(("llm.model_name", "output.", "llm.out"))}
    assert mapped(span("ChatCompletion", given, scope=SCOPE, status=ERROR))["llm.model"] == "gpt-4o-mini"
    alone = {"openinference.span.kind": "LLM", "llm.invocation_parameters": '{"model": "gpt-4o-mini"}'}
    assert mapped(span("ChatCompletion", alone, status=ERROR))["llm.model"] == "gpt-4o-mini"


def test_hidden_content_is_no_content() -> None:
    found = mapped(
        span("x", {"openinference.span.kind": "LLM", "input.value": "__REDACTED__", "output.value": "__REDACTED__"})
    )
    assert "llm.prompt" not in found
    assert "llm.completion" not in found


@pytest.mark.parametrize(
    ("said", "cost"),
    [
        ({"llm.cost.total": 0.25}, 0.25),
        ({"llm.cost.prompt": 0.1, "llm.cost.completion": 0.02}, 0.12),
        ({"llm.cost.prompt": 0.1}, None),
    ],
)
def test_cost(said: dict[str, float], cost: float | None) -> None:
    found = mapped(span("x", {"openinference.span.kind": "LLM", "llm.model_name": "m", **said}))
    assert found.get("llm.cost_usd") == (pytest.approx(cost) if cost is not None else None)


def test_the_first_token_of_a_stream() -> None:
    one = span(
        "x", {"openinference.span.kind": "LLM"}, events=[event("First Token Stream Event", after_ns=120_000_000)]
    )
    found = mapped(one)
    assert found["llm.ttft_ms"] == 120.0
    assert found["llm.stream"] is True


def test_a_tool() -> None:
    found = mapped(
        span(
            "lookup",
            {
                "openinference.span.kind": "TOOL",
                "tool.name": "lookup",
                "tool.id": "call_9",
                "tool.parameters": '{"q": "Peru"}',
                "output.value": "Lima",
            },
            scope="openinference.instrumentation.langchain",
        )
    )
    assert found["span_type"] == "tool_use"
    assert (found["tool.name"], found["tool.input"], found["tool.output"]) == ("lookup", '{"q": "Peru"}', "Lima")
    assert found["tool.call_id"] == "call_9"
    assert found["tool.framework"] == "langchain"
    given = {"openinference.span.kind": "TOOL", "tool.parameters": "{}", "input.value": '{"q": 2}'}
    assert mapped(span("lookup", given))["tool.input"] == '{"q": 2}'


def test_an_agent_whose_tokens_are_a_sum() -> None:
    found = mapped(
        span(
            "Agent.run",
            {
                "openinference.span.kind": "AGENT",
                "agent.name": "guide",
                "graph.node.id": "n1",
                "input.value": "Plan a day",
                "output.value": "Day 1",
                "llm.token_count.prompt": 500,
                "llm.token_count.completion": 20,
            },
            scope="openinference.instrumentation.smolagents",
        )
    )
    assert found["span_type"] == "agent_step"
    assert (found["agent.step_name"], found["agent.input"], found["agent.output"]) == ("guide", "Plan a day", "Day 1")
    assert found["agent.framework"] == "smolagents"
    assert found["agent.tokens.total"] == 520
    assert "llm.tokens.input" not in found


@pytest.mark.parametrize(
    ("said", "name"), [({}, "planner"), ({"graph.node.id": "n1"}, "n1"), ({"graph.node.name": "plan"}, "plan")]
)
def test_the_name_of_a_step(said: dict[str, str], name: str) -> None:
    assert mapped(span("planner", {"openinference.span.kind": "AGENT", **said}))["agent.step_name"] == name


@pytest.mark.parametrize("kind", ["CHAIN", "PROMPT", "GUARDRAIL", "EVALUATOR", "RETRIEVER", "RERANKER"])
def test_chains(kind: str) -> None:
    found = mapped(span("x", {"openinference.span.kind": kind, "input.value": "in", "output.value": "out"}))
    assert found["span_type"] == "chain"
    assert found["chain.type"] == kind.lower()
    assert (found["chain.input"], found["chain.output"]) == ("in", "out")


def test_documents_of_a_retriever_and_of_a_reranker() -> None:
    document = {
        "retrieval.documents.0.document.id": "d1",
        "retrieval.documents.0.document.content": "Lima is the capital.",
        "retrieval.documents.0.document.score": 0.8,
        "retrieval.documents.0.document.metadata": '{"page": 3}',
    }
    found = mapped(span("search", {"openinference.span.kind": "RETRIEVER", **document}))
    assert conversation(found, "chain.output") == [
        {"id": "d1", "content": "Lima is the capital.", "score": 0.8, "metadata": {"page": 3}}
    ]
    found = mapped(
        span(
            "rerank",
            {
                "openinference.span.kind": "RERANKER",
                "reranker.query": "capital",
                "reranker.output_documents.0.document.content": "Lima",
            },
        )
    )
    assert found["chain.input"] == "capital"
    assert conversation(found, "chain.output") == [{"content": "Lima"}]


def test_an_embedding_keeps_its_model_and_tokens() -> None:
    found = mapped(
        span(
            "CreateEmbeddings",
            {
                "openinference.span.kind": "EMBEDDING",
                "embedding.model_name": "text-embedding-3-small",
                "llm.token_count.prompt": 8,
            },
            scope=SCOPE,
        )
    )
    assert found["span_type"] == "custom"
    assert found["llm.model"] == "text-embedding-3-small"
    assert found["llm.tokens.input"] == 8


def test_a_request_of_anthropic_and_one_of_google() -> None:
    anthropic = {"model": "claude-x", "system": "Be brief.", "messages": [{"role": "user", "content": "Hi"}],
                 "tools": [{"name": "lookup", "input_schema": {"type": "object"}}],
                 "stop_sequences": ["END"]}  # fmt: skip
    base = {"openinference.span.kind": "LLM", "input.mime_type": "application/json"}
    found = mapped(span("messages", {**base, "input.value": json.dumps(anthropic)}))
    assert conversation(found) == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert conversation(found, "llm.tools")[0]["function"]["name"] == "lookup"
    assert conversation(found, "llm.params") == {"stop": ["END"]}
    google = {
        "model": "gemini-x",
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "config": {"system_instruction": "Be brief.", "max_output_tokens": 9, "response_mime_type": "application/json"},
    }
    found = mapped(span("GenerateContent", {**base, "input.value": json.dumps(google)}))
    assert conversation(found) == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert found["llm.max_tokens"] == 9
    assert conversation(found, "llm.response_format") == {"type": "json_object"}


def test_huge_indices_cost_nothing() -> None:
    attributes: dict[str, Any] = {"openinference.span.kind": "LLM"}
    attributes |= {f"llm.input_messages.{10**9 + i}.message.role": "user" for i in range(5_000)}
    attributes |= {f"llm.input_messages.{i}.message.content": "x" for i in range(5_000)}
    attributes["llm.input_messages.__proto__.message.content"] = "y"
    before = time.process_time()
    facts = openinference.read(span("x", attributes))
    assert time.process_time() - before < 2
    assert facts.prompt is None or len(facts.prompt) <= 4_096


NAMES = [
    *CALL, "llm.provider", "embedding.model_name", "llm.prompts.0.prompt.text", "llm.prompts", "llm.choices.0",
    "llm.input_messages.0.message.contents.0.message_content.image.image.url", "llm.input_messages.0.message",
    "llm.input_messages.0", "llm.input_messages", "llm.input_messages.0.message.contents.0.message_content",
    "llm.input_messages.0.message.contents", "llm.input_messages.0.message.tool_calls.0.tool_call.function",
    "llm.input_messages.0.message.function_call_name", "retrieval.documents.0.document", "retrieval.documents",
    "reranker.output_documents.0.document.metadata", "tool.name", "tool.parameters", "tool.id", "agent.name",
    "llm.cost.total", "llm.cost.prompt", "llm.cost.completion", "llm.tools.0.tool", "llm.tools.0",
]  # fmt: skip


@given(junk(NAMES))
def test_any_values_are_read(attributes: dict[str, Any]) -> None:
    mapped(span("x", attributes, scope=SCOPE))


@pytest.mark.parametrize("kind", ["LLM", "TOOL", "AGENT", "RETRIEVER", "EMBEDDING", "SOMETHING"])
@given(attributes=junk(NAMES))
def test_any_values_are_read_of_each_kind(kind: str, attributes: dict[str, Any]) -> None:
    mapped(span("x", {**attributes, "openinference.span.kind": kind}))
