from __future__ import annotations

from typing import Any

import pytest

from beacon.errors import BadRequest, UpstreamFailed
from beacon.keys import Endpoint
from replay_worker.providers.anthropic import (
    MAX_TOKENS,
    MAX_TOKENS_BEFORE,
    build_request,
    models_request,
    new_parser,
    parse_response,
)
from tests.unit.replay_worker.providers.reading import (
    JSON_SCHEMA,
    KEY,
    SCHEMA,
    TALK,
    TOOLS,
    answer,
    body,
    call,
    read,
    sent,
)

ANTHROPIC = Endpoint(provider="anthropic", style="anthropic", base_url="https://api.anthropic.com", key=KEY)


def built(stream: bool = False, **fields: Any) -> Any:
    return sent(build_request(ANTHROPIC, call(**fields), stream))


def test_the_request() -> None:
    request = build_request(ANTHROPIC, call(), stream=True)
    assert request.url == "https://api.anthropic.com/v1/messages"
    assert (request.headers["x-api-key"], request.headers["anthropic-version"]) == (KEY, "2023-06-01")
    assert "authorization" not in request.headers
    hi = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    assert sent(request) == {"model": "m", "max_tokens": MAX_TOKENS, "messages": hi, "stream": True}
    assert models_request(ANTHROPIC).url == "https://api.anthropic.com/v1/models?limit=1000"


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("claude-2.1", MAX_TOKENS_BEFORE),
        ("claude-v1", MAX_TOKENS_BEFORE),
        ("claude-instant-1.2", MAX_TOKENS_BEFORE),
        ("claude-3-haiku-20240307", MAX_TOKENS_BEFORE),
        ("claude-3-sonnet-20240229", MAX_TOKENS_BEFORE),
        ("claude-3-opus-latest", MAX_TOKENS_BEFORE),
        ("anthropic.claude-3-haiku-20240307-v1:0", MAX_TOKENS_BEFORE),
        ("claude-3-5-sonnet-20240620", MAX_TOKENS),
        ("claude-3-5-haiku-latest", MAX_TOKENS),
        ("claude-3-7-sonnet-latest", MAX_TOKENS),
        ("claude-opus-4-1", MAX_TOKENS),
        ("claude-haiku-4-5", MAX_TOKENS),
        ("of-a-gateway", MAX_TOKENS),
    ],
)
def test_without_a_limit_a_model_gets_one_that_it_takes(model: str, limit: int) -> None:
    assert built(model=model)["max_tokens"] == limit
    assert built(model=model, params={"max_tokens": 5_000})["max_tokens"] == 5_000


def test_a_conversation_becomes_blocks() -> None:
    request = built(messages=TALK)
    assert request["system"] == "Be brief."
    assert request["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
                {"type": "image", "source": {"type": "url", "url": "https://example.org/a.jpg"}},
                {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "R0lGODlh"}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "corner"}},
                {"type": "tool_use", "id": "c2", "name": "ask", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": '{"seen": "a cat"}'},
                {"type": "tool_result", "tool_use_id": "c2", "content": "nobody there", "is_error": True},
            ],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]},
        {"role": "user", "content": [{"type": "text", "text": "Sure?"}]},
    ]


def test_thinking_goes_back_with_its_signature_and_marks_of_the_cache_stay() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "sig"}
    request = built(
        messages=[
            {"role": "system", "content": [{"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}]},
            {"role": "assistant", "content": [thinking, {"type": "text", "text": "Yes."}]},
        ]
    )
    assert request["messages"][0]["content"][0] == thinking
    assert request["system"] == [{"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}]


def test_options_and_parameters_have_other_names() -> None:
    request = built(
        tools=[*TOOLS, {"type": "web_search_20250305", "name": "web_search"}],
        tool_choice="required",
        response_format=JSON_SCHEMA,
        params={
            "max_completion_tokens": 9,
            "stop": "END",
            "temperature": 1,
            "top_k": 4,
            "parallel_tool_calls": False,
            "reasoning_effort": "low",
            "user": "u1",
            "frequency_penalty": 0,
            "thinking": {"type": "enabled", "budget_tokens": 2_000},
        },
    )
    assert request["tools"] == [
        {"name": "look", "description": "Looks.", "input_schema": TOOLS[0]["function"]["parameters"]},
        {"name": "ask", "input_schema": {"type": "object", "properties": {}}},
        {"type": "web_search_20250305", "name": "web_search"},
    ]
    assert request["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert request["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}
    assert (request["max_tokens"], request["stop_sequences"], request["top_k"]) == (9, ["END"], 4)
    assert request["metadata"] == {"user_id": "u1"}
    assert request["thinking"] == {"type": "enabled", "budget_tokens": 2_000}
    assert "frequency_penalty" not in request


def test_tool_choices() -> None:
    assert "tool_choice" not in built(tools=TOOLS)
    assert built(tools=TOOLS, tool_choice="none")["tool_choice"] == {"type": "none"}
    named = {"type": "function", "function": {"name": "look"}}
    assert built(tools=TOOLS, tool_choice=named)["tool_choice"] == {"type": "tool", "name": "look"}


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"params": {"seed": 1}}, "seed"),
        ({"params": {"frequency_penalty": 0.5}}, "frequency_penalty"),
        ({"params": {"temperature": 1.5}}, "temperature"),
        ({"params": {"n": 3}}, "n"),
        ({"response_format": {"type": "json_object"}}, "json_object"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"messages": [{"role": "user", "content": "x", "name": "ann"}]}, "name"),
        ({"messages": [{"role": "assistant", "content": "x", "reasoning_content": "y"}]}, "reasoning_content"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}, "input_audio"),
        (
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "x"}}]}
                ]
            },
            "'f'",
        ),
    ],
)
def test_what_cannot_be_sent_is_named(fields: dict[str, Any], names: str) -> None:
    with pytest.raises(BadRequest) as refused:
        built(**fields)
    assert names in refused.value.detail


def test_a_text_and_its_tokens() -> None:
    """input_tokens counts only what neither came from the cache nor went into it."""
    found = parse_response(answer("anthropic_text"))
    assert (found.text, found.finish_reason, found.model) == ("Rain, 9 °C. 🌧", "stop", "claude-sonnet-4-5-20250929")
    assert (found.tokens_input, found.tokens_output, found.tokens_cached) == (525, 51, 400)
    assert read(new_parser(), [body("anthropic_text")])[0] == found


def test_thinking_and_tool_calls() -> None:
    found = parse_response(answer("anthropic_tools"))
    assert (found.text, found.reasoning, found.finish_reason) == ("Let me see.", "I should look it up.", "tool_calls")
    function = {"name": "get_weather", "arguments": '{"city":"Zürich"}'}
    assert found.tool_calls == [{"id": "toolu_01", "type": "function", "function": function}]
    assert read(new_parser(), [body("anthropic_tools")])[0] == found


def test_how_answers_end() -> None:
    refused = parse_response(answer("anthropic_refusal"))
    assert (refused.text, refused.finish_reason) == ("", "content_filter")
    empty = parse_response(answer("anthropic_empty"))
    assert (empty.text, empty.finish_reason) == ("", "stop")


@pytest.mark.parametrize("said", [b"", b"{}", b'{"content": null}', b"<html>", b'{"error": "x"}'])
def test_what_is_no_answer_says_so(said: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        parse_response(said)
