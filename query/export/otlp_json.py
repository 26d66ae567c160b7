"""Spans as OTLP JSON (opentelemetry-proto, ExportTraceServiceRequest). Pure.

Ids that are not OTLP's (32 and 16 lower-case hex digits, not all zero) are hashed to such, the same id always to the
same digits, and kept in the attributes `beacon.trace_id`, `beacon.span_id`, `beacon.parent_span_id`. What OTLP has no
field for stands under `beacon.*`.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

from beacon.contract.records import TraceSummary, encode
from beacon.version import VERSION
from query.export.trace_walk import SpanRow

CONTENT_TYPE = b"application/json"

TRACE_ID_DIGITS = 32
SPAN_ID_DIGITS = 16

_HEX = re.compile(r"[0-9a-f]+")
_KIND_INTERNAL = 1
_KIND_CLIENT = 3
_STATUS_CODES = {"unset": 0, "ok": 1, "error": 2}
_INT64 = range(-(2**63), 2**63)

_decode = msgspec.json.Decoder().decode


def opening(trace: TraceSummary) -> bytes:
    """Everything before the first span: one resource, with the trace's tags, and one scope."""
    resource = [attribute("service.name", "beacon"), attribute("beacon.trace_name", trace.name)]
    tags = _decode(trace.tags)
    resource += [attribute(f"beacon.tag.{key}", value) for key, value in tags.items()]
    return b'{"resourceSpans":[{"resource":{"attributes":%b},"scopeSpans":[{"scope":%b,"spans":[' % (
        encode(resource),
        encode({"name": "beacon", "version": VERSION}),
    )


CLOSING = b"]}]}]}"


def spans(rows: list[SpanRow], before: bytes) -> bytes:
    """`before` (which ends in "[" or ",") and the spans."""
    return before + encode([otlp_span(row.columns) for row in rows])[1:-1]


def otlp_span(columns: tuple[Any, ...]) -> dict[str, Any]:
    """A row of SPAN_COLUMNS as one OTLP span."""
    span_id, trace_id, parent_id, span_type, name, status, error, start_ns, end_ns, text, notes, language = columns
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
    out["kind"] = _KIND_CLIENT if span_type == "llm_call" else _KIND_INTERNAL
    out["startTimeUnixNano"] = str(start_ns)
    if end_ns is not None:  # OTLP has no word for a running span but the absence of an end
        out["endTimeUnixNano"] = str(end_ns)
    sent = _decode(text)
    out["attributes"] = [attribute(k, v) for k, v in sent.items() if k not in own]
    out["attributes"] += [attribute(k, v) for k, v in own.items()]
    out["status"] = {"code": _STATUS_CODES[status]}
    if error is not None:
        out["status"]["message"] = error
    return out


def hex_id(native: str, digits: int) -> str:
    """`native` if it is an OTLP id already, else `digits` hex digits that always follow from it."""
    if len(native) == digits and _HEX.fullmatch(native) and native.strip("0"):
        return native
    return hashlib.sha256(native.encode()).hexdigest()[:digits]


def attribute(key: str, value: Any) -> dict[str, Any]:
    return {"key": key, "value": any_value(value)}


def any_value(value: Any) -> dict[str, Any]:
    """A decoded JSON value as an AnyValue; null is an AnyValue with nothing in it."""
    if value is None:
        return {}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        # 64-bit integers are decimal strings in protobuf's JSON; a larger one keeps its digits as text
        return {"intValue": str(value)} if value in _INT64 else {"stringValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    return {"kvlistValue": {"values": [attribute(k, v) for k, v in value.items()]}}
