"""OpenTelemetry's GenAI conventions: every form a fact has come in gives one attribute."""

from __future__ import annotations

import json
from typing import Any

import pytest

from replay_worker.recorded import model_call
from tests.unit.ingest.otlp.spans import START, added, attributes_of, event, otlp_span

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini"}

USER = {"role": "user", "content": "Weather in Lima?"}
CALL = {"id": "call_7", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Lima"}'}}
ASKED = [{"role": "user", "parts": [{"type": "text", "content": "Weather in Lima?"}]}]
CALLED = [
    {
        "role": "assistant",
        "finish_reason": "tool_call",
        "parts": [{"type": "tool_call", "id": "call_7", "name": "weather", "arguments": {"city": "Lima"}}],
    }
]
SAID = [{"role": "assistant", "finish_reason": "stop", "parts": [{"type": "text", "content": "Foggy."}]}]


@pytest.mark.parametrize(
    ("attributes", "key", "value"),
    [
        ({"gen_ai.provider.name": "aws.bedrock"}, "llm.provider", "bedrock"),
        ({"gen_ai.system": "az.ai.openai"}, "llm.provider", "azure"),
        ({"gen_ai.response.model": "gpt-4o-mini-2024-07-18"}, "llm.model", "gpt-4o-mini-2024-07-18"),
        ({}, "llm.model", None),
        ({"gen_ai.request.model": "gpt-4o-mini"}, "llm.model", "gpt-4o-mini"),
        ({"gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "x"}, "llm.request_model", "gpt-4o"),
        ({"gen_ai.usage.input_tokens": 12}, "llm.tokens.input", 12),
        ({"gen_ai.usage.prompt_tokens": 12}, "llm.tokens.input", 12),
        ({"gen_ai.usage.output_tokens": "7"}, "llm.tokens.output", 7),
        ({"gen_ai.usage.completion_tokens": 7.0}, "llm.tokens.output", 7),
        ({"gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 7}, "llm.tokens.total", 19),
        ({"gen_ai.usage.total_tokens": 30, "gen_ai.usage.input_tokens": 12}, "llm.tokens.total", 30),
        ({"llm.usage.total_tokens": 30}, "llm.tokens.total", 30),
        *(
            ({"gen_ai.usage.input_tokens": 90, f"gen_ai.usage.{name}": 5}, "llm.tokens.cache_read", 5)
            for name in (
                "cache_read.input_tokens", "cache_read_input_tokens", "cached_tokens", "details.cache_read_tokens",
            )
        ),
        *(
            ({"gen_ai.usage.input_tokens": 90, f"gen_ai.usage.{name}": 5}, "llm.tokens.cache_write", 5)
            for name in (
                "cache_write.input_tokens", "cache_creation.input_tokens", "cache_creation_input_tokens",
                "details.cache_write_tokens",
            )
        ),
        (
            {"gen_ai.usage.cache_creation.input_tokens.ephemeral_5m": 3, "gen_ai.usage.input_tokens": 9,
             "gen_ai.usage.cache_creation.input_tokens.ephemeral_1h": 4},
            "llm.tokens.cache_write", 7,
        ),
        ({"gen_ai.usage.reasoning.output_tokens": 8}, "llm.tokens.reasoning", 8),
        ({"gen_ai.usage.reasoning_tokens": 8}, "llm.tokens.reasoning", 8),
        ({"gen_ai.usage.details.reasoning_tokens": 8}, "llm.tokens.reasoning", 8),
        ({"llm.usage.reasoning_tokens": 8}, "llm.tokens.reasoning", 8),
        ({"gen_ai.usage.cost": 0.25}, "llm.cost_usd", 0.25),
        ({"operation.cost": 0.5, "gen_ai.usage.cost": 0.25}, "llm.cost_usd", 0.5),
        ({"operation.cost": 0.5}, "llm.cost_source", "operation.cost"),
        ({"gen_ai.request.temperature": 0.3}, "llm.temperature", 0.3),
        ({"gen_ai.request.max_tokens": 50}, "llm.max_tokens", 50),
        ({"gen_ai.request.max_completion_tokens": 60}, "llm.max_tokens", 60),
        ({"gen_ai.request.top_p": 0.9}, "llm.params", '{"top_p":0.9}'),
        ({"gen_ai.request.top_k": 40.0}, "llm.params", '{"top_k":40.0}'),
        ({"gen_ai.request.seed": 3}, "llm.params", '{"seed":3}'),
        ({"gen_ai.openai.request.seed": 3}, "llm.params", '{"seed":3}'),
        ({"gen_ai.request.frequency_penalty": 0.1}, "llm.params", '{"frequency_penalty":0.1}'),
        ({"gen_ai.request.presence_penalty": 0.2}, "llm.params", '{"presence_penalty":0.2}'),
        ({"gen_ai.request.stop_sequences": ["END"]}, "llm.params", '{"stop":["END"]}'),
        ({"gen_ai.request.choice.count": 2}, "llm.params", '{"n":2}'),
        ({"gen_ai.request.reasoning.level": "high"}, "llm.params", '{"reasoning_effort":"high"}'),
        ({"openai.request.service_tier": "flex"}, "llm.params", '{"service_tier":"flex"}'),
        ({"gen_ai.request.stream": True}, "llm.stream", True),
        ({"gen_ai.output.type": "json"}, "llm.response_format", '{"type":"json_object"}'),
        ({"gen_ai.output.type": "text"}, "llm.response_format", None),
        ({"gen_ai.response.finish_reasons": ["length", "stop"]}, "llm.finish_reason", "length"),
        ({"gen_ai.response.finish_reasons": '["tool_calls"]'}, "llm.finish_reason", "tool_calls"),
        ({"gen_ai.response.finish_reason": "end_turn"}, "llm.finish_reason", "stop"),
        ({"gen_ai.output.messages": CALLED}, "llm.finish_reason", "tool_calls"),
        ({"gen_ai.conversation.id": "c1"}, "session.id", "c1"),
        ({"gen_ai.response.time_to_first_chunk": 0.25}, "llm.ttft_ms", 250.0),
        ({"gen_ai.client.operation.time_to_first_chunk": 0.25}, "llm.ttft_ms", 250.0),
        ({"gen_ai.openai.api_base": "http://127.0.0.1:9/v1/"}, "llm.base_url", "http://127.0.0.1:9/v1"),
        ({"server.address": "127.0.0.1", "server.port": 9}, "llm.base_url", "http://127.0.0.1:9/v1"),
        ({"server.address": "api.openai.com", "server.port": 443}, "llm.base_url", "https://api.openai.com"),
    ],
)  # fmt: skip
def test_each_name_of_a_fact_gives_its_attribute(attributes: dict[str, Any], key: str, value: Any) -> None:
    found = added({"gen_ai.operation.name": "chat", **attributes})
    assert found.get(key) == value


@pytest.mark.parametrize("form", ["text", "structure"])
@pytest.mark.parametrize(
    "tools",
    [
        [{"type": "function", "name": "weather", "description": "it", "parameters": {"type": "object"}}],
        [{"type": "function", "function": {"name": "weather", "description": "it", "parameters": {"type": "object"}}}],
        [{"name": "weather", "description": "it", "input_schema": {"type": "object"}}],
    ],
)
def test_tools_come_flat_wrapped_and_as_anthropic_has_them(tools: list[Any], form: str) -> None:
    found = added({**CHAT, "gen_ai.tool.definitions": json.dumps(tools) if form == "text" else tools})
    assert json.loads(found["llm.tools"]) == [
        {"type": "function", "function": {"name": "weather", "description": "it", "parameters": {"type": "object"}}}
    ]


def test_tools_come_numbered() -> None:
    found = added(
        {
            **CHAT,
            "llm.request.functions.0.name": "weather",
            "llm.request.functions.0.description": "it",
            "llm.request.functions.0.parameters": '{"type": "object"}',
        }
    )
    assert json.loads(found["llm.tools"])[0]["function"]["parameters"] == {"type": "object"}


PROMPTS: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "current": ({"gen_ai.input.messages": ASKED}, []),
    "current as text": ({"gen_ai.input.messages": json.dumps(ASKED)}, []),
    "event with all": ({}, [event("gen_ai.client.inference.operation.details", {"gen_ai.input.messages": ASKED})]),
    "event a message": ({}, [event("gen_ai.user.message", {"content": "Weather in Lima?"})]),
    "event with its body in one attribute": (
        {},
        [event("gen_ai.user.message", {"gen_ai.event.content": '{"role": "user", "content": "Weather in Lima?"}'})],
    ),
    "numbered": ({"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Weather in Lima?"}, []),
    "one JSON text": ({"gen_ai.prompt": json.dumps([USER])}, []),
    "one plain text": ({"gen_ai.prompt": "Weather in Lima?"}, []),
    "event of the prompt": ({}, [event("gen_ai.content.prompt", {"gen_ai.prompt": json.dumps([USER])})]),
}


@pytest.mark.parametrize("form", PROMPTS)
def test_each_form_of_the_prompt_gives_the_same_messages(form: str) -> None:
    attributes, events = PROMPTS[form]
    found = added({**CHAT, **attributes}, events=events)
    assert json.loads(found["llm.prompt"]) == [USER]


ANSWERS: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "current": ({"gen_ai.output.messages": SAID}, []),
    "event with all": ({}, [event("gen_ai.client.inference.operation.details", {"gen_ai.output.messages": SAID})]),
    "choice": (
        {},
        [
            event("gen_ai.choice", {"index": 1, "finish_reason": "stop", "message": '{"content": "Sunny."}'}),
            event("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": '{"content": "Foggy."}'}),
        ],
    ),
    "choice without a message": ({}, [event("gen_ai.choice", {"content": "Foggy.", "finish_reason": "stop"})]),
    "numbered": (
        {"gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "Foggy.",
         "gen_ai.completion.0.finish_reason": "stop", "gen_ai.completion.1.content": "Sunny."}, [],
    ),
    "one text": ({"gen_ai.completion": "Foggy.", "gen_ai.response.finish_reason": "stop"}, []),
    "event of the completion": (
        {}, [event("gen_ai.content.completion", {"gen_ai.completion": '[{"role": "assistant", "content": "Foggy."}]'})],
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", ANSWERS)
def test_each_form_of_the_answer_gives_the_first_choice(form: str) -> None:
    attributes, events = ANSWERS[form]
    found = added({**CHAT, **attributes}, events=events)
    assert found["llm.completion"] == "Foggy."
    if form != "event of the completion":
        assert found["llm.finish_reason"] == "stop"


CALLS: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "current": ({"gen_ai.output.messages": CALLED}, []),
    "choice": ({}, [event("gen_ai.choice", {"index": 0, "message": {"tool_calls": [CALL]}})]),
    "numbered": (
        {"gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.tool_calls.0.id": "call_7",
         "gen_ai.completion.0.tool_calls.0.name": "weather",
         "gen_ai.completion.0.tool_calls.0.arguments": '{"city":"Lima"}'}, [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", CALLS)
def test_each_form_of_tool_calls_gives_openais(form: str) -> None:
    attributes, events = CALLS[form]
    assert json.loads(added({**CHAT, **attributes}, events=events)["llm.tool_calls"]) == [CALL]


def test_system_instructions_lead_unless_the_messages_have_a_system_message() -> None:
    instructions = [{"type": "text", "content": "Be terse."}]
    found = added({**CHAT, "gen_ai.system_instructions": instructions, "gen_ai.input.messages": ASKED})
    assert json.loads(found["llm.prompt"]) == [{"role": "system", "content": "Be terse."}, USER]
    own = [{"role": "system", "parts": [{"type": "text", "content": "Be long."}]}, *ASKED]
    found = added({**CHAT, "gen_ai.system_instructions": instructions, "gen_ai.input.messages": own})
    assert json.loads(found["llm.prompt"]) == [{"role": "system", "content": "Be long."}, USER]


def test_tool_spans() -> None:
    current = {
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather", "gen_ai.tool.call.id": "call_7",
        "gen_ai.tool.call.arguments": {"city": "Lima"}, "gen_ai.tool.call.result": "Foggy.",
    }  # fmt: skip
    found = added(current)
    assert (found["tool.name"], found["tool.input"], found["tool.output"], found["tool.call_id"]) == (
        "weather", '{"city":"Lima"}', "Foggy.", "call_7",
    )  # fmt: skip
    older = added({"gen_ai.tool.name": "weather", "tool_arguments": "{}", "tool_response": "Foggy."})
    assert (older["tool.input"], older["tool.output"]) == ("{}", "Foggy.")


def test_an_agents_usage_is_a_sum_that_does_not_count() -> None:
    span = otlp_span(
        {
            "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner", "gen_ai.request.model": "m",
            "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20, "gen_ai.input.messages": ASKED,
            "gen_ai.output.messages": SAID,
        }
    )  # fmt: skip
    found = attributes_of(span)
    assert found["agent.step_name"] == "planner"
    assert (found["agent.input"], found["agent.output"]) == ("Weather in Lima?", "Foggy.")
    assert found["agent.tokens.total"] == 120
    assert not [key for key in found if key.startswith("llm.")]


def test_embeddings_keep_model_and_tokens_and_are_no_llm_call() -> None:
    found = added({"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "e", "gen_ai.usage.input_tokens": 9})
    assert (found["llm.model"], found["llm.tokens.input"], found["llm.tokens.total"]) == ("e", 9, 9)


def test_first_token_event_is_the_time_to_the_first_chunk() -> None:
    found = added(CHAT, events=[event("First Token Stream Event", time_ns=START + 30_000_000)])
    assert found["llm.ttft_ms"] == 30.0


def test_an_openai_client_of_another_provider_is_that_providers() -> None:
    assert added({**CHAT, "server.address": "api.deepseek.com"})["llm.provider"] == "deepseek"
    assert added({**CHAT, "server.address": "10.0.0.7"})["llm.provider"] == "openai"


def test_cached_tokens_are_inside_the_input_and_reasoning_inside_the_output() -> None:
    apart = {
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 90,
        "gen_ai.usage.output_tokens": 5,
    }
    found = added({**CHAT, **apart})
    assert (found["llm.tokens.input"], found["llm.tokens.total"]) == (100, 105)
    beside = {
        "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5, "gen_ai.usage.reasoning_tokens": 3,
        "gen_ai.usage.total_tokens": 18,
    }  # fmt: skip
    found = added({**CHAT, **beside})
    assert (found["llm.tokens.output"], found["llm.tokens.total"]) == (8, 18)
    inside = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5, "gen_ai.usage.reasoning_tokens": 3}
    assert added({**CHAT, **inside})["llm.tokens.output"] == 5


def test_what_comes_out_replays() -> None:
    conversation = [
        *ASKED,
        {"role": "assistant", "parts": [{"type": "reasoning", "content": "Hm."}, *CALLED[0]["parts"]]},
        {"role": "user", "parts": [{"type": "tool_call_response", "id": "call_7", "response": {"sky": "fog"}}]},
        {"role": "user", "parts": [
            {"type": "text", "content": "And this?"},
            {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "aGk="},
            {"type": "uri", "modality": "image", "uri": "https://example.com/a.png"},
        ]},
    ]  # fmt: skip
    call = model_call(
        attributes_of(
            otlp_span(
                {
                    **CHAT,
                    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
                    "gen_ai.system_instructions": [{"type": "text", "content": "Be terse."}],
                    "gen_ai.input.messages": conversation,
                    "gen_ai.request.temperature": 0.2,
                    "gen_ai.request.max_tokens": 50,
                    "gen_ai.request.top_p": 0.5,
                    "gen_ai.request.stop_sequences": ["END"],
                    "gen_ai.tool.definitions": [{"name": "weather", "parameters": {"type": "object"}}],
                    "gen_ai.output.type": "json",
                }
            )
        )
    )
    assert call.model == "gpt-4o-mini"
    assert [message["role"] for message in call.messages] == ["system", "user", "assistant", "tool", "user"]
    assert call.messages[2]["tool_calls"] == [CALL]
    assert call.messages[3]["content"] == '{"sky":"fog"}'
    images = [part["image_url"]["url"] for part in call.messages[4]["content"] if part["type"] == "image_url"]
    assert images == ["data:image/png;base64,aGk=", "https://example.com/a.png"]
    assert call.params == {"temperature": 0.2, "max_tokens": 50, "top_p": 0.5, "stop": ["END"]}
    assert call.response_format == {"type": "json_object"}
    assert call.tools == [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
