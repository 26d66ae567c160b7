"""Rows of a tree say what happened, in few words, whatever the attributes hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query.labels import LABEL_MAX, label_of


def label(span_type: str, name: str = "span", **attributes: Any) -> str | None:
    sent = {key.replace("__", "."): value for key, value in attributes.items()}
    return label_of(span_type, name, json.dumps(sent).encode())


CASES = json.loads(Path(__file__).with_name("label_cases.json").read_text("utf-8"))
"""Read by the web UI's tests too (hub/ui/test/texts.test.ts): it makes the labels of spans that come live."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['span_type']}-{case['label']}"[:60])
def test_what_a_row_says(case: dict[str, Any]) -> None:
    assert label_of(case["span_type"], "span", json.dumps(case["attributes"]).encode()) == case["label"]


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
