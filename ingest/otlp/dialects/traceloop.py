"""OpenLLMetry, by Traceloop: OpenTelemetry's GenAI attributes, numbered ones before version 0.5x, and its own for
workflows, tasks, agents and tools
(https://github.com/traceloop/openllmetry/tree/main/packages/opentelemetry-semantic-conventions-ai).
"""

from __future__ import annotations

from typing import Any

from ingest.otlp.dialects import genai
from ingest.otlp.dialects.labels import below, properties
from ingest.otlp.facts import Facts
from ingest.otlp.records import OtlpSpan
from ingest.otlp.span_types import TRACELOOP
from ingest.otlp.values import as_dict, as_text, first_of, parsed

NAME = "traceloop"

_MARKERS = frozenset({
    "traceloop.span.kind", "traceloop.entity.name", "traceloop.entity.path", "traceloop.workflow.name",
    "traceloop.association.properties.session_id", "traceloop.association.properties.user_id", "llm.request.type",
    "gen_ai.prompt.0.role", "gen_ai.prompt.0.content", "gen_ai.completion.0.role", "gen_ai.completion.0.content",
    "gen_ai.openai.api_base", "gen_ai.is_streaming", "llm.is_streaming", "llm.usage.total_tokens",
})  # fmt: skip

_SCOPES = ("traceloop", "@traceloop/")

_PROPERTIES = "traceloop.association.properties."
_SESSIONS = ("session_id", "conversation_id", "chat_id", "thread_id", "session.id", "sessionId")
_USERS = ("user_id", "user.id", "userId")

_NOISE = ("langgraph_", "ls_", "checkpoint_", "__", "lc_", "versions")
"""What LangChain adds to its metadata, and OpenLLMetry's instrumentation of it to a span's properties: they change with
every step, and say nothing of the trace."""

_STOPS = ("gen_ai.response.stop_reason", "llm.response.stop_reason", "gen_ai.completion.0.stop_reason")


def matches(span: OtlpSpan) -> bool:
    return span.scope.name.startswith(_SCOPES) or not _MARKERS.isdisjoint(span.attributes)


def read(span: OtlpSpan) -> Facts:
    attributes = span.attributes
    facts = genai.read(span)
    if facts.finish_reason is None:
        facts.finish_reason = as_text(first_of(attributes, _STOPS))
    _read_association(facts, below(attributes, _PROPERTIES))
    workflow = as_text(attributes.get("traceloop.workflow.name"))
    if workflow is not None:
        facts.tags = {**properties({"workflow": workflow}), **facts.tags}
    kind = attributes.get("traceloop.span.kind")
    typed = TRACELOOP.get(kind.strip().lower()) if isinstance(kind, str) else None
    if typed is None or typed.span_type == "llm_call":
        return facts
    facts.span_type, facts.chain_type = typed.span_type, typed.chain_type
    name = as_text(attributes.get("traceloop.entity.name"))
    facts.name = name
    given = _given(attributes.get("traceloop.entity.input"))
    got = _got(attributes.get("traceloop.entity.output"))
    if typed.span_type == "tool_use":
        facts.tool_name = facts.tool_name or name
        facts.tool_input = given if given is not None else facts.tool_input
        facts.tool_output = got if got is not None else facts.tool_output
    elif typed.span_type == "agent_step":
        facts.step_name = facts.step_name or name
        facts.agent_input, facts.agent_output = given, got
    else:
        facts.step_name = facts.step_name or name
        facts.chain_input, facts.chain_output = given, got
    facts.agent_tokens, facts.tokens = facts.agent_tokens or facts.tokens, None
    return facts


def _read_association(facts: Facts, found: dict[str, Any]) -> None:
    facts.session_id = facts.session_id or as_text(first_of(found, _SESSIONS))
    facts.user_id = facts.user_id or as_text(first_of(found, _USERS))
    said = {
        name: value
        for name, value in found.items()
        if name not in _SESSIONS and name not in _USERS and not name.startswith(_NOISE)
    }
    facts.tags = properties(said)


def _given(value: Any) -> Any:
    """What went in: of `{"inputs": …, "tags": …}` (LangChain) and `{"args": […], "kwargs": {…}}` (a decorated function)
    what matters."""
    whole = as_dict(value)
    if whole is None:
        return value
    if "inputs" in whole:
        return parsed(whole["inputs"])
    if whole.keys() <= {"args", "kwargs"} and whole:
        args, kwargs = whole.get("args"), whole.get("kwargs")
        if not args:
            return kwargs if kwargs else None
        if not kwargs:
            return args[0] if isinstance(args, list) and len(args) == 1 else args
    return value


def _got(value: Any) -> Any:
    whole = as_dict(value)
    return parsed(whole["outputs"]) if whole is not None and "outputs" in whole else value
