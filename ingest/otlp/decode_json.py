"""ExportTraceServiceRequest and ExportLogsServiceRequest in JSON, as records. Pure.

By hand: protobuf's own JSON parser takes ids for base64, and makes 24 bytes of 32 hex digits without a word. Ids are
hex here (opentelemetry-proto docs/specification.md); what clients write besides is taken too
(ingest/otlp/json_values.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ingest.otlp.decoded import SLICE, Decoded, DecodedLogs, DecodedTraces
from ingest.otlp.ids import NO_ID, check_span_ids, record_ids
from ingest.otlp.json_text import Read, decode_item, read
from ingest.otlp.json_values import (
    Json,
    NotOtlp,
    any_value,
    attributes,
    count,
    enum,
    field,
    hex_id,
    integer,
    text,
)
from ingest.otlp.misplaced import misplaced
from ingest.otlp.records import Attributes, Event, Link, LogRecord, OtlpSpan, Resource, Scope
from ingest.otlp.times import TIME_MAX_NS, check_times
from ingest.separate import TOO_DEEP, SpanWrong

_KINDS = {"UNSPECIFIED": 0, "INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
_STATUS_CODES = {"UNSET": 0, "OK": 1, "ERROR": 2}


def decode_traces(body: bytes, out: DecodedTraces) -> Iterator[None]:
    """Decode into `out`, yielding after every SLICE spans. Raises `BadRequest` when it is no JSON, or no request."""

    def take(index: int, item: Json, resource: Resource, scope: Scope) -> None:
        out.spans.append(_span(index, item, resource, scope, out))

    yield from _decode(read(body, "spans"), "spans", out, take)


def decode_logs(body: bytes, out: DecodedLogs) -> Iterator[None]:
    """Decode into `out`, yielding after every SLICE records. Raises `BadRequest` when it is no JSON, or no request."""

    def take(index: int, item: Json, resource: Resource, scope: Scope) -> None:
        record = _record(index, item, resource, scope)
        if record is not None:
            out.records.append(record)

    yield from _decode(read(body, "logRecords"), "logRecords", out, take)


def _decode(
    request: Read, what: str, out: Decoded, take: Callable[[int, Json, Resource, Scope], None]
) -> Iterator[None]:
    for group in request.groups:
        resource = _resource(group.resource, text(group.schema_url), out)
        for inner in group.scopes:
            scope = _scope(inner.scope, text(inner.schema_url), out)
            for raw in inner.items:
                index = out.count
                out.count += 1
                try:
                    take(index, _object(raw), resource, scope)
                except SpanWrong as e:
                    if isinstance(e, NotOtlp):
                        out.malformed = out.malformed or f"{what}[{index}].{e}."
                    out.reject(f"{what}[{index}]{'.' if e.loc else ''}{e.loc}", e.msg)
                if out.count % SLICE == 0:
                    yield
    if not out.count and what not in request.found:
        for kind in request.found:
            out.redirect(misplaced(kind, what))


def _object(raw: Any) -> Json:
    """Raises `SpanWrong`."""
    try:
        item = decode_item(raw)
    except ValueError as e:
        raise SpanWrong("", str(e)) from None
    if not isinstance(item, dict):
        raise SpanWrong("", "must be an object")
    if "beacon.too_deep" in item:
        raise SpanWrong("attributes", TOO_DEEP)
    return item


# ---------------------------------------------------------------- resource and scope


def _resource(found: Any, schema_url: str, out: Decoded) -> Resource:
    if not isinstance(found, dict):
        return Resource({}, schema_url)
    return Resource(_less(found, "resource", out), schema_url, _dropped(found))


def _scope(found: Any, schema_url: str, out: Decoded) -> Scope:
    if not isinstance(found, dict):
        return Scope(schema_url=schema_url)
    name, version = text(found.get("name")), text(found.get("version"))
    return Scope(name, version, _less(found, "scope", out), schema_url, _dropped(found))


def _dropped(holder: Json) -> int:
    return count(field(holder, "droppedAttributesCount", "dropped_attributes_count"))


def _less(holder: Json, place: str, out: Decoded) -> Attributes:
    """Attributes that cannot be read cost themselves, not the spans they belong to."""
    try:
        return attributes(holder.get("attributes"))
    except SpanWrong as e:
        out.warn(f"{place}.{e.loc}", e.msg)
        return {}


# ---------------------------------------------------------------- spans


def _span(index: int, item: Json, resource: Resource, scope: Scope, out: Decoded) -> OtlpSpan:
    """Raises `SpanWrong`."""
    trace_id, span_id, parent = check_span_ids(
        _id(item, "traceId", "trace_id"), _id(item, "spanId", "span_id"), _id(item, "parentSpanId", "parent_span_id")
    )
    start_ns, end_ns = check_times(
        _time(item, "startTimeUnixNano", "start_time_unix_nano"), _time(item, "endTimeUnixNano", "end_time_unix_nano")
    )
    status = item.get("status")
    if not isinstance(status, dict):
        status = {}
    code = enum(status.get("code"), _STATUS_CODES)
    return OtlpSpan(
        index,
        trace_id,
        span_id,
        parent,
        text(item.get("name")),
        enum(item.get("kind"), _KINDS),
        start_ns,
        end_ns,
        code if code <= 2 else 0,
        text(status.get("message")),
        attributes(item.get("attributes")),
        [_event(event, out) for event in _list(item.get("events"))],
        [_link(link, out) for link in _list(item.get("links"))],
        resource,
        scope,
        text(field(item, "traceState", "trace_state")),
        count(item.get("flags")),
        _dropped(item),
        count(field(item, "droppedEventsCount", "dropped_events_count")),
        count(field(item, "droppedLinksCount", "dropped_links_count")),
    )


def _id(item: Json, name: str, older: str) -> str:
    try:
        return hex_id(field(item, name, older))
    except SpanWrong as e:
        raise SpanWrong(name, e.msg) from None


def _time(item: Json, name: str, older: str) -> int:
    found = integer(field(item, name, older))
    if found is None:
        raise SpanWrong(name, "must be a whole number of nanoseconds since 1970, as digits or as a number")
    return found


def _list(value: Any) -> list[Json]:
    """The objects of a list; what is none is left out, so that it costs no more than itself."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _event(item: Json, out: Decoded) -> Event:
    time_ns = integer(field(item, "timeUnixNano", "time_unix_nano")) or 0
    return Event(text(item.get("name")), time_ns, _less(item, "event", out), _dropped(item))


def _link(item: Json, out: Decoded) -> Link:
    return Link(
        _loose_id(item, "traceId", "trace_id"),
        _loose_id(item, "spanId", "span_id"),
        _less(item, "link", out),
        text(field(item, "traceState", "trace_state")),
        count(item.get("flags")),
        _dropped(item),
    )


def _loose_id(item: Json, name: str, older: str) -> str:
    """An id that may be missing: what it says is all that is lost."""
    try:
        return hex_id(field(item, name, older))
    except SpanWrong:
        return ""


# ---------------------------------------------------------------- log records


def _record(index: int, item: Json, resource: Resource, scope: Scope) -> LogRecord | None:
    """None for a record that names no span. Raises `SpanWrong`."""
    trace_id, span_id = record_ids(_id(item, "traceId", "trace_id"), _id(item, "spanId", "span_id"))
    if trace_id == NO_ID or span_id == NO_ID:
        return None
    found = attributes(item.get("attributes"))
    time_ns = _time(item, "timeUnixNano", "time_unix_nano") or _time(
        item, "observedTimeUnixNano", "observed_time_unix_nano"
    )
    return LogRecord(
        trace_id,
        span_id,
        text(field(item, "eventName", "event_name")) or text(found.get("event.name")),
        min(max(time_ns, 0), TIME_MAX_NS),
        any_value(item.get("body")),
        found,
        resource,
        scope,
        index,
    )
