"""OTLP in JSON, decoded: what the protocol says, what clients write besides, and what is none of it."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest

from beacon.errors import BadRequest
from ingest.otlp.decode_json import decode_logs, decode_traces
from ingest.otlp.decode_protobuf import decode_traces as decode_protobuf
from ingest.otlp.decoded import SLICE, DecodedLogs, DecodedTraces
from ingest.otlp.records import Event, Link
from ingest.separate import SEPARATE_MAX
from tests.otlp_requests import END, SPAN, START, TRACE, json_attribute, json_span, json_traces, span, traces


def decode(body: Any) -> DecodedTraces:
    out = DecodedTraces()
    for _ in decode_traces(body if isinstance(body, bytes) else json.dumps(body).encode(), out):
        pass
    return out


def records_of(body: Any) -> DecodedLogs:
    out = DecodedLogs()
    for _ in decode_logs(json.dumps(body).encode(), out):
        pass
    return out


def only(**fields: Any) -> Any:
    out = decode(json_traces(json_span(**fields)))
    assert (out.rejected, out.reasons) == (0, [])
    return out.spans[0]


FULL = {
    "resourceSpans": [
        {
            "resource": {"attributes": [json_attribute("service.name", "s")], "droppedAttributesCount": 6},
            "schemaUrl": "https://r",
            "scopeSpans": [
                {
                    "scope": {
                        "name": "n", "version": "1", "attributes": [json_attribute("x", 1)],
                        "droppedAttributesCount": 7,
                    },
                    "schemaUrl": "https://s",
                    "spans": [
                        json_span(
                            parentSpanId="01" * 8,
                            traceState="a=1",
                            flags=769,
                            kind=3,
                            attributes=[json_attribute("k", "v")],
                            droppedAttributesCount=1,
                            events=[
                                {
                                    "name": "e", "timeUnixNano": str(START + 1),
                                    "attributes": [json_attribute("k", "v")], "droppedAttributesCount": 4,
                                }
                            ],
                            droppedEventsCount=2,
                            links=[
                                {
                                    "traceId": "02" * 16, "spanId": "03" * 8, "traceState": "b=2",
                                    "attributes": [json_attribute("l", 1)], "droppedAttributesCount": 5, "flags": 1,
                                }
                            ],
                            droppedLinksCount=3,
                            status={"code": 2, "message": "boom"},
                        ),
                        json_span("02" * 8),
                    ],
                },
                {"spans": [json_span("03" * 8)]},
            ],
        },
        {"scopeSpans": [{"spans": [json_span("04" * 8)]}]},
    ]
}  # fmt: skip


def snake_case(value: Any) -> Any:
    if isinstance(value, list):
        return [snake_case(inner) for inner in value]
    if isinstance(value, dict):
        return {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): snake_case(v) for key, v in value.items()}
    return value


@pytest.mark.parametrize("body", [FULL, snake_case(FULL)], ids=["camelCase", "snake_case"])
def test_every_field_comes_over(body: Any) -> None:
    out = decode(body)
    assert (out.count, out.rejected, out.reasons) == (4, 0, [])
    first, second, third, fourth = out.spans
    assert [s.index for s in out.spans] == [0, 1, 2, 3]
    assert (first.trace_id, first.span_id, first.parent_span_id) == (TRACE, SPAN, "01" * 8)
    assert (first.name, first.kind, first.start_ns, first.end_ns) == ("step", 3, START, END)
    assert (first.status_code, first.status_message) == (2, "boom")
    assert first.attributes == {"k": "v"}
    assert first.events == [Event("e", START + 1, {"k": "v"}, 4)]
    assert first.links == [Link("02" * 16, "03" * 8, {"l": 1}, "b=2", 1, 5)]
    assert (first.trace_state, first.flags) == ("a=1", 769)
    assert (first.dropped_attributes, first.dropped_events, first.dropped_links) == (1, 2, 3)
    assert (first.resource.attributes, first.resource.schema_url, first.resource.dropped) == (
        {"service.name": "s"}, "https://r", 6,
    )  # fmt: skip
    scope = first.scope
    assert (scope.name, scope.version, scope.attributes, scope.schema_url, scope.dropped) == (
        "n", "1", {"x": 1}, "https://s", 7,
    )  # fmt: skip
    assert second.scope is first.scope
    assert second.resource is third.resource is first.resource
    assert third.scope is not first.scope
    assert fourth.resource is not first.resource


def test_json_and_protobuf_say_the_same() -> None:
    values = {"text": "ü", "whole": 7}
    out = DecodedTraces()
    for _ in decode_protobuf(traces(span(attributes=values)), out):
        pass
    assert out.spans == [only(attributes=[json_attribute(k, v) for k, v in values.items()])]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"stringValue": "a"}, "a"),
        ({"stringValue": ""}, ""),
        ({"boolValue": False}, False),
        ({"intValue": "-9223372036854775808"}, -(2**63)),
        ({"intValue": 12}, 12),
        ({"intValue": 12.0}, 12),
        ({"intValue": 0}, 0),
        ({"doubleValue": 0.5}, 0.5),
        ({"doubleValue": 2}, 2.0),
        ({"doubleValue": "2.5"}, 2.5),
        ({"doubleValue": "Infinity"}, math.inf),
        ({"doubleValue": "-Infinity"}, -math.inf),
        ({"bytesValue": "AP8="}, b"\x00\xff"),
        ({"bytesValue": "AP8"}, b"\x00\xff"),
        ({"bytesValue": "-_8"}, b"\xfb\xff"),
        ({"arrayValue": {"values": [{"intValue": "1"}, {}, {"arrayValue": {"values": []}}]}}, [1, None, []]),
        ({"arrayValue": {}}, []),
        ({"kvlistValue": {"values": [{"key": "a", "value": {"boolValue": True}}]}}, {"a": True}),
        ({"kvlistValue": {}}, {}),
        ({}, None),
        # what no encoder of protobuf's writes
        ({"string_value": "a"}, "a"),
        ({"int_value": 1}, 1),
        ({"array_value": {"values": [{"string_value": "x"}]}}, ["x"]),
        ({"arrayValue": [{"stringValue": "x"}]}, ["x"]),
        ({"intValue": "9223372036854775808"}, "9223372036854775808"),
        ({"intValue": "many"}, "many"),
        ({"intValue": True}, True),
        ({"boolValue": "true"}, True),
        ({"doubleValue": "far"}, "far"),
        ({"bytesValue": "not base64!"}, "not base64!"),
        ({"stringValue": 5}, "5"),
        ({"newValue": 5}, None),
        ("bare", "bare"),
        (5, 5),
        (None, None),
    ],
)
def test_a_value_is_read(value: Any, read: Any) -> None:
    got = only(attributes=[{"key": "k", "value": value}]).attributes["k"]
    assert got == read
    assert type(got) is type(read)


def test_not_a_number_is_one() -> None:
    assert math.isnan(only(attributes=[{"key": "k", "value": {"doubleValue": "NaN"}}]).attributes["k"])


def test_a_pair_that_is_none_costs_itself_alone() -> None:
    pairs: list[Any] = [
        5,
        {},
        {"key": 1, "value": {}},
        json_attribute("a", "1"),
        json_attribute("a", "2"),
        {"key": "b"},
    ]
    assert only(attributes=pairs).attributes == {"a": "2", "b": None}


# ---------------------------------------------------------------- ids


def test_ids_are_hex_in_any_case_or_base64_by_their_length() -> None:
    raw_trace, raw_span = bytes.fromhex(TRACE), bytes.fromhex(SPAN)
    for trace_id, span_id, parent in (
        (TRACE.upper(), SPAN.upper(), "AB" * 8),
        (base64.b64encode(raw_trace).decode(), base64.b64encode(raw_span).decode(), "q6urq6urq6s="),
        (base64.urlsafe_b64encode(raw_trace).decode(), base64.urlsafe_b64encode(raw_span).decode(), "q6urq6urq6s="),
    ):
        got = only(traceId=trace_id, spanId=span_id, parentSpanId=parent)
        assert (got.trace_id, got.span_id, got.parent_span_id) == (TRACE, SPAN, "ab" * 8)


@pytest.mark.parametrize("parent", ["", "0" * 16, None, "AAAAAAAAAAA="])
def test_no_parent_is_a_root(parent: Any) -> None:
    assert only(parentSpanId=parent).parent_span_id is None


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"traceId": ""}, "spans[1].traceId: is missing"),
        ({"traceId": None}, "spans[1].traceId: is missing"),
        ({"traceId": "0" * 32}, "spans[1].traceId: is all zeros"),
        ({"traceId": TRACE[:-2]}, "spans[1].traceId: has 15 bytes; 16 are needed"),
        ({"traceId": "g" * 32}, "spans[1].traceId: must be hex digits"),
        ({"traceId": 7}, "spans[1].traceId: must be text"),
        ({"spanId": "0" * 16}, "spans[1].spanId: is all zeros"),
        ({"spanId": TRACE}, "spans[1].spanId: has 16 bytes; 8 are needed"),
        ({"parentSpanId": "zz"}, "spans[1].parentSpanId: must be hex digits"),
        ({"startTimeUnixNano": "soon"}, "spans[1].startTimeUnixNano: must be a whole number"),
        ({"startTimeUnixNano": 1.5}, "spans[1].startTimeUnixNano: must be a whole number"),
        ({"startTimeUnixNano": -1}, "spans[1].startTimeUnixNano: must be nanoseconds"),
        ({"endTimeUnixNano": str(2**63)}, "spans[1].endTimeUnixNano: must be nanoseconds"),
        ({"endTimeUnixNano": "9" * 5000}, "spans[1].endTimeUnixNano: must be a whole number"),
        ({"attributes": {"a": "b"}}, "spans[1].attributes: must be a list of"),
    ],
)
def test_a_bad_span_is_left_out_and_named(fields: dict[str, Any], why: str) -> None:
    out = decode(json_traces(json_span("01" * 8), json_span(**fields), json_span("03" * 8)))
    assert [s.span_id for s in out.spans] == ["01" * 8, "03" * 8]
    assert (out.count, out.rejected) == (3, 1)
    assert out.reasons[0].startswith(why)


@pytest.mark.parametrize("item", [5, None, "span", []])
def test_what_is_no_object_is_left_out(item: Any) -> None:
    out = decode(json_traces(json_span(), item))
    assert (len(out.spans), out.reasons) == (1, ["spans[1]: must be an object"])


def test_attributes_as_an_object_are_told_apart_from_a_bad_span() -> None:
    out = decode(json_traces(json_span(attributes={"a": "b"})))
    assert out.malformed.startswith("spans[0].attributes: must be a list of")
    assert not decode(json_traces(json_span(traceId=""))).malformed


def test_attributes_of_a_resource_that_are_none_are_warned_of() -> None:
    out = decode({"resourceSpans": [{"resource": {"attributes": {"a": 1}}, "scopeSpans": [{"spans": [json_span()]}]}]})
    assert (len(out.spans), out.rejected) == (1, 0)
    assert out.reasons[0].startswith("resource.attributes: must be a list of")


# ---------------------------------------------------------------- enums, numbers, and what is not known


@pytest.mark.parametrize(
    ("kind", "read"),
    [(3, 3), ("3", 3), ("SPAN_KIND_CLIENT", 3), ("client", 3), ("SPAN_KIND_NEW", 0), (None, 0), ({}, 0), (-1, 0)],
)
def test_kinds_are_numbers_or_names(kind: Any, read: int) -> None:
    assert only(kind=kind).kind == read


@pytest.mark.parametrize(
    ("code", "read"), [(2, 2), ("2", 2), ("STATUS_CODE_ERROR", 2), ("STATUS_CODE_OK", 1), ("ERROR", 2), (7, 0)]
)
def test_status_codes_are_numbers_or_names(code: Any, read: int) -> None:
    assert only(status={"code": code}).status_code == read


def test_times_are_text_or_numbers() -> None:
    for start, end in ((str(START), str(END)), (START, END)):
        got = only(startTimeUnixNano=start, endTimeUnixNano=end)
        assert (got.start_ns, got.end_ns) == (START, END)
    assert only(endTimeUnixNano="0").end_ns is None
    assert only(endTimeUnixNano=None).end_ns is None


def test_unknown_fields_are_ignored() -> None:
    body = json_traces(json_span(newField={"a": [1]}, status={"code": 1, "new": 2}))
    body["new"] = body["resourceSpans"][0]["new"] = body["resourceSpans"][0]["scopeSpans"][0]["new"] = {"x": [None]}
    assert len(decode(body).spans) == 1


def test_wrong_kinds_of_the_lesser_fields_cost_themselves_alone() -> None:
    got = only(
        name=5, status="ok", events=[5, {"name": None, "timeUnixNano": "x"}], links={"a": 1}, traceState=[],
        flags="many", droppedAttributesCount=-1, kind=[],
    )  # fmt: skip
    assert (got.name, got.status_code, got.links, got.trace_state, got.flags) == ("5", 0, [], "", 0)
    assert got.events == [Event("", 0, {})]
    assert only(links=[{"traceId": "no", "spanId": None}]).links == [Link("", "", {})]


# ---------------------------------------------------------------- text that a strict decoder refuses


def test_what_json_dumps_writes_and_is_no_json_is_read() -> None:
    body = json.dumps(json_traces(json_span(attributes=[{"key": "k", "value": {"doubleValue": math.nan}}]))).encode()
    assert b"NaN" in body
    assert math.isnan(decode(body).spans[0].attributes["k"])


def test_half_a_surrogate_pair_costs_that_character() -> None:
    cut = json.dumps("a\ud83d").encode()
    body = json.dumps(json_traces(json_span(name="CUT"), json_span("01" * 8, name="whole 😀"))).encode()
    out = decode(body.replace(b'"CUT"', cut))
    assert [s.name for s in out.spans] == ["a\ufffd", "whole 😀"]
    out.spans[0].name.encode()


def test_bytes_that_are_no_utf8_cost_themselves() -> None:
    body = json.dumps(json_traces(json_span(name="CUT"), json_span("01" * 8))).encode()
    assert [s.name for s in decode(body.replace(b"CUT", b"a\xff")).spans] == ["a\ufffd", "step"]


def test_a_byte_order_mark_is_no_harm() -> None:
    assert len(decode(b"\xef\xbb\xbf" + json.dumps(json_traces(json_span())).encode()).spans) == 1


def nested(levels: int) -> str:
    return '{"arrayValue":{"values":[' * levels + '{"intValue":"1"}' + "]}}" * levels


@pytest.mark.parametrize(("levels", "kept"), [(99, True), (100, False), (250, False), (5_000, False), (100_000, False)])
def test_deep_values_cost_their_span_alone(levels: int, kept: bool) -> None:
    body = json.dumps(json_traces(json_span("01" * 8), json_span(attributes=["DEEP"]), json_span("03" * 8)))
    out = decode(body.replace('"DEEP"', f'{{"key":"k","value":{nested(levels)}}}').encode())
    assert len(out.spans) == 2 + kept
    if not kept:
        assert [s.span_id for s in out.spans] == ["01" * 8, "03" * 8]
        assert "nested more than 100 levels deep" in out.reasons[0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"{", "not valid JSON"),
        (b'{"resourceSpans": [', "not valid JSON"),
        (b"[]", "is an object"),
        (b"null", "is an object"),
        (b'{"resourceSpans": {}}', "resourceSpans must be a list, not an object"),
        (b'{"resourceSpans": [5]}', r"resourceSpans\[0\] must be an object"),
        (b'{"resourceSpans": [{"scopeSpans": "x"}]}', r"resourceSpans\[0\].scopeSpans must be a list, not text"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": {}}]}]}', r"resourceSpans\[0\].scopeSpans\[0\].spans must be"),
        (traces(span()), "application/x-protobuf"),
        (b"\x1f\x8b\x08\x00", "Content-Encoding: gzip"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"resourceSpans": [' + b"x" * SEPARATE_MAX, "not valid JSON"),
    ],
)
def test_what_is_no_request_is_said_to_be_none(body: bytes, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        decode(body)


@pytest.mark.parametrize(
    "body", [{}, {"resourceSpans": []}, {"resourceSpans": None}, {"resourceSpans": [{}]}, json_traces()]
)
def test_an_empty_request_is_one(body: Any) -> None:
    out = decode(body)
    assert (out.count, out.rejected, out.reasons) == (0, 0, [])


def test_a_large_body_lets_others_in() -> None:
    out = DecodedTraces()
    body = json.dumps(json_traces(*[json_span()] * (3 * SLICE))).encode()
    assert sum(1 for _ in decode_traces(body, out)) == 3


# ---------------------------------------------------------------- logs, and what was sent to the wrong path


def log_record(**fields: Any) -> dict[str, Any]:
    return {"traceId": TRACE, "spanId": SPAN, "timeUnixNano": str(START), "body": {"stringValue": "hello"}, **fields}


def json_logs(*records: Any) -> dict[str, Any]:
    return {"resourceLogs": [{"scopeLogs": [{"scope": {"name": "n"}, "logRecords": list(records)}]}]}


@pytest.mark.parametrize("form", [lambda body: body, snake_case], ids=["camelCase", "snake_case"])
def test_log_records_name_their_span_or_are_passed_over(form: Any) -> None:
    out = records_of(
        form(
            json_logs(
                log_record(eventName="gen_ai.choice"),
                log_record(traceId="", spanId=""),
                {"body": {"stringValue": "of no span"}},
                log_record(
                    timeUnixNano="0",
                    observedTimeUnixNano=str(END),
                    attributes=[json_attribute("event.name", "gen_ai.user.message")],
                    body={"kvlistValue": {"values": [json_attribute("content", "hi")]}},
                ),
            )
        )
    )
    assert (out.count, out.rejected, [r.index for r in out.records]) == (4, 0, [0, 3])
    first, second = out.records
    assert (first.trace_id, first.span_id, first.event_name, first.time_ns, first.body) == (
        TRACE, SPAN, "gen_ai.choice", START, "hello",
    )  # fmt: skip
    assert first.scope.name == "n"
    assert (second.event_name, second.time_ns, second.body) == ("gen_ai.user.message", END, {"content": "hi"})


def test_a_bad_log_record_costs_itself_alone() -> None:
    out = records_of(json_logs(log_record(), log_record(spanId="01"), 7))
    assert [r.index for r in out.records] == [0]
    assert out.reasons == ["logRecords[1].spanId: has 1 bytes; 8 are needed", "logRecords[2]: must be an object"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (json_logs(log_record()), "holds logs, and was sent to the path of traces. Send logs to /v1/logs"),
        (snake_case(json_logs(log_record())), "holds logs"),
        ({"resourceMetrics": []}, "holds metrics, and was sent to the path of traces. Send metrics to /v1/metrics"),
        ({"spans": [{"span_id": "s"}]}, "in Beacon's own form, and was sent to a path of OTLP. Send it to /v1/spans"),
    ],
)
def test_a_body_on_the_path_of_traces_that_is_none_says_what_it_is(body: Any, said: str) -> None:
    out = decode(body)
    assert not out.spans
    assert out.rejected == 1
    assert said in out.reasons[0]


def test_traces_on_the_path_of_logs_are_said_to_be_traces() -> None:
    out = records_of(json_traces(json_span()))
    assert out.rejected == 1
    assert "holds traces, and was sent to the path of logs. Send traces to /v1/traces" in out.reasons[0]
