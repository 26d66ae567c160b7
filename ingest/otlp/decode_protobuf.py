"""ExportTraceServiceRequest and ExportLogsServiceRequest in protobuf, as records. Pure.

Span by span: the library decodes a request whole or not at all, and one name that is no UTF-8, or one attribute nested
deeper than the library follows (50 levels), would cost all the others. Walking there adds 1.3 us to a span's 9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as LogMessage
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from beacon.errors import BadRequest
from ingest.otlp.decoded import SLICE, Decoded, DecodedLogs, DecodedTraces
from ingest.otlp.ids import NO_ID, check_span_ids, record_ids
from ingest.otlp.misplaced import first_words, misplaced
from ingest.otlp.records import Attributes, Event, Link, LogRecord, OtlpSpan, Resource, Scope
from ingest.otlp.times import TIME_MAX_NS, check_times
from ingest.otlp.wire import NotProtobuf, last, messages
from ingest.separate import SpanWrong


def decode_traces(body: bytes, out: DecodedTraces) -> Iterator[None]:
    """Decode into `out`, yielding after every SLICE spans. Raises `BadRequest` when it is no protobuf."""

    def take(index: int, data: bytes, resource: Resource, scope: Scope) -> None:
        out.spans.append(_span(SpanMessage.FromString(data), index, resource, scope))

    return _decode(body, "spans", out, take)


def decode_logs(body: bytes, out: DecodedLogs) -> Iterator[None]:
    """Decode into `out`, yielding after every SLICE records. Raises `BadRequest` when it is no protobuf."""

    def take(index: int, data: bytes, resource: Resource, scope: Scope) -> None:
        record = _record(LogMessage.FromString(data), index, resource, scope)
        if record is not None:
            out.records.append(record)

    return _decode(body, "logRecords", out, take)


def _decode(
    body: bytes, what: str, out: Decoded, take: Callable[[int, bytes, Resource, Scope], None]
) -> Iterator[None]:
    first: bytes | None = None
    for step, (resource, scope, data) in enumerate(_items(body, out), 1):
        if data is not None:
            index = out.count
            out.count += 1
            try:
                take(index, data, resource, scope)
            except SpanWrong as e:
                out.reject(f"{what}[{index}].{e.loc}", e.msg)
            except DecodeError as e:
                out.reject(f"{what}[{index}]", _why(e))
            if first is None:
                first = data
        if step % SLICE == 0:
            yield
    if first is not None and out.rejected == out.count and (found := misplaced(_kind(first), what)):
        out.redirect(found)


def _items(body: bytes, out: Decoded) -> Iterator[tuple[Resource, Scope, bytes | None]]:
    """Every span, or log record, of a request, as bytes, with whose it is: both kinds of request are nested alike. And
    None for every scope, so that a body of nothing but empty ones lets others in too."""
    try:
        for start, end in messages(body, 0, len(body), 1):
            resource = _resource(last(body, start, end, 1), _text(last(body, start, end, 3)), out)
            for scope_start, scope_end in messages(body, start, end, 2):
                schema_url = _text(last(body, scope_start, scope_end, 3))
                scope = _scope(last(body, scope_start, scope_end, 1), schema_url, out)
                yield resource, scope, None
                for begin, stop in messages(body, scope_start, scope_end, 2):
                    yield resource, scope, body[begin:stop]
    except NotProtobuf as e:
        raise BadRequest(f"The body is not valid protobuf: {e}.{first_words(body, 'protobuf')}") from e


def _why(error: DecodeError) -> str:
    said = str(error)
    if "MaxDepth" in said:
        return "nested more than 50 levels deep, which is as far as protobuf is followed"
    if "UTF-8" in said:
        return "a text in it is not valid UTF-8"
    return "it is not valid protobuf"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


# ---------------------------------------------------------------- resource and scope


def _resource(data: bytes, schema_url: str, out: Decoded) -> Resource:
    """One that cannot be read costs its own attributes, not the spans."""
    try:
        message = ResourceMessage.FromString(data)
    except DecodeError as e:
        out.warn("resource", _why(e))
        return Resource({}, schema_url)
    return Resource(_attributes(message.attributes), schema_url, message.dropped_attributes_count)


def _scope(data: bytes, schema_url: str, out: Decoded) -> Scope:
    try:
        message = InstrumentationScope.FromString(data)
    except DecodeError as e:
        out.warn("scope", _why(e))
        return Scope(schema_url=schema_url)
    attributes = _attributes(message.attributes)
    return Scope(message.name, message.version, attributes, schema_url, message.dropped_attributes_count)


# ---------------------------------------------------------------- spans


def _span(message: SpanMessage, index: int, resource: Resource, scope: Scope) -> OtlpSpan:
    """Raises `SpanWrong`."""
    trace_id, span_id, parent = check_span_ids(
        message.trace_id.hex(), message.span_id.hex(), message.parent_span_id.hex()
    )
    start_ns, end_ns = check_times(message.start_time_unix_nano, message.end_time_unix_nano)
    status = message.status
    code = status.code
    return OtlpSpan(
        index,
        trace_id,
        span_id,
        parent,
        message.name,
        message.kind,
        start_ns,
        end_ns,
        code if 0 <= code <= 2 else 0,
        status.message,
        _attributes(message.attributes),
        [_event(event) for event in message.events] if message.events else [],
        [_link(link) for link in message.links] if message.links else [],
        resource,
        scope,
        message.trace_state,
        message.flags,
        message.dropped_attributes_count,
        message.dropped_events_count,
        message.dropped_links_count,
    )


def _event(message: SpanMessage.Event) -> Event:
    return Event(
        message.name,
        message.time_unix_nano,
        _attributes(message.attributes),
        message.dropped_attributes_count,
    )


def _link(message: SpanMessage.Link) -> Link:
    return Link(
        message.trace_id.hex(),
        message.span_id.hex(),
        _attributes(message.attributes),
        message.trace_state,
        message.flags,
        message.dropped_attributes_count,
    )


# ---------------------------------------------------------------- log records


def _record(message: LogMessage, index: int, resource: Resource, scope: Scope) -> LogRecord | None:
    """None for a record that names no span. Raises `SpanWrong`."""
    trace_id, span_id = record_ids(message.trace_id.hex(), message.span_id.hex())
    if trace_id == NO_ID or span_id == NO_ID:
        return None
    attributes = _attributes(message.attributes)
    return LogRecord(
        trace_id,
        span_id,
        message.event_name or event_name(attributes),
        min(message.time_unix_nano or message.observed_time_unix_nano, TIME_MAX_NS),
        _value(message.body) if message.HasField("body") else None,
        attributes,
        resource,
        scope,
        index,
    )


def event_name(attributes: Attributes) -> str:
    """Where it stood before OTLP had a field for it."""
    name = attributes.get("event.name")
    return name if isinstance(name, str) else ""


# ---------------------------------------------------------------- values


def _attributes(pairs: Any) -> Attributes:
    """A key that comes twice counts as it comes last."""
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind == "int_value":
        return value.int_value
    if kind in ("double_value", "bool_value", "bytes_value"):
        return getattr(value, kind)
    if kind == "array_value":
        return [_value(inner) for inner in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _value(pair.value) for pair in value.kvlist_value.values}
    return None


# ---------------------------------------------------------------- bodies of another kind


def _kind(data: bytes) -> str:
    """Of which kind the innermost message is: `spans`, `logRecords`, `metrics`, or empty. The three share numbers, with
    other types behind them."""
    try:
        record = LogMessage.FromString(data)
        if record.time_unix_nano or record.observed_time_unix_nano:
            return "logRecords"
    except DecodeError:
        pass
    try:
        span = SpanMessage.FromString(data)
        if len(span.trace_id) == 16 and len(span.span_id) == 8:
            return "spans"
        if span.trace_id and not span.start_time_unix_nano:
            return "metrics" if span.trace_id.isascii() else ""
    except DecodeError:
        pass
    return ""
