"""Spans as decoding makes them, for the tests of dialects, and what mapping makes of them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from ingest.otlp.facts import Tokens
from ingest.otlp.mapping import Mapped, map_span
from ingest.otlp.records import Event, OtlpSpan, Resource, Scope

TRACE_ID = "5b8efff798038103d269b633813fc60c"
SPAN_ID = "eee19b7ec3c1b174"
PARENT_ID = "eee19b7ec3c1b173"
START_NS = 1_795_374_503_000_000_000

ERROR = 2


def span(
    name: str,
    attributes: dict[str, Any],
    *,
    scope: str = "",
    parent: str | None = PARENT_ID,
    events: list[Event] | None = None,
    status: int = 0,
    status_message: str = "",
    end_ns: int | None = START_NS + 2_000_000_000,
) -> OtlpSpan:
    return OtlpSpan(
        index=0,
        trace_id=TRACE_ID,
        span_id=SPAN_ID,
        parent_span_id=parent,
        name=name,
        kind=1,
        start_ns=START_NS,
        end_ns=end_ns,
        status_code=status,
        status_message=status_message,
        attributes=attributes,
        events=events or [],
        links=[],
        resource=Resource({"service.name": "agent"}),
        scope=Scope(name=scope),
    )


def event(name: str, attributes: dict[str, Any] | None = None, after_ns: int = 0) -> Event:
    return Event(name, START_NS + after_ns, attributes or {})


def no_price(provider: str | None, model: str, tokens: Tokens, start_ns: int, local: bool) -> tuple[None, str]:
    return None, "no prices here"


def mapped(one: OtlpSpan) -> dict[str, Any]:
    """What is stored of `one`: span_type, name, status, error_message, parent_span_id, and its attributes."""
    whole = map_span(one, no_price)
    return stored(whole)


def stored(whole: Mapped) -> dict[str, Any]:
    (arrival,) = whole.arrivals
    sent = arrival.span
    assert isinstance(arrival.attributes, str)
    attributes: dict[str, Any] = json.loads(arrival.attributes)
    return attributes | {
        "span_type": sent.span_type,
        "name": sent.name,
        "status": sent.status,
        "error_message": sent.error_message,
        "span_id": sent.span_id,
        "parent_span_id": sent.parent_span_id,
        "end_ns": arrival.end_ns,
        "tags": arrival.otel.tags if arrival.otel is not None else {},
    }


def conversation(attributes: dict[str, Any], key: str = "llm.prompt") -> Any:
    """A key that is JSON text, decoded."""
    return json.loads(attributes[key])


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.binary(max_size=8)
    | st.text(max_size=12)
    | st.sampled_from(
        ["", "{}", "[]", "[[]]", '{"messages":[[{}]]}', '[{"role":null}]', "[1,null]", '{"a":{"b":', "\ud800", "NaN",
         "[" * 200, '{"usage":{"input_tokens":-1}}', '{"generations":[[]]}', '{"message":{"kwargs":1}}',
         '"x"', "-1", "1e999"]
    ),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["role", "content", "parts", "type", "text", "tool_calls", "messages", "model", "usage", "function",
             "arguments", "name", "id", "image", "url", "message", "choices", "generations", "kwargs", "data"]
        ),
        inner,
        max_size=3,
    ),
    max_leaves=6,
)  # fmt: skip
"""Any value an attribute can have: hostile, of a wrong type, cut off, too deep."""


def junk(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Any values under some of `names`."""
    return st.dictionaries(st.sampled_from(names), JUNK, max_size=12)
