"""Langfuse's own SDK (https://langfuse.com/integrations/native/opentelemetry). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from ingest.otlp.bodies import read_options, tokens_of_usage
from ingest.otlp.dialects.frameworks.put import put, put_call
from ingest.otlp.dialects.labels import labels, properties
from ingest.otlp.facts import Facts, Tokens
from ingest.otlp.records import OtlpSpan
from ingest.otlp.values import as_count, as_dict, as_number, as_text, first_of

_LANGFUSE = "langfuse.observation."


def read(span: OtlpSpan, facts: Facts) -> None:
    """https://langfuse.com/integrations/native/opentelemetry: the attributes its own SDK writes."""
    attributes = span.attributes
    get = attributes.get
    facts.session_id = facts.session_id or as_text(get("langfuse.session.id"))
    facts.user_id = facts.user_id or as_text(get("langfuse.user.id"))
    facts.tags = labels(get("langfuse.trace.tags"))
    environment = as_text(first_of(attributes, ("langfuse.environment", "langfuse.release")))
    if environment is not None and "langfuse.environment" in attributes:
        facts.tags |= properties({"environment": environment})
    facts.failed = get(_LANGFUSE + "level") == "ERROR"
    if facts.failed:
        facts.error_message = as_text(get(_LANGFUSE + "status_message"))
    given = first_of(attributes, (_LANGFUSE + "input", "langfuse.trace.input"))
    got = first_of(attributes, (_LANGFUSE + "output", "langfuse.trace.output"))
    if facts.span_type == "llm_call" or get(_LANGFUSE + "type") == "embedding":
        facts.model = as_text(get(_LANGFUSE + "model.name")) or facts.model
        parameters = as_dict(get(_LANGFUSE + "model.parameters"))
        if parameters is not None:
            read_options(facts, parameters)
        facts.tokens = _langfuse_tokens(as_dict(get(_LANGFUSE + "usage_details"))) or facts.tokens
        cost = as_number((as_dict(get(_LANGFUSE + "cost_details")) or {}).get("total"))
        if cost is not None:
            facts.cost_usd, facts.cost_source = float(cost), _LANGFUSE + "cost_details"
        first = _instant_ns(get(_LANGFUSE + "completion_start_time"))
        if first is not None and first >= span.start_ns:
            facts.ttft_ms = (first - span.start_ns) / 1e6
    if facts.span_type == "llm_call":
        put_call(facts, given, got)
    elif facts.span_type == "tool_use":
        facts.tool_name = facts.tool_name or span.name
        put(facts, given, got)
    else:
        if facts.span_type == "custom" and (given is not None or got is not None) and get(_LANGFUSE + "type") == "span":
            facts.span_type = "chain"
        facts.step_name = facts.step_name or span.name
        put(facts, given, got)


def _langfuse_tokens(usage: Mapping[str, Any] | None) -> Tokens | None:
    """`usage_details` names each kind of token apart: `input` is what no other `input_…` counts."""
    if usage is None:
        return None
    counts = {name: count for name, value in usage.items() if (count := as_count(value)) is not None}
    if "input" not in counts and "output" not in counts:
        return tokens_of_usage(usage)
    read = sum(
        counts[name]
        for name in ("input_cached_tokens", "cache_read_input_tokens", "input_cache_read")
        if name in counts
    )
    written = sum(counts[name] for name in ("input_cache_creation", "cache_creation_input_tokens") if name in counts)
    reasoned = sum(counts[name] for name in ("output_reasoning_tokens", "output_reasoning") if name in counts)
    tokens = Tokens(
        input=counts["input"] + read + written if "input" in counts else None,
        output=counts["output"] + reasoned if "output" in counts else None,
        cache_read=read or None,
        cache_write=written or None,
        reasoning=reasoned or None,
    )
    total = counts.get("total")
    if total is not None and tokens.input is not None and tokens.output is not None:
        if total == counts["input"] + counts["output"]:  # given by hand, each with its parts inside
            tokens.input, tokens.output = counts["input"], counts["output"]
        tokens.total = total
    return tokens


def _instant_ns(value: Any) -> int | None:
    """Nanoseconds since 1970 of an ISO 8601 time, perhaps in quotes."""
    text = value.strip('"') if isinstance(value, str) and len(value) < 50 else None
    try:
        moment = datetime.fromisoformat(text) if text else None
        if moment is None:
            return None
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)  # noqa: UP017
        return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    except (ValueError, OverflowError):
        return None


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017
