"""LangSmith's OpenTelemetry exporter (https://docs.langchain.com/langsmith/trace-with-opentelemetry): runs as spans,
the whole inputs of a run in `gen_ai.prompt`, the whole outputs in `gen_ai.completion`.

A "session" of LangSmith is a project: all that a program ever did. Conversations are told apart by metadata.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ingest.otlp.bodies import langchain_answer, prompt_of, read_answer, read_request, tokens_of_usage
from ingest.otlp.dialects import genai
from ingest.otlp.dialects.labels import below, labels, properties
from ingest.otlp.facts import Facts, Tokens
from ingest.otlp.messages import messages_of
from ingest.otlp.records import OtlpSpan
from ingest.otlp.span_types import LANGSMITH
from ingest.otlp.values import as_bool, as_count, as_dict, as_list, as_number, as_text, first_of, parsed

NAME = "langsmith"

_MARKERS = frozenset({
    "langsmith.span.kind", "langsmith.trace.name", "langsmith.trace.session_id", "langsmith.trace.session_name",
    "langsmith.span.tags", "langsmith.usage_metadata",
})  # fmt: skip

_METADATA = "langsmith.metadata."
_SESSIONS = ("session_id", "thread_id", "conversation_id")
_USERS = ("user_id", "user")
_DETAILS_CHARS_MAX = 2_000
_PRINTED = re.compile(r"'(\w{1,40})': (\d{1,15})\b", re.ASCII)


def matches(span: OtlpSpan) -> bool:
    return span.scope.name == NAME or not _MARKERS.isdisjoint(span.attributes)


def read(span: OtlpSpan) -> Facts:
    attributes = span.attributes
    facts = genai.read(span)
    metadata = below(attributes, _METADATA)
    facts.name = as_text(attributes.get("langsmith.trace.name"))
    _read_session(attributes, metadata, facts)
    kind = attributes.get("langsmith.span.kind")
    typed = LANGSMITH.get(kind.strip().lower()) if isinstance(kind, str) else None
    if typed is not None:  # gen_ai.operation.name calls a prompt template "chat", too
        facts.span_type, facts.chain_type = typed.span_type, typed.chain_type
    given, got = attributes.get("gen_ai.prompt"), attributes.get("gen_ai.completion")
    if facts.span_type == "llm_call" or (facts.span_type is None and facts.model is not None):
        _read_call(attributes, metadata, facts, given, got)
        return facts
    facts.prompt = facts.completion = facts.reasoning = facts.tool_calls = None
    facts.agent_tokens, facts.tokens = _tokens(attributes, facts.tokens), None
    if facts.provider == "langchain":
        facts.provider = None
    facts.framework = "langchain"
    if facts.span_type == "tool_use":
        facts.tool_name = facts.tool_name or facts.name or span.name
        facts.tool_input, facts.tool_output = _unwrapped(given, "input"), _unwrapped(got, "output")
    elif facts.span_type == "chain":
        facts.chain_input, facts.chain_output = _unwrapped(given, "input"), _unwrapped(got, "output")
    return facts


def _read_session(attributes: Mapping[str, Any], metadata: Mapping[str, Any], facts: Facts) -> None:
    facts.session_id = (
        as_text(first_of(metadata, _SESSIONS))
        or facts.session_id
        or as_text(attributes.get("langsmith.trace.session_id"))
    )
    facts.user_id = facts.user_id or as_text(first_of(metadata, _USERS))
    project = as_text(attributes.get("langsmith.trace.session_name"))
    facts.tags = {
        **(properties({"langsmith.project": project}) if project is not None else {}),
        **labels(attributes.get("langsmith.span.tags"), ","),
    }


def _unwrapped(value: Any, name: str) -> Any:
    """`{"input": X}` is X: LangSmith makes an object of any value."""
    whole = as_dict(value)
    return whole[name] if whole is not None and whole.keys() == {name} else value


# ---------------------------------------------------------------- a call of a model


def _read_call(attributes: Mapping[str, Any], metadata: Mapping[str, Any], facts: Facts, given: Any, got: Any) -> None:
    facts.span_type = "llm_call"
    said = as_text(metadata.get("ls_provider"))
    facts.provider = said or (None if facts.provider == "langchain" else facts.provider)
    if attributes.get("gen_ai.input.messages") is None and given is not None:
        facts.prompt = _prompt(given) or facts.prompt
    facts.request_model = facts.request_model or as_text(metadata.get("ls_model_name"))
    facts.model = facts.model or facts.request_model
    facts.stream = as_bool(attributes.get("langsmith.request.streaming"))
    request = as_dict(given)
    if request is not None and isinstance(request.get("messages"), list) and isinstance(request.get("model"), str):
        read_request(facts, request)
    if facts.temperature is None:
        temperature = as_number(metadata.get("ls_temperature"))
        facts.temperature = float(temperature) if temperature is not None else None
    if facts.max_tokens is None:
        facts.max_tokens = as_count(metadata.get("ls_max_tokens"))
    facts.tokens = _tokens(attributes, facts.tokens)
    if attributes.get("gen_ai.output.messages") is None and got is not None:
        facts.completion = facts.reasoning = facts.tool_calls = None
        body = as_dict(got)
        if body is not None and ("generations" in body or "messages" in body):
            read_answer(facts, langchain_answer(body))
            _read_generation(body, facts)
        else:
            read_answer(facts, parsed(got))


def _prompt(given: Any) -> list[dict[str, Any]]:
    request = as_dict(given)
    return prompt_of(request) if request is not None else messages_of(given)


def _read_generation(body: Mapping[str, Any], facts: Facts) -> None:
    """Why it stopped, and the usage, where LangChain keeps them: beside the message."""
    listed = as_list(body.get("generations")) or []
    first = listed[0] if listed else None
    if isinstance(first, list):
        first = first[0] if first else None
    generation = as_dict(first) or {}
    info = as_dict(generation.get("generation_info")) or {}
    facts.finish_reason = facts.finish_reason or as_text(first_of(info, ("finish_reason", "stop_reason")))
    message = as_dict(generation.get("message")) or {}
    inner = as_dict(message.get("kwargs")) or message
    usage = as_dict(inner.get("usage_metadata"))
    if usage is not None and facts.tokens is None:
        facts.tokens = _of_langchain(usage)


def _tokens(attributes: Mapping[str, Any], found: Tokens | None) -> Tokens | None:
    """`gen_ai.usage.*`, with what LangChain says of the cache and of reasoning: JSON, or the print of a Python dict."""
    said = as_dict(attributes.get("langsmith.usage_metadata"))
    tokens = found or (_of_langchain(said) if said is not None else None)
    if tokens is None:
        return None
    details = _details(attributes.get("gen_ai.usage.input_token_details")) or (said or {}).get("input_token_details")
    made = _details(attributes.get("gen_ai.usage.output_token_details")) or (said or {}).get("output_token_details")
    more = _of_langchain({"input_token_details": details, "output_token_details": made})
    for name in ("cache_read", "cache_write", "reasoning"):
        if more is not None and getattr(tokens, name) is None:
            setattr(tokens, name, getattr(more, name))
    return tokens


def _of_langchain(usage: Mapping[str, Any]) -> Tokens | None:
    """UsageMetadata of langchain-core, whose input includes what a cache held."""
    return tokens_of_usage({name: value for name, value in usage.items() if not name.startswith("cache_")})


def _details(value: Any) -> dict[str, Any] | None:
    found = as_dict(value)
    if found is not None or not isinstance(value, str) or len(value) > _DETAILS_CHARS_MAX:
        return found
    printed = {name: int(count) for name, count in _PRINTED.findall(value)}  # "{'cache_read': 64, 'audio': 0}"
    return printed or None
