from __future__ import annotations

from typing import Any

import pytest

from beacon.errors import BadRequest, UpstreamFailed
from beacon.keys import Endpoint
from replay_worker.providers.openai_responses import build_request, new_parser, parse_response
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

OPENAI = Endpoint(provider="openai", style="openai", base_url="https://api.openai.com/v1", key=KEY)


def built(stream: bool = False, **fields: Any) -> Any:
    return sent(build_request(OPENAI, call(**fields, api="responses"), stream))


def test_the_request() -> None:
    request = build_request(OPENAI, call(api="responses"), stream=True)
    assert request.url == "https://api.openai.com/v1/responses"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    hi = [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]
    assert sent(request) == {"model": "m", "input": hi, "store": False, "stream": True}


def test_a_conversation_becomes_input_items() -> None:
    image = {"type": "input_image", "detail": "auto"}
    assert built(messages=TALK)["input"] == [
        {"role": "system", "content": [{"type": "input_text", "text": "Be brief."}]},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What is this?"},
                {**image, "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"},
                {**image, "image_url": "https://example.org/a.jpg"},
                {**image, "image_url": "data:image/gif;base64,R0lGODlh"},
            ],
        },
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"at": "corner"}'},
        {"type": "function_call", "call_id": "c2", "name": "ask", "arguments": ""},
        {"type": "function_call_output", "call_id": "c1", "output": '{"seen": "a cat"}'},
        {"type": "function_call_output", "call_id": "c2", "output": "Error: nobody there"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "A cat."}]},
        {"role": "user", "content": [{"type": "input_text", "text": "Sure?"}]},
    ]


def test_options_and_parameters_have_other_names() -> None:
    request = built(
        tools=[*TOOLS, {"type": "web_search"}],
        tool_choice={"type": "function", "function": {"name": "look"}},
        response_format=JSON_SCHEMA,
        params={"max_tokens": 9, "reasoning_effort": "low", "verbosity": "high", "logprobs": True, "temperature": 1},
    )
    assert request["tools"][0] == {"type": "function", "name": "look", **TOOLS[0]["function"]}
    assert request["tools"][2] == {"type": "web_search"}
    assert request["tool_choice"] == {"type": "function", "name": "look"}
    form = {"type": "json_schema", "name": "thing", "schema": SCHEMA, "strict": True}
    assert request["text"] == {"verbosity": "high", "format": form}
    assert (request["max_output_tokens"], request["reasoning"], request["temperature"]) == (9, {"effort": "low"}, 1)
    assert request["include"] == ["message.output_text.logprobs"]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"params": {"stop": "x"}}, "stop"),
        ({"params": {"seed": 3}}, "seed"),
        ({"params": {"input": []}}, "input"),
        ({"params": {"n": 2}}, "n"),
        ({"messages": [{"role": "user", "content": "x", "name": "ann"}]}, "name"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input_audio"),
    ],
)
def test_what_cannot_be_sent_is_named(fields: dict[str, Any], names: str) -> None:
    with pytest.raises(BadRequest) as refused:
        built(**fields)
    assert names in refused.value.detail


def test_a_text() -> None:
    found = parse_response(answer("openai_responses_text"))
    assert (found.text, found.finish_reason) == ("Rain, 9 °C. 🌧", "stop")
    assert found.reasoning == "**Weather**\n\nLook it up."
    assert (found.tokens_input, found.tokens_output, found.tokens_cached, found.tokens_reasoning) == (36, 87, 8, 64)
    assert read(new_parser(), [body("openai_responses_text")])[0] == found


def test_tool_calls() -> None:
    found = parse_response(answer("openai_responses_tools"))
    assert found.finish_reason == "tool_calls"
    function = {"name": "get_weather", "arguments": '{"city":"Zürich"}'}
    assert found.tool_calls == [{"id": "call_r1", "type": "function", "function": function}]
    assert read(new_parser(), [body("openai_responses_tools")])[0].tool_calls == found.tool_calls


def test_how_answers_end() -> None:
    found = parse_response(answer("openai_responses_incomplete"))
    assert (found.text, found.finish_reason) == ("", "length")
    refused = parse_response(answer("openai_responses_refusal"))
    assert (refused.text, refused.finish_reason) == ("I can't help with that.", "content_filter")
    with pytest.raises(UpstreamFailed, match="The model failed to generate a response"):
        parse_response(answer("openai_responses_failed"))


def test_a_last_event_without_output_leaves_what_came_before() -> None:
    data = body("openai_responses_tools")
    start = data.rindex(b'"output":[')
    end = data.index(b',"parallel_tool_calls"', start)
    found = read(new_parser(), [data[:start] + b'"output":[]' + data[end:]])[0]
    assert found.tool_calls[0]["id"] == "call_r1"


@pytest.mark.parametrize("said", [b"", b"{}", b'{"output": 5}', b'{"output": [], "status": "completed"}', b"<html>"])
def test_what_is_no_answer_says_so(said: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        parse_response(said)
