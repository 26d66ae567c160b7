from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from ingest.otlp.contents import with_contents
from ingest.otlp.mapping import map_span
from tests.unit.ingest.otlp.dialects.spans import (
    ERROR,
    PARENT_ID,
    conversation,
    event,
    junk,
    mapped,
    no_price,
    span,
    stored,
)

SCOPE = "logfire.openai"

ASKED = '[{"role":"user","parts":[{"type":"text","content":"Count to three."}]}]'
REQUEST: dict[str, Any] = {
    "request_data": '{"model":"gpt-4o-mini"}',
    "gen_ai.system": "openai",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.operation.name": "chat",
    "gen_ai.input.messages": ASKED,
    "async": False,
    "logfire.msg_template": "Chat Completion with {request_data[model]!r}",
    "logfire.msg": "Chat Completion with 'gpt-4o-mini'",
    "logfire.json_schema": '{"type":"object"}',
    "logfire.tags": ["LLM", "beta"],
    "logfire.span_type": "span",
    "gen_ai.response.model": "gpt-4o-mini",
}
CALL = REQUEST | {
    "gen_ai.tool.definitions": '[{"type": "function", "function": {"name": "count", "parameters": {}}}]',
    "gen_ai.usage.input_tokens": 15,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.raw": '{"completion_tokens":5,"prompt_tokens":15,"total_tokens":20,'
    '"completion_tokens_details":{"reasoning_tokens":2},"prompt_tokens_details":{"cached_tokens":8}}',
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"tool_call","id":"call_0","name":"count",'
    '"arguments":{"to":3}}],"finish_reason":"tool_calls"}]',
    "gen_ai.response.finish_reasons": '["tool_calls"]',
    "operation.cost": 0.0000312,
}
STREAMED = {key: value for key, value in REQUEST.items() if not key.startswith("logfire.")} | {
    "logfire.span_type": "log",
    "logfire.level_num": 9,
    "logfire.msg_template": "streaming response from {request_data[model]!r} took {duration:.2f}s",
    "logfire.msg": "streaming response from 'gpt-4o-mini' took 0.01s",
    "logfire.tags": ["LLM"],
    "duration": 0.01,
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"one two three"}],'
    '"finish_reason":"stop"}]',
    "gen_ai.usage.input_tokens": 15,
    "gen_ai.usage.output_tokens": 5,
    "operation.cost": 0.00001,
}
SPAN_NAME = "Chat Completion with {request_data[model]!r}"
LOG_NAME = "streaming response from {request_data[model]!r} took {duration:.2f}s"

AGENT: dict[str, Any] = {
    "model_name": "gpt-4o-mini",
    "agent_name": "weather",
    "gen_ai.agent.name": "weather",
    "gen_ai.agent.call.id": "run-1",
    "gen_ai.conversation.id": "c-1",
    "gen_ai.operation.name": "invoke_agent",
    "logfire.msg": "weather run",
    "final_result": "21 degrees",
    "gen_ai.aggregated_usage.input_tokens": 280,
    "gen_ai.aggregated_usage.output_tokens": 42,
    "gen_ai.aggregated_usage.cache_read.input_tokens": 192,
    "gen_ai.aggregated_usage.details.reasoning_tokens": 8,
    "pydantic_ai.all_messages": '[{"role":"system","parts":[{"type":"text","content":"Be brief."}]},'
    '{"role":"user","parts":[{"type":"text","content":"Weather in Lima?"}]},'
    '{"role":"assistant","parts":[{"type":"tool_call","id":"c","name":"weather","arguments":"{}"}]},'
    '{"role":"user","parts":[{"type":"tool_call_response","id":"c","name":"weather","result":"21"}]},'
    '{"role":"assistant","parts":[{"type":"text","content":"21 degrees"}]}]',
}
MODEL_REQUEST: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.agent.name": "weather",
    "gen_ai.provider.name": "openai",
    "gen_ai.system": "openai",
    "server.address": "127.0.0.1",
    "server.port": 9009,
    "gen_ai.request.model": "gpt-4o-mini",
    "model_request_parameters": '{"function_tools":[{"name":"weather","parameters_json_schema":{"type":"object"},'
    '"description":"The weather."}],"output_tools":[]}',
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"Weather in Lima?"}]},'
    '{"role":"assistant","parts":[{"type":"tool_call","id":"c","name":"weather","arguments":"{}"}]},'
    '{"role":"user","parts":[{"type":"tool_call_response","id":"c","name":"weather","result":"21"}]}]',
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"21 degrees"}],'
    '"finish_reason":"stop"}]',
    "gen_ai.usage.input_tokens": 160,
    "gen_ai.usage.output_tokens": 12,
    "gen_ai.usage.cache_read.input_tokens": 128,
    "gen_ai.usage.details.reasoning_tokens": 2,
    "operation.cost": 0.0000216,
    "gen_ai.response.finish_reasons": ["stop"],
}

CASES = {
    "a call": span(SPAN_NAME, CALL, scope=SCOPE),
    "a streamed answer": span(LOG_NAME, STREAMED, scope=SCOPE),
    "any span": span("work", {"logfire.msg": "work", "logfire.span_type": "span"}, scope="logfire"),
    "an agent": span("invoke_agent weather", AGENT, scope="pydantic-ai"),
    "a request to a model": span("chat gpt-4o-mini", MODEL_REQUEST, scope="pydantic-ai"),
}


def test_a_call_instrumented_by_logfire() -> None:
    found = mapped(CASES["a call"])
    assert found["beacon.dialect"] == "logfire"
    assert found["span_type"] == "llm_call"
    assert found["name"] == "Chat Completion with 'gpt-4o-mini'"
    assert conversation(found) == [{"role": "user", "content": "Count to three."}]
    assert conversation(found, "llm.tool_calls")[0]["function"] == {"name": "count", "arguments": '{"to":3}'}
    assert conversation(found, "llm.tools")[0]["function"]["name"] == "count"
    assert found["llm.finish_reason"] == "tool_calls"
    assert [found[f"llm.tokens.{n}"] for n in ("input", "output", "total", "cache_read", "reasoning")] == [
        15, 5, 20, 8, 2,
    ]  # fmt: skip
    assert (found["llm.cost_usd"], found["llm.cost_source"]) == (0.0000312, "operation.cost")
    assert found["tags"] == {"beta": "true"}
    assert {key: found[key] for key in CALL} == CALL


def test_version_1_has_the_whole_request_and_the_answer() -> None:
    request = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0.5,
        "max_tokens": 9,
        "tools": [{"type": "function", "function": {"name": "t", "parameters": {}}}],
    }
    response = {
        "message": {"role": "assistant", "content": "Hello", "tool_calls": None},
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
    }
    found = mapped(
        span(
            SPAN_NAME,
            {"request_data": json.dumps(request), "response_data": json.dumps(response), "gen_ai.system": "openai",
             "gen_ai.request.model": "gpt-4o-mini", "gen_ai.operation.name": "chat", "logfire.span_type": "span"},
            scope=SCOPE,
        )
    )  # fmt: skip
    assert conversation(found) == request["messages"]
    assert (found["llm.completion"], found["llm.tokens.total"]) == ("Hello", 4)
    assert (found["llm.temperature"], found["llm.max_tokens"]) == (0.5, 9)
    assert conversation(found, "llm.tools") == request["tools"]
    joined = mapped(
        span("x", {"request_data": json.dumps(request), "gen_ai.request.model": "m", "gen_ai.operation.name": "chat",
                   "response_data": '{"combined_chunk_content": "Hello", "chunk_count": 2}'}, scope=SCOPE)
    )  # fmt: skip
    assert joined["llm.completion"] == "Hello"
    completion = {"finish_reason": "stop", "text": " a time", "usage": {"prompt_tokens": 1}}
    older = mapped(
        span("x", {"request_data": '{"model":"m","prompt":"Once upon"}', "response_data": json.dumps(completion),
                   "gen_ai.request.model": "m", "gen_ai.operation.name": "text_completion"}, scope=SCOPE)
    )  # fmt: skip
    assert conversation(older) == [{"role": "user", "content": "Once upon"}]
    assert (older["llm.completion"], older["llm.finish_reason"]) == (" a time", "stop")


def test_events_as_an_attribute() -> None:
    events = [
        {"event.name": "gen_ai.system.message", "content": "Be brief.", "role": "system"},
        {"event.name": "gen_ai.user.message", "content": "Hi", "role": "user"},
        {"event.name": "gen_ai.assistant.message", "role": "assistant", "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "t", "arguments": "{}"}}]},
        {"event.name": "gen_ai.tool.message", "role": "tool", "id": "a", "content": "2"},
        {"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", "content": "Hello"}},
    ]  # fmt: skip
    base = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    found = mapped(span("chat m", {**base, "events": json.dumps(events)}, scope="pydantic-ai"))
    assert [message["role"] for message in conversation(found)] == ["system", "user", "assistant", "tool"]
    assert conversation(found)[3]["tool_call_id"] == "a"
    assert found["llm.completion"] == "Hello"
    # the Responses API, whose answer is what the assistant says at the end
    events[-1] = {"event.name": "gen_ai.assistant.message", "content": "Hello", "role": "assistant"}
    found = mapped(span("Responses API", {**base, "request_data": "{}", "events": json.dumps(events)}, scope=SCOPE))
    assert (len(conversation(found)), found["llm.completion"]) == (4, "Hello")


@pytest.mark.parametrize(("level", "status"), [(9, "ok"), (13, "ok"), (17, "error"), (21, "error"), ("x", "ok")])
def test_levels(level: Any, status: str) -> None:
    found = mapped(span("x", {"logfire.level_num": level, "logfire.msg": "went wrong"}, scope="logfire"))
    assert found["status"] == status


def test_a_failed_call_says_why() -> None:
    failed = span(
        SPAN_NAME,
        REQUEST | {"logfire.level_num": 17},
        scope=SCOPE,
        status=ERROR,
        status_message="BadRequestError: no",
        events=[event("exception", {"exception.type": "BadRequestError", "exception.message": "no"})],
    )
    assert mapped(failed)["error_message"] == "BadRequestError: no"


def test_what_logfire_scrubbed_is_no_session() -> None:
    found = mapped(span("x", {"session.id": "[Scrubbed due to 'session']", "logfire.msg": "x"}, scope="logfire"))
    whole = map_span(span("x", {"session.id": "[Scrubbed due to 'session']", "logfire.msg": "x"}), no_price)
    columns = whole.arrivals[0].columns
    assert found["session.id"] == "[Scrubbed due to 'session']"  # the original stays
    assert getattr(columns, "session_id") is None  # noqa: B009


# ---------------------------------------------------------------- pending spans


def test_a_pending_span_is_an_open_copy_of_the_real_one() -> None:
    pending = span(
        "work",
        {
            "logfire.span_type": "pending_span",
            "logfire.pending_parent_id": "00f067aa0ba902b7",
            "logfire.msg": "work",
        },
        scope="logfire",
    )
    found = mapped(pending)
    assert (found["span_id"], found["parent_span_id"]) == (PARENT_ID, "00f067aa0ba902b7")
    assert found["end_ns"] is None
    assert found["status"] == "unset"


@pytest.mark.parametrize("parent", ["0" * 16, "", "xyz", None, 7])
def test_a_pending_root_has_no_parent(parent: Any) -> None:
    attributes = {"logfire.span_type": "pending_span", "logfire.pending_parent_id": parent}
    found = mapped(span("work", attributes, scope="logfire"))
    assert (found["span_id"], found["parent_span_id"]) == (PARENT_ID, None)


def test_a_pending_span_that_names_nobody_stays_itself() -> None:
    found = mapped(span("work", {"logfire.span_type": "pending_span"}, scope="logfire", parent=None))
    assert found["parent_span_id"] is None
    assert found["span_id"] != PARENT_ID


# ---------------------------------------------------------------- streams


def test_a_streamed_answer_comes_to_the_call_that_asked() -> None:
    call = map_span(span(SPAN_NAME, REQUEST, scope=SCOPE), no_price)
    sibling = map_span(span(LOG_NAME, STREAMED, scope=SCOPE), no_price)
    (arrival,), (content,) = call.arrivals, sibling.contents
    assert arrival.otel is not None
    assert content.address in arrival.otel.listens
    before = {key: value for key, value in stored(call).items() if "." in key}
    assert "llm.completion" not in before
    after = with_contents(before, [content])
    assert after["llm.completion"] == "one two three"
    assert (after["llm.tokens.input"], after["llm.tokens.output"], after["llm.tokens.total"]) == (15, 5, 20)
    assert (after["llm.cost_usd"], after["llm.finish_reason"]) == (0.00001, "stop")


def test_the_sibling_itself_is_no_call_and_costs_nothing() -> None:
    whole = map_span(span(LOG_NAME, STREAMED, scope=SCOPE), no_price)
    found = stored(whole)
    assert (found["span_type"], found["name"]) == ("custom", "streaming response from 'gpt-4o-mini' took 0.01s")
    columns = whole.arrivals[0].columns
    assert (getattr(columns, "tokens"), getattr(columns, "cost_pico")) == (None, None)  # noqa: B009
    assert whole.arrivals[0].otel is not None
    assert whole.arrivals[0].otel.listens == ()


@pytest.mark.parametrize(
    "other",
    [
        {"gen_ai.input.messages": ASKED.replace("three", "four")},
        {"request_data": '{"model":"gpt-4o"}'},
        {"gen_ai.system_instructions": '[{"type":"text","content":"Be brief."}]'},
    ],
)
def test_another_request_under_the_same_parent_has_another_address(other: dict[str, str]) -> None:
    one = map_span(span(SPAN_NAME, REQUEST, scope=SCOPE), no_price).arrivals[0].otel
    two = map_span(span(SPAN_NAME, REQUEST | other, scope=SCOPE), no_price).arrivals[0].otel
    assert one is not None
    assert two is not None
    assert one.listens != two.listens
    assert len(two.listens) == 1


def test_events_of_the_answer_do_not_change_the_address() -> None:
    asked = [{"event.name": "gen_ai.user.message", "content": "Hi", "role": "user"}]
    answered = [*asked, {"event.name": "gen_ai.assistant.message", "content": "Hello", "role": "assistant"}]
    base = {"request_data": '{"model":"m","stream":true}', "gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    call = map_span(span("Responses API", base | {"events": json.dumps(asked)}, scope=SCOPE), no_price)
    log = {"logfire.span_type": "log", "events": json.dumps(answered)}
    sibling = map_span(span(LOG_NAME, base | log, scope=SCOPE), no_price)
    assert call.arrivals[0].otel is not None
    assert [content.address for content in sibling.contents] == list(call.arrivals[0].otel.listens)
    assert json.loads(sibling.contents[0].text)["attributes"]["llm.completion"] == "Hello"


def test_a_call_that_has_its_answer_or_failed_waits_for_none() -> None:
    answered = map_span(span(SPAN_NAME, CALL, scope=SCOPE), no_price).arrivals[0].otel
    failed = map_span(span(SPAN_NAME, REQUEST, scope=SCOPE, status=ERROR), no_price).arrivals[0].otel
    assert answered is not None
    assert failed is not None
    assert answered.listens == failed.listens == ()


def test_without_a_parent_the_two_are_linked_and_not_merged() -> None:
    call = map_span(span(SPAN_NAME, REQUEST, scope=SCOPE, parent=None), no_price)
    sibling = map_span(span(LOG_NAME, STREAMED, scope=SCOPE, parent=None), no_price)
    assert sibling.contents == []
    assert call.arrivals[0].otel is not None
    assert call.arrivals[0].otel.listens == ()
    found = stored(sibling)
    assert found["beacon.linked"] == stored(call)["beacon.linked"]
    # the one that knows what was spent counts it, once
    assert (found["span_type"], found["llm.tokens.total"]) == ("llm_call", 20)
    assert "llm.tokens.total" not in stored(call)


def test_a_log_of_anything_else_tells_nobody() -> None:
    whole = map_span(
        span("note", {"logfire.span_type": "log", "request_data": "{}", "logfire.msg": "note"}, scope="logfire"),
        no_price,
    )
    assert whole.contents == []
    assert stored(whole)["span_type"] == "custom"


# ---------------------------------------------------------------- pydantic-ai


def test_an_agent_run() -> None:
    found = mapped(CASES["an agent"])
    assert (found["span_type"], found["name"]) == ("agent_step", "weather run")
    assert (found["agent.framework"], found["agent.step_name"]) == ("pydantic-ai", "weather")
    assert (found["agent.input"], found["agent.output"]) == ("Weather in Lima?", "21 degrees")
    assert (found["agent.tokens.input"], found["agent.tokens.total"]) == (280, 322)
    assert (found["agent.tokens.cache_read"], found["agent.tokens.reasoning"]) == (192, 8)
    assert found["session.id"] == "c-1"
    assert found["agent.run_id"] == "run-1"
    assert not [key for key in found if key.startswith("llm.")]


def test_an_agent_run_without_a_result_gives_what_was_said_last() -> None:
    attributes = {key: value for key, value in AGENT.items() if key != "final_result"}
    assert mapped(span("invoke_agent weather", attributes, scope="pydantic-ai"))["agent.output"] == "21 degrees"


def test_a_request_to_a_model() -> None:
    found = mapped(CASES["a request to a model"])
    assert (found["span_type"], found["name"]) == ("llm_call", "chat gpt-4o-mini")
    # the tool's result is a message of its own, although the user's role carries it
    assert [message["role"] for message in conversation(found)] == ["user", "assistant", "tool"]
    assert conversation(found, "llm.tools") == [
        {
            "type": "function",
            "function": {"name": "weather", "description": "The weather.", "parameters": {"type": "object"}},
        }
    ]
    assert (found["llm.completion"], found["llm.finish_reason"]) == ("21 degrees", "stop")
    assert [found[f"llm.tokens.{n}"] for n in ("input", "output", "cache_read", "reasoning")] == [160, 12, 128, 2]
    assert found["llm.cost_usd"] == 0.0000216
    assert found["llm.base_url"] == "http://127.0.0.1:9009/v1"


def test_a_tool() -> None:
    found = mapped(
        span(
            "execute_tool weather",
            {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "weather",
                "gen_ai.tool.call.id": "c",
                "gen_ai.tool.call.arguments": '{"city":"Lima"}',
                "gen_ai.tool.call.result": "21",
                "gen_ai.agent.name": "weather",
                "logfire.msg": "running tool: weather",
            },
            scope="pydantic-ai",
        )
    )
    assert (found["span_type"], found["name"]) == ("tool_use", "weather")
    assert (found["tool.input"], found["tool.output"], found["tool.call_id"]) == ('{"city":"Lima"}', "21", "c")


def test_what_versions_1_to_4_left() -> None:
    messages = [
        {"event.name": "gen_ai.user.message", "role": "user", "content": ["Look:", {"kind": "image-url", "url": "u"}]},
        {"event.name": "gen_ai.assistant.message", "role": "assistant", "content": "A map."},
    ]
    agent = mapped(
        span(
            "agent run",
            {
                "model_name": "gpt-4o-mini",
                "agent_name": "guide",
                "logfire.msg": "guide run",
                "all_messages_events": json.dumps(messages),
                "final_result": "A map.",
                "gen_ai.usage.input_tokens": 9,
                "gen_ai.usage.output_tokens": 1,
            },
            scope="pydantic-ai",
        )
    )
    assert (agent["span_type"], agent["name"], agent["agent.step_name"]) == ("agent_step", "guide run", "guide")
    assert (agent["agent.input"], agent["agent.output"]) == ("Look:", "A map.")
    assert agent["agent.tokens.total"] == 10
    assert not [key for key in agent if key.startswith("llm.tokens")]
    tool = mapped(
        span(
            "running tool",
            {"gen_ai.tool.name": "weather", "gen_ai.tool.call.id": "c", "tool_arguments": "{}", "tool_response": "21",
             "logfire.msg": "running tool: weather"},
            scope="pydantic-ai",
        )
    )  # fmt: skip
    assert (tool["span_type"], tool["name"]) == ("tool_use", "weather")
    assert (tool["tool.input"], tool["tool.output"]) == ("{}", "21")
    tools = mapped(span("running tools", {"tools": ["a"], "logfire.msg": "running 1 tool"}, scope="pydantic-ai"))
    assert (tools["span_type"], tools["chain.type"]) == ("chain", "tools")


def test_parts_of_older_versions() -> None:
    parts = [
        {"type": "text", "content": "Look:"},
        {"type": "image-url", "url": "https://x.test/a.png"},
        {"type": "binary", "media_type": "image/png", "content": "AAAA"},
    ]
    attributes = MODEL_REQUEST | {"gen_ai.input.messages": json.dumps([{"role": "user", "parts": parts}])}
    found = mapped(span("chat m", attributes, scope="pydantic-ai"))
    assert conversation(found)[0]["content"] == [
        {"type": "text", "text": "Look:"},
        {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]


NAMES = [
    *CALL, *STREAMED, *AGENT, *MODEL_REQUEST, "response_data", "events", "logfire.pending_parent_id",
    "all_messages_events", "tool_arguments", "tool_response", "gen_ai.system_instructions",
]  # fmt: skip


@pytest.mark.parametrize("scope", ["logfire.openai", "pydantic-ai"])
@pytest.mark.parametrize("name", [SPAN_NAME, LOG_NAME, "agent run", "running tool"])
@given(attributes=junk(NAMES))
def test_any_values_are_read(scope: str, name: str, attributes: dict[str, Any]) -> None:
    map_span(span(name, attributes, scope=scope), no_price)
