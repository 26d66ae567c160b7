"""What OTLP has and a Beacon span has no field for, as JSON text. Pure.

Its fields, besides `typed`, are an OTLP span's own, in OTLP's JSON form: an export lays them over the span it builds of
Beacon's columns, and so gives back what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beacon.contract.otlp_values import key_values
from ingest.otlp.records import Event, Link, OtlpSpan
from ingest.otlp.values import json_text

_STATUS_CODES = {"unset": 0, "ok": 1, "error": 2}


def otel_text(
    span: OtlpSpan, name: str, status: str, error_message: str | None, start_ns: int, typed: Mapping[str, Any] | None
) -> str:
    """The text for a span that is stored with this name, status, message and start; `typed`: attributes that JSON does
    not give back as they were, each as an AnyValue."""
    if not (span.events or span.links or span.trace_state or typed) and name == span.name and start_ns == span.start_ns:
        # most spans: put together by hand, 1 us instead of 4
        code = span.status_code
        if not span.status_message and not (
            span.dropped_attributes or span.dropped_events or span.dropped_links or error_message
        ):
            text = f'{{"kind":{span.kind}' if span.kind else "{"
            if span.flags:
                text += f'{"," if span.kind else ""}"flags":{span.flags}'
            if code != _STATUS_CODES[status]:
                text += f'{"," if len(text) > 1 else ""}"status":{{"code":{code}}}'
            return text + "}"
    return json_text(_fields(span, name, status, error_message, start_ns, typed))


def _fields(
    span: OtlpSpan, name: str, status: str, error_message: str | None, start_ns: int, typed: Mapping[str, Any] | None
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if span.kind:
        found["kind"] = span.kind
    if span.flags:
        found["flags"] = span.flags
    if span.trace_state:
        found["traceState"] = span.trace_state
    if name != span.name:
        found["name"] = span.name
    if start_ns != span.start_ns:
        found["startTimeUnixNano"] = str(span.start_ns)
    if span.status_code != _STATUS_CODES[status] or (span.status_message or None) != error_message:
        found["status"] = {"code": span.status_code} | ({"message": span.status_message} if span.status_message else {})
    if span.dropped_attributes:
        found["droppedAttributesCount"] = span.dropped_attributes
    if span.events:
        found["events"] = [_event(event) for event in span.events]
    if span.dropped_events:
        found["droppedEventsCount"] = span.dropped_events
    if span.links:
        found["links"] = [_link(link) for link in span.links]
    if span.dropped_links:
        found["droppedLinksCount"] = span.dropped_links
    if typed:
        found["typed"] = typed
    return found


def _event(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = {"timeUnixNano": str(event.time_ns), "name": event.name}
    if event.attributes:
        found["attributes"] = key_values(event.attributes)
    if event.dropped:
        found["droppedAttributesCount"] = event.dropped
    return found


def _link(link: Link) -> dict[str, Any]:
    found: dict[str, Any] = {"traceId": link.trace_id, "spanId": link.span_id}
    if link.trace_state:
        found["traceState"] = link.trace_state
    if link.attributes:
        found["attributes"] = key_values(link.attributes)
    if link.dropped:
        found["droppedAttributesCount"] = link.dropped
    if link.flags:
        found["flags"] = link.flags
    return found
