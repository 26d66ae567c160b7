"""How many tokens an answer may take where its request sets no limit: what an estimate of its cost counts on. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

OUTPUT_TOKENS = 4_096
"""Of a model that answers at once: five pages, more than nearly every answer has."""

REASONING_TOKENS = 25_000
"""Of a model that reasons first, whose reasoning is paid for as output: what OpenAI advises to reserve for both
(https://platform.openai.com/docs/guides/reasoning, "Allocating space for reasoning")."""

_REASONS = re.compile(
    r"^(ft:)?o[1-9](-|:|$)"  # OpenAI, from o1 on
    r"|^(ft:)?gpt-([5-9]|\d\d)(?!.*-chat)|^gpt-oss|codex-mini"
    r"|^gemini-(2\.5|[3-9]|\d\d)(?!.*-lite)"  # thinks unless it is told not to; a -lite unless it is told to
    r"|^grok-(3-mini|code|build|([4-9]|\d\d))(?!.*non-reasoning)"
    r"|deepseek-(reasoner|r\d)|^magistral|^qwq|^kimi-k([3-9]|\d\d)|(?<!non-)(reasoning|thinking)"
)
"""Names of models that reason without being asked to."""

_LITTLE = ("none", "minimal", "off", "disabled")
"""Efforts that leave no more reasoning than an answer has words."""


def answer_tokens(model: str, params: Mapping[str, Any] | None = None) -> int:
    """Tokens of output that a call of `model` without a limit may take, on the high side. `params`, by the names of
    OpenAI's chat API: an effort, or a budget of Google's, says better than the model's name how much it reasons."""
    effort, budget = _asked(params or {})
    if budget is not None:
        return OUTPUT_TOKENS + budget
    if effort is not None:
        return OUTPUT_TOKENS if effort in _LITTLE else REASONING_TOKENS
    return REASONING_TOKENS if reasons(model) else OUTPUT_TOKENS


def reasons(model: str) -> bool:
    """Whether a model of this name, with or without the name of who serves it, reasons before it answers unless told
    otherwise. Of a name that says nothing: no."""
    return _REASONS.search(model.strip().lower().rpartition("/")[2]) is not None


def _asked(params: Mapping[str, Any]) -> tuple[str | None, int | None]:
    """(effort, tokens of thinking) where the parameters say so: `reasoning_effort`, `reasoning.effort` of the Responses
    API, `thinkingConfig` of Google's. A budget of -1 leaves it to the model."""
    effort = params.get("reasoning_effort")
    reasoning = params.get("reasoning")
    if effort is None and isinstance(reasoning, Mapping):
        effort = reasoning.get("effort")
    config = params.get("thinkingConfig", params.get("thinking_config"))
    budget = config.get("thinkingBudget", config.get("thinking_budget")) if isinstance(config, Mapping) else None
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < 0:
        budget = None
    return (effort.lower() if isinstance(effort, str) else None), budget
