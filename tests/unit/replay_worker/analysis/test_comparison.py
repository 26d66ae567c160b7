"""Two runs side by side: examples, and what must hold for any two."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from replay_worker.analysis import alignment
from replay_worker.analysis.alignment import align
from replay_worker.analysis.comparison import compare
from replay_worker.analysis.trace import Trace
from tests.unit.replay_worker.analysis.runs import call, run, span, tool


@st.composite
def runs(draw: st.DrawFn) -> Trace:
    """A run of up to 14 spans, few names, any tree."""
    spans: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 14))):
        parent = draw(st.none() | st.sampled_from([one["span_id"] for one in spans])) if spans else None
        name = draw(st.sampled_from("abc"))
        given_ = draw(st.sampled_from(["x", "y", None]))
        spans.append(tool(f"s{number}", number, given_, "out", name=name, parent=parent))
    return run(spans)


@given(runs(), runs())
def test_every_span_stands_once_and_matches_are_matches(a: Trace, b: Trace) -> None:
    pairs = align(a, b)
    assert sorted(one.span_id for one, _ in pairs if one) == sorted(step.span_id for step in a.steps)
    assert sorted(other.span_id for _, other in pairs if other) == sorted(step.span_id for step in b.steps)
    partner = {one.span_id: other.span_id for one, other in pairs if one and other}
    ids_a, ids_b = set(a.by_id), set(b.by_id)
    for one, other in pairs:
        if one and other:
            assert (one.type, one.name) == (other.type, other.name)
            parent_a = one.parent_id if one.parent_id in ids_a else None
            parent_b = other.parent_id if other.parent_id in ids_b else None
            assert (parent_b is None) if parent_a is None else (partner.get(parent_a) == parent_b)


@given(runs(), runs())
def test_siblings_keep_their_order(a: Trace, b: Trace) -> None:
    order = {step.span_id: at for at, step in enumerate(b.steps)}
    last: dict[str | None, int] = {}
    for one, other in align(a, b):
        if one and other:
            assert order[other.span_id] > last.get(one.parent_id, -1)
            last[one.parent_id] = order[other.span_id]


@given(runs())
def test_a_run_is_equal_to_itself(a: Trace) -> None:
    assert all(one is not None and one == other for one, other in align(a, a))
    found = compare(a, a)
    assert found.divergence_points == []
    assert found.metric_diff.span_count_diff == found.metric_diff.token_diff == 0


@given(runs(), runs())
def test_the_other_way_round_it_is_as_good(a: Trace, b: Trace) -> None:
    def points(pairs: list[alignment.Pair], ids: set[str]) -> int:
        roots = [(one, other) for one, other in pairs if one and other and one.parent_id not in ids]
        return sum(alignment.SAME_WORK + alignment.SAME_INPUT * (one.input == other.input) for one, other in roots)

    assert points(align(a, b), set(a.by_id)) == points(align(b, a), set(b.by_id))
    assert compare(a, b).metric_diff.span_count_diff == -compare(b, a).metric_diff.span_count_diff


@given(runs(), st.data())
def test_a_span_taken_out_is_the_difference(a: Trace, data: st.DataObject) -> None:
    parents = {step.parent_id for step in a.steps}
    gone = data.draw(st.sampled_from([step for step in a.steps if step.span_id not in parents]))
    rest = tuple(step for step in a.steps if step is not gone)
    # among siblings of one name another may stand for the one that is gone, with what is below it
    alike = [step for step in rest if (step.parent_id, step.name) == (gone.parent_id, gone.name)]
    assume(rest and not alike)
    b = msgspec.structs.replace(a, steps=rest)
    points = compare(a, b).divergence_points
    assert len(points) >= 1
    alone = [point for point in points if point.span_b is None]
    assert len(alone) == 1
    assert a.by_id[alone[0].span_a or ""].name == gone.name


def test_the_first_difference_comes_first_and_says_what_differs() -> None:
    def one(answer: str, given_: str, status: str) -> Trace:
        spans = [
            span("root", "agent_step", 0, 9, status=status, error="failed" if status == "error" else None),
            call("c1", 1, prompt="[1]", completion=answer) | {"parent_span_id": "root"},
            tool("t1", 3, given_, "found", parent="root"),
        ]
        return run(spans, trace_id=status)

    found = compare(one("use upgrade", "upgrade", "ok"), one("use stamp", "stamp", "error"))
    assert [(p.span_a, p.span_b) for p in found.divergence_points] == [("root", "root"), ("c1", "c1"), ("t1", "t1")]
    assert "ok in a, error (“failed”) in b" in found.divergence_points[0].description
    assert "“use upgrade” in a, “use stamp” in b" in found.divergence_points[1].description
    assert found.narrative is None
    assert "a ended ok, b error." in found.summary


def test_numbers_of_b_less_a() -> None:
    a = run([call("c", 0, 2.0, tokens_input=100, tokens_output=10, cost_usd=0.25)])
    b = run([call("c", 0, 3.5, tokens_input=150, tokens_output=20, cost_usd=0.5), span("more", begin=1)])
    diff = compare(a, b).metric_diff
    assert (diff.cost_diff_usd, diff.duration_diff_ms, diff.token_diff, diff.span_count_diff) == (0.25, 1500.0, 60, 1)


def test_costs_are_not_compared_where_a_call_has_no_price() -> None:
    a = run([call("c", tokens_input=100)], unpriced_count=1)
    assert compare(a, a).metric_diff.cost_diff_usd is None


def test_what_hangs_below_a_lone_span_is_not_told_again() -> None:
    a = run([span("root", seconds=9)])
    b = run(
        [
            span("root", seconds=9),
            span("extra", begin=1, parent="root"),
            span("below", begin=2, parent="extra"),
            span("deeper", begin=3, parent="below"),
        ]
    )
    assert [(p.span_a, p.span_b) for p in compare(a, b).divergence_points] == [(None, "extra")]


def test_lists_too_long_to_compare_in_full_are_compared_near_each_other() -> None:
    size = 2_000
    assert size * size > alignment.CELLS_MAX
    names = [f"tool {n * n % 17}" for n in range(size)]
    a = run([tool(f"a{n}", n, f"in {n}", "x", name=name) for n, name in enumerate(names)])
    spans = [tool(f"b{n}", n, f"other {n}", "x", name=name) for n, name in enumerate(names)]
    b = run([one for n, one in enumerate(spans) if n % 100])  # twenty are missing
    matched = [(one.span_id, other.span_id) for one, other in align(a, b) if one and other]
    assert len(matched) == len(b.steps)
    assert sum(one[1:] == other[1:] for one, other in matched) > 0.95 * len(matched)
