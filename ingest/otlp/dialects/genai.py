"""OpenTelemetry's GenAI conventions: what they are now, and every form they had before.

Now: https://github.com/open-telemetry/semantic-conventions-genai (model/gen-ai/registry.yaml). Before: the deprecated
registry of https://github.com/open-telemetry/semantic-conventions, its events up to 1.36, and the numbered attributes
of the instrumentations that were there first. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.columns import SCRUBBED
from ingest.otlp.base_urls import base_url_of
from ingest.otlp.events import Said, read_events
from ingest.otlp.facts import Facts, Message, Tokens
from ingest.otlp.finish import finish_reason
from ingest.otlp.indexed import indexed
from ingest.otlp.messages import Answer, answer_of, messages_of, tools_of, with_system
from ingest.otlp.provider_names import canonical_provider
from ingest.otlp.records import OtlpSpan
from ingest.otlp.span_types import AGENT, OPERATIONS
from ingest.otlp.values import as_bool, as_count, as_number, as_text, first_of, parsed

NAME = "genai"

_MARKS = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.system", "gen_ai.request.model")


def matches(span: OtlpSpan) -> bool:
    """Whether any attribute or event is named `gen_ai.`."""
    attributes = span.attributes
    if any(mark in attributes for mark in _MARKS):
        return True
    return any(key.startswith("gen_ai.") for key in attributes) or any(
        event.name.startswith("gen_ai.") for event in span.events
    )


def read(span: OtlpSpan) -> Facts:
    facts = read_attributes(span.attributes)
    if span.events:
        said = read_events(span.events)
        if said is not None:
            _add_said(facts, said)
        if facts.ttft_ms is None:
            facts.ttft_ms = _first_token(span)
    return facts


def _add_said(facts: Facts, said: Said) -> None:
    """Takes from events what the attributes left open; the conventions' current form, an event with all attributes of
    its own, comes before the older ones."""
    details = read_attributes(said.attributes) if said.attributes else None
    if facts.prompt is None:
        facts.prompt = (details and details.prompt) or said.messages or None
    answer = said.answer
    for name in ("completion", "reasoning", "tool_calls", "finish_reason"):
        if getattr(facts, name) is None:
            found = getattr(details, name) if details is not None else None
            setattr(facts, name, found if found is not None else getattr(answer, name) if answer else None)
    if details is not None and facts.tools is None:
        facts.tools = details.tools


def _first_token(span: OtlpSpan) -> float | None:
    for event in span.events:
        if event.name == "First Token Stream Event" and event.time_ns >= span.start_ns:
            return (event.time_ns - span.start_ns) / 1e6
    return None


# ---------------------------------------------------------------- attributes


def read_attributes(attributes: Mapping[str, Any]) -> Facts:
    """What the attributes of a span, or of a log record that holds a span's, say."""
    get = attributes.get
    said_provider = as_text(first_of(attributes, ("gen_ai.provider.name", "gen_ai.system")))
    provider = canonical_provider(said_provider) if said_provider else None
    request_model = as_text(get("gen_ai.request.model"))
    numbered = any(key.startswith(_NUMBERED) for key in attributes)  # else nothing is put together: 5 us less
    answer = _answer(attributes, numbered)
    facts = Facts(
        provider=provider,
        model=as_text(get("gen_ai.response.model")) or request_model,
        request_model=request_model,
        prompt=_prompt(attributes, numbered),
        completion=answer.completion,
        reasoning=answer.reasoning,
        tool_calls=answer.tool_calls,
        finish_reason=finish_reason(first_of(attributes, _FINISHES)) or answer.finish_reason,
        tools=_tools(attributes, numbered),
        tool_choice=parsed(first_of(attributes, ("gen_ai.request.tool_choice", "gen_ai.openai.request.tool_choice"))),
        response_format=_response_format(attributes),
        tokens=tokens_of(attributes),
        temperature=as_number(get("gen_ai.request.temperature")),
        max_tokens=as_count(
            first_of(attributes, ("gen_ai.request.max_tokens", "gen_ai.request.max_completion_tokens"))
        ),
        params=_params(attributes),
        base_url=(as_text(get("gen_ai.openai.api_base")) or "").rstrip("/")
        or base_url_of(get("server.address"), get("server.port"), provider),
        ttft_ms=_seconds(first_of(attributes, _FIRST_CHUNKS)),
        stream=as_bool(first_of(attributes, _STREAMS)),
        tool_name=as_text(get("gen_ai.tool.name")),
        tool_input=first_of(attributes, ("gen_ai.tool.call.arguments", "tool_arguments")),
        tool_output=first_of(attributes, ("gen_ai.tool.call.result", "tool_response")),
        tool_call_id=as_text(get("gen_ai.tool.call.id")),
        step_name=as_text(first_of(attributes, ("gen_ai.agent.name", "gen_ai.workflow.name"))),
        agent_tokens=tokens_of(attributes, AGGREGATED)
        if "gen_ai.aggregated_usage.input_tokens" in attributes
        else None,
        session_id=label_of(attributes, ("session.id", "gen_ai.conversation.id")),
        user_id=label_of(attributes, ("user.id", "enduser.id")),
    )
    if facts.agent_tokens is None and facts.tokens is not None and _is_agent(get("gen_ai.operation.name")):
        facts.agent_tokens, facts.tokens = facts.tokens, None
    for name in COSTS:
        cost = as_number(get(name))
        if cost is not None:
            facts.cost_usd, facts.cost_source = float(cost), name
            break
    return facts


COSTS = ("operation.cost", "gen_ai.usage.cost", "llm.cost.total")
"""Costs an instrumentation gives itself, the most trusted first: Logfire's and pydantic-ai's; OpenLIT's, LiteLLM's and
OpenRouter's; OpenInference's."""

_FINISHES = ("gen_ai.response.finish_reasons", "gen_ai.response.finish_reason", "llm.response.finish_reason")
_FIRST_CHUNKS = ("gen_ai.response.time_to_first_chunk", "gen_ai.client.operation.time_to_first_chunk")
_STREAMS = ("gen_ai.request.stream", "gen_ai.request.is_stream", "gen_ai.is_streaming", "llm.is_streaming")


def _is_agent(operation: Any) -> bool:
    return isinstance(operation, str) and OPERATIONS.get(operation.strip().lower()) is AGENT


def label_of(attributes: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first of `names` that says something. Logfire overwrites values whose name or text looks like a secret's:
    `session.id` becomes "[Scrubbed due to 'session']", and would join the sessions of all runs to one."""
    for name in names:
        said = as_text(attributes.get(name))
        if said is not None and not said.startswith(SCRUBBED):
            return said
    return None


def _seconds(value: Any) -> float | None:
    number = as_number(value)
    return number * 1000.0 if number is not None and number >= 0 else None


# ---------------------------------------------------------------- content


_NUMBERED = ("gen_ai.prompt.", "gen_ai.completion.", "llm.request.functions.")


def _prompt(attributes: Mapping[str, Any], numbered: bool) -> list[Message] | None:
    """The first form that is there: the current one, numbered attributes, one attribute with all of it."""
    found = messages_of(attributes.get("gen_ai.input.messages"))
    if not found and numbered:
        found = messages_of(indexed(attributes, "gen_ai.prompt"))
    if not found:
        found = messages_of(attributes.get("gen_ai.prompt"))
    return with_system(attributes.get("gen_ai.system_instructions"), found) or None


def _answer(attributes: Mapping[str, Any], numbered: bool) -> Answer:
    said = attributes.get("gen_ai.output.messages")
    if (said is None or said == "") and numbered:
        said = indexed(attributes, "gen_ai.completion")[:1]
    if not said:
        said = attributes.get("gen_ai.completion")
    return answer_of(said) if said else Answer()


def _tools(attributes: Mapping[str, Any], numbered: bool) -> list[dict[str, Any]] | None:
    said = attributes.get("gen_ai.tool.definitions")
    if said is None and numbered:
        said = indexed(attributes, "llm.request.functions")
    return tools_of(said) or None


def _response_format(attributes: Mapping[str, Any]) -> Any:
    said = parsed(first_of(attributes, ("gen_ai.openai.request.response_format", "gen_ai.request.response_format")))
    if isinstance(said, dict):
        return said
    schema = parsed(attributes.get("gen_ai.request.structured_output_schema"))
    if isinstance(schema, dict):
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    kind = said if said is not None else attributes.get("gen_ai.output.type")
    return {"type": "json_object"} if kind in ("json", "json_object") else None


# ---------------------------------------------------------------- numbers

_PARAMS: tuple[tuple[str, str], ...] = (
    ("gen_ai.request.top_p", "top_p"),
    ("llm.top_p", "top_p"),
    ("gen_ai.request.top_k", "top_k"),
    ("llm.top_k", "top_k"),
    ("gen_ai.request.seed", "seed"),
    ("gen_ai.openai.request.seed", "seed"),
    ("gen_ai.request.frequency_penalty", "frequency_penalty"),
    ("llm.frequency_penalty", "frequency_penalty"),
    ("gen_ai.request.presence_penalty", "presence_penalty"),
    ("llm.presence_penalty", "presence_penalty"),
    ("gen_ai.request.choice.count", "n"),
)
"""Numbers; the `llm.` names are OpenLLMetry's."""

_OTHER_PARAMS: tuple[tuple[str, str], ...] = (
    ("gen_ai.request.stop_sequences", "stop"),
    ("llm.chat.stop_sequences", "stop"),
    ("gen_ai.request.reasoning.level", "reasoning_effort"),
    ("gen_ai.request.reasoning_effort", "reasoning_effort"),
    ("gen_ai.openai.request.reasoning_effort", "reasoning_effort"),
    ("openai.request.service_tier", "service_tier"),
    ("gen_ai.openai.request.service_tier", "service_tier"),
    ("gen_ai.openai.request.logit_bias", "logit_bias"),
    ("gen_ai.openai.request.parallel_tool_calls", "parallel_tool_calls"),
)


def _params(attributes: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, name in _PARAMS:
        if key in attributes and (number := as_number(attributes[key])) is not None:
            found.setdefault(name, number)
    for key, name in _OTHER_PARAMS:
        if key in attributes and (value := parsed(attributes[key])) not in (None, "", [], ()):
            found.setdefault(name, value)
    return found


USAGE = "gen_ai.usage."
AGGREGATED = "gen_ai.aggregated_usage."
"""A sum over the calls below an agent (pydantic-ai)."""

_TOKEN_NAMES: dict[str, tuple[str, ...]] = {
    "input": ("input_tokens", "prompt_tokens"),
    "output": ("output_tokens", "completion_tokens"),
    "total": ("total_tokens",),
    "cache_read": (
        "cache_read.input_tokens", "cache_read_input_tokens", "cached_tokens", "details.cache_read_tokens",
        "details.cached_tokens", "details.cache_read_input_tokens",
    ),
    "cache_write": (
        "cache_write.input_tokens", "cache_creation.input_tokens", "cache_creation_input_tokens",
        "details.cache_write_tokens", "details.cache_creation_input_tokens",
    ),
    "reasoning": ("reasoning.output_tokens", "reasoning_tokens", "details.reasoning_tokens"),
}  # fmt: skip
"""By field of Tokens, the names there have been below a prefix, the current one first."""

_KEYS = {
    prefix: tuple((field, tuple(prefix + name for name in names)) for field, names in _TOKEN_NAMES.items())
    for prefix in (USAGE, AGGREGATED)
}
_WRITE_PARTS = tuple(USAGE + f"cache_creation.input_tokens.ephemeral_{kept}" for kept in ("5m", "1h"))
_OLDER_KEYS = (("total", "llm.usage.total_tokens"), ("reasoning", "llm.usage.reasoning_tokens"))


def tokens_of(attributes: Mapping[str, Any], prefix: str = USAGE) -> Tokens | None:
    """The counts below `prefix` (USAGE or AGGREGATED), by any of the names they have had; None where there are none."""
    tokens = Tokens()
    found = False
    for field, keys in _KEYS[prefix]:
        for key in keys:
            if key in attributes and (number := as_count(attributes[key])) is not None:
                setattr(tokens, field, number)
                found = True
                break
    if prefix == USAGE:
        for field, key in _OLDER_KEYS:
            if key in attributes and getattr(tokens, field) is None and (n := as_count(attributes[key])) is not None:
                setattr(tokens, field, n)
                found = True
        if tokens.cache_write is None:
            parts = [n for n in (as_count(attributes.get(key)) for key in _WRITE_PARTS) if n is not None]
            if parts:
                tokens.cache_write = sum(parts)
                found = True
    return tokens if found else None
