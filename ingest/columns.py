"""The typed columns of a span: the few values of its attributes that lists, filters, graphs and rollups need. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from beacon.contract.limits import COST_MAX_USD, TOKENS_MAX
from beacon.contract.units import pico_from_usd

LABEL_MAX = 200
"""Characters of a model, framework or session name that a column keeps; the attributes keep the whole."""

SCRUBBED = "[Scrubbed due to "
"""How a value begins that Logfire blacked out, as it does with `session.id`: it would join all runs to one session."""


class Columns(NamedTuple):
    """`tokens` and `cost_pico` are None where nothing usable was sent; both, and `model`, belong to llm_call spans."""

    model: str | None = None
    tokens: int | None = None
    cost_pico: int | None = None
    framework: str | None = None
    session_id: str | None = None


_NONE = Columns()


def derive_columns(span_type: str, attributes: Mapping[str, Any]) -> Columns:
    """The columns of a span of `span_type` with these decoded attributes (docs/attributes.md)."""
    get = attributes.get
    framework = get("agent.framework") or get("tool.framework")
    session = get("session.id")
    if isinstance(session, str) and session.startswith(SCRUBBED):
        session = get("gen_ai.conversation.id")  # Logfire leaves that one alone
    if span_type != "llm_call":
        if framework is None and session is None:
            return _NONE
        return Columns(None, None, None, _label(framework), _label(session))
    return Columns(
        _label(get("llm.model")),
        _tokens(get("llm.tokens.total"), get("llm.tokens.input"), get("llm.tokens.output")),
        _cost(get("llm.cost_usd")),
        _label(framework),
        _label(session),
    )


def _label(value: object) -> str | None:
    return value[:LABEL_MAX] if isinstance(value, str) and value else None


def _tokens(total: object, tokens_in: object, tokens_out: object) -> int | None:
    whole = _count(total)
    if whole is not None:
        return whole
    parts = [n for n in (_count(tokens_in), _count(tokens_out)) if n is not None]
    return sum(parts) if parts else None


def _count(value: object) -> int | None:
    # bool is an int to Python; `true` is no number of tokens
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= TOKENS_MAX:
        return None
    return int(value)


def _cost(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= COST_MAX_USD:
        return None
    return pico_from_usd(value)
