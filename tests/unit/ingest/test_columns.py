from __future__ import annotations

from typing import Any

import pytest

from ingest.columns import Columns, derive_columns


@pytest.mark.parametrize(
    ("attributes", "tokens"),
    [
        ({"llm.tokens.total": 150, "llm.tokens.input": 1, "llm.tokens.output": 2}, 150),
        ({"llm.tokens.input": 120, "llm.tokens.output": 30}, 150),
        ({"llm.tokens.output": 30}, 30),
        ({"llm.tokens.total": 12.0}, 12),
        ({"llm.tokens.total": -1, "llm.tokens.input": 5}, 5),
        ({"llm.tokens.total": True}, None),
        ({"llm.tokens.total": "150"}, None),
        ({"llm.tokens.total": 10**13}, None),
        ({}, None),
    ],
)
def test_tokens_are_the_total_or_input_and_output(attributes: dict[str, Any], tokens: int | None) -> None:
    assert derive_columns("llm_call", attributes).tokens == tokens


@pytest.mark.parametrize(
    ("cost", "pico"),
    [(3.6e-05, 36_000_000), (0, 0), (0.1, 100_000_000_000), (-0.5, None), ("1", None), (True, None), (1e12, None)],
)
def test_cost_is_kept_in_integer_picodollars(cost: Any, pico: int | None) -> None:
    assert derive_columns("llm_call", {"llm.cost_usd": cost}).cost_pico == pico


def test_only_llm_calls_have_model_tokens_and_cost() -> None:
    attributes = {"llm.model": "gpt-4o", "llm.tokens.total": 9, "llm.cost_usd": 1, "tool.framework": "langgraph"}
    assert derive_columns("tool_use", attributes) == Columns(None, None, None, "langgraph", None)
    assert derive_columns("llm_call", attributes).model == "gpt-4o"


def test_labels_are_cut_for_columns_and_strings_only() -> None:
    columns = derive_columns("llm_call", {"llm.model": "m" * 500, "agent.framework": 7, "session.id": "s1"})
    assert columns.model == "m" * 200
    assert columns.framework is None
    assert columns.session_id == "s1"


def test_a_scrubbed_session_leaves_it_to_the_conversation() -> None:
    scrubbed = {"session.id": "[Scrubbed due to 'session']"}
    assert derive_columns("custom", scrubbed).session_id is None
    assert derive_columns("custom", scrubbed | {"gen_ai.conversation.id": "c1"}).session_id == "c1"
    assert derive_columns("custom", {"gen_ai.conversation.id": "c1", "session.id": "s1"}).session_id == "s1"
