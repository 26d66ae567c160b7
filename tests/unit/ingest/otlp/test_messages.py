"""Messages, answers and tools in anybody's shape come out in OpenAI's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.otlp.messages import answer_of, last_words, messages_of, tools_of, with_system

HI = [{"role": "user", "content": "hi"}]
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
CALLING = [{"role": "assistant", "content": None, "tool_calls": [CALL]}]
RESULT = [{"role": "tool", "tool_call_id": "c1", "content": "done"}]


@pytest.mark.parametrize(
    "shape",
    [
        "hi",
        '[{"role": "user", "content": "hi"}]',
        [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}],
        [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        [{"role": "user", "content": '[{"type": "text", "text": "hi"}]'}],
        [{"role": "user", "parts": [{"text": "hi"}]}],
        {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
        {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
        {"model": "m", "input": "hi"},
        [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        [{"type": "human", "content": "hi"}],
        [{"type": "human", "data": {"content": "hi"}}],
        [[{"lc": 1, "type": "constructor", "id": ["HumanMessage"], "kwargs": {"type": "human", "content": "hi"}}]],
        [{"message": {"role": "user", "content": "hi"}}],
        [{"event.name": "gen_ai.user.message", "content": "hi"}],
        ['{"role": "user", "content": "hi"}'],
        [{"type": "text", "text": "hi"}],
    ],
)
def test_a_users_message(shape: Any) -> None:
    assert messages_of(shape) == HI


@pytest.mark.parametrize(
    "shape",
    [
        [{"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "f", "arguments": {"x": 1}}]}],
        [{"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "f", "arguments": '{"x":1}'}]}],
        [{"role": "assistant", "content": None, "tool_calls": [CALL]}],
        [{"role": "assistant", "tool_calls": [{"id": "c1", "name": "f", "arguments": '{"x":1}'}]}],
        [{"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {"x": 1}}]}],
        [{"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "f", "args": {"x": 1}}}]}],
        [
            {
                "role": "assistant",
                "content": [{"type": "tool-call", "toolCallId": "c1", "toolName": "f", "args": {"x": 1}}],
            }
        ],
        [
            {
                "role": "assistant",
                "content": [{"type": "tool-call", "toolCallId": "c1", "toolName": "f", "input": {"x": 1}}],
            }
        ],
        [{"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"x":1}'}],
        [{"type": "ai", "content": "", "tool_calls": [{"id": "c1", "name": "f", "args": {"x": 1}}]}],
    ],
)
def test_a_call(shape: Any) -> None:
    (message,) = messages_of(shape)
    assert {**message, "content": message["content"] or None} == CALLING[0]


@pytest.mark.parametrize(
    "shape",
    [
        [{"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "done"}]}],
        [{"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "result": "done"}]}],
        [{"role": "user", "parts": [{"type": "tool_call_response", "id": "c1", "response": "done"}]}],
        [{"role": "tool", "tool_call_id": "c1", "content": "done"}],
        [{"role": "tool", "id": "c1", "content": "done"}],
        [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "done"}]}],
        [{"role": "tool", "content": [{"type": "tool-result", "toolCallId": "c1", "result": "done"}]}],
        [{"role": "tool", "content": [
            {"type": "tool-result", "toolCallId": "c1", "output": {"type": "text", "value": "done"}}]}],
        [{"type": "function_call_output", "call_id": "c1", "output": "done"}],
    ],
)  # fmt: skip
def test_a_result(shape: Any) -> None:
    (message,) = messages_of(shape)
    assert {key: message[key] for key in ("role", "tool_call_id", "content")} == RESULT[0]


IMAGE = "data:image/png;base64,aGk="


@pytest.mark.parametrize(
    ("part", "url"),
    [
        ({"type": "blob", "modality": "image", "mime_type": "image/png", "content": "aGk="}, IMAGE),
        ({"type": "blob", "mime_type": "image/png", "data": "aGk="}, IMAGE),
        ({"type": "blob", "modality": "image", "mime_type": "image/png", "content": b"hi"}, IMAGE),
        ({"type": "uri", "modality": "image", "uri": "https://e.com/a"}, "https://e.com/a"),
        ({"type": "image_url", "image_url": {"url": "https://e.com/a"}}, "https://e.com/a"),
        ({"type": "input_image", "image_url": "https://e.com/a"}, "https://e.com/a"),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}, IMAGE),
        ({"type": "image", "source": {"type": "url", "url": "https://e.com/a"}}, "https://e.com/a"),
        ({"inlineData": {"mimeType": "image/png", "data": "aGk="}}, IMAGE),
        ({"fileData": {"mimeType": "image/png", "fileUri": "gs://a/b"}}, "gs://a/b"),
        ({"type": "image", "image": "aGk=", "mediaType": "image/png"}, IMAGE),
        ({"type": "file", "data": "aGk=", "mediaType": "image/png"}, IMAGE),
        ({"type": "image-url", "url": "https://e.com/a"}, "https://e.com/a"),
        ({"type": "binary", "media_type": "image/png", "content": "aGk="}, IMAGE),
    ],
)
def test_an_image(part: dict[str, Any], url: str) -> None:
    (message,) = messages_of([{"role": "user", "content": [part]}])
    assert message["content"] == [{"type": "image_url", "image_url": {"url": url}}]


def test_sound_and_files() -> None:
    parts = [
        {"type": "blob", "modality": "audio", "mime_type": "audio/wav", "content": "aGk="},
        {"type": "file", "file_id": "f1"},
    ]
    (message,) = messages_of([{"role": "user", "parts": parts}])
    assert message["content"] == [
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f1"}},
    ]


def test_one_malformed_part_costs_only_itself() -> None:
    parts = [{"type": "text", "content": "a"}, None, 7, {"type": "server_tool_call", "x": 1}, {"type": "text"}, "b"]
    found = messages_of([{"role": "user", "parts": parts}, 5, None, {"role": "user", "parts": "c"}])
    assert found[0]["content"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert {"type": "server_tool_call", "x": 1} in found[0]["_parts"]
    assert [message["content"] for message in found[1:]] == ["5", "c"]


def test_roles() -> None:
    said = [{"role": role, "content": "x"} for role in ("developer", "model", "human", "critic")]
    assert [message["role"] for message in messages_of(said)] == ["system", "assistant", "user", "user"]
    assert messages_of(said)[3]["_role"] == "critic"


def test_thoughts_stay_apart_and_signed_ones_stay_whole() -> None:
    (plain,) = messages_of(
        [{"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "x"}]}]
    )
    assert plain == {"role": "assistant", "content": "x", "reasoning_content": "hm"}
    signed = {"type": "thinking", "thinking": "hm", "signature": "s"}
    (kept,) = messages_of([{"role": "assistant", "content": [signed, {"type": "text", "text": "x"}]}])
    assert kept["content"] == [signed, {"type": "text", "text": "x"}]
    assert kept["reasoning_content"] == "hm"


def test_calls_and_results_without_ids_find_each_other_by_name() -> None:
    found = messages_of(
        [
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}, {"functionCall": {"name": "g"}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "g", "response": {"r": 1}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"r": 2}}}]},
        ]
    )
    ids = {call["function"]["name"]: call["id"] for call in found[0]["tool_calls"]}
    assert [message["tool_call_id"] for message in found[1:]] == [ids["g"], ids["f"]]


def test_calls_listed_one_by_one_are_one_turn() -> None:
    items = [
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "g", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "function_call_output", "call_id": "b", "output": "2"},
    ]
    found = messages_of(items)
    assert [message["role"] for message in found] == ["assistant", "tool", "tool"]
    assert [call["id"] for call in found[0]["tool_calls"]] == ["a", "b"]


def test_google_signatures_stay_with_their_call() -> None:
    part = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "sig"}
    (message,) = messages_of([{"role": "model", "parts": [part]}])
    assert message["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "sig"}}


@pytest.mark.parametrize(
    "system", ["Be terse.", [{"type": "text", "content": "Be terse."}], '[{"type":"text","content":"Be terse."}]']
)
def test_a_system_prompt_beside_the_messages(system: Any) -> None:
    assert with_system(system, list(HI)) == [{"role": "system", "content": "Be terse."}, *HI]


def test_last_words() -> None:
    said = messages_of(
        [{"role": "user", "content": "a"}, {"role": "user", "parts": [{"type": "text", "content": "b"}]}]
    )
    assert last_words(said) == "b"
    assert last_words([]) is None


@pytest.mark.parametrize(
    "shape",
    [
        [{"role": "assistant", "finish_reason": "stop", "parts": [{"type": "text", "content": "yes"}]}],
        [{"role": "assistant", "finish_reason": "stop", "parts": [{"type": "text", "content": "yes"}]},
         {"role": "assistant", "finish_reason": "length", "parts": [{"type": "text", "content": "no"}]}],
        {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}]},
        {"role": "assistant", "content": [{"type": "text", "text": "yes"}], "stop_reason": "end_turn"},
        {"candidates": [{"finishReason": "STOP", "content": {"role": "model", "parts": [{"text": "yes"}]}}]},
        json.dumps({"choices": [{"finish_reason": "stop", "message": {"content": "yes"}}]}),
        [{"message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
    ],
)  # fmt: skip
def test_an_answer(shape: Any) -> None:
    found = answer_of(shape)
    assert (found.completion, found.finish_reason, found.tool_calls) == ("yes", "stop", None)


def test_an_answer_of_items() -> None:
    found = answer_of(
        {
            "status": "completed",
            "output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "yes"}]},
                {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"x":1}'},
            ],
        }
    )
    assert (found.completion, found.reasoning, found.tool_calls) == ("yes", "hm", [CALL])


@pytest.mark.parametrize(
    "junk", [None, "", 0, [], {}, [[]], [None], "[", {"choices": []}, {"choices": 3}, [{"parts": 3}]]
)
def test_junk_is_no_answer_that_breaks(junk: Any) -> None:
    answer_of(junk)
    messages_of(junk)
    tools_of(junk)


def test_tools_of_google_and_of_the_vercel_ai_sdk() -> None:
    want = [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}]
    google = [{"functionDeclarations": [{"name": "f", "description": "d", "parameters": {"type": "object"}}]}]
    vercel = ['{"type": "function", "name": "f", "description": "d", "inputSchema": {"type": "object"}}']
    assert tools_of(google) == want
    assert tools_of(vercel) == want
    assert tools_of([{"type": "web_search"}, 5]) == [{"type": "web_search"}]


SAID = st.none() | st.just("") | st.text(max_size=5)
PARTS = st.lists(
    st.fixed_dictionaries({"type": st.sampled_from(("text", "reasoning", "odd")), "content": SAID | st.integers()}),
    max_size=2,
)
ROLES = st.sampled_from(("user", "system", "assistant", "developer", "model", "tool", "User", "nobody", 3, None))


@given(st.fixed_dictionaries({"role": ROLES, "parts": PARTS | SAID}, optional={"name": SAID, "finish_reason": SAID}))
def test_a_message_in_short_is_the_message(message: dict[str, Any]) -> None:
    """With a field that nobody knows, a message is read the long way."""
    assert messages_of([message]) == messages_of([{**message, "beside": None}])


def test_what_was_thought_between_the_calls_of_a_turn_is_kept_in_order() -> None:
    def thought(said: str) -> dict[str, Any]:
        return {"type": "reasoning", "summary": [{"type": "summary_text", "text": said}]}

    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    (message,) = messages_of([thought("one"), call, thought("two"), call, call, thought("three")])
    assert message["reasoning_content"] == "one\ntwo\nthree"
    assert len(message["tool_calls"]) == 3
    assert not [key for key in message if key.startswith("_thoughts")]
