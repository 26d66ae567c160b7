"""GET /v1/traces/{trace_id}/graph: the spans of a trace as nodes and edges, laid out as a tidy tree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from beacon.contract.records import Graph, GraphEdge, GraphNode, GraphNodeData, Point, encode
from beacon.contract.units import duration_ms, usd_from_pico
from beacon.errors import NotFound
from query.walk import Walk

COLUMN_WIDTH = 280.0
ROW_HEIGHT = 110.0
"""Pixels between a parent and its child, and between two leaves: what a node of 220 x 80 needs to stand free."""

SLICE_SPANS = 20_000
"""Spans read in one transaction, some 30 ms; nearly every trace is one slice."""

_ROWS = (
    "SELECT s.span_id, s.parent_span_id, s.span_type, s.name, s.status, s.start_ns, s.end_ns, s.cost_pico, "
    "s.framework FROM spans s WHERE s.trace_row = ? AND s.span_id > ? ORDER BY s.span_id LIMIT ?"
)


def read_graph(walk: Walk, trace_id: str) -> bytes:
    """The graph as JSON. Raises `NotFound`."""
    rows: list[tuple[Any, ...]] = []
    while len(rows) % SLICE_SPANS == 0:
        with walk.snapshot() as db:
            trace = db.execute("SELECT trace_row FROM traces WHERE trace_id = ?", (trace_id,)).fetchone()
            if trace is None:
                raise NotFound("Trace not found")
            more = db.execute(_ROWS, (trace[0], rows[-1][0] if rows else "", SLICE_SPANS)).fetchall()
        if not more:
            break
        rows += more
    return encode(graph_of(rows))


def graph_of(spans: Iterable[tuple[Any, ...]]) -> Graph:
    """Rows of a trace's spans as a graph: `sequence` counts from 1, an edge stands where the parent is in
    the trace and is not the span itself."""
    rows = sorted(spans, key=lambda row: (row[5], row[0]))
    place = {row[0]: i for i, row in enumerate(rows)}
    parents = [place.get(row[1], -1) for row in rows]
    positions = tidy_tree(parents)
    nodes = []
    edges = []
    for i, (span_id, parent_id, span_type, name, status, start_ns, end_ns, cost_pico, framework) in enumerate(rows):
        cost = None if cost_pico is None else usd_from_pico(cost_pico)
        duration = duration_ms(start_ns, end_ns)
        facts = GraphNodeData(span_id, span_type, name, status, duration, cost, i + 1, framework)
        nodes.append(GraphNode(span_id, "spanNode", facts, Point(*positions[i])))
        if parents[i] not in (-1, i):
            edges.append(GraphEdge(f"e-{parent_id}-{span_id}", parent_id, span_id))
    return Graph(nodes, edges)


def tidy_tree(parents: Sequence[int]) -> list[tuple[float, float]]:
    """(x, y) of every node of a forest given as the index of each node's parent (-1: none), children by index.

    Left to right by depth, leaves one below the other in order, a parent beside the middle of its children. Takes time
    in proportion to the nodes. A ring of parents (clients do send them) is opened at its first node; nothing here
    recurses, so a chain of 5,000 is as good as any.
    """
    children: list[list[int]] = [[] for _ in parents]
    roots = []
    for i, parent in enumerate(parents):
        if parent in (-1, i):
            roots.append(i)
        else:
            children[parent].append(i)
    depth = [-1] * len(parents)
    y = [0.0] * len(parents)
    order: list[int] = []
    leaves = 0
    # after the roots come all others: whatever is still without a depth by then is of a ring, or hangs on one
    for some in (*roots, *range(len(parents))):
        if depth[some] >= 0:
            continue
        start = some if parents[some] in (-1, some) else _ring_start(some, parents)
        depth[start] = 0
        stack = [start]
        while stack:
            node = stack.pop()
            order.append(node)
            below = [child for child in children[node] if depth[child] < 0]
            children[node] = below
            if not below:
                y[node] = leaves * ROW_HEIGHT
                leaves += 1
            for child in reversed(below):
                depth[child] = depth[node] + 1
                stack.append(child)
    for node in reversed(order):
        if children[node]:
            y[node] = (y[children[node][0]] + y[children[node][-1]]) / 2
    return [(depth[i] * COLUMN_WIDTH, y[i]) for i in range(len(parents))]


def _ring_start(node: int, parents: Sequence[int]) -> int:
    """The first node (by index) of the ring that the parents of `node` lead to."""
    seen: set[int] = set()
    while node not in seen:
        seen.add(node)
        node = parents[node]
    first = on_ring = node
    while (on_ring := parents[on_ring]) != node:
        first = min(first, on_ring)
    return first
