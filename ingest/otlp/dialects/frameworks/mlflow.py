"""MLflow's own spans (https://mlflow.org/docs/latest/genai/tracing): every value is JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.otlp.dialects.frameworks.put import put, put_call
from ingest.otlp.facts import Facts, Tokens
from ingest.otlp.messages import tools_of
from ingest.otlp.records import OtlpSpan
from ingest.otlp.span_types import span_type_of
from ingest.otlp.values import as_count, as_dict, as_number, as_text, first_of, parsed


def read(span: OtlpSpan, facts: Facts) -> None:
    """Every value is JSON, even a text: `"LLM"` with its quotes."""
    unquoted = {key: _unquoted(value) for key, value in span.attributes.items() if key.startswith("mlflow.")}
    typed = span_type_of({**span.attributes, **unquoted}, span.name)
    facts.span_type, facts.chain_type = typed.span_type, typed.chain_type
    given, got = unquoted.get("mlflow.spanInputs"), unquoted.get("mlflow.spanOutputs")
    facts.session_id = facts.session_id or as_text(first_of(unquoted, ("mlflow.trace.session", "mlflow.sessionId")))
    facts.user_id = facts.user_id or as_text(first_of(unquoted, ("mlflow.trace.user", "mlflow.user")))
    usage = as_dict(unquoted.get("mlflow.chat.tokenUsage"))
    if usage is not None:
        facts.tokens = _mlflow_tokens(usage) or facts.tokens
    cost = as_dict(unquoted.get("mlflow.llm.cost")) or {}
    total = as_number(cost.get("total_cost"))
    if total is not None and facts.span_type in ("llm_call", "custom"):
        facts.cost_usd, facts.cost_source = float(total), "mlflow.llm.cost"
    facts.model = facts.model or as_text(unquoted.get("mlflow.llm.model"))
    facts.provider = facts.provider or as_text(unquoted.get("mlflow.llm.provider"))
    facts.tools = facts.tools or tools_of(unquoted.get("mlflow.chat.tools")) or None
    if facts.span_type == "llm_call":
        put_call(facts, given, got)
    elif facts.span_type == "tool_use":
        facts.tool_name = facts.tool_name or span.name
        put(facts, given, got)
    else:
        facts.step_name = facts.step_name or span.name
        put(facts, given, got)


def _unquoted(value: Any) -> Any:
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"' and '"' not in (inner := value[1:-1]):
        return inner if "\\" not in inner else value
    return parsed(value)


def _mlflow_tokens(usage: Mapping[str, Any]) -> Tokens | None:
    """The input of mlflow.chat.tokenUsage includes what a cache held."""
    tokens = Tokens(
        input=as_count(usage.get("input_tokens")),
        output=as_count(usage.get("output_tokens")),
        total=as_count(usage.get("total_tokens")),
        cache_read=as_count(usage.get("cache_read_input_tokens")),
        cache_write=as_count(usage.get("cache_creation_input_tokens")),
    )
    return tokens if tokens != Tokens() else None
