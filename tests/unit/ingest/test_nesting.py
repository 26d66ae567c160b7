"""Each paid call counts once: by deltas, in any order, the same as by asking every span what lies below it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import nesting
from ingest import twins as twins_module
from ingest.changes import SpanChange
from ingest.merge import SpanState
from ingest.nesting import NOTHING, Shapes, Sums, covered, node_of, plus
from ingest.twins import SLACK_NS

IDS = [f"s{i}" for i in range(7)]
MS = 1_000_000
DATE = "-2026-11-23"


def state(span_id: str, parent: str | None, span_type: str = "custom", **fields: Any) -> SpanState:
    base = SpanState(
        0, 1, span_id, parent, span_type, "n", "ok", None, 1, 2, None, None, None, None, None, None, None, "[]", 0, 0,
        0, 0, 0, "{}",
    )  # fmt: skip
    return msgspec.structs.replace(base, **fields)


def llm(span_id: str, parent: str | None, tokens: int | None, cost: int | None = None, **fields: Any) -> SpanState:
    return state(span_id, parent, "llm_call", tokens=tokens, cost_pico=cost, **fields)


def told(span_id: str, scope: str | None, at: tuple[int, int | None], tokens: int, cost: int | None) -> SpanState:
    """A call as an instrumentation tells it, from and to these milliseconds."""
    start_ns, end_ns = at[0] * MS, None if at[1] is None else at[1] * MS
    return llm(span_id, "root", tokens, cost, start_ns=start_ns, end_ns=end_ns, attributes=scoped(scope))


def scoped(scope: str | None) -> str:
    return "{}" if scope is None else json.dumps({"llm.prompt": "[]", "beacon.scope": scope})


def by_asking(spans: list[SpanState]) -> Sums:
    """The rule as it is written, without a thought for speed."""
    by_id = {s.span_id: s for s in spans}
    parents = {s.span_id: s.parent_span_id for s in spans if s.parent_span_id in by_id}

    def ancestors(span_id: str) -> Iterator[str]:
        seen: set[str] = set()
        at: str | None = parents.get(span_id)
        while at is not None and at not in seen:
            seen.add(at)
            yield at
            at = parents.get(at)

    def is_above(s: SpanState) -> bool:
        return any(b.span_type == "llm_call" and b.tokens and s.span_id in ancestors(b.span_id) for b in spans)

    def twins(s: SpanState) -> list[SpanState]:
        """Those that tell of the same call as `s`, from another scope."""
        alike = [o for o in spans if is_call(o) and o.tokens == s.tokens and not is_above(o)]
        if s not in alike or len(alike) > twins_module.MANY:
            return []
        at_once, before = [s], 0
        while before < len(at_once):
            before = len(at_once)
            at_once = [o for o in alike if any(touches(o, a) for a in at_once)]
        if len(at_once) > twins_module.CROWD:
            return []
        return [o for o in alike if scope(o) != scope(s) and same_model(o, s) and (within(o, s) or within(s, o))]

    in_ring = {one for one in by_id if one in ancestors(one)}
    for one in in_ring:
        parents.pop(one)
    total = NOTHING
    for s in spans:
        bearing = [b for b in spans if b.span_type == "llm_call" and b.tokens and s.span_id in ancestors(b.span_id)]
        if s.span_type == "llm_call" and (bearing or any(stands_for(other, s) for other in twins(s))):
            total = plus(total, Sums(s.tokens or 0, s.cost_pico or 0, int(bool(s.tokens) and s.cost_pico is None)))
    return total


def scope(s: SpanState) -> object:
    return json.loads(s.attributes).get("beacon.scope")


def is_call(s: SpanState) -> bool:
    return s.span_type == "llm_call" and bool(s.tokens) and s.end_ns is not None and scope(s) is not None


def same_model(a: SpanState, b: SpanState) -> bool:
    return a.model is None or b.model is None or a.model.removesuffix(DATE) == b.model.removesuffix(DATE)


def end(s: SpanState) -> int:
    assert s.end_ns is not None
    return max(s.start_ns, s.end_ns)


def touches(a: SpanState, b: SpanState) -> bool:
    return a.start_ns <= end(b) + SLACK_NS and b.start_ns <= end(a) + SLACK_NS


def within(a: SpanState, b: SpanState) -> bool:
    return b.start_ns - SLACK_NS <= a.start_ns and end(a) <= end(b) + SLACK_NS


def stands_for(a: SpanState, b: SpanState) -> bool:
    """Which of two twins counts."""
    if (a.cost_pico is None) != (b.cost_pico is None):
        return b.cost_pico is None
    return (end(a) - a.start_ns, a.span_id) < (end(b) - b.start_ns, b.span_id)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([llm("a", None, 5), state("b", "a", "tool_use")], NOTHING),
        ([llm("a", None, 5, 7), llm("b", "a", 5)], Sums(5, 7, 0)),
        ([llm("a", None, 5), state("b", "a"), state("c", "b"), llm("d", "c", 1)], Sums(5, 0, 1)),
        ([llm("a", None, None, 9), llm("b", "a", 5, 9)], Sums(0, 9, 0)),
        ([llm("a", None, 5), llm("b", "a", None, 9)], NOTHING),  # bears no tokens
        ([llm("a", None, 5), llm("b", "a", 0, 9)], NOTHING),
        ([llm("a", None, 5), llm("b", "never", 5)], NOTHING),
        ([llm("a", None, 1), llm("b", "a", 2), llm("c", "b", 4)], Sums(3, 0, 2)),
        ([llm("a", "a", 5)], NOTHING),
        ([llm("a", "b", 5), llm("b", "a", 5)], NOTHING),  # a ring: neither is above
        ([llm("a", "b", 5), llm("b", "a", 6), llm("c", "b", 7)], Sums(6, 0, 1)),
        # side by side: what is inside counts
        ([told("a", "chain", (0, 100), 5, 7), told("b", "client", (20, 90), 5, 8)], Sums(5, 7, 0)),
        ([told("a", "chain", (20, 90), 5, 7), told("b", "client", (0, 100), 5, 8)], Sums(5, 8, 0)),
        # what has a price counts
        ([told("a", "chain", (0, 100), 5, 7), told("b", "client", (20, 90), 5, None)], Sums(5, 0, 1)),
        # three tell of one call
        ([told("a", "x", (0, 100), 5, 7), told("b", "y", (1, 99), 5, 7), told("c", "z", (2, 98), 5, 7)], Sums(10, 14)),
        # one of them twice: two calls of a client, as one by a framework
        ([told("a", "x", (0, 100), 5, 7), told("b", "y", (1, 40), 5, 7), told("c", "y", (50, 98), 5, 7)], Sums(5, 7)),
        # callbacks that come a little late; but not later
        ([told("a", "x", (0, 100), 5, 7), told("b", "y", (5, 110), 5, 7)], Sums(5, 7, 0)),
        ([told("a", "x", (0, 100), 5, 7), told("b", "y", (11, 111), 5, 7)], NOTHING),
        # two calls: of one scope, of other tokens, one after the other, told by nobody, still running
        ([told("a", "x", (0, 100), 5, 7), told("b", "x", (20, 90), 5, 7)], NOTHING),
        ([told("a", "x", (0, 100), 5, 7), told("b", "y", (20, 90), 6, 7)], NOTHING),
        ([told("a", "x", (0, 100), 5, 7), told("b", "y", (100, 190), 5, 7)], NOTHING),
        ([told("a", None, (0, 100), 5, 7), told("b", "y", (20, 90), 5, 7)], NOTHING),
        ([told("a", "x", (0, None), 5, 7), told("b", "y", (20, 90), 5, 7)], NOTHING),
        # what is above a call does not count, and stands for nobody
        (
            [
                told("a", "x", (0, 100), 5, 7),
                told("b", "y", (1, 99), 5, None),
                msgspec.structs.replace(told("c", "z", (2, 98), 5, None), parent_span_id="a"),
            ],
            Sums(10, 7, 1),
        ),
    ],
)
def test_the_rule(spans: list[SpanState], expected: Sums) -> None:
    assert by_asking(spans) == covered(map(node_of, spans)) == expected


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("openai/gpt-4o", "gpt-4o", True),
        ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", True),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku-20241022", True),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5", True),
        ("gemini-2.5-pro", "models/gemini-2.5-pro", True),
        ("gemini-2.0-flash", "gemini-2.0-flash-001", True),
        (None, "gpt-4o", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o-mini-2024-07-18", "gpt-4o", False),
        ("gpt-4", "gpt-4.1", False),
        ("o1", "o3", False),
    ],
)
def test_models_of_twins_agree(one: str | None, other: str | None, agree: bool) -> None:
    spans = [told("a", "x", (0, 9), 5, 7), told("b", "y", (1, 8), 5, 7)]
    spans = [msgspec.structs.replace(s, model=model) for s, model in zip(spans, (one, other), strict=True)]
    assert covered(map(node_of, spans)) == (Sums(5, 7) if agree else NOTHING)


def test_a_crowd_of_calls_with_as_many_tokens_has_no_twins() -> None:
    """It takes no longer for that: 20,000 at once would be 400 million pairs."""
    crowd = [told(f"s{i:05}", f"scope {i % 2}", (0, 100), 5, 7) for i in range(20_000)]
    assert covered(map(node_of, crowd[: twins_module.CROWD + 1])) == NOTHING
    assert covered(map(node_of, crowd[: twins_module.CROWD])).tokens > 0
    shapes = Shapes()
    db = sqlite3.connect(":memory:")
    assert shapes.settle(db, 1, True, [SpanChange("t", one, None) for one in crowd]) == NOTHING


def test_a_long_row_of_calls_with_as_many_tokens_has_twins() -> None:
    """Short answers to one question after another: each is told twice."""
    calls = [
        told(f"{name}{i}", name, (i * 1000 + inside, i * 1000 + 100 - inside), 150, 7)
        for i in range(900)
        for name, inside in (("chain", 0), ("client", 5))
    ]
    assert covered(map(node_of, calls)) == Sums(900 * 150, 900 * 7)
    many = [told(f"s{i}", f"scope {i % 2}", (i // 2 * 1000, i // 2 * 1000 + 9), 5, 7) for i in range(2_002)]
    assert covered(map(node_of, many)) == NOTHING


spans_of_any_shape = st.builds(
    lambda span_id, parent, span_type, tokens, cost, scope, model, start_ns, end_ns: state(
        span_id, parent, span_type, tokens=tokens, cost_pico=cost, attributes=scoped(scope), model=model,
        start_ns=start_ns, end_ns=end_ns,
    ),
    st.sampled_from(IDS),
    st.sampled_from([None, *IDS, "never"]),
    st.sampled_from(["llm_call", "llm_call", "custom"]),
    st.sampled_from([None, 0, 1, 10, 100]),
    st.sampled_from([None, 0, 1000]),
    st.sampled_from([None, "x", "y", "z"]),
    st.sampled_from([None, "m", "m", f"m{DATE}", "n"]),
    st.sampled_from([0, SLACK_NS // 2, SLACK_NS * 3]),
    st.sampled_from([None, SLACK_NS * 4, SLACK_NS * 4, SLACK_NS * 6, 0]),
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    commits=st.lists(st.tuples(st.lists(spans_of_any_shape, max_size=5), st.booleans()), max_size=8),
    small=st.booleans(),
)
def test_deltas_over_any_commits_and_restarts_equal_the_rule(
    commits: list[tuple[list[SpanState], bool]], small: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if small:  # everything is forgotten at once
            patch.setattr(nesting, "IDS_MAX", 0)
            patch.setattr(nesting, "TRACES_MIN", 0)
        run(commits)


def run(commits: list[tuple[list[SpanState], bool]]) -> None:
    db = sqlite3.connect(":memory:")
    db.execute(
        "CREATE TABLE spans (trace_row, span_row, span_id PRIMARY KEY, parent_span_id, span_type, tokens, cost_pico,"
        " model, start_ns, end_ns)"
    )
    db.execute("CREATE TABLE span_attributes (span_row PRIMARY KEY, attributes)")
    shapes = Shapes()
    known: dict[str, SpanState] = {}
    total = NOTHING
    for spans, restart in commits:
        if restart:
            shapes.clear()
        after = {s.span_id: s for s in spans}
        changes = [SpanChange("t", s, known.get(span_id)) for span_id, s in after.items()]
        total = plus(total, shapes.settle(db, 1, not known, changes))
        known |= after
        db.executemany(
            "INSERT OR REPLACE INTO spans VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    s.span_id,
                    s.span_id,
                    s.parent_span_id,
                    s.span_type,
                    s.tokens,
                    s.cost_pico,
                    s.model,
                    s.start_ns,
                    s.end_ns,
                )
                for s in after.values()
            ],
        )
        db.executemany(
            "INSERT OR REPLACE INTO span_attributes VALUES (?, ?)", [(s.span_id, s.attributes) for s in after.values()]
        )
        assert total == by_asking(list(known.values()))
        assert total == covered(map(node_of, known.values()))


def test_twins_part_after_a_restart() -> None:
    one, other = told("s0", "x", (0, 100), 10, 7), told("s1", "y", (10, 90), 10, 7)
    run([([one, other], False), ([msgspec.structs.replace(one, tokens=100)], True)])
    run([([one, other], False), ([msgspec.structs.replace(other, tokens=100)], True), ([other], True)])


def test_a_long_chain_in_any_order_takes_no_time_and_no_recursion() -> None:
    count = 5_000
    chain = [llm(f"c{i}", f"c{i - 1}" if i else None, 1) for i in range(count)]
    for order in (chain, list(reversed(chain))):
        db = sqlite3.connect(":memory:")
        shapes = Shapes()
        total = shapes.settle(db, 1, True, [SpanChange("t", one, None) for one in order])
        assert total == Sums(count - 1, 0, count - 1)


def test_a_trace_without_nesting_is_never_read() -> None:
    """A connection with no tables: whatever was read would fail."""
    db = sqlite3.connect(":memory:")
    shapes = Shapes()
    for i in range(0, 100, 2):
        spans = [llm(f"s{i}", "root", 5), state(f"s{i + 1}", "root", "tool_use")]
        assert shapes.settle(db, 1, i == 0, [SpanChange("t", one, None) for one in spans]) == NOTHING
    closed = llm("s0", "root", 5)
    assert shapes.settle(db, 2, False, [SpanChange("t", msgspec.structs.replace(closed, end_ns=9), closed)]) == NOTHING
