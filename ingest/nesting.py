"""Each paid call counts once: an llm_call with a token-bearing llm_call anywhere below it adds nothing to its trace.

Two instrumentations nest (a framework's span over the client library's), and both say what the one call cost. A trace's
row has the sum over all its calls less those that are covered so; this module says what that is, at constant cost:

- `Shapes` remembers of a trace which spans are somebody's parent and which are paying calls. While no span is both, no
  call can cover another: two set look-ups a span, three a call (0.3 us), and nothing is read. Nearly every trace stays
  that way.
- Once one is both, the trace is kept as a `Tree`: who is above a bearing call is marked upwards, each span once, in
  whatever order the spans come.
- So is a trace in which two calls bear the same number of tokens, and one of them says its scope. They may tell of one
  call side by side (ingest/twins.py), which is looked for anew among those that changed.

A span that is its own parent has none; and a ring of parents does not say which is above, so its edges count for none.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from ingest.merge import SpanState
from ingest.twins import Call, beaten, scope_of, stem

IDS_MAX = 50_000
"""Ids remembered in all, some 5 MB. A trace that was forgotten is read again when it changes."""

TRACES_MIN = 4
"""Traces remembered however large they are: to read a trace of 100,000 spans again at each commit takes 0.1 s."""

TREE_WEIGHT = 4
"""What a span of a Tree takes, in ids of a flat trace."""


class Sums(NamedTuple):
    """What calls add to the row of their trace."""

    tokens: int = 0
    cost_pico: int = 0
    unpriced: int = 0


NOTHING = Sums()


class Node(NamedTuple):
    """A span as far as counting once is concerned. `adds` is None for what is no call, or pays nothing; `call` for what
    can have no twin."""

    span_id: str
    parent_id: str | None
    adds: Sums | None
    bears: bool
    call: Call | None = None


class Row(NamedTuple):
    """Of a stored span what `node_of` needs."""

    span_id: str
    parent_span_id: str | None
    span_type: str
    tokens: int | None
    cost_pico: int | None
    model: str | None = None
    start_ns: int = 0
    end_ns: int | None = None
    scope: object = None


def node_of(span: SpanState | Row) -> Node:
    parent_id = span.parent_span_id if span.parent_span_id != span.span_id else None
    tokens, cost_pico = span.tokens, span.cost_pico
    if span.span_type != "llm_call" or not (tokens or cost_pico):
        return Node(span.span_id, parent_id, None, False)
    adds = Sums(tokens or 0, cost_pico or 0, int(bool(tokens) and cost_pico is None))
    return Node(span.span_id, parent_id, adds, bool(tokens), _call_of(span))


def _call_of(span: SpanState | Row) -> Call | None:
    if not span.tokens or span.end_ns is None:
        return None
    scope = span.scope if isinstance(span, Row) else scope_of(span.attributes)
    if not isinstance(scope, str) or not scope:
        return None
    model = None if span.model is None else stem(span.model)
    end_ns = max(span.start_ns, span.end_ns)
    return Call(span.span_id, scope, model, span.start_ns, end_ns, span.cost_pico is not None)


# ---------------------------------------------------------------- from scratch


def covered(nodes: Iterable[Node]) -> Sums:
    """What the covered calls of a trace would add, from all its spans."""
    every = list(nodes)
    paying = {one.span_id for one in every if one.adds is not None}
    if all(one.call is None for one in every) and paying.isdisjoint(one.parent_id for one in every):
        return NOTHING
    return Tree(every).covered


def above(parents: Mapping[str, str | None], bearing: Iterable[str]) -> set[str]:
    """The ids, known or not, that have one of `bearing` below them. `parents` has no span that is its own."""
    ring = ring_members(parents)
    found: set[str] = set()
    for one in bearing:
        at: str | None = one
        while at not in ring and (at := parents.get(at)) is not None and at not in found:  # type: ignore[arg-type]
            found.add(at)
    return found


def ring_members(parents: Mapping[str, str | None]) -> set[str]:
    """The spans that are their own ancestors, in time proportional to the spans."""
    ring: set[str] = set()
    walk_of: dict[str, int] = {}
    for number, start in enumerate(parents):
        at: str | None = start
        path: list[str] = []
        while at is not None and at in parents and at not in walk_of:
            walk_of[at] = number
            path.append(at)
            at = parents[at]
        if at is not None and walk_of.get(at) == number:  # came back to where this walk has been
            ring.update(path[path.index(at) :])
    return ring


# ---------------------------------------------------------------- kept


class Tree:
    """A trace in which a call may cover another."""

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self._parents: dict[str, str | None] = {}
        self._adds: dict[str, Sums] = {}
        self._bearing: set[str] = set()
        self._above: set[str] = set()
        self._is_parent: set[str] = set()
        self._ringed = False
        self._nested = NOTHING
        self._beside = Beside()
        for one in nodes:
            self._keep(one)
        self._start_over()

    @property
    def covered(self) -> Sums:
        return plus(self._nested, self._beside.covered)

    @property
    def weight(self) -> int:
        return TREE_WEIGHT * len(self._parents)

    def put(self, nodes: Iterable[Node]) -> None:
        """Take in spans that are new or have changed."""
        start_over = False
        for one in nodes:
            span_id = one.span_id
            known = span_id in self._parents
            start_over = (
                start_over
                or self._ringed
                or (known and (self._parents[span_id] != one.parent_id or (span_id in self._bearing and not one.bears)))
            )
            before = self._covered_by(span_id) if known else NOTHING
            self._keep(one)
            if start_over:
                continue
            if not known and self._closes_ring(one):
                self._ringed = start_over = True
                continue
            self._add(before, -1)
            self._add(self._covered_by(span_id), 1)
            if one.bears or span_id in self._above:
                self._mark_above(one.parent_id)
        if start_over:
            self._start_over()
        else:
            self._beside.settle(self._adds, self._above)

    def _keep(self, one: Node) -> None:
        self._parents[one.span_id] = one.parent_id
        if one.parent_id is not None:
            self._is_parent.add(one.parent_id)
        if one.adds is None:
            self._adds.pop(one.span_id, None)
        else:
            self._adds[one.span_id] = one.adds
        if one.bears:
            self._bearing.add(one.span_id)
        else:
            self._bearing.discard(one.span_id)
        self._beside.put(one)

    def _closes_ring(self, new: Node) -> bool:
        """Only a span that comes after its child and its parent can."""
        at = new.parent_id
        if new.span_id not in self._is_parent:
            return False
        while at is not None and at != new.span_id:
            at = self._parents.get(at)
        return at is not None

    def _mark_above(self, at: str | None) -> None:
        while at is not None and at not in self._above:
            self._above.add(at)
            self._beside.touch(at)
            self._add(self._covered_by(at), 1)
            at = self._parents.get(at)

    def _covered_by(self, span_id: str) -> Sums:
        return self._adds.get(span_id, NOTHING) if span_id in self._above else NOTHING

    def _add(self, sums: Sums, by: int) -> None:
        if sums is not NOTHING:
            self._nested = plus(self._nested, sums, by)

    def _start_over(self) -> None:
        self._above = above(self._parents, self._bearing)
        self._ringed = bool(ring_members(self._parents))
        self._nested = NOTHING
        for span_id in self._above:
            self._add(self._adds.get(span_id, NOTHING), 1)
        self._beside.touch_all()
        self._beside.settle(self._adds, self._above)


class Beside:
    """The calls of a trace that may have twins, by how many tokens they bear."""

    def __init__(self) -> None:
        self._tokens: dict[str, int] = {}
        self._calls: dict[int, dict[str, Call]] = {}
        self._sums: dict[int, Sums] = {}
        self._touched: set[int] = set()
        self.covered = NOTHING

    def put(self, one: Node) -> None:
        tokens = self._tokens.pop(one.span_id, None)
        if tokens is not None:
            del self._calls[tokens][one.span_id]
            self._touched.add(tokens)
        if one.call is not None and one.adds is not None:
            tokens = self._tokens[one.span_id] = one.adds.tokens
            self._calls.setdefault(tokens, {})[one.span_id] = one.call
            self._touched.add(tokens)

    def touch(self, span_id: str) -> None:
        """Something else of this span has changed: what it is above."""
        tokens = self._tokens.get(span_id)
        if tokens is not None:
            self._touched.add(tokens)

    def touch_all(self) -> None:
        self._touched.update(self._calls)

    def settle(self, adds: Mapping[str, Sums], above: set[str]) -> None:
        """See anew who has a twin; those `above` a call do not count already, and stand for nobody."""
        for tokens in self._touched:
            calls = self._calls[tokens]
            sums = NOTHING
            if len(calls) > 1:
                for span_id in beaten(call for span_id, call in calls.items() if span_id not in above):
                    sums = plus(sums, adds[span_id])
            self.covered = plus(plus(self.covered, self._sums.get(tokens, NOTHING), -1), sums)
            self._sums[tokens] = sums
        self._touched.clear()


def plus(a: Sums, b: Sums, by: int = 1) -> Sums:
    return Sums(a.tokens + by * b.tokens, a.cost_pico + by * b.cost_pico, a.unpriced + by * b.unpriced)


class _Flat:
    """A trace in which no paying call was ever a parent. Ids are kept as their hashes, a third of the memory: two that
    are alike by chance only cost a closer look. Nothing is ever taken out, for the same reason."""

    def __init__(self) -> None:
        self._parents: set[int] = set()
        self._paying: set[int] = set()
        self._tokens: set[int] = set()
        """How many tokens the calls bear."""

    @property
    def weight(self) -> int:
        return len(self._parents) + len(self._paying) + len(self._tokens)

    def put(self, spans: Iterable[SpanState | Row]) -> bool:
        """Whether it is still flat. Written out for spans as they are: every span comes this way (0.2 us, not 0.7)."""
        parents, paying = self._parents, self._paying
        flat = True
        for span in spans:
            parent_id = span.parent_span_id
            if parent_id is not None and parent_id != span.span_id:
                parent = hash(parent_id)
                parents.add(parent)
                if parent in paying:
                    flat = False
            if span.span_type == "llm_call" and (span.tokens or span.cost_pico):
                own = hash(span.span_id)
                paying.add(own)
                if own in parents:
                    flat = False
                tokens = span.tokens
                if tokens:
                    if tokens not in self._tokens:
                        self._tokens.add(tokens)
                    # one that says its scope, and another, whose scope is not known here: to look for the scope of
                    # every call took 0.7 us. Of a row it is not known either
                    elif type(span) is Row or scope_of(span.attributes) is not None:  # type: ignore[union-attr]
                        flat = False
        return flat


_SELECT = "SELECT span_id, parent_span_id, span_type, tokens, cost_pico FROM spans WHERE trace_row = ?"
# The scopes of calls alone: of a trace of 100,000 spans the attributes are 300 MB
_SELECT_WHOLE = """
SELECT s.span_id, s.parent_span_id, s.span_type, s.tokens, s.cost_pico, s.model, s.start_ns, s.end_ns,
  CASE WHEN s.span_type = 'llm_call' AND s.tokens > 0 THEN (
    SELECT CASE WHEN instr(a.attributes, '"beacon.scope"') THEN json_extract(a.attributes, '$."beacon.scope"') END
    FROM span_attributes a WHERE a.span_row = s.span_row
  ) END
FROM spans s WHERE s.trace_row = ?
"""


class Change(Protocol):
    """A span before (None: new) and after."""

    @property
    def before(self) -> SpanState | None: ...

    @property
    def after(self) -> SpanState: ...


class Shapes:
    """What is remembered of the traces that changed last. Only as true as the transactions that it was told of: drop it
    when one is rolled back."""

    def __init__(self) -> None:
        self._shapes: OrderedDict[int, Tree | _Flat] = OrderedDict()
        self._weight = 0

    def clear(self) -> None:
        self._shapes.clear()
        self._weight = 0

    def settle(self, db: sqlite3.Connection, trace_row: int, is_new: bool, changes: Iterable[Change]) -> Sums:
        """By how much more is covered in the trace after `changes`, which `db` does not hold yet. `is_new`: neither
        does it hold the trace."""
        spans = [c.after for c in changes if c.before is None or _matters(c.before, c.after)]
        if not spans:
            return NOTHING
        shape = self._shapes.pop(trace_row, None)
        if shape is not None:
            self._weight -= shape.weight
        elif is_new:
            shape = _Flat()
        else:
            shape = _load(db, trace_row)
        more = NOTHING
        if type(shape) is _Flat and not shape.put(spans):
            shape = Tree() if is_new else _grown(db, trace_row)
        if type(shape) is Tree:
            before = shape.covered
            shape.put(map(node_of, spans))
            more = plus(shape.covered, before, -1)
        self._shapes[trace_row] = shape
        self._weight += shape.weight
        while self._weight > IDS_MAX and len(self._shapes) > TRACES_MIN:
            _, oldest = self._shapes.popitem(last=False)
            self._weight -= oldest.weight
        return more


def _matters(before: SpanState, after: SpanState) -> bool:
    return (
        before.parent_span_id != after.parent_span_id
        or before.tokens != after.tokens
        or before.cost_pico != after.cost_pico
        or before.span_type != after.span_type
        or (bool(after.tokens) and _call_of(before) != _call_of(after))
    )


def _grown(db: sqlite3.Connection, trace_row: int) -> Tree:
    return Tree(node_of(Row(*row)) for row in db.execute(_SELECT_WHOLE, (trace_row,)))


def _load(db: sqlite3.Connection, trace_row: int) -> Tree | _Flat:
    flat = _Flat()
    return flat if flat.put([Row(*row) for row in db.execute(_SELECT, (trace_row,))]) else _grown(db, trace_row)
