"""Rows of a tree say what happened, in few words, whatever the attributes hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query.labels import LABEL_MAX, label_of


def label(span_type: str, name: str = "span", **attributes: Any) -> str | None:
    sent = {key.replace("__", "."): value for key, value in attributes.items()}
    return label_of(span_type, name, json.dumps(sent).encode())


CALLS = json.dumps(
    [
        {"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"order_id": 4711}'}},
        {
            "id": "2",
            "type": "function",
            "function": {"name": "note", "arguments": '{"verbose": true, "text": "a\\nb"}'},
        },
        {"id": "3", "name": "bare", "arguments": {"q": "x"}},
        {"id": "4", "type": "function", "function": {"name": "fourth", "arguments": "{}"}},
    ]
)


@pytest.mark.parametrize(
    ("span_type", "attributes", "expected"),
    [
        ("llm_call", {"llm__model": "gpt-4o", "llm__tool_calls": CALLS}, "gpt-4o → look(4711), note(a b), bare(x) +1"),
        ("llm_call", {"llm__model": "gpt-4o", "llm__completion": "It is\n 18 °C."}, "gpt-4o: It is 18 °C."),
        ("llm_call", {"llm__completion": "Hi"}, "span: Hi"),
        ("llm_call", {"llm__model": "gpt-4o"}, "gpt-4o"),
        ("llm_call", {}, None),
        ("tool_use", {"tool__name": "search", "tool__input": '{"limit": 3, "query": "cats"}'}, "search(cats)"),
        ("tool_use", {"tool__name": "search", "tool__input": {"limit": 3}}, "search(3)"),
        ("tool_use", {"tool__name": "search", "tool__input": '{"filter": {"a": 1}}'}, "search(…)"),
        ("tool_use", {"tool__input": "plain words"}, "span(plain words)"),
        ("tool_use", {"tool__name": "now", "tool__input": "{}"}, "now"),
        ("tool_use", {"tool__name": "now", "tool__input": "{broken"}, "now({broken)"),
        ("shell_command", {"shell__command": "grep -rn TODO src\n"}, "grep -rn TODO src"),
        ("file_operation", {"file__operation": "read", "file__path": "a.py"}, "read a.py"),
        ("browser_action", {"browser__action": "click", "browser__selector": "#buy"}, "click #buy"),
        ("browser_action", {"browser__action": "goto", "browser__url": "http://x.test"}, "goto http://x.test"),
        ("agent_step", {"agent__step_name": "plan"}, "plan"),
        ("agent_step", {"agent__step_name": "span"}, None),
        ("chain", {"chain__input": "x"}, None),
        ("custom", {"anything": 1}, None),
    ],
)  # fmt: skip
def test_what_a_row_says(span_type: str, attributes: dict[str, Any], expected: str | None) -> None:
    assert label(span_type, **attributes) == expected


def test_a_long_one_is_cut() -> None:
    made = label("llm_call", llm__model="m", llm__completion="word " * 10_000)
    assert made is not None
    assert len(made) == LABEL_MAX
    assert made.endswith("…")


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("llm.model", "llm.completion", "llm.tool_calls", "tool.name", "tool.input", "shell.command", "file.path",
        "file.operation", "browser.action", "browser.url", "agent.step_name")  # fmt: skip


@given(
    st.sampled_from(
        ("llm_call", "tool_use", "shell_command", "file_operation", "browser_action", "agent_step", "chain")
    ),
    st.dictionaries(st.sampled_from(KEYS), JUNK | JUNK.map(json.dumps)),
)
def test_whatever_was_sent_a_label_is_short_or_none(span_type: str, attributes: dict[str, Any]) -> None:
    made = label_of(span_type, "n", json.dumps(attributes).encode())
    assert made is None or 0 < len(made) <= LABEL_MAX


def test_text_that_cannot_be_read_has_none() -> None:
    assert label_of("llm_call", "n", b'{"llm.model": "\xff"}') is None
    assert label_of("llm_call", "n", b"[]") is None
