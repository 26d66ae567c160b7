"""An OTLP span as an arrival: its name, status, times, ids, and what an export needs to give it back."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.decode import Arrival
from ingest.otlp.arrived import Otel
from ingest.otlp.mapping import map_span
from ingest.otlp.records import OtlpSpan, Resource, Scope
from ingest.separate import SpanWrong
from tests.unit.ingest.otlp.spans import END, PARENT, START, attributes_of, event, free, link, mapped, otlp_span

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"}


def arrival_of(span: OtlpSpan) -> Arrival:
    (arrival,) = mapped(span).arrivals
    return arrival


def otel_of(span: OtlpSpan) -> Otel:
    otel = arrival_of(span).otel
    assert otel is not None
    return otel


# ---------------------------------------------------------------- attributes


def test_every_attribute_is_kept_and_beacons_stand_behind() -> None:
    sent = {**CHAT, "x.list": [1, [True, None]], "x.map": {"a": {"b": 1.5}}}
    found = attributes_of(otlp_span(sent))
    assert list(found)[: len(sent)] == list(sent)
    assert {key: found[key] for key in sent} == sent
    assert found["beacon.dialect"] == "genai"
    assert found["beacon.scope"] == "opentelemetry.instrumentation.genai.openai"


def test_a_key_of_beacons_that_the_span_has_is_never_overwritten() -> None:
    own = {"llm.model": "mine", "llm.cost_usd": 0.5, "session.id": "s", "llm.prompt": "[]"}
    found = attributes_of(
        otlp_span({**CHAT, **own, "operation.cost": 9.0, "gen_ai.conversation.id": "c", "gen_ai.prompt": "hello"})
    )
    assert {key: found[key] for key in own} == own
    assert found["llm.cost_source"] == "llm.cost_usd"


def test_values_that_json_does_not_have_are_kept_as_text_and_typed_for_the_export() -> None:
    sent = {"raw": b"\x00\xff", "nan": math.nan, "big": math.inf, "deep": [b"x", -math.inf], "plain": 1}
    span = otlp_span(sent, name="x", scope=Scope("http"))
    found = attributes_of(span)
    assert found["raw"] == base64.b64encode(b"\x00\xff").decode()
    assert (found["nan"], found["big"], found["deep"][1], found["plain"]) == ("NaN", "Infinity", "-Infinity", 1)
    assert json.loads(otel_of(span).text)["typed"] == {
        "raw": {"bytesValue": "AP8="},
        "nan": {"doubleValue": "NaN"},
        "big": {"doubleValue": "Infinity"},
        "deep": {"arrayValue": {"values": [{"bytesValue": "eA=="}, {"doubleValue": "-Infinity"}]}},
    }


def test_what_is_nested_too_deep_becomes_text() -> None:
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    found = attributes_of(otlp_span({"deep": deep, "beside": 1}))
    assert found["beside"] == 1
    depth, level = 0, found["deep"]
    while isinstance(level, list):
        depth, level = depth + 1, level[0]
    assert depth < 100
    assert isinstance(level, str)


def test_spans_that_are_nobodys_get_no_keys_but_their_origin() -> None:
    sent = {"http.request.method": "GET", "server.address": "example.com", "url.path": "/"}
    found = attributes_of(otlp_span(sent, scope=Scope("opentelemetry.instrumentation.fastapi")))
    assert found == {
        **sent, "beacon.dialect": "plain", "beacon.scope": "opentelemetry.instrumentation.fastapi",
    }  # fmt: skip


def test_a_command_is_a_shell_command() -> None:
    span = otlp_span({"process.command_args": ["ls", "-l"], "process.exit.code": 2}, scope=Scope("subprocess"))
    assert arrival_of(span).span.span_type == "shell_command"
    found = attributes_of(span)
    assert (found["shell.command"], found["shell.returncode"]) == ("ls -l", 2)


# ---------------------------------------------------------------- name, status, times


def test_a_tool_is_named_by_its_name() -> None:
    span = otlp_span(
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather"}, name="execute_tool weather"
    )
    assert arrival_of(span).span.name == "weather"
    assert json.loads(otel_of(span).text)["name"] == "execute_tool weather"
    assert arrival_of(otlp_span(name="")).span.name == "unnamed"


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"status_code": 1}, "ok", None),
        ({"status_code": 0}, "ok", None),
        ({"status_code": 0, "end_ns": None}, "unset", None),
        ({"status_code": 1, "end_ns": None}, "ok", None),
        ({"status_code": 2, "status_message": "refused"}, "error", "refused"),
        (
            {
                "status_code": 2,
                "events": [event("exception", {"exception.type": "ValueError", "exception.message": "no"})],
            },
            "error",
            "ValueError: no",
        ),
        ({"status_code": 2, "events": [event("exception", {"exception.type": "E"})]}, "error", "E"),
        (
            {
                "status_code": 2,
                "events": [
                    event("exception", {"exception.type": "Retried"}),
                    event("exception", {"exception.type": "GaveUp"}),
                    event("exception", {}),
                ],
            },
            "error",
            "GaveUp",
        ),
        ({"status_code": 2, "attributes": {"error.type": "timeout"}}, "error", "timeout"),
        ({"status_code": 2}, "error", None),
        ({"events": [event("exception", {"exception.message": "handled"})]}, "ok", None),
    ],
)
def test_status_and_message(fields: dict[str, Any], status: str, message: str | None) -> None:
    span = arrival_of(otlp_span(**fields)).span
    assert (span.status, span.error_message) == (status, message)


def test_the_status_that_was_sent_is_kept_for_the_export() -> None:
    assert json.loads(otel_of(otlp_span(status_code=0)).text)["status"] == {"code": 0}
    assert "status" not in json.loads(otel_of(otlp_span(status_code=1)).text)
    failed = otlp_span(status_code=2, events=[event("exception", {"exception.type": "E"})])
    assert json.loads(otel_of(failed).text)["status"] == {"code": 2}


@pytest.mark.parametrize("end_ns", [START, START - 5, START + 5, None])
def test_zero_length_negative_and_open_spans_are_kept(end_ns: int | None) -> None:
    arrival = arrival_of(otlp_span(end_ns=end_ns))
    assert (arrival.start_ns, arrival.end_ns) == (START, end_ns)


def test_a_start_of_zero_is_no_time() -> None:
    assert arrival_of(otlp_span(start_ns=0)).start_ns == END
    assert json.loads(otel_of(otlp_span(start_ns=0)).text)["startTimeUnixNano"] == "0"
    assert arrival_of(otlp_span(start_ns=0, end_ns=None, events=[event("x", time_ns=7)])).start_ns == 7
    assert arrival_of(otlp_span(start_ns=0, end_ns=None)).start_ns == 0


@pytest.mark.parametrize("fields", [{"start_ns": 2**63}, {"end_ns": 2**64 - 1}, {"start_ns": -1}])
def test_a_time_beyond_2262_refuses_the_span(fields: dict[str, Any]) -> None:
    with pytest.raises(SpanWrong, match="2262"):
        mapped(otlp_span(**fields))


# ---------------------------------------------------------------- resource, scope, and the rest of OTLP


def test_resource_and_scope_are_one_text_for_all_their_spans() -> None:
    resource = Resource(
        {"service.name": "agent", "telemetry.sdk.language": "nodejs", "beacon.run_id": "r1"}, "https://s", 2
    )
    scope = Scope("tracer", "1.0", {"k": True}, "https://t", 1)
    first = arrival_of(otlp_span(resource=resource, scope=scope))
    second = arrival_of(otlp_span(resource=resource, scope=scope, span_id=PARENT))
    assert first.otel is not None
    assert second.otel is not None
    assert first.otel.resource is second.otel.resource
    assert first.otel.scope is second.otel.scope
    assert (first.otel.service, first.otel.run_id, first.span.sdk_language) == ("agent", "r1", "nodejs")
    assert json.loads(first.otel.resource) == {
        "resource": {
            "attributes": [
                {"key": "service.name", "value": {"stringValue": "agent"}},
                {"key": "telemetry.sdk.language", "value": {"stringValue": "nodejs"}},
                {"key": "beacon.run_id", "value": {"stringValue": "r1"}},
            ],
            "droppedAttributesCount": 2,
        },
        "schemaUrl": "https://s",
    }
    assert json.loads(first.otel.scope) == {
        "scope": {
            "name": "tracer", "version": "1.0", "attributes": [{"key": "k", "value": {"boolValue": True}}],
            "droppedAttributesCount": 1,
        },
        "schemaUrl": "https://t",
    }  # fmt: skip


def test_what_a_beacon_span_has_no_field_for() -> None:
    span = otlp_span(
        trace_state="a=b", flags=257, dropped_attributes=1, dropped_events=2, dropped_links=3, status_code=1,
        events=[event("e", {"n": 2**40})], links=[link(trace_state="c=d", flags=1, dropped=4)],
    )  # fmt: skip
    assert json.loads(otel_of(span).text) == {
        "kind": 3, "flags": 257, "traceState": "a=b", "droppedAttributesCount": 1,
        "events": [{
            "timeUnixNano": str(START), "name": "e",
            "attributes": [{"key": "n", "value": {"intValue": str(2**40)}}],
        }],
        "droppedEventsCount": 2,
        "links": [{
            "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": PARENT, "traceState": "c=d",
            "droppedAttributesCount": 4, "flags": 1,
        }],
        "droppedLinksCount": 3,
    }  # fmt: skip


@given(
    kind=st.integers(0, 5), flags=st.sampled_from([0, 1, 257]), code=st.integers(0, 2),
    ended=st.booleans(), message=st.sampled_from(["", "why"]),
)  # fmt: skip
def test_the_short_way_to_the_text_gives_what_the_long_one_does(
    kind: int, flags: int, code: int, ended: bool, message: str
) -> None:
    fields: dict[str, Any] = {
        "kind": kind, "flags": flags, "status_code": code, "status_message": message, "end_ns": END if ended else None,
    }  # fmt: skip
    short = json.loads(otel_of(otlp_span(**fields)).text)
    long = json.loads(otel_of(otlp_span(**fields, trace_state="a=b")).text)
    assert long == {**short, "traceState": "a=b"}


# ---------------------------------------------------------------- back from an export


def hashed(native: str, digits: int) -> str:
    return hashlib.sha256(native.encode()).hexdigest()[:digits]


def test_a_native_id_survives_where_it_hashes_to_the_one_on_the_wire() -> None:
    sent = {"beacon.trace_id": "run-1", "beacon.span_id": "run-1:a", "beacon.parent_span_id": "run-1:b"}
    span = otlp_span(
        sent, trace_id=hashed("run-1", 32), span_id=hashed("run-1:a", 16), parent_span_id=hashed("run-1:b", 16)
    )
    stored = arrival_of(span).span
    assert (stored.trace_id, stored.span_id, stored.parent_span_id) == ("run-1", "run-1:a", "run-1:b")
    assert not attributes_of(span).keys() & sent.keys()
    stranger = otlp_span(sent)
    assert arrival_of(stranger).span.trace_id == stranger.trace_id
    assert attributes_of(stranger)["beacon.trace_id"] == "run-1"


@pytest.mark.parametrize("native", ["export", "a b", "", "x" * 129])
def test_a_native_id_that_no_route_could_name_is_not_restored(native: str) -> None:
    span = otlp_span({"beacon.trace_id": native}, trace_id=hashed(native, 32))
    assert arrival_of(span).span.trace_id == hashed(native, 32)


def test_type_language_notes_and_tags_are_restored() -> None:
    notes = '[{"id":"n1","text":"look","created_at":1.5}]'
    span = otlp_span(
        {"beacon.span_type": "browser_action", "beacon.sdk_language": "rust", "beacon.annotations": notes},
        resource=Resource({"service.name": "agent", "beacon.tag.team": "red", "beacon.trace_name": "t"}),
    )
    arrival = arrival_of(span)
    assert (arrival.span.span_type, arrival.span.sdk_language, arrival.annotations) == ("browser_action", "rust", notes)
    assert arrival.otel is not None
    assert arrival.otel.tags == {"team": "red"}
    assert arrival.otel.tags_whole
    assert "beacon.t" not in arrival.otel.resource
    assert not [key for key in attributes_of(span) if key in ("beacon.span_type", "beacon.annotations")]
    assert attributes_of(otlp_span({"beacon.annotations": "[1]"}))["beacon.annotations"] == "[1]"


def test_a_span_of_beacons_own_comes_back_as_it_was() -> None:
    sent = {"beacon.span_type": "llm_call", "llm.model": "gpt-4o", "gen_ai.system": "x", "llm.tokens.total": 3}
    span = otlp_span(
        sent, status_code=0, scope=Scope("beacon", "1.0"),
        resource=Resource({"service.name": "beacon", "beacon.trace_name": "t", "beacon.tag.a": "b"}),
    )  # fmt: skip
    arrival = arrival_of(span)
    assert arrival.span.status == "unset"  # and not ok, as a library's would be
    assert attributes_of(span) == {key: value for key, value in sent.items() if key != "beacon.span_type"}
    assert arrival.otel == Otel("", "", "", tags={"a": "b"}, tags_whole=True)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.sampled_from(["[", "{}", '[{"role": 1}]', '{"parts": [[]]}', "[null]", '[{"type": "tool_call"}]', "NaN"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["role", "parts", "content", "type", "text", "tool_calls", "function", "name", "id",
                         "arguments", "message", "response", "image_url", "source", "data", "uri", "0"]) | st.text(),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
KEYS = st.sampled_from(
    [
        "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.system", "gen_ai.request.model", "gen_ai.prompt",
        "gen_ai.response.model", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions",
        "gen_ai.completion", "gen_ai.prompt.0.role", "gen_ai.prompt.0.content", "gen_ai.prompt.0",
        "gen_ai.prompt.99999.x",
        "gen_ai.prompt.0.tool_calls.0.name", "gen_ai.completion.0.content", "gen_ai.tool.definitions",
        "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.cost", "operation.cost",
        "gen_ai.request.temperature", "gen_ai.request.max_tokens", "gen_ai.request.stop_sequences", "server.address",
        "server.port", "gen_ai.response.finish_reasons", "gen_ai.tool.name", "gen_ai.tool.call.arguments",
        "gen_ai.agent.name", "session.id", "span_type", "beacon.span_type", "beacon.annotations", "beacon.trace_id",
        "beacon.sdk_language", "beacon.dialect", "process.command_args", "gen_ai.conversation.id", "error.type",
        "openinference.span.kind", "ai.operationId", "span.type", "traceloop.span.kind", "mcp.method.name",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    attributes=st.dictionaries(KEYS | st.text(max_size=8), JUNK, max_size=8),
    of_event=st.dictionaries(KEYS | st.sampled_from(["content", "message", "index", "tool_calls"]), JUNK, max_size=4),
    event_name=st.sampled_from(
        ["gen_ai.choice", "gen_ai.user.message", "gen_ai.content.prompt", "exception",
         "gen_ai.client.inference.operation.details"]
    ),
    operation=st.sampled_from([{}, {"gen_ai.operation.name": "chat"}, {"gen_ai.operation.name": "execute_tool"}]),
)  # fmt: skip
def test_junk_in_any_attribute_is_kept_and_mapping_again_changes_nothing(
    attributes: dict[str, Any], of_event: dict[str, Any], event_name: str, operation: dict[str, str]
) -> None:
    span = otlp_span({**operation, **attributes}, events=[event(event_name, of_event)], status_code=2)
    first = arrival_of(span)
    assert isinstance(first.attributes, str)
    stored = json.loads(first.attributes, parse_constant=pytest.fail)
    assert first.otel is not None
    json.loads(first.otel.text, parse_constant=pytest.fail)
    kept = {key.encode("utf-8", "replace").decode() for key in attributes}
    restorable = {"beacon.span_type", "beacon.annotations", "beacon.trace_id", "beacon.sdk_language"}
    assert len(stored) >= len(kept - restorable)
    if kept & restorable:
        return  # an export puts its own in their place

    exported = {**stored, "beacon.span_type": first.span.span_type}
    if isinstance(first.span.sdk_language, str):
        exported["beacon.sdk_language"] = first.span.sdk_language
    if isinstance(first.annotations, str):
        exported["beacon.annotations"] = first.annotations
    again = arrival_of(otlp_span(exported, events=span.events, status_code=2))
    assert again.attributes == first.attributes
    assert again.span.span_type == first.span.span_type


def test_mapping_again_gives_the_same_span() -> None:
    span = otlp_span(
        {**CHAT, "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]',
         "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 4, "raw": b"x"},
        resource=Resource({"service.name": "agent"}),
    )  # fmt: skip
    first = arrival_of(span)
    assert isinstance(first.attributes, str)
    exported = {**json.loads(first.attributes), "beacon.span_type": "llm_call", "raw": b"x"}
    dearer = map_span(
        otlp_span(exported, resource=Resource({"service.name": "agent"})), lambda *_: (1.0, "another price")
    ).arrivals[0]
    assert dearer.attributes == first.attributes  # a price of another day does not get in
    assert (dearer.span, dearer.otel, dearer.columns) == (first.span, first.otel, first.columns)
    assert map_span(span, free).contents == []
