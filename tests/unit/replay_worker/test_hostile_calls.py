"""Whatever a span says was asked, a call is made of it or it is refused in a sentence: never a bug, never a hang."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beacon.errors import BadRequest
from beacon.keys import Endpoint
from beacon.pricing import tokens_of
from replay_worker.answers import limit_of
from replay_worker.messages import openai_messages
from replay_worker.providers import anthropic, google, openai_chat, openai_responses
from replay_worker.recorded import model_call

APIS = {"openai": openai_chat, "responses": openai_responses, "anthropic": anthropic, "google": google}


def endpoint(provider: str, base_url: str) -> Endpoint:
    return Endpoint(provider=provider, style=cast("Any", provider), base_url=base_url, key="k" * 20)


ENDPOINTS = {
    "openai": endpoint("openai", "https://api.openai.com/v1"),
    "responses": endpoint("openai", "https://api.openai.com/v1"),
    "anthropic": endpoint("anthropic", "https://api.anthropic.com"),
    "google": endpoint("google", "https://generativelanguage.googleapis.com"),
}

WORDS = [
    "role", "content", "parts", "type", "text", "tool_calls", "function", "arguments", "name", "id", "image_url", "url",
    "source", "input_audio", "format", "data", "functionCallingConfig", "allowedFunctionNames", "mode", "custom",
    "input", "json_schema", "schema", "parameters", "functionDeclarations", "tool_call_id", "call_id", "output",
]  # fmt: skip
SAID = [
    "user", "assistant", "tool", "system", "function", "custom", "text", "image_url", "input_audio", "tool_use",
    "tool_result", "function_call", "function_call_output", "custom_tool_call", "object", "OBJECT", "auto", "required",
    "json_schema", "text/x.enum", "", "[" * 300, '[{"role":', "content='x' role='user'", "A(x=[1,1])", "1e30", "NaN",
]  # fmt: skip
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(SAID),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=8,
)
NAMES = [
    "llm.prompt", "llm.tools", "llm.tool_choice", "llm.response_format", "llm.invocation_parameters", "llm.max_tokens",
    "llm.reasoning_effort", "llm.modalities", "llm.stop", "llm.reasoning", "llm.thinking", "llm.metadata",
    "llm.parallel_tool_calls", "llm.logprobs", "llm.verbosity", "llm.user", "llm.system", "llm.safety_settings",
]  # fmt: skip
attributes = st.dictionaries(st.sampled_from(NAMES), junk | junk.map(json.dumps), max_size=5)
a_message = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "tool"])}, optional={"content": junk})
prompts = st.lists(a_message | junk, min_size=1, max_size=3)


@settings(max_examples=400, deadline=None)
@given(attributes, prompts, st.sampled_from(sorted(APIS)))
def test_a_call_is_made_or_refused(asked: dict[str, Any], prompt: list[Any], name: str) -> None:
    with suppress(BadRequest):
        call = model_call({"llm.prompt": prompt, **asked, "llm.model": "gemini-3-pro"})
        tokens_of([call.messages, call.tools, call.response_format])
        limit_of(ENDPOINTS[name], call)
        json.loads(APIS[name].build_request(ENDPOINTS[name], call, True).body)


@pytest.mark.parametrize("name", ["llm.prompt", "llm.tools", "llm.invocation_parameters", "llm.tool_choice"])
@pytest.mark.parametrize("value", ["[" * 100_000, "[" * 500 + "]" * 500, '{"a":' * 400 + "1" + "}" * 400])
def test_what_nests_too_deeply_is_refused_or_a_text(name: str, value: str) -> None:
    asked = {"llm.prompt": "hi", "llm.model": "gpt-4o", name: value}
    for api, module in APIS.items():
        with suppress(BadRequest):
            module.build_request(ENDPOINTS[api], model_call(asked), False)


def test_texts_that_look_printed_are_read_in_time_that_follows_their_length() -> None:
    """A megabyte of `1,` took the parser 5 s, in which no other call of the worker went on."""
    texts = [
        "A(x=[" + "1," * 490_000 + "])",
        "role='user' x=" + "\\'" * 450_000,
        "role=" + "'\\" * 450_000,
        "a=1 " * 9_000,
    ]
    began = time.process_time()
    for text in texts:
        openai_messages([text])
    assert time.process_time() - began < 5  # a bound far above what it takes, far below what it took


def test_items_of_the_responses_api_are_messages() -> None:
    recorded = [
        {"role": "user", "content": "Sum up."},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": '{"a":1}'},
        {"type": "custom_tool_call", "call_id": "c2", "name": "run", "input": "print(1)"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "ok"},
        {"role": "assistant", "content": "Done."},
    ]
    messages = openai_messages(recorded)
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "assistant"]
    assert messages[1]["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}},
        {"id": "c2", "type": "custom", "custom": {"name": "run", "input": "print(1)"}},
    ]
    call = model_call({"llm.prompt": recorded, "llm.model": "gpt-5", "llm.api": "responses"})
    body = json.loads(openai_responses.build_request(ENDPOINTS["responses"], call, False).body)
    sent = [item.get("type", item.get("role")) for item in body["input"]]
    assert sent == ["user", "function_call", "custom_tool_call", "function_call_output", "custom_tool_call_output",
                    "assistant"]  # fmt: skip


def test_a_text_that_only_looks_printed_is_what_was_said() -> None:
    said = "content='ignore all' x=1"
    assert openai_messages([said]) == [{"role": "user", "content": said}]
