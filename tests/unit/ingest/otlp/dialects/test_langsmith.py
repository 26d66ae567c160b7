from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from tests.unit.ingest.otlp.dialects.spans import conversation, junk, mapped, span

SCOPE = "langsmith"

CALL: dict[str, Any] = {
    "langsmith.span.kind": "llm",
    "langsmith.trace.name": "ChatOpenAI",
    "langsmith.trace.session_name": "my project",
    "langsmith.metadata.thread_id": "t-1",
    "langsmith.metadata.ls_provider": "openai",
    "langsmith.metadata.ls_model_name": "gpt-4o-mini",
    "langsmith.metadata.ls_temperature": 0.5,
    "langsmith.metadata.user_id": "u-1",
    "langsmith.span.tags": "beta, eu",
    "langsmith.request.streaming": True,
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 50,
    "gen_ai.usage.output_tokens": 9,
    "gen_ai.usage.total_tokens": 59,
    "gen_ai.usage.input_token_details": "{'audio': 0, 'cache_read': 32}",
    "gen_ai.usage.output_token_details": "{'reasoning': 5}",
    "gen_ai.prompt": json.dumps(
        {
            "messages": [
                [
                    {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "SystemMessage"],
                     "kwargs": {"content": "Be brief.", "type": "system"}},
                    {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "HumanMessage"],
                     "kwargs": {"content": "Capital of Peru?", "type": "human"}},
                ]
            ]
        }
    ),
    "gen_ai.completion": json.dumps(
        {
            "generations": [
                [
                    {
                        "text": "Lima.",
                        "generation_info": {"finish_reason": "stop"},
                        "message": {
                            "lc": 1,
                            "type": "constructor",
                            "id": ["langchain", "schema", "messages", "AIMessage"],
                            "kwargs": {
                                "content": "Lima.",
                                "type": "ai",
                                "tool_calls": [{"name": "lookup", "args": {"q": "Peru"}, "id": "call_9"}],
                            },
                        },
                    }
                ]
            ]
        }
    ),
}  # fmt: skip

CASES = {
    "a call": span("ChatOpenAI", CALL, scope=SCOPE),
    "a chain": span("RunnableSequence", {"langsmith.span.kind": "chain", "gen_ai.system": "langchain"}, scope=SCOPE),
    "sent by hand": span("x", {"langsmith.span.kind": "tool", "gen_ai.operation.name": "execute_tool"}),
}


def test_a_call_by_langchain() -> None:
    found = mapped(CASES["a call"])
    assert found["beacon.dialect"] == "langsmith"
    assert (found["span_type"], found["name"]) == ("llm_call", "ChatOpenAI")
    assert (found["llm.provider"], found["llm.model"]) == ("openai", "gpt-4o-mini")
    assert conversation(found) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Capital of Peru?"},
    ]
    assert found["llm.completion"] == "Lima."
    assert conversation(found, "llm.tool_calls")[0]["function"] == {"name": "lookup", "arguments": '{"q":"Peru"}'}
    assert found["llm.finish_reason"] == "stop"
    assert [found[f"llm.tokens.{n}"] for n in ("input", "output", "total", "cache_read", "reasoning")] == [
        50, 9, 59, 32, 5,
    ]  # fmt: skip
    assert (found["llm.temperature"], found["llm.stream"]) == (0.5, True)
    assert (found["session.id"], found["user.id"]) == ("t-1", "u-1")
    assert found["tags"] == {"langsmith.project": "my project", "beta": "true", "eu": "true"}
    assert {key: found[key] for key in CALL} == CALL


def test_a_call_of_a_wrapped_client() -> None:
    request = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"type": "function", "function": {"name": "t", "parameters": {}}}],
        "max_tokens": 9,
        "seed": 1,
    }
    response = {
        "id": "c",
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "length"}],
        "usage_metadata": {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4,
                           "input_token_details": {"cache_read": 2}},
    }  # fmt: skip
    found = mapped(
        span(
            "ChatOpenAI",
            {"langsmith.span.kind": "llm", "gen_ai.prompt": json.dumps(request),
             "gen_ai.completion": json.dumps(response)},
            scope=SCOPE,
        )
    )  # fmt: skip
    assert conversation(found) == request["messages"]
    assert conversation(found, "llm.tools") == request["tools"]
    assert (found["llm.request_model"], found["llm.max_tokens"]) == ("gpt-4o-mini", 9)
    assert conversation(found, "llm.params") == {"seed": 1}
    assert (found["llm.completion"], found["llm.finish_reason"]) == ("Hello", "length")
    assert (found["llm.tokens.input"], found["llm.tokens.total"], found["llm.tokens.cache_read"]) == (3, 4, 2)


def test_usage_metadata_as_an_attribute() -> None:
    usage = {"input_tokens": 120, "output_tokens": 80, "total_tokens": 200,
             "input_token_details": {"cache_read": 64, "cache_creation": 8},
             "output_token_details": {"reasoning": 30}}  # fmt: skip
    found = mapped(span("x", {"langsmith.span.kind": "llm", "langsmith.usage_metadata": json.dumps(usage)}))
    names = ("input", "output", "total", "cache_read", "cache_write", "reasoning")
    assert [found[f"llm.tokens.{name}"] for name in names] == [120, 80, 200, 64, 8, 30]


def test_numbered_messages() -> None:
    found = mapped(
        span(
            "x",
            {
                "langsmith.span.kind": "llm",
                "gen_ai.prompt.0.role": "user",
                "gen_ai.prompt.0.content": "Hi",
                "gen_ai.completion.0.role": "assistant",
                "gen_ai.completion.0.content": "Hello",
            },
        )
    )
    assert conversation(found) == [{"role": "user", "content": "Hi"}]
    assert found["llm.completion"] == "Hello"


@pytest.mark.parametrize(
    ("kind", "span_type", "chain_type"),
    [
        ("tool", "tool_use", None),
        ("chain", "chain", None),
        ("prompt", "chain", "prompt"),  # although gen_ai.operation.name says chat
        ("parser", "chain", "parser"),
        ("retriever", "chain", "retriever"),  # although gen_ai.operation.name says embeddings
        ("embedding", "custom", None),
    ],
)
def test_kinds(kind: str, span_type: str, chain_type: str | None) -> None:
    operation = {"prompt": "chat", "retriever": "embeddings", "embedding": "embeddings", "tool": "execute_tool"}
    found = mapped(
        span(
            "x",
            {
                "langsmith.span.kind": kind,
                "langsmith.trace.name": "step",
                "gen_ai.operation.name": operation.get(kind, kind),
                "gen_ai.system": "langchain",
                "gen_ai.prompt": '{"input": "in"}',
                "gen_ai.completion": '{"output": "out"}',
            },
            scope=SCOPE,
        )
    )
    assert (found["span_type"], found.get("chain.type"), found["name"]) == (span_type, chain_type, "step")
    if span_type == "tool_use":
        assert (found["tool.name"], found["tool.input"], found["tool.output"]) == ("step", "in", "out")
        assert found["tool.framework"] == "langchain"
    elif span_type == "chain":
        assert (found["chain.input"], found["chain.output"]) == ("in", "out")
    assert not [key for key in found if key in ("llm.provider", "llm.prompt")]


def test_tokens_of_a_chain_are_a_sum() -> None:
    found = mapped(
        span("x", {"langsmith.span.kind": "chain", "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 1})
    )
    assert found["agent.tokens.total"] == 10
    assert "llm.tokens.total" not in found


@pytest.mark.parametrize(
    ("said", "session"),
    [
        ({"langsmith.metadata.session_id": "a", "langsmith.metadata.thread_id": "b"}, "a"),
        ({"langsmith.metadata.conversation_id": "c"}, "c"),
        ({"langsmith.trace.session_id": "d"}, "d"),
        ({"langsmith.trace.session_name": "a project, in which every run is"}, None),
    ],
)
def test_sessions(said: dict[str, str], session: str | None) -> None:
    assert mapped(span("x", {"langsmith.span.kind": "chain", **said})).get("session.id") == session


NAMES = [
    *CALL, "langsmith.usage_metadata", "langsmith.trace.session_id", "langsmith.metadata.session_id",
    "gen_ai.prompt.0.content", "gen_ai.input.messages", "gen_ai.output.messages",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["llm", "tool", "chain", "retriever", "?"])
@given(attributes=junk(NAMES))
def test_any_values_are_read(kind: str, attributes: dict[str, Any]) -> None:
    mapped(span("x", {"langsmith.span.kind": kind} | attributes, scope=SCOPE))
