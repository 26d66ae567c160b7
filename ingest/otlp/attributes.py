"""What a dialect found out, as Beacon's attributes (docs/attributes.md). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beacon.contract.limits import COST_MAX_USD, TOKENS_MAX
from beacon.contract.records import SpanType
from ingest.otlp.base_urls import is_local_url
from ingest.otlp.facts import Facts, Tokens
from ingest.otlp.finish import finish_reason
from ingest.otlp.messages import last_words
from ingest.otlp.prices import Price
from ingest.otlp.provider_names import canonical_provider, is_local, provider_of_host
from ingest.otlp.values import as_words, json_text, plain

COST = "llm.cost_usd"
COST_SOURCE = "llm.cost_source"
COST_REASON = "llm.cost_reason"


def beacon_attributes(
    facts: Facts, span_type: SpanType, own: Mapping[str, Any], start_ns: int, price: Price | None
) -> dict[str, Any]:
    """Beacon's keys for a span of `span_type`, in a fixed order; those that the span has itself (`own`) are for the
    caller to leave as they are. Without `price` there is no cost but one that the span gives itself."""
    found: dict[str, Any] = {}
    if span_type == "llm_call" or (span_type == "custom" and facts.model is not None):
        _call(found, facts, span_type, own, start_ns, price)
    elif span_type == "tool_use":
        _put(found, "tool.name", facts.tool_name)
        _put(found, "tool.input", as_words(facts.tool_input))
        _put(found, "tool.output", as_words(facts.tool_output))
        _put(found, "tool.call_id", facts.tool_call_id)
        _put(found, "tool.framework", facts.framework)
    elif span_type == "agent_step":
        _put(found, "agent.step_name", facts.step_name)
        _put(found, "agent.input", as_words(facts.agent_input) or (last_words(facts.prompt) if facts.prompt else None))
        _put(found, "agent.output", as_words(facts.agent_output) or facts.completion)
        _sum(found, facts)
    elif span_type == "chain":
        _put(found, "chain.type", facts.chain_type)
        _put(found, "chain.input", as_words(facts.chain_input))
        _put(found, "chain.output", as_words(facts.chain_output))
        _sum(found, facts)
    elif span_type == "shell_command":
        _command(found, own)
    if span_type != "tool_use":
        _put(found, "agent.framework", facts.framework)
    _put(found, "session.id", facts.session_id)
    _put(found, "user.id", facts.user_id)
    for key, value in facts.more.items():
        if value is not None:
            found[key] = plain(value)
    return found


def _put(found: dict[str, Any], key: str, value: Any) -> None:
    if value is not None:
        found[key] = value


def _call(
    found: dict[str, Any],
    facts: Facts,
    span_type: SpanType,
    own: Mapping[str, Any],
    start_ns: int,
    price: Price | None,
) -> None:
    base_url = facts.base_url
    provider = _provider(facts.provider, base_url)
    _put(found, "llm.provider", provider)
    _put(found, "llm.model", facts.model)
    _put(found, "llm.request_model", facts.request_model)
    for key, value in (
        ("llm.prompt", facts.prompt),
        ("llm.completion", facts.completion),
        ("llm.reasoning", facts.reasoning),
        ("llm.tool_calls", facts.tool_calls),
        ("llm.tools", facts.tools),
        ("llm.tool_choice", facts.tool_choice),
        ("llm.response_format", facts.response_format),
    ):
        if value is not None and value != []:
            found[key] = value if isinstance(value, str) else json_text(value)
    tokens = _counted(facts.tokens) if facts.tokens is not None else None
    if tokens is not None:
        for name in Tokens.__struct_fields__:
            _put(found, f"llm.tokens.{name}", getattr(tokens, name))
    local = is_local(provider) or (base_url is not None and is_local_url(base_url))
    if tokens is not None and tokens.output is None and span_type == "custom":
        tokens.output = 0  # embeddings have none, and say so by silence
    _cost(found, facts, tokens, provider, local, own, start_ns, price)
    _put(found, "llm.temperature", facts.temperature)
    _put(found, "llm.max_tokens", facts.max_tokens)
    _put(found, "llm.finish_reason", finish_reason(facts.finish_reason))
    if facts.params:
        found["llm.params"] = json_text(facts.params)
    _put(found, "llm.base_url", base_url)
    _put(found, "llm.ttft_ms", facts.ttft_ms)
    _put(found, "llm.stream", facts.stream)


def _provider(said: str | None, base_url: str | None) -> str | None:
    """The canonical name. An OpenAI client that calls DeepSeek records `openai`, and DeepSeek's host."""
    provider = canonical_provider(said) if said else None
    if base_url is not None and provider in (None, "openai"):
        host = base_url.partition("://")[2].split("/", 1)[0].rsplit("@", 1)[-1].split(":", 1)[0]
        return provider_of_host(host) or provider
    return provider


def _counted(tokens: Tokens) -> Tokens | None:
    """`tokens` with cached ones inside the input, reasoned ones inside the output, and a total."""
    given = [n if n is not None and n <= TOKENS_MAX else None for n in (getattr(tokens, f) for f in _FIELDS)]
    counted = Tokens(*given)
    cached = (counted.cache_read or 0) + (counted.cache_write or 0)
    if counted.input is not None and cached > counted.input:
        counted.input += cached  # an instrumentation that counts them apart, against the conventions
    reasoned = counted.reasoning or 0
    if counted.output is not None and reasoned and counted.input is not None:
        beside = counted.total == counted.input + counted.output + reasoned  # as xAI counts
        if beside or reasoned > counted.output:
            counted.output += reasoned
    if counted.total is None and (counted.input is not None or counted.output is not None):
        counted.total = (counted.input or 0) + (counted.output or 0)
    return None if counted == Tokens() else counted


_FIELDS = Tokens.__struct_fields__


def _cost(
    found: dict[str, Any],
    facts: Facts,
    tokens: Tokens | None,
    provider: str | None,
    local: bool,
    own: Mapping[str, Any],
    start_ns: int,
    price: Price | None,
) -> None:
    """What the span says itself is trusted most, then what its instrumentation computed, then a price of Beacon's."""
    said = own.get(COST)
    if isinstance(said, int | float) and not isinstance(said, bool):
        found[COST_SOURCE] = COST
    elif facts.cost_usd is not None and 0 <= facts.cost_usd <= COST_MAX_USD:
        found[COST] = facts.cost_usd
        found[COST_SOURCE] = facts.cost_source or "the span"
    elif tokens is not None and facts.model is not None and price is not None:
        usd, why = price(provider, facts.model, tokens, start_ns, local)
        if usd is None:
            found[COST_REASON] = why
        else:
            found[COST] = usd
            found[COST_SOURCE] = why


def _sum(found: dict[str, Any], facts: Facts) -> None:
    """Tokens of an agent or a chain are a sum over its calls: shown, and never counted."""
    tokens = facts.agent_tokens or facts.tokens
    counted = _counted(tokens) if tokens is not None else None
    if counted is not None:
        for name in _FIELDS:
            _put(found, f"agent.tokens.{name}", getattr(counted, name))


def _command(found: dict[str, Any], own: Mapping[str, Any]) -> None:
    """https://opentelemetry.io/docs/specs/semconv/registry/attributes/process/"""
    arguments = own.get("process.command_args")
    if isinstance(arguments, list) and all(isinstance(one, str) for one in arguments):
        arguments = " ".join(arguments)
    for said in (own.get("process.command_line"), arguments, own.get("process.command")):
        if isinstance(said, str) and said:
            found["shell.command"] = said
            break
    code = own.get("process.exit.code")
    if isinstance(code, int) and not isinstance(code, bool):
        found["shell.returncode"] = code
