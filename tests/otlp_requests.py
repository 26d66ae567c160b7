"""OTLP requests made by OpenTelemetry's own generated classes: what an exporter puts on the wire."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

TRACE = "5b8efff798038103d269b633813fc60c"
SPAN = "eee19b7ec3c1b174"
START = 1_790_000_000_123_456_789
END = 1_790_000_001_223_456_788

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}


def any_value(value: Any) -> AnyValue:
    if value is None:
        return AnyValue()
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(inner) for inner in value]))
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValueList(values=key_values(value)))
    return AnyValue(string_value=value)


def key_values(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def span(span_id: str = SPAN, trace_id: str = TRACE, attributes: dict[str, Any] | None = None, **fields: Any) -> Span:
    """A span of 1.1 s, ids in hex."""
    return Span(
        trace_id=bytes.fromhex(trace_id),
        span_id=bytes.fromhex(span_id),
        attributes=key_values(attributes or {}),
        **{"name": "step", "start_time_unix_nano": START, "end_time_unix_nano": END, **fields},
    )


def traces(*spans: Span) -> bytes:
    """A request with one resource and one scope."""
    request = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])])
    body: bytes = request.SerializeToString()
    return body


def record(span_id: str = SPAN, trace_id: str = TRACE, body: Any = "hello", **fields: Any) -> LogRecord:
    return LogRecord(
        trace_id=bytes.fromhex(trace_id),
        span_id=bytes.fromhex(span_id),
        body=any_value(body),
        **{"time_unix_nano": START, **fields},
    )


def logs(*records: LogRecord) -> bytes:
    request = ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=records)])])
    body: bytes = request.SerializeToString()
    return body


def json_span(span_id: str = SPAN, trace_id: str = TRACE, **fields: Any) -> dict[str, Any]:
    """A span as a JSON exporter writes it."""
    return {
        "traceId": trace_id,
        "spanId": span_id,
        "name": "step",
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(END),
        **fields,
    }


def json_traces(*spans: Any) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


def json_attribute(key: str, value: Any) -> dict[str, Any]:
    """`value` as an AnyValue of JSON, for text and whole numbers."""
    return {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
