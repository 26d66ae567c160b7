from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from ingest.otlp.bodies import (
    is_request,
    langchain_answer,
    prompt_of,
    read_answer,
    read_options,
    read_request,
    tokens_of_usage,
)
from ingest.otlp.dialects.labels import TAGS_MAX, below, labels, properties
from ingest.otlp.facts import Facts, Tokens
from ingest.otlp.messages import answer_of
from tests.unit.ingest.otlp.dialects.spans import JUNK, junk


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (
            {"prompt_tokens": 50, "completion_tokens": 9, "total_tokens": 59,
             "prompt_tokens_details": {"cached_tokens": 32}, "completion_tokens_details": {"reasoning_tokens": 5}},
            Tokens(50, 9, 59, 32, None, 5),
        ),
        (  # OpenAI's Responses API
            {"input_tokens": 50, "output_tokens": 9, "input_tokens_details": {"cached_tokens": 32}},
            Tokens(50, 9, None, 32, None, None),
        ),
        (  # Anthropic: the cache beside the input
            {"input_tokens": 10, "output_tokens": 9, "cache_read_input_tokens": 70, "cache_creation_input_tokens": 20},
            Tokens(100, 9, None, 70, 20, None),
        ),
        (  # a gateway that speaks OpenAI's words, and has added them up
            {"prompt_tokens": 100, "completion_tokens": 9, "cache_read_input_tokens": 70},
            Tokens(100, 9, None, 70, None, None),
        ),
        (  # Google: thoughts beside the answer
            {"promptTokenCount": 50, "candidatesTokenCount": 9, "thoughtsTokenCount": 5, "cachedContentTokenCount": 8},
            Tokens(50, 14, None, 8, None, 5),
        ),
        ({"input_tokens": "50", "output_tokens": 9.0}, Tokens(50, 9, None, None, None, None)),
        ({"input_tokens": -1, "output_tokens": "many"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_usage_of_providers(usage: dict[str, Any], tokens: Tokens | None) -> None:
    assert tokens_of_usage(usage) == tokens


def test_a_request_of_the_responses_api() -> None:
    facts = Facts()
    read_request(
        facts,
        {
            "model": "gpt-x",
            "instructions": "Be brief.",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Capital of Peru?"}]},
                {"type": "function_call", "call_id": "c", "name": "lookup", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "Lima"},
            ],
            "max_output_tokens": 40,
            "text": {"format": {"type": "json_schema", "name": "place", "schema": {"type": "object"}}},
            "tools": [{"type": "function", "name": "lookup", "parameters": {"type": "object"}}],
        },
    )
    assert facts.prompt is not None
    assert [message["role"] for message in facts.prompt] == ["system", "user", "assistant", "tool"]
    assert (facts.request_model, facts.max_tokens) == ("gpt-x", 40)
    assert facts.response_format == {
        "type": "json_schema",
        "json_schema": {"name": "place", "schema": {"type": "object"}},
    }
    assert facts.tools == [{"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}]


def test_options_that_are_absent_change_nothing() -> None:
    facts = Facts(temperature=0.5, max_tokens=3, params={"seed": 1})
    read_options(facts, {"temperature": None, "top_p": 0.9, "n": None, "messages": []})
    assert (facts.temperature, facts.max_tokens, facts.params) == (0.5, 3, {"seed": 1, "top_p": 0.9})


def test_facts_share_no_options() -> None:
    first, second = Facts(), Facts()
    read_options(first, {"top_p": 0.9})
    assert second.params == {}


@pytest.mark.parametrize(
    ("body", "is_one"),
    [
        ({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}, True),
        ({"model": "m", "input": "Hi"}, True),
        ({"model": "m", "messages": []}, False),
        ({"messages": [1]}, False),
        ({"model": {"name": "m"}, "input": "Hi"}, False),
    ],
)
def test_what_a_request_is(body: dict[str, Any], is_one: bool) -> None:
    assert is_request(body) is is_one


def test_an_answer_fills_only_what_is_open() -> None:
    facts = Facts(completion="Lima.", tokens=Tokens(1, 2))
    body = {"model": "m", "choices": [{"message": {"content": "Cusco."}, "finish_reason": "stop"}]}
    read_answer(facts, body | {"usage": {"prompt_tokens": 9}})
    assert (facts.completion, facts.finish_reason, facts.model) == ("Lima.", "stop", "m")
    assert facts.tokens == Tokens(1, 2)


def test_answers_of_langchain() -> None:
    message = {"content": "Lima.", "type": "ai"}
    for outputs in (
        {"generations": [[{"text": "Lima.", "message": {"lc": 1, "kwargs": message}}]]},
        {"generations": [{"message": {"type": "ai", "data": message}}]},
        {"generations": [[{"text": "Lima."}]]},
        {"messages": [{"content": "Capital?", "type": "human"}, message]},
        "Lima.",
    ):
        assert answer_of(langchain_answer(outputs)).completion == "Lima."


@given(junk(["model", "messages", "contents", "input", "prompt", "config", "generationConfig", "text", "tools",
             "tool_choice", "response_format", "usage", "usageMetadata", "choices", "candidates", "system",
             "generations", "temperature", "max_tokens", "stop", "stream"]), JUNK)  # fmt: skip
def test_any_values_are_read(body: dict[str, Any], value: Any) -> None:
    facts = Facts()
    read_request(facts, body)
    read_answer(facts, body)
    read_answer(facts, value)
    prompt_of(body)
    answer_of(langchain_answer(body))
    answer_of(langchain_answer(value))


def test_labels_and_properties_are_bounded() -> None:
    assert labels(["a", "", 7, "b"]) == {"a": "true", "b": "true"}
    assert labels('["a"]') == {"a": "true"}
    assert labels("a, b", ",") == {"a": "true", "b": "true"}
    assert labels({"a": 1}) == {}
    assert len(labels([f"t{n}" for n in range(1_000)])) == TAGS_MAX
    assert len(properties({f"t{n}": n for n in range(1_000)})) == TAGS_MAX
    assert properties({"a": True, "b": 0.5, "c": [1], "": "x", "d": "x" * 3_000, "e": None}) == {
        "a": "true",
        "b": "0.5",
    }
    assert below({"x.a": 1, "x.": 2, "xa": 3}, "x.") == {"a": 1}
