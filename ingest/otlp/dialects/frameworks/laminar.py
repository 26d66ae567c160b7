"""Laminar (https://laminar.sh), whose calls of models are numbered GenAI attributes. Pure."""

from __future__ import annotations

from ingest.otlp.bodies import read_answer
from ingest.otlp.dialects.frameworks.put import put
from ingest.otlp.dialects.labels import below, labels, properties
from ingest.otlp.facts import Facts
from ingest.otlp.messages import messages_of
from ingest.otlp.records import OtlpSpan
from ingest.otlp.values import as_text, parsed

_LAMINAR = "lmnr.association.properties."


def read(span: OtlpSpan, facts: Facts) -> None:
    attributes = span.attributes
    facts.session_id = facts.session_id or as_text(attributes.get(_LAMINAR + "session_id"))
    facts.user_id = facts.user_id or as_text(attributes.get(_LAMINAR + "user_id"))
    facts.tags = {**properties(below(attributes, _LAMINAR + "metadata.")), **labels(attributes.get(_LAMINAR + "tags"))}
    given, got = attributes.get("lmnr.span.input"), attributes.get("lmnr.span.output")
    if facts.span_type == "llm_call":
        facts.prompt = facts.prompt or messages_of(given) or None
        if facts.completion is None and not facts.tool_calls and got is not None:
            read_answer(facts, parsed(got))
        return
    if facts.span_type == "custom" and (given is not None or got is not None):
        facts.span_type = "chain"  # a function that is observed
    if facts.span_type == "tool_use":
        facts.tool_name = facts.tool_name or span.name
    else:
        facts.step_name = facts.step_name or span.name
    put(facts, given, got)
