from __future__ import annotations

import json
from typing import Any

import pytest

from beacon.errors import BadRequest, UpstreamFailed
from beacon.keys import Endpoint
from replay_worker.providers.calls import ModelCall
from replay_worker.providers.openai_chat import build_request, new_parser, parse_models, parse_response
from tests.unit.replay_worker.providers.reading import JSON_SCHEMA, KEY, TALK, TOOLS, answer, body, call, read, sent

OPENAI = Endpoint(provider="openai", style="openai", base_url="https://api.openai.com/v1", key=KEY)
OLLAMA = Endpoint(provider="ollama", style="openai", base_url="http://127.0.0.1:11434/v1", needs_key=False)


def built(endpoint: Endpoint = OPENAI, stream: bool = False, **fields: Any) -> Any:
    return sent(build_request(endpoint, call(**fields), stream))


# ---------------------------------------------------------------- request


def test_the_request() -> None:
    request = build_request(OPENAI, call(), stream=False)
    assert (request.method, request.url) == ("POST", "https://api.openai.com/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert sent(request) == {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    assert KEY not in repr(request)


def test_a_server_without_a_key_gets_no_header_for_one() -> None:
    request = build_request(OLLAMA, call(), stream=False)
    assert request.url == "http://127.0.0.1:11434/v1/chat/completions"
    assert "authorization" not in request.headers


def test_a_streamed_call_asks_for_its_tokens_too() -> None:
    assert built(stream=True)["stream"] is True
    assert built(stream=True)["stream_options"] == {"include_usage": True}


def test_a_conversation_goes_as_it_was_recorded() -> None:
    messages = built(messages=TALK, tools=TOOLS, tool_choice="auto")["messages"]
    assert messages[0] == TALK[0]
    assert messages[1]["content"][:3] == TALK[1]["content"][:3]
    assert messages[1]["content"][3] == {"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlh"}}
    assert messages[2:4] == TALK[2:4]
    assert messages[4] == {"role": "tool", "tool_call_id": "c2", "content": "Error: nobody there"}


def test_googles_signature_of_a_call_goes_to_compatible_servers_alone() -> None:
    signed = {**TALK[2]["tool_calls"][0], "extra_content": {"google": {"thought_signature": "s"}}}
    messages = [{"role": "assistant", "content": None, "tool_calls": [signed]}]
    assert built(OLLAMA, messages=messages)["messages"] == messages
    assert built(OPENAI, messages=messages)["messages"][0]["tool_calls"] == TALK[2]["tool_calls"][:1]


def test_an_image_in_bare_base64_is_given_its_type() -> None:
    part = {"type": "image_url", "image_url": {"url": "/9j/4AAQ", "detail": "high"}}
    messages = built(messages=[{"role": "user", "content": [part]}])["messages"]
    assert messages[0]["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/4AAQ", "detail": "high"}}
    ]


def test_the_limit_on_tokens_has_the_name_the_server_knows() -> None:
    assert "max_tokens" not in built(params={"max_tokens": 5})
    assert built(params={"max_tokens": 5})["max_completion_tokens"] == 5
    assert built(OLLAMA, params={"max_tokens": 5})["max_tokens"] == 5
    assert built(OLLAMA, params={"max_completion_tokens": 5})["max_completion_tokens"] == 5


def test_parameters_and_options_go_as_they_are() -> None:
    params = {"temperature": 0, "top_p": 0.5, "stop": ["x"], "seed": 7, "min_p": 0.1, "user": None}
    request = built(OLLAMA, params=params, tools=TOOLS, tool_choice="required", response_format=JSON_SCHEMA)
    assert {key: request[key] for key in params if key != "user"} == {k: v for k, v in params.items() if k != "user"}
    assert "user" not in request
    assert (request["tools"], request["tool_choice"], request["response_format"]) == (TOOLS, "required", JSON_SCHEMA)


def test_other_shapes_of_options_become_those_of_chat() -> None:
    flat = {"type": "json_schema", "name": "thing", "schema": JSON_SCHEMA["json_schema"]["schema"], "strict": True}  # type: ignore[index]
    request = built(tool_choice={"type": "function", "name": "look"}, response_format=flat)
    assert request["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert request["response_format"] == JSON_SCHEMA
    assert built(response_format="json_object")["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"params": {"messages": []}}, "messages"),
        ({"params": {"stream": True}}, "stream"),
        ({"params": {"n": 2}}, "n"),
        ({"params": {"max_tokens": 1, "max_completion_tokens": 2}}, "max_completion_tokens"),
        ({"messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": "x"}]}]}, "thinking"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages[0]",
        ),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0]"),
    ],
)
def test_what_cannot_be_sent_is_named(fields: dict[str, Any], names: str) -> None:
    with pytest.raises(BadRequest) as refused:
        built(**fields)
    assert names in refused.value.detail


# ---------------------------------------------------------------- answer


def test_a_text() -> None:
    found = parse_response(answer("openai_chat_text"))
    assert (found.text, found.finish_reason, found.model) == (
        "Zürich has 9 °C and rain. 🌧",
        "stop",
        "gpt-4o-2024-08-06",
    )
    assert (found.tokens_input, found.tokens_output, found.tokens_cached, found.tokens_reasoning) == (82, 17, 64, 0)


def test_streamed_is_the_same_as_whole() -> None:
    for name in ("openai_chat_text", "openai_chat_tools"):
        assert read(new_parser(), [body(name)])[0] == parse_response(answer(name))


def test_tool_calls() -> None:
    found = parse_response(answer("openai_chat_tools"))
    assert (found.text, found.finish_reason) == ("", "tool_calls")
    assert found.tool_calls == [
        {"id": "call_a1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Zürich"}'}},
        {"id": "call_a2", "type": "function", "function": {"name": "get_time", "arguments": "{}"}},
    ]


def test_a_refusal_is_text_that_was_filtered() -> None:
    found = parse_response(answer("openai_chat_refusal"))
    assert (found.text, found.finish_reason) == ("I can't help with that.", "content_filter")


def test_an_answer_that_was_all_thought_is_one() -> None:
    found = parse_response(answer("openai_chat_length"))
    assert (found.text, found.finish_reason, found.tokens_output, found.tokens_reasoning) == ("", "length", 300, 300)


def test_reasoning_in_the_words_of_others() -> None:
    deepseek = parse_response(answer("deepseek_chat_reasoning"))
    assert (deepseek.reasoning, deepseek.text) == ("Compare 9.80 with 9.11.", "9.8 is larger.")
    assert (deepseek.tokens_cached, deepseek.tokens_reasoning) == (16, 44)
    mistral = parse_response(answer("mistral_chat_thinking"))
    assert (mistral.reasoning, mistral.text) == ("Two and two.", "Four.")
    ollama, said = read(new_parser(), [body("ollama_chat_reasoning")])
    assert (ollama.reasoning, ollama.text, said, ollama.tokens_output) == ("The user greets.", "Hello!", "Hello!", 6)
    assert ollama.tokens_cached is None


def test_reasoning_that_is_counted_beside_the_answer_is_added() -> None:
    found = parse_response(answer("xai_chat_usage"))
    assert (found.tokens_input, found.tokens_output, found.tokens_reasoning) == (32, 103, 94)


def test_calls_without_index_or_id_are_kept_apart() -> None:
    def chunk(*calls: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": {"tool_calls": list(calls)}, "finish_reason": finish}
        return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"

    pieces = [
        chunk({"id": "a", "function": {"name": "f", "arguments": '{"x"'}}),
        chunk({"function": {"arguments": ": 1}"}}),
        chunk({"id": "b", "function": {"name": "g", "arguments": {"y": 2}}}, finish="tool_calls"),
    ]
    calls = read(new_parser(), pieces)[0].tool_calls
    assert [(one["id"], one["function"]["arguments"]) for one in calls] == [("a", '{"x": 1}'), ("b", '{"y":2}')]


def test_a_stream_without_done_ends_with_its_finish_reason() -> None:
    data = body("openai_chat_text").replace(b"data: [DONE]\n\n", b"")
    assert read(new_parser(), [data])[0].text == "Zürich has 9 °C and rain. 🌧"


def test_half_of_a_surrogate_pair_is_no_end() -> None:
    data = b'data: {"choices":[{"delta":{"content":"a\\ud83c"},"finish_reason":"stop"}]}\n\n'
    assert read(new_parser(), [data])[0].text == "a\ufffd"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "not JSON: it is empty"),
        (b"<html>Bad Gateway</html>", "not JSON"),
        (b"[]", "no object"),
        (b"{}", "no choices"),
        (b'{"choices": []}', "no choices"),
        (b'{"choices": [null]}', "no choices"),
        (b'{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}', "neither text nor a tool call"),
        (b'{"choices": [{"message": null}]}', "neither text nor a tool call"),
        (b'{"choices": [{"message": {"content": 5}}]}', "neither text nor a tool call"),
        (b'{"error": {"message": "No credit left."}}', "it failed: No credit left."),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_answer_says_so(said: bytes, why: str) -> None:
    with pytest.raises(UpstreamFailed) as failed:
        parse_response(said)
    assert why in failed.value.detail


# ---------------------------------------------------------------- models


def test_models() -> None:
    assert parse_models(b'{"object": "list", "data": [{"id": "a"}, {"id": ""}, {"id": "b"}]}') == ["a", "b"]
    assert parse_models(b'[{"id": "a"}]') == ["a"]
    assert parse_models(b'{"object": "list", "data": null}') == []
    with pytest.raises(UpstreamFailed):
        parse_models(b"{}")


def test_nothing_of_a_call_is_shared_with_its_request() -> None:
    asked = ModelCall(model="m", messages=[{"role": "tool", "tool_call_id": "c", "content": "no", "is_error": True}])
    build_request(OPENAI, asked, False)
    assert asked.messages[0]["is_error"] is True
