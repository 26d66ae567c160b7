"""The layout of a graph: tidy where the spans form a tree, and safe where they do not."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beacon.errors import NotFound
from query import graph
from query.graph import COLUMN_WIDTH, ROW_HEIGHT, graph_of, tidy_tree
from tests.store_fixture import SECOND, START_NS, Store, stored_span
from tests.unit.query.lane import lane

PARENTS = st.integers(0, 30).flatmap(lambda n: st.lists(st.integers(-1, max(-1, n - 1)), min_size=n, max_size=n))


@given(PARENTS)
def test_no_two_nodes_stand_on_each_other_and_leaves_have_rows_of_their_own(parents: list[int]) -> None:
    positions = tidy_tree(parents)
    assert len(positions) == len(parents)
    columns: dict[float, list[float]] = {}
    for x, y in positions:
        columns.setdefault(x, []).append(y)
    for rows in columns.values():
        rows.sort()
        assert all(below - above >= ROW_HEIGHT for above, below in itertools.pairwise(rows))


@given(PARENTS)
def test_a_child_stands_one_column_right_of_its_parent_but_where_a_ring_was_opened(parents: list[int]) -> None:
    positions = tidy_tree(parents)
    for i, parent in enumerate(parents):
        if parent in (-1, i):
            assert positions[i][0] == 0
        elif not on_ring(i, parents):
            assert positions[i][0] == positions[parent][0] + COLUMN_WIDTH


def on_ring(node: int, parents: list[int]) -> bool:
    at = parents[node]
    for _ in parents:
        if at in (-1, node):
            break
        at = parents[at]
    return at == node


def test_a_parent_stands_beside_the_middle_of_its_children() -> None:
    # a root with three children, the first of which has two
    positions = tidy_tree([-1, 0, 0, 0, 1, 1])
    assert [(x / COLUMN_WIDTH, y / ROW_HEIGHT) for x, y in positions] == [
        (0, 1.75),
        (1, 0.5),
        (1, 2),
        (1, 3),
        (2, 0),
        (2, 1),
    ]


def test_a_ring_is_opened_at_its_first_node_and_what_hangs_on_it_follows() -> None:
    # 0 hangs on the ring 2 -> 1 -> 3 -> 2
    positions = tidy_tree([3, 3, 1, 2])
    assert [x / COLUMN_WIDTH for x, _ in positions] == [3, 0, 1, 2]


def test_a_chain_of_50_000_is_laid_out_in_no_time() -> None:
    began = time.monotonic()
    positions = tidy_tree([-1, *range(49_999)])
    assert positions[-1] == (49_999 * COLUMN_WIDTH, 0.0)
    assert time.monotonic() - began < 5


def row(span_id: str, parent: str | None, *, start: int = 0, end: int | None = 0) -> tuple[object, ...]:
    ended = None if end is None else START_NS + end
    return (span_id, parent, "llm_call", span_id.upper(), "ok", START_NS + start, ended, 2_500_000_000, "crew")


def test_nodes_carry_what_the_contract_says() -> None:
    made = graph_of([row("a", None, end=2 * SECOND), row("b", "a", start=1, end=None)])
    first, second = made.nodes
    assert (first.id, first.type) == ("a", "spanNode")
    facts = first.data
    assert (facts.span_id, facts.span_type, facts.name, facts.status) == ("a", "llm_call", "A", "ok")
    assert (facts.duration_ms, facts.cost_usd, facts.sequence, facts.framework) == (2000.0, 0.0025, 1, "crew")
    assert (second.data.sequence, second.data.duration_ms) == (2, None)
    assert [(e.id, e.source, e.target) for e in made.edges] == [("e-a-b", "a", "b")]


def test_an_edge_stands_only_where_the_parent_is_another_span_of_the_trace() -> None:
    made = graph_of([row("a", "elsewhere"), row("b", "b"), row("c", "d"), row("d", "c")])
    assert [(e.source, e.target) for e in made.edges] == [("d", "c"), ("c", "d")]
    assert len({(n.position.x, n.position.y) for n in made.nodes}) == 4


def test_a_trace_of_many_slices_is_one_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "SLICE_SPANS", 4)
    with Store(tmp_path / "traces.db") as store, lane(store.path) as one:
        for spans in (1, 3, 4, 5, 8, 9):
            trace_id = f"t{spans}"
            rows = [stored_span(f"s{i}", trace_id, start_ns=START_NS - i) for i in range(spans)]
            store.put(*rows, stored_span("s0", "other"))
            nodes = json.loads(one.walk(graph.read_graph, trace_id))["nodes"]
            assert [n["id"] for n in nodes] == [f"s{i}" for i in reversed(range(spans))]
        with pytest.raises(NotFound):
            one.walk(graph.read_graph, "none")


def test_an_empty_graph_is_empty() -> None:
    assert graph_of([]).nodes == []
