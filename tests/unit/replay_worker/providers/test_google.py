from __future__ import annotations

import json
from typing import Any

import pytest

from beacon.errors import BadRequest, UpstreamFailed
from beacon.keys import Endpoint
from replay_worker.providers.google import build_request, models_request, new_parser, parse_models, parse_response
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

BASE = "https://generativelanguage.googleapis.com"
GOOGLE = Endpoint(provider="google", style="google", base_url=BASE, key=KEY)


def built(stream: bool = False, **fields: Any) -> Any:
    return sent(build_request(GOOGLE, call(**fields), stream))


def test_the_request_has_its_key_in_a_header_and_never_in_the_url() -> None:
    request = build_request(GOOGLE, call(model="gemini-2.5-flash"), stream=False)
    assert request.url == f"{BASE}/v1beta/models/gemini-2.5-flash:generateContent"
    assert request.headers["x-goog-api-key"] == KEY
    assert sent(request) == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
    streamed = build_request(GOOGLE, call(model="models/gemini-2.5-flash"), stream=True)
    assert streamed.url == f"{BASE}/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    assert models_request(GOOGLE).url == f"{BASE}/v1beta/models?pageSize=1000"


def test_a_models_name_stays_within_its_place_in_the_path() -> None:
    request = build_request(GOOGLE, call(model="../../x?key=1#"), stream=False)
    assert request.url == f"{BASE}/v1beta/models/..%2F..%2Fx%3Fkey%3D1%23:generateContent"


def test_a_conversation_becomes_contents() -> None:
    request = built(messages=TALK)
    assert request["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    failed = {"id": "c2", "name": "ask", "response": {"error": "nobody there"}}
    assert request["contents"] == [
        {
            "role": "user",
            "parts": [
                {"text": "What is this?"},
                {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
                {"fileData": {"fileUri": "https://example.org/a.jpg", "mimeType": "image/jpeg"}},
                {"inlineData": {"mimeType": "image/gif", "data": "R0lGODlh"}},
            ],
        },
        {
            "role": "model",
            "parts": [
                {"functionCall": {"id": "c1", "name": "look", "args": {"at": "corner"}}},
                {"functionCall": {"id": "c2", "name": "ask", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "c1", "name": "look", "response": {"seen": "a cat"}}},
                {"functionResponse": failed},
            ],
        },
        {"role": "model", "parts": [{"text": "A cat."}]},
        {"role": "user", "parts": [{"text": "Sure?"}]},
    ]


def test_gemini_3_gets_signatures_back() -> None:
    """A signature that came with a call goes back with it; a call that none came with says so, the first of a step."""
    signed = [dict(message) for message in TALK]
    calls = parse_response(answer("google_tools")).tool_calls
    assert calls[0]["extra_content"] == {"google": {"thought_signature": "Et8ECtwE"}}
    first, second = signed[2]["tool_calls"]
    first = {**first, "extra_content": calls[0]["extra_content"]}
    signed[2] = {**signed[2], "tool_calls": [first, second]}
    parts = built(messages=signed, model="gemini-3-pro-preview")["contents"][1]["parts"]
    assert parts[0]["thoughtSignature"] == "Et8ECtwE"
    assert "thoughtSignature" not in parts[1]
    parts = built(messages=TALK, model="gemini-3-pro-preview")["contents"][1]["parts"]
    assert parts[0]["thoughtSignature"] == "skip_thought_signature_validator"
    assert "thoughtSignature" not in json.dumps(built(messages=TALK, model="gemini-2.5-pro"))


def test_options_and_parameters_have_other_names() -> None:
    request = built(
        model="gemini-2.5-pro",
        tools=[*TOOLS, {"googleSearch": {}}],
        tool_choice={"type": "function", "function": {"name": "look"}},
        response_format=JSON_SCHEMA,
        params={"max_tokens": 9, "stop": "END", "top_p": 0.5, "seed": 3, "reasoning_effort": "low", "user": None,
                "safety_settings": [{"category": "C", "threshold": "BLOCK_NONE"}], "presence_penalty": 0.5},
    )  # fmt: skip
    look = {"name": "look", "description": "Looks.", "parametersJsonSchema": TOOLS[0]["function"]["parameters"]}
    assert request["tools"] == [{"functionDeclarations": [look, {"name": "ask"}]}, {"googleSearch": {}}]
    assert request["toolConfig"] == {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}}
    assert request["safetySettings"] == [{"category": "C", "threshold": "BLOCK_NONE"}]
    assert request["generationConfig"] == {
        "maxOutputTokens": 9,
        "stopSequences": ["END"],
        "topP": 0.5,
        "seed": 3,
        "presencePenalty": 0.5,
        "thinkingConfig": {"thinkingBudget": 1_024},
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    }
    levels = built(model="gemini-3-flash", params={"reasoning_effort": "high"})["generationConfig"]
    assert levels == {"thinkingConfig": {"thinkingLevel": "high"}}


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"params": {"logit_bias": {"5": 1}}}, "logit_bias"),
        ({"params": {"parallel_tool_calls": False}}, "parallel_tool_calls"),
        ({"params": {"reasoning_effort": "none"}, "model": "gemini-3-pro"}, "reasoning_effort"),
        ({"tools": [{"type": "web_search"}]}, "web_search"),
        ({"messages": [{"role": "tool", "tool_call_id": "nobody's", "content": "x"}]}, "nobody's"),
        ({"messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": "x"}]}]}, "thinking"),
    ],
)
def test_what_cannot_be_sent_is_named(fields: dict[str, Any], names: str) -> None:
    with pytest.raises(BadRequest) as refused:
        built(**fields)
    assert names in refused.value.detail


def test_a_text_and_its_tokens() -> None:
    """Thoughts are counted beside the candidates."""
    found = parse_response(answer("google_text"))
    assert (found.text, found.reasoning, found.finish_reason) == ("Rain, 9 °C. 🌧", "Look it up.", "stop")
    assert (found.tokens_input, found.tokens_output, found.tokens_cached, found.tokens_reasoning) == (29, 120, 20, 110)
    assert found.model == "gemini-3-pro-preview"
    assert read(new_parser(), [body("google_text")])[0] == found


def test_tool_calls() -> None:
    found = parse_response(answer("google_tools"))
    assert found.finish_reason == "tool_calls"
    assert [(one["id"], one["function"]["name"], one["function"]["arguments"]) for one in found.tool_calls] == [
        ("call_1", "get_weather", '{"city":"Zürich"}'),
        ("call_2", "get_time", "{}"),
    ]
    assert read(new_parser(), [body("google_tools")])[0] == found


def test_how_answers_end() -> None:
    limited = parse_response(answer("google_max_tokens"))
    assert (limited.text, limited.finish_reason, limited.tokens_output) == ("", "length", 2)
    with pytest.raises(UpstreamFailed, match="refused the prompt: PROHIBITED_CONTENT"):
        parse_response(answer("google_blocked"))
    with pytest.raises(UpstreamFailed, match="Malformed function call: print"):
        parse_response(answer("google_malformed"))


@pytest.mark.parametrize("said", [b"", b"{}", b'{"candidates": []}', b'{"candidates": [{}]}', b"[{}]", b"<html>"])
def test_what_is_no_answer_says_so(said: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        parse_response(said)


def test_models_that_generate_content() -> None:
    methods = {"supportedGenerationMethods": ["generateContent"]}
    listed = {"models": [{"name": "models/gemini-a", **methods}, {"name": "models/embedding-b"}]}
    assert parse_models(json.dumps(listed).encode()) == ["gemini-a"]
