"""Recorded attributes become the call that was made; what cannot be called again is refused with the place."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from beacon.catalog import Style
from beacon.errors import BadRequest
from beacon.keys import Endpoint
from replay_worker.messages import without_signatures
from replay_worker.providers.client import api_of
from replay_worker.recorded import model_call

USER = {"role": "user", "content": "Weather in Paris?"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
ASSISTANT = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "18C"}
TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "weather", "parameters": {"type": "object", "properties": {}}},
}


def attributes(prompt: Any, **more: Any) -> dict[str, Any]:
    text = prompt if isinstance(prompt, str) else json.dumps(prompt)
    return {"llm.provider": "openai", "llm.model": "gpt-4o-mini", "llm.prompt": text} | {
        f"llm.{name}": value for name, value in more.items()
    }


# ---------------------------------------------------------------- what beacon-sdk records


def test_openai_as_the_sdk_records_it() -> None:
    call = model_call(
        attributes(
            [{"role": "system", "content": "You are terse."}, USER, ASSISTANT, RESULT], temperature=0.2, max_tokens=50
        )
    )
    assert call.model == "gpt-4o-mini"
    assert call.messages == [{"role": "system", "content": "You are terse."}, USER, ASSISTANT, RESULT]
    assert call.params == {"temperature": 0.2, "max_tokens": 50}
    assert call.tools is None
    assert call.api == "chat"


def test_anthropic_as_the_sdk_records_it() -> None:
    call = model_call(
        attributes(
            [
                {"role": "system", "content": "You are terse."},
                USER,
                {
                    "role": "assistant",
                    "content": [
                        {"type": "text", "text": "I look."},
                        {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "toolu_1",
                            "content": [{"type": "text", "text": "18C"}],
                            "is_error": False,
                        },
                        {"type": "text", "text": "And tomorrow?"},
                    ],
                },
            ]
        )
    )
    assert call.messages == [
        {"role": "system", "content": "You are terse."},
        USER,
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [
                {
                    "id": "toolu_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "toolu_1", "content": "18C"},
        {"role": "user", "content": "And tomorrow?"},
    ]


def test_anthropic_blocks_printed_by_the_sdk_are_read_back() -> None:
    """`messages.append({"role": "assistant", "content": response.content})`, through json.dumps(default=str)."""
    call = model_call(
        attributes(
            [
                USER,
                {
                    "role": "assistant",
                    "content": [
                        "TextBlock(citations=None, text=\"I'll look.\", type='text')",
                        "ToolUseBlock(id='toolu_1', input={'city': 'Paris', 'days': [1, 2]}, name='get_weather', "
                        "type='tool_use')",
                    ],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "18C"}]},
            ]
        )
    )
    assistant = call.messages[1]
    assert assistant["content"] == "I'll look."
    assert json.loads(assistant["tool_calls"][0]["function"]["arguments"]) == {"city": "Paris", "days": [1, 2]}
    assert call.messages[2] == {"role": "tool", "tool_call_id": "toolu_1", "content": "18C"}


def test_openai_messages_printed_by_the_sdk_are_read_back() -> None:
    printed = (
        "ChatCompletionMessage(content=None, refusal=None, role='assistant', annotations=[], audio=None, "
        "function_call=None, tool_calls=[ChatCompletionMessageFunctionToolCall(id='call_1', "
        "function=Function(arguments='{\"city\":\"Paris\"}', name='get_weather'), type='function')])"
    )
    call = model_call(attributes([USER, printed, RESULT]))
    assert call.messages == [USER, ASSISTANT, RESULT]


def test_google_as_the_sdk_records_it() -> None:
    """Plain texts, dictionaries, and Content objects as pydantic prints them."""
    call = model_call(
        attributes(
            [
                {"role": "system", "content": "You are terse."},
                "Weather in Paris?",
                "parts=[Part(function_call=FunctionCall(args={'city': 'Paris'}, name='get_weather'))] role='model'",
                {"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "response": {"t": 18}}}]},
                {"role": "user", "parts": [{"text": "And "}, {"text": "tomorrow?"}]},
            ]
        )
    )
    assert call.messages == [
        {"role": "system", "content": "You are terse."},
        USER,
        ASSISTANT | {"content": None},
        {"role": "tool", "tool_call_id": "call_1", "content": '{"t":18}'},
        {"role": "user", "content": [{"type": "text", "text": "And "}, {"type": "text", "text": "tomorrow?"}]},
    ]


SIGNED: list[Any] = [
    {"role": "user", "parts": [{"text": "Weather in Paris?"}]},
    {
        "role": "model",
        "parts": [
            {"text": "The user wants …", "thought": True},
            {"functionCall": {"name": "get_weather", "args": {"city": "Paris"}}, "thoughtSignature": "c2ln"},
        ],
    },
    {"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "response": {"t": 18}}}]},
    {"role": "model", "parts": [{"text": "18C."}, {"text": "", "thought_signature": "bGFzdA=="}]},
    {"role": "user", "parts": [{"text": "And tomorrow?"}]},
]


def test_googles_signatures_go_back_as_they_were_recorded() -> None:
    call = model_call(attributes({"contents": SIGNED}, model="gemini-3-pro-preview"))
    google = Endpoint(provider="google", style="google", base_url="https://g.example")
    sent = json.loads(api_of(google).build_request(google, call, stream=False).body)["contents"]
    assert sent[1]["parts"] == [
        {"text": "The user wants …", "thought": True},
        {
            "functionCall": {"id": "call_1", "name": "get_weather", "args": {"city": "Paris"}},
            "thoughtSignature": "c2ln",
        },
    ]
    assert sent[3]["parts"] == [{"text": "18C."}, {"text": "", "thoughtSignature": "bGFzdA=="}]


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
def test_and_nowhere_else(provider: str) -> None:
    """Not to others, and not to another model of Google's, which refuses a signature that is not its own."""
    call = model_call(attributes({"contents": SIGNED}, model="gemini-2.5-pro"))
    if provider == "google":
        call.messages = without_signatures(call.messages)
    endpoint = Endpoint(provider=provider, style=cast("Style", provider), base_url=f"https://api.{provider}.com")
    for api in ("chat", "responses"):
        call.api = cast("Any", api)
        sent = api_of(endpoint, call).build_request(endpoint, call, stream=False).body.decode()
        assert "18C." in sent
        assert '"thought":true' in sent or provider != "google"
        for signature in ("c2ln", "bGFzdA", "ignature", "extra_content"):
            assert signature not in sent, (signature, sent)


def test_a_signature_in_the_shape_of_openai_is_kept_too() -> None:
    extra = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
    signed = {**ASSISTANT, "tool_calls": [CALL | extra]}
    assert model_call(attributes([USER, signed, RESULT])).messages[1]["tool_calls"] == signed["tool_calls"]


def test_a_plain_text_is_one_user_message() -> None:
    assert model_call(attributes("Weather in Paris?")).messages == [USER]


@pytest.mark.parametrize("text", ["[note] read this", '{"city": "Paris"}', "[1, 2]", "f(x) is what?", '"quoted'])
def test_a_text_that_looks_like_something_else_is_a_text(text: str) -> None:
    assert model_call(attributes(text)).messages == [{"role": "user", "content": text}]


def test_langchains_list_of_prompts() -> None:
    assert model_call(attributes(["Human: hi"])).messages == [{"role": "user", "content": "Human: hi"}]


def test_a_whole_request_body_is_read() -> None:
    """OpenInference keeps it as input.value."""
    body = {
        "model": "x",
        "system": "You are terse.",
        "messages": [USER],
        "tools": [{"name": "get_weather", "description": "weather", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "any"},
        "top_k": 3,
        "stop_sequences": ["END"],
        "stream": True,
        "n": 2,
    }
    call = model_call(attributes(body, temperature=0.5))
    assert call.messages[0] == {"role": "system", "content": "You are terse."}
    assert call.tools == [
        {
            "type": "function",
            "function": {"name": "get_weather", "description": "weather", "parameters": {"type": "object"}},
        }
    ]
    assert call.tool_choice == "required"
    assert call.params == {"temperature": 0.5, "top_k": 3, "stop": ["END"]}


def test_opentelemetry_message_parts() -> None:
    call = model_call(
        attributes(
            [
                {"role": "user", "parts": [{"type": "text", "content": "Weather in Paris?"}], "name": None},
                {
                    "role": "assistant",
                    "parts": [
                        {"type": "tool_call", "id": "call_1", "name": "get_weather", "arguments": {"city": "Paris"}}
                    ],
                },
                {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "18C"}]},
            ]
        )
    )
    assert call.messages == [USER, ASSISTANT, RESULT]


# ---------------------------------------------------------------- parts


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"},
    ],
)
def test_images_are_kept(part: dict[str, Any]) -> None:
    key = "parts" if "inlineData" in part else "content"
    (message,) = model_call(attributes([{"role": "user", key: [{"type": "text", "text": "look"}, part]}])).messages
    assert message["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]


def test_parts_nobody_knows_stay_as_they_are() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "abc"}
    messages = [USER, {"role": "assistant", "content": [thinking, {"type": "text", "text": "18C"}]}, USER]
    assert model_call(attributes(messages)).messages[1]["content"] == [thinking, {"type": "text", "text": "18C"}]


def test_the_older_function_calls_become_tool_calls() -> None:
    call = model_call(
        attributes(
            [
                USER,
                {
                    "role": "assistant",
                    "content": None,
                    "function_call": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
                },
                {"role": "function", "name": "get_weather", "content": "18C"},
            ]
        )
    )
    assert call.messages == [USER, ASSISTANT, RESULT]


# ---------------------------------------------------------------- tools and parameters


@pytest.mark.parametrize(
    "tool",
    [
        TOOL,
        TOOL["function"] | {"type": "function"},  # type: ignore[operator]
        {"name": "get_weather", "description": "weather", "input_schema": {"type": "object", "properties": {}}},
        {
            "functionDeclarations": [
                {"name": "get_weather", "description": "weather", "parameters": {"type": "object", "properties": {}}}
            ]
        },
    ],
)
@pytest.mark.parametrize("as_text", [True, False])
def test_tools_of_every_shape(tool: dict[str, Any], as_text: bool) -> None:
    call = model_call(attributes([USER], tools=json.dumps([tool]) if as_text else [tool]))
    assert call.tools == [TOOL]


@pytest.mark.parametrize(
    ("recorded", "meant"),
    [
        ("auto", "auto"),
        ("any", "required"),
        ('{"type": "tool", "name": "f"}', {"type": "function", "function": {"name": "f"}}),
        ({"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "f"}}),
        ({"type": "none"}, "none"),
        ({"functionCallingConfig": {"mode": "ANY"}}, "required"),
        (None, None),
    ],
)
def test_tool_choice_of_every_shape(recorded: Any, meant: Any) -> None:
    assert model_call(attributes([USER], tool_choice=recorded)).tool_choice == meant


def test_response_format() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}
    assert model_call(attributes([USER], response_format=json.dumps(schema))).response_format == schema
    assert model_call(attributes([USER], response_format="json")).response_format == {"type": "json_object"}
    assert model_call(attributes([USER])).response_format is None


def test_parameters_by_name_win_over_those_recorded_in_one_piece() -> None:
    call = model_call(
        attributes(
            [USER],
            invocation_parameters='{"temperature": 1.0, "top_p": 0.5, "model": "other"}',
            params={"seed": 7, "reasoning_effort": "low", "stream": True, "api_key": "no"},
            temperature="0.3",
            stop=["END"],
            ttft_ms=12,
            cost_usd=0.1,
        )
    )
    assert call.params == {
        "temperature": 0.3,
        "top_p": 0.5,
        "seed": 7,
        "reasoning_effort": "low",
        "stop": ["END"],
    }


def test_a_parameter_set_to_null_is_not_sent() -> None:
    assert model_call(attributes([USER], temperature=None)).params == {}


def test_the_model_that_was_asked_for_goes_before_the_one_that_answered() -> None:
    call = model_call(attributes([USER], model="gpt-4o-mini-2024-07-18", request_model="gpt-4o-mini"))
    assert call.model == "gpt-4o-mini"


def test_the_responses_api_is_remembered() -> None:
    assert model_call(attributes([USER], api="responses")).api == "responses"


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([USER, RESULT], "messages[1] is the result of the tool call 'call_1'"),
        ([USER, ASSISTANT], "messages[1] calls the tool 'get_weather' (call_1)"),
        ([USER, ASSISTANT, USER], "messages[1] calls the tool 'get_weather' (call_1)"),
        ([USER, ASSISTANT, USER, RESULT], "messages[1] calls the tool"),
        ([USER, ASSISTANT, RESULT, RESULT], "messages[3] is the result of the tool call 'call_1'"),
        ([USER, ASSISTANT, RESULT | {"tool_call_id": "other"}], "messages[2] is the result of the tool call 'other'"),
        (
            [USER, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t9", "content": ""}]}],
            "messages[1] is the result of the tool call 't9'",
        ),
        ([USER, {"role": "alien", "content": ""}], "messages[1] has the role 'alien'"),
        ([USER, 7], "messages[1] is a number"),
        ([USER, {"role": "user", "content": 7}], "messages[1].content is a number"),
        ([USER, "Thing(x=<object at 0x7f>)"], "messages[1] was recorded as the printed form"),
        ([], "no messages"),
    ],
)
def test_messages_that_do_not_go_together_are_named(messages: list[Any], says: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        model_call(attributes(messages))
    assert says in refusal.value.detail


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"llm.prompt": ""}, "no llm.prompt"),
        ({"llm.prompt": None}, "no llm.prompt"),
        ({"llm.model": None}, "no llm.model"),
        ({"llm.prompt": '[{"role": "user", "conten[TRUNCATED]'}, "cut it off"),
        ({"llm.prompt": '[{"role": "user", "conten'}, "does not end as such"),
        ({"llm.temperature": "warm"}, "llm.temperature is 'warm'; it must be a number"),
        ({"llm.max_tokens": 1.5}, "llm.max_tokens is '1.5'; it must be a whole number"),
        ({"llm.tools": "many"}, "llm.tools is not a list"),
    ],
)
def test_what_cannot_be_called_again_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        model_call(attributes([USER]) | change)
    assert says in refusal.value.detail


@pytest.mark.parametrize("role", ["user", "system", "assistant"])
@pytest.mark.parametrize(
    "text",
    ["temperature=0.7", "x=5", "config=[1,2]", "print_report(year=2024)", "Part(text='hi')", "type='x' text='y'"],
)
def test_what_somebody_said_is_sent_as_it_was_said(role: str, text: str) -> None:
    for content in (text, [text]):
        if role == "assistant" and content == [text] and "text=" in text:
            continue  # what an SDK's object printed
        (message,) = model_call(attributes([{"role": role, "content": content}])).messages
        assert message == {"role": role, "content": text}


def test_options_recorded_in_one_piece_are_sent_again() -> None:
    asked = {
        "temperature": 0,
        "response_format": {"type": "json_object"},
        "tools": [TOOL],
        "tool_choice": "required",
        "guided_json": {"type": "object"},
        "system": "Be terse.",
    }
    call = model_call(attributes([USER], invocation_parameters=json.dumps(asked)))
    assert call.messages == [{"role": "system", "content": "Be terse."}, USER]
    assert (call.response_format, call.tools, call.tool_choice) == ({"type": "json_object"}, [TOOL], "required")
    assert call.params == {"temperature": 0, "guided_json": {"type": "object"}}


def test_a_whole_request_keeps_what_has_no_name_here() -> None:
    body = {"model": "m", "messages": [USER], "min_tokens": 5, "chat_template_kwargs": {"think": False}, "stream": True}
    assert model_call(attributes(body)).params == {"min_tokens": 5, "chat_template_kwargs": {"think": False}}


def test_a_whole_request_of_googles_keeps_its_form_and_choice() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    body = {
        "contents": [{"role": "user", "parts": [{"text": "How many?"}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "object"}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {
            "responseMimeType": "application/json",
            "responseSchema": schema,
            "thinkingConfig": {"thinkingBudget": 0},
            "maxOutputTokens": 9,
        },
        "safetySettings": [{"category": "c", "threshold": "t"}],
    }
    call = model_call(attributes(body))
    assert call.tool_choice == "required"
    assert call.response_format["json_schema"]["schema"] == schema
    assert call.params == {
        "max_tokens": 9,
        "thinkingConfig": {"thinkingBudget": 0},
        "safetySettings": [{"category": "c", "threshold": "t"}],
    }


def test_a_system_prompt_beside_the_messages_goes_before_them() -> None:
    call = model_call(attributes([USER], system_prompt="Be terse."))
    assert call.messages == [{"role": "system", "content": "Be terse."}, USER]
    own = {"role": "system", "content": "mine"}
    assert model_call(attributes([own, USER], system_prompt="Be terse.")).messages == [own, USER]
    assert model_call(attributes([USER], system="Be terse.")).messages[0]["role"] == "system"
    product = attributes([USER], system="openai") | {"beacon.dialect": "openinference"}
    assert model_call(product).messages == [USER]


def test_a_call_that_went_on_from_a_kept_conversation_is_refused() -> None:
    with pytest.raises(BadRequest, match="went on from resp_1"):
        model_call(attributes([USER], invocation_parameters={"previous_response_id": "resp_1"}))


def test_tools_that_are_taken_away_take_their_choice_with_them() -> None:
    assert model_call(attributes([USER], tools=None, tool_choice="required")).tool_choice is None


def test_a_custom_tools_call_goes_with_its_result() -> None:
    made = {"id": "c1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
    messages = [USER, {"role": "assistant", "content": None, "tool_calls": [made]}, RESULT | {"tool_call_id": "c1"}]
    assert model_call(attributes(messages)).messages == messages
    with pytest.raises(BadRequest, match=r"messages\[1\] calls the tool 'sql' \(c1\)"):
        model_call(attributes(messages[:2]))
    nameless = {"type": "custom", "function": {}}
    model_call(attributes([USER, {"role": "assistant", "content": "x", "tool_calls": [nameless]}]))


def test_nothing_printed_is_ever_run() -> None:
    call = model_call(attributes(["f(x=__import__('os').getcwd())? no, a question"]))
    assert call.messages[0]["content"].startswith("f(x=")
