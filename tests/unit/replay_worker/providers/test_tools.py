"""Tools that are more than functions: OpenAI's that take any text, Google's choice of several and its own schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest

from beacon.errors import BadRequest
from beacon.keys import Endpoint
from replay_worker.providers import anthropic, google, openai_chat, openai_responses
from replay_worker.providers.calls import ModelCall
from replay_worker.providers.sse import Event
from replay_worker.recorded import model_call

AT = {
    style: Endpoint(provider=style, style=style, base_url="https://api.example/v1", key="k" * 20)
    for style in ("openai", "anthropic", "google")
}

RAN = {"id": "call_1", "type": "custom", "custom": {"name": "run", "input": "print(1)"}}
"""As OpenAI's chat API answers: https://platform.openai.com/docs/api-reference/chat/object."""


def sent(module: Any, style: str, call: ModelCall) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(module.build_request(AT[style], call, False).body)
    return body


def recorded(**attributes: Any) -> ModelCall:
    given = {f"llm.{name}": value for name, value in attributes.items()}
    return model_call({"llm.model": "m", "llm.prompt": "hi", **given})


def test_a_call_of_a_custom_tool_is_kept_whole_or_streamed() -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [RAN]}
    answer = openai_chat.parse_response(
        json.dumps({"choices": [{"message": message, "finish_reason": "tool_calls"}]}).encode()
    )
    stream = openai_chat.new_parser()
    for piece in (
        {"id": "call_1", "type": "custom", "custom": {"name": "run", "input": ""}},
        {"custom": {"input": "print("}},
        {"custom": {"input": "1)"}},
    ):
        stream.feed(Event("", json.dumps({"choices": [{"delta": {"tool_calls": [{"index": 0, **piece}]}}]})))
    stream.feed(Event("", json.dumps({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})))
    assert answer.tool_calls == stream.result().tool_calls == [RAN]


def test_a_call_of_a_custom_tool_is_kept_of_the_responses_api() -> None:
    """https://platform.openai.com/docs/guides/function-calling#custom-tools"""
    item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "run", "input": "print(1)"}
    answer = openai_responses.parse_response(json.dumps({"status": "completed", "output": [item]}).encode())
    assert answer.tool_calls == [RAN]
    assert answer.finish_reason == "tool_calls"


@pytest.mark.parametrize("flat", [True, False])
def test_a_custom_tool_goes_to_both_apis_in_their_own_shape_and_to_nobody_else(flat: bool) -> None:
    grammar = {"type": "grammar", "syntax": "regex", "definition": ".*"}
    tool = {"name": "run", "description": "Runs it.", "format": grammar}
    call = recorded(tools=[{"type": "custom", **tool} if flat else {"type": "custom", "custom": tool}])
    assert sent(openai_chat, "openai", call)["tools"] == [{"type": "custom", "custom": tool}]
    assert sent(openai_responses, "openai", call)["tools"] == [{"type": "custom", **tool}]
    for module, style in ((anthropic, "anthropic"), (google, "google")):
        with pytest.raises(BadRequest, match="choose another model"):
            module.build_request(AT[style], call, False)


def test_a_custom_tool_of_anthropics_has_a_schema_and_is_a_function() -> None:
    tool = {"type": "custom", "name": "add", "input_schema": {"type": "object"}}
    (found,) = sent(anthropic, "anthropic", recorded(tools=[tool]))["tools"]
    assert found == {"name": "add", "input_schema": {"type": "object"}}


def test_googles_choice_of_several_functions_is_kept() -> None:
    config = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["a", "b"]}}
    call = recorded(prompt={"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "toolConfig": config})
    assert sent(google, "google", call)["toolConfig"] == config
    tools = [{"type": "function", "function": {"name": name}} for name in "ab"]
    allowed = {"mode": "required", "tools": tools}
    assert sent(openai_chat, "openai", call)["tool_choice"] == {"type": "allowed_tools", "allowed_tools": allowed}
    flat = [{"type": "function", "name": name} for name in "ab"]
    assert sent(openai_responses, "openai", call)["tool_choice"] == {
        "type": "allowed_tools", "mode": "required", "tools": flat,
    }  # fmt: skip
    with pytest.raises(BadRequest, match="tool_choice"):
        anthropic.build_request(AT["anthropic"], call, False)


GOOGLES = {
    "type": "OBJECT",
    "properties": {"tags": {"type": "ARRAY", "items": {"type": "STRING", "nullable": True}}},
    "propertyOrdering": ["tags"],
}
PLAIN = {"type": "object", "properties": {"tags": {"type": "array", "items": {"type": ["string", "null"]}}}}


def test_a_schema_in_googles_words_goes_back_as_it_was_and_to_others_as_json_schema() -> None:
    declared = [{"functionDeclarations": [{"name": "tag", "parameters": GOOGLES}]}]
    config = {"responseMimeType": "application/json", "responseSchema": GOOGLES}
    prompt = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "tools": declared, "generationConfig": config}
    call = recorded(prompt=prompt)
    body = sent(google, "google", call)
    assert body["tools"] == declared
    assert body["generationConfig"] == config
    body = sent(openai_chat, "openai", call)
    assert body["tools"][0]["function"]["parameters"] == PLAIN
    assert body["response_format"]["json_schema"]["schema"] == PLAIN
    assert sent(openai_responses, "openai", call)["tools"][0]["parameters"] == PLAIN
    assert sent(anthropic, "anthropic", call)["tools"][0]["input_schema"] == PLAIN


def test_googles_answer_of_one_word_is_asked_for_again() -> None:
    config = {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["yes", "no"]}}
    call = recorded(prompt={"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "generationConfig": config})
    assert sent(google, "google", call)["generationConfig"] == config
    with pytest.raises(BadRequest, match="response_format"):
        openai_chat.build_request(AT["openai"], call, False)


def test_removed_tools_take_what_belongs_to_them_along() -> None:
    call = recorded(tools=None, tool_choice="required", parallel_tool_calls=False)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & sent(openai_chat, "openai", call).keys()


def test_what_nests_too_deeply_in_an_answer_is_left_out_and_the_answer_kept() -> None:
    deep: Any = {}
    for _ in range(500):
        deep = {"a": deep}
    called = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": deep}
    message = {"content": "kept", "tool_calls": [called]}
    answer = openai_chat.parse_response(
        json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()
    )
    assert answer.text == "kept"
    assert len(json.dumps(answer.tool_calls)) < 1_500
