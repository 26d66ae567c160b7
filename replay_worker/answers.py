"""What came of a call, in the words of the contract: its price, its numbers, its attributes."""

from __future__ import annotations

import asyncio
import math
import re
import sys
from typing import Any

import msgspec

from beacon.answer_tokens import answer_tokens
from beacon.contract.jobs import NewOutput
from beacon.contract.llm_records import Metrics
from beacon.keys import Endpoint
from beacon.prices_file import PricesBroken, read_own_prices
from beacon.pricing import Price, check_cap, estimate, load, price
from replay_worker.providers.anthropic import default_max_tokens
from replay_worker.providers.calls import Completion, ModelCall
from replay_worker.providers.options import wanted
from replay_worker.recorded import NUMBERS, OTHERS
from replay_worker.work import Work

WAITED_MS_TOLD = 1.0
"""Milliseconds a call has waited for its worker from which its span says so: its own time is longer by them."""


async def _prices_loaded(endpoint: Endpoint) -> None:
    """A server of the user's own has no price to look up; for others the price list is read on a thread, once: 160 ms
    that every call in flight would wait for."""
    if not endpoint.local and "genai_prices" not in sys.modules:
        await asyncio.to_thread(load)


async def price_of(work: Work, endpoint: Endpoint, call: ModelCall, answer: Completion) -> Price:
    """What `answer` cost: by the user's own price of the model that was asked, else by the model that says it answered
    (gpt-4o-2024-05-13 costs twice what gpt-4o does), else by the one that was asked."""
    await _prices_loaded(endpoint)
    names = [call.model] if _has_own_price(work, endpoint, call.model) else [answer.model or call.model, call.model]
    found = Price(None)
    for model in names:
        found = price(
            endpoint.provider,
            model,
            answer.tokens_input,
            answer.tokens_output,
            answer.tokens_cached,
            answer.tokens_reasoning,
            answer.tokens_cache_write,
            local=endpoint.local,
            home=work.settings.home,
        )
        if found.usd is not None:
            break
    return found


def _has_own_price(work: Work, endpoint: Endpoint, model: str) -> bool:
    try:
        return read_own_prices(work.settings.home).find(endpoint.provider, model) is not None
    except PricesBroken:
        return False


async def require_affordable(work: Work, calls: list[tuple[Endpoint, ModelCall]], runs: int, what: str) -> None:
    """Raises `AboveCap` with the figures when `runs` times all of `calls` may cost more than the user lets one
    request cost."""
    total = 0.0
    for endpoint, call in calls:
        await _prices_loaded(endpoint)
        total += (
            estimate(
                endpoint.provider,
                call.model,
                [call.messages, call.tools, call.response_format],
                limit_of(endpoint, call),
                runs,
                local=endpoint.local,
                home=work.settings.home,
            )
            or 0.0
        )
    check_cap(total, work.settings.spend_cap_usd, what)


def limit_of(endpoint: Endpoint, call: ModelCall) -> int:
    """Tokens of output that `call` may take at most: what it asks for; where it does not say, what is sent for it, else
    what is to be expected of its model."""
    asked = wanted(call.params)
    limit = asked.get("max_tokens")
    if isinstance(limit, int | float) and limit > 0:
        return math.ceil(limit)
    if endpoint.style == "anthropic":
        return default_max_tokens(call.model)
    return answer_tokens(call.model, asked)


def new_output(endpoint: Endpoint, call: ModelCall, answer: Completion, cost: Price) -> NewOutput:
    return NewOutput(
        completion=answer.text,
        tokens_input=answer.tokens_input,
        tokens_output=answer.tokens_output,
        cost_usd=cost.usd,
        cost_reason=cost.reason,
        tool_calls=answer.tool_calls or None,
        reasoning=answer.reasoning,
        finish_reason=answer.finish_reason,
        model=answer.model or call.model,
        provider=endpoint.provider,
        tokens_cached=answer.tokens_cached,
        tokens_reasoning=answer.tokens_reasoning,
        latency_ms=answer.latency_ms,
    )


def metrics(answer: Completion, cost: Price) -> Metrics:
    return Metrics(answer.tokens_input, answer.tokens_output, cost.usd, answer.latency_ms)


def asked_attributes(endpoint: Endpoint, call: ModelCall) -> dict[str, Any]:
    """The attributes of an llm_call that is about to be made: all that a replay of it needs."""
    found: dict[str, Any] = {
        "llm.provider": endpoint.provider,
        "llm.model": call.model,
        "llm.prompt": _text(call.messages),
    }
    if endpoint.local:
        found["llm.base_url"] = endpoint.base_url
    if call.tools:
        found["llm.tools"] = _text(call.tools)
    for name, value in (("tool_choice", call.tool_choice), ("response_format", call.response_format)):
        if value is not None:
            found[f"llm.{name}"] = value if isinstance(value, str) else _text(value)
    # under a name of their own only those that are nothing else: a parameter called `prompt` or `cost_usd` must not
    # stand where a replay, or the bill, looks for the real one
    plain = {
        name: value
        for name, value in call.params.items()
        if (name in NUMBERS or name in OTHERS) and isinstance(value, str | int | float)
    }
    found |= {f"llm.{name}": value for name, value in plain.items()}
    rest = {name: value for name, value in call.params.items() if name not in plain and not _SECRET.search(name)}
    if rest:
        found["llm.params"] = _text(rest)
    return found


_SECRET = re.compile(r"key|token$|secret|password|authorization|credential", re.IGNORECASE)
"""Names of parameters that may hold a key: sent, if somebody wants that, but never stored."""


def answered_attributes(answer: Completion, cost: Price) -> dict[str, Any]:
    """What an answer adds to them; what the provider did not say is left out."""
    tokens = (answer.tokens_input, answer.tokens_output)
    found: dict[str, Any] = {
        "llm.completion": answer.text,
        "llm.response_model": answer.model,
        "llm.finish_reason": answer.finish_reason,
        "llm.reasoning": answer.reasoning,
        "llm.tool_calls": _text(answer.tool_calls) if answer.tool_calls else None,
        "llm.tokens.input": answer.tokens_input,
        "llm.tokens.output": answer.tokens_output,
        "llm.tokens.total": sum(t or 0 for t in tokens) if tokens != (None, None) else None,
        "llm.tokens.cache_read": answer.tokens_cached,
        "llm.tokens.reasoning": answer.tokens_reasoning,
        "llm.cost_usd": cost.usd,
        "llm.cost_reason": cost.reason if cost.usd is None else None,
        "llm.ttft_ms": answer.first_text_ms,
        "llm.waited_ms": answer.waited_ms if answer.waited_ms >= WAITED_MS_TOLD else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
