"""What an estimate counts on where a request sets no limit."""

from __future__ import annotations

from typing import Any

import pytest

from beacon.answer_tokens import OUTPUT_TOKENS, REASONING_TOKENS, answer_tokens, reasons


@pytest.mark.parametrize(
    "model",
    [
        "o1", "o3-mini", "o4-mini-2025-04-16", "ft:o4-mini:org::id", "gpt-5", "gpt-5.2-pro", "gpt-5-mini", "gpt-6-sol",
        "gpt-5.3-codex", "openai/gpt-oss-120b", "GPT-5", "gemini-2.5-pro", "models/gemini-2.5-flash",
        "gemini-3-pro-preview", "gemini-4-argon", "grok-4", "grok-3-mini-fast", "grok-4-fast-reasoning",
        "grok-code-fast-1", "deepseek-reasoner", "deepseek-r1-distill-llama-70b", "magistral-medium", "qwq-32b",
        "kimi-k2-thinking", "kimi-k3",
        "llama-3.1-405b-reasoning",
    ],
)  # fmt: skip
def test_models_that_reason_first(model: str) -> None:
    assert reasons(model)
    assert answer_tokens(model) == REASONING_TOKENS


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4o", "gpt-4.1", "gpt-4o-mini", "gpt-3.5-turbo", "gpt-5-chat-latest", "chatgpt-4o-latest",
        "ft:gpt-4o:org::o1",
        "gemini-2.0-flash", "gemini-2.5-flash-lite", "gemini-1.5-pro", "claude-sonnet-4-5", "grok-3", "grok-2-1212",
        "grok-4-fast-non-reasoning", "deepseek-chat", "mistral-large", "llama3.2", "kimi-k2", "qwen-3-32b", "", "foo1",
        "solo1-large",
    ],
)  # fmt: skip
def test_models_that_answer_at_once(model: str) -> None:
    assert not reasons(model)
    assert answer_tokens(model) == OUTPUT_TOKENS


@pytest.mark.parametrize(
    ("params", "tokens"),
    [
        ({"reasoning_effort": "high"}, REASONING_TOKENS),
        ({"reasoning_effort": "none"}, OUTPUT_TOKENS),
        ({"reasoning_effort": "Minimal"}, OUTPUT_TOKENS),
        ({"reasoning": {"effort": "low"}}, REASONING_TOKENS),
        ({"reasoning": {"effort": "none"}}, OUTPUT_TOKENS),
        ({"thinkingConfig": {"thinkingBudget": 0}}, OUTPUT_TOKENS),
        ({"thinking_config": {"thinking_budget": 1_000}}, OUTPUT_TOKENS + 1_000),
    ],
)
def test_what_is_asked_for_says_more_than_the_name(params: dict[str, Any], tokens: int) -> None:
    for model in ("gpt-5", "llama3.2"):
        assert answer_tokens(model, params) == tokens


@pytest.mark.parametrize(
    "params",
    [
        {"reasoning_effort": None},
        {"reasoning_effort": 7},
        {"reasoning": "high"},
        {"thinkingConfig": {"thinkingBudget": -1}},
        {"thinkingConfig": {"thinkingBudget": True}},
        {"thinkingConfig": []},
    ],
)
def test_what_says_nothing_leaves_it_to_the_name(params: dict[str, Any]) -> None:
    assert answer_tokens("gpt-5", params) == REASONING_TOKENS
    assert answer_tokens("gpt-4o", params) == OUTPUT_TOKENS
