"""The tree of a trace, whatever a client made of it."""

from __future__ import annotations

import pytest

from replay_worker.analysis.trace import VALUE_KEPT, canonical, slim
from tests.unit.replay_worker.analysis.runs import run, span


def test_it_walks_parents_first_and_children_in_order() -> None:
    trace = run(
        [
            span("root", begin=0, seconds=9),
            span("b", begin=2, parent="root"),
            span("a", begin=1, parent="root"),
            span("a1", begin=1.5, parent="a"),
            span("lost", begin=3, parent="nobody"),
        ]
    )
    assert [(step.span_id, depth) for step, depth in trace.walk()] == [
        ("root", 0), ("a", 1), ("a1", 2), ("b", 1), ("lost", 0),
    ]  # fmt: skip


def test_a_ring_of_parents_is_walked_once() -> None:
    trace = run([span("a", begin=0, parent="b"), span("b", begin=1, parent="a"), span("self", begin=2, parent="self")])
    assert [(step.span_id, depth) for step, depth in trace.walk()] == [("a", 0), ("b", 1), ("self", 0)]


def test_a_chain_of_thousands_is_walked() -> None:
    spans = [span(f"s{n}", begin=n / 1000, parent=f"s{n - 1}" if n else None) for n in range(5_000)]
    assert sum(1 for _ in run(spans).walk()) == 5_000


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": [2]}, '{"b": [2], "a": 1}'),
        ('{"q":"x"}', '{ "q" : "x" }'),
        ("text ", "text"),
    ],
)
def test_equal_values_read_the_same(one: object, other: object) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(("one", "other"), [('{"a":1}', '{"a":2}'), ("[1,2]", "[2,1]"), ("{broken", "{Broken")])
def test_different_values_do_not(one: object, other: object) -> None:
    assert canonical(one) != canonical(other)


def test_slimming_keeps_both_ends_of_a_long_value_and_no_picture() -> None:
    text = "begin" + "x" * (3 * VALUE_KEPT) + "end"
    attributes = {"tool.output": text, "browser.screenshot": "iVBOR", "n": 3, "short": "s"}
    (step,) = slim(run([span("a", attributes=attributes)])).steps
    kept = step.attributes["tool.output"]
    assert kept.startswith("begin")
    assert kept.endswith("end")
    assert len(kept) < len(text)
    assert set(step.attributes) == {"tool.output", "n", "short"}
