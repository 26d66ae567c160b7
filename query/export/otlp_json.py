"""Spans as OTLP JSON (opentelemetry-proto, ExportTraceServiceRequest). Pure.

What came by OpenTelemetry goes as it came: by resource and scope, with kind, events, links and whatever else Beacon has
no field for. Ids that are not OTLP's are hashed to such, the same id always to the same digits, and kept in the
attributes `beacon.trace_id`, `beacon.span_id`, `beacon.parent_span_id`. What OTLP has no field for stands under
`beacon.*`: the trace's name and tags in its first resource, and in that of Beacon's own spans. POST /v1/traces makes of
the document the trace that it was made of.
"""

from __future__ import annotations

from typing import Any

import msgspec

from beacon.contract.otlp_ids import SPAN_ID_DIGITS, TRACE_ID_DIGITS, hex_id
from beacon.contract.otlp_values import key_value
from beacon.contract.records import TraceSummary, encode
from beacon.version import VERSION
from query.export.trace_walk import OtelColumns, SpanRow

CONTENT_TYPE = b"application/json"

_KIND_INTERNAL = 1
_KIND_CLIENT = 3
_STATUS_CODES = {"unset": 0, "ok": 1, "error": 2}

_AS_THEY_CAME = (
    "kind",
    "flags",
    "traceState",
    "name",
    "startTimeUnixNano",
    "status",
    "droppedAttributesCount",
    "events",
    "droppedEventsCount",
    "links",
    "droppedLinksCount",
)
"""Fields of an OTLP span that are kept where Beacon has no field for them, or has another value."""

_decode = msgspec.json.Decoder().decode

Origin = tuple[str, str] | None
"""(resource, scope) as text; None of a native span."""


class Document:
    """The export of one trace, made from slices of its spans: those of one resource, and of one scope, one after the
    other."""

    def __init__(self, trace: TraceSummary) -> None:
        self._own = [key_value("beacon.trace_name", trace.name)]
        self._own += [key_value(f"beacon.tag.{key}", value) for key, value in _decode(trace.tags).items()]
        self._at: Origin = None
        self._begun = False

    def spans(self, rows: list[SpanRow], before: bytes) -> bytearray:
        """`before` and the spans, with whatever has to be opened and closed between them."""
        out = bytearray(before)
        for row in rows:
            out += self._between(None if row.otel is None else (row.otel.resource, row.otel.scope))
            out += encode(otlp_span(row.columns, row.otel))
        return out

    def _between(self, origin: Origin) -> bytes:
        begun, at = self._begun, self._at
        self._begun, self._at = True, origin
        if not begun:
            return b'{"resourceSpans":[' + self._resource(origin, first=True) + _scope(origin)
        if at == origin:
            return b","
        if at is not None and origin is not None and at[0] == origin[0]:
            return b"]}," + _scope(origin)
        return b"]}]}," + self._resource(origin, first=False) + _scope(origin)

    def _resource(self, origin: Origin, *, first: bool) -> bytes:
        """A ResourceSpans up to its first ScopeSpans."""
        if origin is None:
            body: Any = {"resource": {"attributes": [key_value("service.name", "beacon"), *self._own]}}
        else:
            body = _decode(origin[0])
            if first:
                resource = body.setdefault("resource", {})
                resource["attributes"] = [*resource.get("attributes", ()), *self._own]
        return _open(body, b'"scopeSpans":[')


CLOSING = b"]}]}]}"


def _scope(origin: Origin) -> bytes:
    """A ScopeSpans up to its first span."""
    body = {"scope": {"name": "beacon", "version": VERSION}} if origin is None else _decode(origin[1])
    return _open(body, b'"spans":[')


def _open(body: dict[str, Any], more: bytes) -> bytes:
    return encode(body)[:-1] + (b"," if body else b"") + more


def otlp_span(columns: tuple[Any, ...], otel: OtelColumns | None = None) -> dict[str, Any]:
    """A row of SPAN_COLUMNS, and what came with it, as one OTLP span."""
    span_id, trace_id, parent_id, span_type, name, status, error, start_ns, end_ns, text, notes, language = columns[:12]
    own = {"beacon.span_type": span_type}
    out: dict[str, Any] = {
        "traceId": hex_id(trace_id, TRACE_ID_DIGITS),
        "spanId": hex_id(span_id, SPAN_ID_DIGITS),
    }
    if out["traceId"] != trace_id:
        own["beacon.trace_id"] = trace_id
    if out["spanId"] != span_id:
        own["beacon.span_id"] = span_id
    if parent_id is not None:
        out["parentSpanId"] = hex_id(parent_id, SPAN_ID_DIGITS)
        if out["parentSpanId"] != parent_id:
            own["beacon.parent_span_id"] = parent_id
    if language is not None:
        own["beacon.sdk_language"] = language
    if notes != b"[]":
        own["beacon.annotations"] = notes.decode()
    out["name"] = name
    if otel is None:
        out["kind"] = _KIND_CLIENT if span_type == "llm_call" else _KIND_INTERNAL
    out["startTimeUnixNano"] = str(start_ns)
    if end_ns is not None:  # OTLP has no word for a running span but the absence of an end
        out["endTimeUnixNano"] = str(end_ns)
    said = {} if otel is None else _decode(otel.span)
    typed = said.get("typed", {})
    sent = _decode(text)
    out["attributes"] = [
        {"key": k, "value": typed[k]} if k in typed else key_value(k, v) for k, v in sent.items() if k not in own
    ]
    out["attributes"] += [key_value(k, v) for k, v in own.items()]
    out["status"] = {"code": _STATUS_CODES[status]}
    if error is not None:
        out["status"]["message"] = error
    out |= {field: said[field] for field in _AS_THEY_CAME if field in said}
    return out
