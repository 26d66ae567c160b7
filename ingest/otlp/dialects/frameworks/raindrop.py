"""Raindrop (https://raindrop.ai): its kind of a span, and OpenLLMetry's attributes for the rest. Pure."""

from __future__ import annotations

from typing import Any

from ingest.otlp.bodies import read_answer
from ingest.otlp.dialects.frameworks.put import put
from ingest.otlp.facts import Facts
from ingest.otlp.messages import last_words, messages_of
from ingest.otlp.records import OtlpSpan
from ingest.otlp.values import as_text, first_of, parsed

_RAINDROP_TYPES: dict[str, Any] = {
    "agent_root": "agent_step",
    "llm_call": "llm_call",
    "tool_call": "tool_use",
    "trace": "chain",
}


def read(span: OtlpSpan, facts: Facts) -> None:
    attributes = span.attributes
    kind = attributes.get("raindrop.span.kind")
    facts.span_type = (_RAINDROP_TYPES.get(kind) if isinstance(kind, str) else None) or facts.span_type
    properties_of = "traceloop.association.properties."
    facts.session_id = facts.session_id or as_text(
        first_of(attributes, (properties_of + "convo_id", properties_of + "session_id"))
    )
    facts.user_id = facts.user_id or as_text(attributes.get(properties_of + "user_id"))
    given = first_of(attributes, ("traceloop.entity.input", "raindrop.input"))
    got = first_of(attributes, ("traceloop.entity.output", "raindrop.output"))
    name = as_text(first_of(attributes, ("raindrop.tool.name", "traceloop.entity.name")))
    if facts.span_type == "llm_call":
        if facts.prompt is None:
            facts.prompt = messages_of(given) or None
        if facts.completion is None and got is not None:
            read_answer(facts, parsed(got))
        return
    if facts.span_type == "tool_use":
        facts.tool_name = facts.name = facts.tool_name or name or span.name
    elif facts.span_type in ("agent_step", "chain"):
        facts.step_name = facts.step_name or name or span.name
        if facts.prompt and given is None:
            given = last_words(facts.prompt)
    put(facts, given, got)
