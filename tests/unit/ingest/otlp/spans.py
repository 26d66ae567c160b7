"""OTLP spans for tests, as decoding gives them."""

from __future__ import annotations

import json
from typing import Any

from ingest.otlp.facts import Tokens
from ingest.otlp.mapping import Mapped, map_span
from ingest.otlp.records import Event, Link, LogRecord, OtlpSpan, Resource, Scope

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
PARENT = "00f067aa0ba902b7"
START = 1_767_225_600_000_000_000
END = START + 2_000_000_000


def otlp_span(attributes: dict[str, Any] | None = None, **fields: Any) -> OtlpSpan:
    """A span of the OpenAI instrumentation that ended well, but for `fields`."""
    whole: dict[str, Any] = {
        "index": 0,
        "trace_id": TRACE,
        "span_id": SPAN,
        "parent_span_id": None,
        "name": "chat gpt-4o-mini",
        "kind": 3,
        "start_ns": START,
        "end_ns": END,
        "status_code": 0,
        "status_message": "",
        "attributes": attributes or {},
        "events": [],
        "links": [],
        "resource": Resource({"service.name": "agent", "telemetry.sdk.language": "python"}),
        "scope": Scope("opentelemetry.instrumentation.genai.openai", "1.3b0"),
        **fields,
    }
    return OtlpSpan(**whole)


def event(name: str, attributes: dict[str, Any] | None = None, time_ns: int = START) -> Event:
    return Event(name, time_ns, attributes or {})


def link(**fields: Any) -> Link:
    return Link(TRACE, PARENT, {}, **fields)


def log(
    name: str, body: Any = None, attributes: dict[str, Any] | None = None, time_ns: int = START, index: int = 0
) -> LogRecord:
    return LogRecord(TRACE, SPAN, name, time_ns, body, attributes or {}, Resource({}), Scope("openai"), index)


def free(provider: str | None, model: str, tokens: Tokens, start_ns: int, local: bool) -> tuple[float | None, str]:
    """A price that knows none."""
    return None, f"No price is known for {model}."


def mapped(span: OtlpSpan) -> Mapped:
    return map_span(span, free)


def attributes_of(span: OtlpSpan) -> dict[str, Any]:
    """The attributes that `span` is stored with."""
    (arrival,) = mapped(span).arrivals
    assert isinstance(arrival.attributes, str)
    found: dict[str, Any] = json.loads(arrival.attributes)
    return found


def added(attributes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """What is stored beside the span's own attributes."""
    return {
        key: value for key, value in attributes_of(otlp_span(attributes, **fields)).items() if key not in attributes
    }
