"""Each paid call counts once: by deltas, in any order, the same as by asking every span what lies below it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import nesting
from ingest.changes import SpanChange
from ingest.merge import SpanState
from ingest.nesting import NOTHING, Shapes, Sums, covered, node_of, plus

IDS = [f"s{i}" for i in range(7)]


def state(span_id: str, parent: str | None, span_type: str = "custom", **fields: Any) -> SpanState:
    base = SpanState(
        0, 1, span_id, parent, span_type, "n", "ok", None, 1, 2, None, None, None, None, None, None, None, "[]", 0, 0,
        0, 0, 0, "{}",
    )  # fmt: skip
    return msgspec.structs.replace(base, **fields)


def llm(span_id: str, parent: str | None, tokens: int | None, cost: int | None = None) -> SpanState:
    return state(span_id, parent, "llm_call", tokens=tokens, cost_pico=cost)


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

    in_ring = {one for one in by_id if one in ancestors(one)}
    for one in in_ring:
        parents.pop(one)
    total = NOTHING
    for s in spans:
        bearing = [b for b in spans if b.span_type == "llm_call" and b.tokens and s.span_id in ancestors(b.span_id)]
        if s.span_type == "llm_call" and bearing:
            total = plus(total, Sums(s.tokens or 0, s.cost_pico or 0, int(bool(s.tokens) and s.cost_pico is None)))
    return total


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
    ],
)
def test_the_rule(spans: list[SpanState], expected: Sums) -> None:
    assert by_asking(spans) == covered(map(node_of, spans)) == expected


spans_of_any_shape = st.builds(
    lambda span_id, parent, span_type, tokens, cost: state(span_id, parent, span_type, tokens=tokens, cost_pico=cost),
    st.sampled_from(IDS),
    st.sampled_from([None, *IDS, "never"]),
    st.sampled_from(["llm_call", "llm_call", "custom"]),
    st.sampled_from([None, 0, 1, 10, 100]),
    st.sampled_from([None, 0, 1000]),
)


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
    db.execute("CREATE TABLE spans (trace_row, span_id PRIMARY KEY, parent_span_id, span_type, tokens, cost_pico)")
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
            "INSERT OR REPLACE INTO spans VALUES (1, ?, ?, ?, ?, ?)",
            [(s.span_id, s.parent_span_id, s.span_type, s.tokens, s.cost_pico) for s in after.values()],
        )
        assert total == by_asking(list(known.values()))
        assert total == covered(map(node_of, known.values()))


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
