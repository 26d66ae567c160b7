"""What OpenTelemetry says beside a span, read for people: plain values, and times in seconds. Pure.

It is kept as OTLP's own JSON, checked when it came; what is still not as it should be is left out here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from beacon.contract.limits import ATTRIBUTES_DEPTH_MAX
from beacon.contract.records import Span, SpanEvent, SpanKind, SpanLink, SpanScope, WholeSpan, encode
from beacon.contract.units import seconds_from_ns

KINDS: tuple[SpanKind, ...] = ("unspecified", "internal", "server", "client", "producer", "consumer")
"""By OTLP's numbers (opentelemetry-proto, Span.SpanKind)."""

_NUMBERS = {"NaN", "Infinity", "-Infinity"}

_decode = msgspec.json.decode


def whole_span(span: Span, otel: tuple[Any, ...] | None) -> WholeSpan:
    """`span` with what is said beside it: (span, resource, scope) as text, or None for a native span."""
    own = msgspec.structs.asdict(span)
    if otel is None:
        return WholeSpan(**own)
    said, resource, scope = (_object(_decode(text)) for text in otel)
    kind = said.get("kind", 0)
    named = _object(scope.get("scope"))
    return WholeSpan(
        **own,
        kind=KINDS[kind] if kind in range(len(KINDS)) else "unspecified",
        trace_state=_text(said.get("traceState")),
        events=[
            SpanEvent(_text(event.get("name")), _seconds(event.get("timeUnixNano")), attributes_of(event))
            for event in _objects(said.get("events"))
        ],
        links=[
            SpanLink(
                _text(link.get("traceId")),
                _text(link.get("spanId")),
                _text(link.get("traceState")),
                attributes_of(link),
            )
            for link in _objects(said.get("links"))
        ],
        resource=attributes_of(_object(resource.get("resource"))),
        scope=SpanScope(_text(named.get("name")), _text(named.get("version")), attributes_of(named)),
    )


def attributes_of(holder: dict[str, Any]) -> Raw:
    """`attributes`, a list of KeyValue, as a JSON object."""
    return Raw(encode({_text(one.get("key")): plain(one.get("value")) for one in _objects(holder.get("attributes"))}))


def plain(value: Any, depth: int = ATTRIBUTES_DEPTH_MAX) -> Any:
    """An AnyValue in OTLP's JSON form as JSON: integers as such, bytes as base64; null for an empty one, and for what
    is nested deeper than `depth`."""
    for kind, inner in _object(value).items():
        if kind == "intValue":
            return _integer(inner)
        if kind in ("stringValue", "boolValue", "bytesValue"):
            return inner
        if kind == "doubleValue":
            return inner if isinstance(inner, int | float) or inner in _NUMBERS else None
        if depth > 0 and kind == "arrayValue":
            return [plain(one, depth - 1) for one in _list(_object(inner).get("values"))]
        if depth > 0 and kind == "kvlistValue":
            pairs = _objects(_object(inner).get("values"))
            return {_text(one.get("key")): plain(one.get("value"), depth - 1) for one in pairs}
    return None


def _seconds(ns: Any) -> float:
    found = _integer(ns)
    return seconds_from_ns(found) if isinstance(found, int) else 0.0


def _integer(value: Any) -> int | None:
    if isinstance(value, str) and len(value) <= 20:
        try:
            return int(value)
        except ValueError:
            return None
    return value if isinstance(value, int) else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    return (one for one in _list(value) if isinstance(one, dict))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
