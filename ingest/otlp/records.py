"""OTLP as Beacon reads it: what decoding makes of protobuf and JSON alike, and the dialects read. Pure.

Values of attributes are plain Python: str, int, float (NaN and infinities too), bool, None for an empty AnyValue,
bytes, lists, and dicts for kvlists (opentelemetry-proto, common/v1/common.proto). Ids are lower-case hex, times integer
nanoseconds since 1970.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

Attributes = dict[str, Any]


class Resource(Struct):
    """Who sent it; one object for all the spans of a ResourceSpans. `read` is what mapping makes of it, once for all of
    them."""

    attributes: Attributes
    schema_url: str = ""
    dropped: int = 0
    read: Any = None


class Scope(Struct):
    """The instrumentation; one object for all the spans of a ScopeSpans. `read` as in Resource."""

    name: str = ""
    version: str = ""
    attributes: Attributes = {}
    schema_url: str = ""
    dropped: int = 0
    read: Any = None


class Event(Struct):
    name: str
    time_ns: int
    attributes: Attributes
    dropped: int = 0


class Link(Struct):
    trace_id: str
    span_id: str
    attributes: Attributes
    trace_state: str = ""
    flags: int = 0
    dropped: int = 0


class OtlpSpan(Struct):
    """One span with valid ids. `end_ns` is None while it runs (0 on the wire). `kind` and `status_code` are OTLP's
    numbers; `index` is its place in the request, over all resources and scopes."""

    index: int
    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: int
    start_ns: int
    end_ns: int | None
    status_code: int
    status_message: str
    attributes: Attributes
    events: list[Event]
    links: list[Link]
    resource: Resource
    scope: Scope
    trace_state: str = ""
    flags: int = 0
    dropped_attributes: int = 0
    dropped_events: int = 0
    dropped_links: int = 0


class LogRecord(Struct):
    """One log record that names a span. `event_name` is OTLP's field, or the attribute `event.name`. `index` is its
    place in the request: it orders records of one time."""

    trace_id: str
    span_id: str
    event_name: str
    time_ns: int
    body: Any
    attributes: Attributes
    resource: Resource
    scope: Scope
    index: int = 0
