"""OTLP in protobuf, decoded: made with OpenTelemetry's own classes."""

from __future__ import annotations

import math

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from beacon.errors import BadRequest
from ingest.otlp.decode_protobuf import decode_logs, decode_traces
from ingest.otlp.decoded import SLICE, DecodedLogs, DecodedTraces
from ingest.otlp.records import Event, Link
from tests.otlp_requests import END, SPAN, START, TRACE, any_value, key_values, logs, record, span, traces


def decode(body: bytes) -> DecodedTraces:
    out = DecodedTraces()
    for _ in decode_traces(body, out):
        pass
    return out


def records_of(body: bytes) -> DecodedLogs:
    out = DecodedLogs()
    for _ in decode_logs(body, out):
        pass
    return out


def length(size: int) -> bytes:
    """A varint."""
    return bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80]) + length(size >> 7)


def test_every_field_comes_over() -> None:
    values = {
        "text": "ü",
        "whole": -(2**63),
        "real": 0.5,
        "yes": True,
        "no": False,
        "raw": b"\x00\xff",
        "list": ["a", 1, None, [2.5]],
        "map": {"a": {"b": [True]}, "empty": {}},
        "nothing": None,
        "": "no key",
    }
    message = Span(
        trace_id=bytes.fromhex(TRACE),
        span_id=bytes.fromhex(SPAN),
        parent_span_id=b"\x01" * 8,
        trace_state="a=1",
        flags=0x301,
        name="chat",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=START,
        end_time_unix_nano=END,
        attributes=key_values(values),
        dropped_attributes_count=1,
        events=[
            Span.Event(
                name="e", time_unix_nano=START + 1, attributes=key_values({"k": "v"}), dropped_attributes_count=4
            )
        ],
        dropped_events_count=2,
        links=[
            Span.Link(
                trace_id=b"\x02" * 16,
                span_id=b"\x03" * 8,
                trace_state="b=2",
                attributes=key_values({"l": 1}),
                dropped_attributes_count=5,
                flags=1,
            )
        ],
        dropped_links_count=3,
        status=Status(code=Status.STATUS_CODE_ERROR, message="boom"),
    )
    request = ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(attributes=key_values({"service.name": "s"}), dropped_attributes_count=6),
                schema_url="https://r",
                scope_spans=[
                    ScopeSpans(
                        scope=InstrumentationScope(
                            name="n", version="1", attributes=key_values({"x": 1}), dropped_attributes_count=7
                        ),
                        schema_url="https://s",
                        spans=[message, span("02" * 8)],
                    ),
                    ScopeSpans(spans=[span("03" * 8)]),
                ],
            ),
            ResourceSpans(scope_spans=[ScopeSpans(spans=[span("04" * 8)])]),
        ]
    )
    out = decode(request.SerializeToString())
    assert (out.count, out.rejected, out.reasons) == (4, 0, [])
    first, second, third, fourth = out.spans
    assert [s.index for s in out.spans] == [0, 1, 2, 3]
    assert (first.trace_id, first.span_id, first.parent_span_id) == (TRACE, SPAN, "01" * 8)
    assert (first.name, first.kind, first.start_ns, first.end_ns) == ("chat", 3, START, END)
    assert (first.status_code, first.status_message) == (2, "boom")
    assert first.attributes == values
    assert list(first.attributes) == list(values)
    assert [type(v) for v in first.attributes.values()] == [type(v) for v in values.values()]
    assert first.events == [Event("e", START + 1, {"k": "v"}, 4)]
    assert first.links == [Link("02" * 16, "03" * 8, {"l": 1}, "b=2", 1, 5)]
    assert (first.trace_state, first.flags) == ("a=1", 0x301)
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
    assert fourth.resource.attributes == {}


def test_what_is_not_sent_is_a_root_that_runs() -> None:
    only = decode(traces(span(end_time_unix_nano=0, parent_span_id=bytes(8), attributes={"n": math.nan}))).spans[0]
    assert (only.parent_span_id, only.end_ns, only.status_code, only.kind) == (None, None, 0, 0)
    assert math.isnan(only.attributes["n"])


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"trace_id": b""}, "spans[1].traceId: is missing; an id of 16 bytes is needed"),
        ({"trace_id": bytes(16)}, "spans[1].traceId: is all zeros, which is no id"),
        ({"trace_id": b"\x01" * 24}, "spans[1].traceId: has 24 bytes; 16 are needed"),
        ({"span_id": b""}, "spans[1].spanId: is missing; an id of 8 bytes is needed"),
        ({"span_id": bytes(8)}, "spans[1].spanId: is all zeros, which is no id"),
        ({"span_id": b"\x01" * 7}, "spans[1].spanId: has 7 bytes; 8 are needed"),
        ({"parent_span_id": b"\x01"}, "spans[1].parentSpanId: has 1 bytes; 8 are needed"),
        ({"start_time_unix_nano": 2**63}, "spans[1].startTimeUnixNano: must be nanoseconds since 1970"),
        ({"end_time_unix_nano": 2**64 - 1}, "spans[1].endTimeUnixNano: must be nanoseconds since 1970"),
    ],
)
def test_a_bad_span_is_left_out_and_named(fields: dict[str, object], why: str) -> None:
    bad = span()
    for name, value in fields.items():
        setattr(bad, name, value)
    out = decode(traces(span("01" * 8), bad, span("03" * 8)))
    assert [s.span_id for s in out.spans] == ["01" * 8, "03" * 8]
    assert (out.count, out.rejected) == (3, 1)
    assert out.reasons[0].startswith(why)


def test_a_span_that_is_no_protobuf_costs_itself_alone() -> None:
    good = [span("01" * 8), span("02" * 8)]
    mark = span("0f" * 8, name="MARK")
    whole = traces(good[0], mark, good[1])
    for harm in (b"MA\xffK", b"\xff\xfe\x00\x00"):  # no UTF-8
        out = decode(whole.replace(b"MARK", harm))
        assert [s.span_id for s in out.spans] == ["01" * 8, "02" * 8]
        assert out.reasons == ["spans[1]: a text in it is not valid UTF-8"]
    # the name's tag and length, as those of a group that nobody ends
    out = decode(whole.replace(b"\x2a\x04MARK", b"\x7b\x7b\x7b\x7b\x7b\x7b"))
    assert [s.span_id for s in out.spans] == ["01" * 8, "02" * 8]
    assert out.rejected == 1


def test_deep_values_cost_their_span_alone() -> None:
    value = any_value("end").SerializeToString()
    for _ in range(60):
        for tag in (b"\x0a", b"\x2a"):  # ArrayValue.values, AnyValue.array_value
            value = tag + length(len(value)) + value
    attribute = b"\x0a\x04deep\x12" + length(len(value)) + value
    deep = span("0f" * 8).SerializeToString() + b"\x4a" + length(len(attribute)) + attribute
    scope = b"".join(
        b"\x12" + length(len(one)) + one
        for one in (span("01" * 8).SerializeToString(), deep, span("02" * 8).SerializeToString())
    )
    resource = b"\x12" + length(len(scope)) + scope
    out = decode(b"\x0a" + length(len(resource)) + resource)
    assert [s.span_id for s in out.spans] == ["01" * 8, "02" * 8]
    assert "nested more than" in out.reasons[0]


def test_a_resource_that_cannot_be_read_costs_no_span() -> None:
    request = ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(attributes=key_values({"k": "MARK"})), scope_spans=[ScopeSpans(spans=[span()])]
            )
        ]
    )
    out = decode(request.SerializeToString().replace(b"MARK", b"\xff\xff\xff\xff"))
    assert len(out.spans) == 1
    assert out.rejected == 0
    assert out.reasons == ["resource: a text in it is not valid UTF-8"]


def test_an_empty_request_is_one() -> None:
    for body in (b"", traces(), ExportTraceServiceRequest(resource_spans=[ResourceSpans()]).SerializeToString()):
        out = decode(body)
        assert (out.count, out.rejected, out.reasons) == (0, 0, [])


def test_unknown_fields_are_passed_over() -> None:
    unknown = b"\x82\x7d\x03abc" + b"\x88\x7d\x05" + b"\x91\x7d" + bytes(8) + b"\x9d\x7d" + bytes(4)
    one = span().SerializeToString() + unknown
    scope = b"\x12" + length(len(one)) + one + unknown
    resource = b"\x12" + length(len(scope)) + scope + unknown
    out = decode(b"\x0a" + length(len(resource)) + resource + unknown)
    assert len(out.spans) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"resourceSpans": []}', "Content-Type: application/json"),
        (b"\x1f\x8b\x08\x00\x00", "Content-Encoding: gzip"),
        (b"\x28\xb5\x2f\xfd\x00", "Content-Encoding: zstd"),
        (b"\x0a\x7f", "not valid protobuf"),
        (b"\x0a", "ends in the middle"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "too many digits"),
        (b"\x09\x00", "ends in the middle"),
        (b"\x02\x00", "number 0"),
    ],
)
def test_what_is_no_protobuf_is_said_to_be_none(body: bytes, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        decode(body)


def test_cut_anywhere_it_is_an_error_or_fewer_spans_never_a_crash() -> None:
    whole = traces(*(span(f"{i:02x}" * 8, attributes={"a": ["x", {"b": 1}]}) for i in range(1, 4)))
    for size in range(len(whole)):
        try:
            out = decode(whole[:size])
        except BadRequest:
            continue
        assert len(out.spans) + out.rejected == out.count <= 3


def test_a_large_body_lets_others_in() -> None:
    out = DecodedTraces()
    turns = sum(1 for _ in decode_traces(traces(*[span()] * (3 * SLICE + 1)), out))
    assert turns in (3, 4)
    assert out.count == 3 * SLICE + 1


# ---------------------------------------------------------------- logs


def test_log_records_name_their_span_or_are_passed_over() -> None:
    request = ExportLogsServiceRequest(
        resource_logs=[
            ResourceLogs(
                resource=Resource(attributes=key_values({"service.name": "s"})),
                scope_logs=[
                    ScopeLogs(
                        scope=InstrumentationScope(name="n"),
                        log_records=[
                            record(event_name="gen_ai.choice", body={"message": {"content": "hi"}}),
                            record(trace_id="", span_id=""),
                            record(trace_id="00" * 16, span_id="00" * 8),
                            record(
                                time_unix_nano=0,
                                observed_time_unix_nano=END,
                                attributes=key_values({"event.name": "gen_ai.user.message"}),
                                body=None,
                            ),
                        ],
                    )
                ],
            )
        ]
    )
    out = records_of(request.SerializeToString())
    assert (out.count, out.rejected, [r.index for r in out.records]) == (4, 0, [0, 3])
    first, second = out.records
    assert (first.trace_id, first.span_id, first.event_name, first.time_ns) == (TRACE, SPAN, "gen_ai.choice", START)
    assert first.body == {"message": {"content": "hi"}}
    assert first.resource.attributes == {"service.name": "s"}
    assert first.scope.name == "n"
    assert (second.event_name, second.time_ns, second.body) == ("gen_ai.user.message", END, None)


def test_a_bad_log_record_costs_itself_alone() -> None:
    bad = record()
    bad.span_id = b"\x01"
    out = records_of(logs(record(), bad, record(time_unix_nano=2**64 - 1)))
    assert [r.index for r in out.records] == [0, 2]
    assert out.reasons == ["logRecords[1].spanId: has 1 bytes; 8 are needed"]
    assert out.records[1].time_ns == 2**63 - 1


# ---------------------------------------------------------------- sent to the wrong path


def test_logs_on_the_path_of_traces_are_said_to_be_logs() -> None:
    for one in (record(), record(trace_id="", span_id=""), record(body={"a": "b"})):
        out = decode(logs(one, one))
        assert not out.spans
        assert out.rejected == out.count
        assert "holds logs" in out.reasons[0]
        assert "/v1/logs" in out.reasons[0]


def test_traces_on_the_path_of_logs_are_said_to_be_traces() -> None:
    out = records_of(traces(span(), span("01" * 8, attributes={"a": "b"})))
    assert not out.records
    assert "holds traces" in out.reasons[0]
    assert "/v1/traces" in out.reasons[0]


def test_metrics_on_the_path_of_traces_are_said_to_be_metrics() -> None:
    metric = Metric(name="requests.sent", gauge=Gauge(data_points=[NumberDataPoint(as_int=1)]))
    request = ExportMetricsServiceRequest(
        resource_metrics=[ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=[metric])])]
    )
    out = decode(request.SerializeToString())
    assert not out.spans
    assert "holds metrics" in out.reasons[0]


def test_bad_spans_are_not_taken_for_something_else() -> None:
    out = decode(traces(span(trace_id="")))
    assert out.reasons == ["spans[0].traceId: is missing; an id of 16 bytes is needed"]
