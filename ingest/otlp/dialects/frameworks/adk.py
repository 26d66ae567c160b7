"""Google's Agent Development Kit (https://github.com/google/adk-python, telemetry/tracing.py). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.otlp.bodies import prompt_of, read_answer, read_request
from ingest.otlp.dialects.frameworks.put import put
from ingest.otlp.facts import Facts
from ingest.otlp.records import OtlpSpan
from ingest.otlp.values import as_dict, as_text, parsed

_ADK = "gcp.vertex.agent."


def read(span: OtlpSpan, facts: Facts) -> None:
    """https://github.com/google/adk-python, telemetry/tracing.py; `{}` and "N/A" stand for what is not told."""
    attributes = span.attributes
    facts.session_id = facts.session_id or as_text(attributes.get(_ADK + "session_id"))
    if facts.provider == "gcp.vertex.agent":  # the framework, not who answered
        facts.provider = "google"
    request = as_dict(_of_adk(attributes, "llm_request"))
    response = _of_adk(attributes, "llm_response")
    if facts.span_type == "llm_call" or request is not None:
        facts.span_type = "llm_call"
        facts.step_name = None
        if request is not None and facts.prompt is None:
            read_request(facts, request)
            facts.prompt = prompt_of(request) or None
        facts.model = facts.model or facts.request_model
        if response is not None:
            whole = as_dict(response)
            read_answer(facts, {"candidates": [whole], **whole} if whole is not None else response)
        return
    put(facts, _of_adk(attributes, "tool_call_args"), _of_adk(attributes, "tool_response"))
    if facts.span_type == "tool_use":
        facts.step_name = None
        facts.name = facts.tool_name
    elif facts.span_type == "custom" and _of_adk(attributes, "data") is not None:
        facts.span_type, facts.chain_input = "chain", _of_adk(attributes, "data")


def _of_adk(attributes: Mapping[str, Any], name: str) -> Any:
    value = attributes.get(_ADK + name)
    if value in (None, "", "{}", "N/A", "<not serializable>") or value == {}:
        return None
    return parsed(value)
