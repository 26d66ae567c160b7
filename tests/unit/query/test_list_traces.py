"""Pages of traces against a plain reading of the same rows: every filter, sort, cursor and offset, in one read and
walked in slices."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beacon.contract.requests import ListTraces
from beacon.errors import Invalid
from query import filters, traces
from tests.store_fixture import SECOND, START_NS, Store, stored_span
from tests.unit.query.lane import Lane, lane

NAMES = ("Research", "straße", "STRASSE 9", "план работ", "План", "50% off_x", "中文 agent", "")
TAGS: tuple[dict[str, str], ...] = ({}, {"env": "prod"}, {"env": "dev", "a:b": "c"}, {"a": "b:c", "Ü": "ß"})
MODELS = (None, "gpt-4o", "claude")
TYPES = ("custom", "llm_call", "tool_use")


@dataclass
class Trace:
    """One stored trace as the model sees it."""

    trace_row: int
    trace_id: str
    name: str
    status: str
    start_ns: int
    end_ns: int | None
    cost_pico: int
    tokens: int
    span_count: int
    session_id: str | None
    tags: dict[str, str]
    types: set[str]
    models: set[str | None]

    @property
    def duration_ns(self) -> int | None:
        return None if self.end_ns is None else max(0, self.end_ns - self.start_ns)


NOW_NS = 2_000_000_000 * SECOND


@dataclass
class World:
    lane: Lane
    stored: list[Trace]

    def ask(self, q: ListTraces, walked: bool) -> dict[str, Any]:
        filters.check(q)
        read = self.lane.walk if walked else self.lane.read
        body = read(traces.walk_traces if walked else traces.list_traces, q, filters.where(q, NOW_NS))
        assert body is not None
        decoded: dict[str, Any] = json.loads(body)
        return decoded

    def expected(self, q: ListTraces) -> list[Trace]:
        """Every trace that passes, in order."""
        found = [t for t in self.stored if passes(t, q)]
        key = SORTS[q.sort.lstrip("-")]
        down = q.sort.startswith("-")
        found.sort(key=lambda t: t.trace_row, reverse=down)
        known = [t for t in found if key(t) is not None]
        known.sort(key=lambda t: key(t), reverse=down)  # stable: ties stay in created order
        return known + [t for t in found if key(t) is None]


SORTS: dict[str, Any] = {
    "created_at": lambda t: t.trace_row,
    "start_time": lambda t: t.start_ns,
    "duration_ms": lambda t: t.duration_ns,
    "total_cost_usd": lambda t: t.cost_pico,
    "total_tokens": lambda t: t.tokens,
    "span_count": lambda t: t.span_count,
}


def passes(t: Trace, q: ListTraces) -> bool:
    splits = [(tag[:i], tag[i + 1 :]) for tag in q.tag for i, c in enumerate(tag) if c == ":"]
    return (
        (q.status is None or t.status == q.status)
        and (q.q is None or q.q.casefold() in t.name.casefold())
        and (q.session_id is None or t.session_id == q.session_id)
        and (q.since is None or t.start_ns >= q.since * SECOND)
        and (q.until is None or t.start_ns < q.until * SECOND)
        and (q.min_duration_ms is None or (t.duration_ns is not None and t.duration_ns >= q.min_duration_ms * 1e6))
        and (q.min_cost_usd is None or t.cost_pico >= q.min_cost_usd * 1e12)
        and (q.span_type is None or q.span_type in t.types)
        and (q.model is None or q.model in t.models)
        and all(any(t.tags.get(key) == value for key, value in splits if f"{key}:{value}" == tag) for tag in q.tag)
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    path: Path = tmp_path_factory.mktemp("list") / "traces.db"
    rng = random.Random(7)
    with Store(path) as store:
        for i in range(160):
            start = START_NS + rng.randrange(20) * SECOND
            spans = []
            for k in range(rng.randint(1, 4)):
                span_type = rng.choice(TYPES)
                called = span_type == "llm_call"
                open_end = rng.random() < 0.3
                spans.append(
                    stored_span(
                        f"s{k}",
                        f"t{i}",
                        parent_span_id=f"s{k - 1}" if k else None,
                        name=rng.choice(NAMES),
                        status=rng.choice(("ok", "ok", "error", "unset")),
                        start_ns=start,
                        end_ns=None if open_end else start + rng.choice((-1, 0, 1, 2_500_000, 3 * SECOND)),
                        span_type=span_type,
                        model=rng.choice(MODELS) if called else None,
                        tokens=rng.choice((None, 10, 20)) if called else None,
                        cost_pico=rng.choice((None, 10**9, 2 * 10**9)) if called else None,
                        session_id=rng.choice((None, "one", "two")),
                    )
                )
            store.put(*spans)
            tags = rng.choice(TAGS)
            if tags:
                store.tag(f"t{i}", **tags)
            if i % 9 == 0:
                # far more rows than one slice takes at first, as deletes leave them
                store.skip_rows(rng.choice((1, 300, 9_000)), 10)
        store.delete(*(f"t{i}" for i in range(0, 160, 7)))
        with lane(path) as one:
            yield World(one, read_back(store))


def read_back(store: Store) -> list[Trace]:
    """The stored rows, read with one plain statement a table."""
    out = []
    columns = "trace_row, trace_id, name, status, start_ns, end_ns, cost_pico, tokens, span_count, session_id, tags"
    spans = store.db.execute("SELECT trace_row, span_type, model FROM spans").fetchall()
    for row in store.db.execute(f"SELECT {columns} FROM traces").fetchall():
        mine = [s for s in spans if s[0] == row[0]]
        facts: tuple[Any, ...] = (*row[:-1], json.loads(row[-1]), {s[1] for s in mine}, {s[2] for s in mine})
        out.append(Trace(*facts))
    return out


QUERIES = st.builds(
    ListTraces,
    limit=st.sampled_from((1, 2, 7, 50, 200)),
    offset=st.sampled_from((0, 0, 0, 1, 5, 69, 130, 137, 138, 500, 2**62)),
    status=st.none() | st.sampled_from(("ok", "error", "unset")),
    q=st.none() | st.sampled_from(("s", "STRASSE", "ПЛАН", "ß", "%", "_", "文", "e", "re")),
    tag=st.lists(st.sampled_from(("env:prod", "env:dev", "a:b:c", "Ü:ß", "env:", "x:y")), max_size=2),
    session_id=st.none() | st.sampled_from(("one", "two", "three")),
    since=st.none() | st.sampled_from((0.0, START_NS / SECOND + 5, START_NS / SECOND + 5.5, 1e30)),
    until=st.none() | st.sampled_from((0.0, START_NS / SECOND + 5, START_NS / SECOND + 12, 1e30)),
    min_duration_ms=st.none() | st.sampled_from((0.0, 2.5, 3_000.0, 1e300)),
    min_cost_usd=st.none() | st.sampled_from((0.0, 0.001, 0.002, 1e300)),
    span_type=st.none() | st.sampled_from(TYPES),
    model=st.none() | st.sampled_from(("gpt-4o", "claude", "gpt")),
    sort=st.sampled_from([f"{sign}{name}" for name in SORTS for sign in ("", "-")]),
    count=st.booleans(),
)
FEW: dict[str, Any] = {"status": None, "q": None, "tag": [], "session_id": None, "since": None, "until": None}
FEW |= {"min_duration_ms": None, "min_cost_usd": None, "span_type": None, "model": None}
SPARSE = st.builds(lambda q, keep: sparse(q, keep), QUERIES, st.sets(st.sampled_from(sorted(FEW)), max_size=2))


def sparse(q: ListTraces, keep: set[str]) -> ListTraces:
    """`q` with most of its filters dropped: with all of them nothing passes."""
    for name, nothing in FEW.items():
        if name not in keep:
            setattr(q, name, nothing)
    return q


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(q=SPARSE | QUERIES, walked=st.booleans())
def test_a_page_is_what_the_model_says(world: World, q: ListTraces, walked: bool) -> None:
    page = world.ask(q, walked)
    expected = world.expected(q)
    assert [t["trace_id"] for t in page["traces"]] == [t.trace_id for t in expected[q.offset : q.offset + q.limit]]
    assert page.get("total") == (len(expected) if q.count else None)
    assert (page["limit"], page["offset"]) == (q.limit, q.offset)
    more = q.sort == "-created_at" and q.offset + q.limit < len(expected)
    assert ("next_cursor" in page) == more


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(q=SPARSE, walked=st.booleans())
def test_cursors_lead_through_every_trace_once(world: World, q: ListTraces, walked: bool) -> None:
    q.sort, q.offset, q.limit = "-created_at", 0, max(q.limit, 7)
    seen: list[str] = []
    while True:
        page = world.ask(q, walked)
        seen += [t["trace_id"] for t in page["traces"]]
        assert page.get("total") == (len(world.expected(q)) if q.count else None)
        if "next_cursor" not in page:
            break
        q.cursor = page["next_cursor"]
    assert seen == [t.trace_id for t in world.expected(q)]


def test_a_cursor_stays_where_it_is_when_traces_come_and_go(tmp_path: Path) -> None:
    with Store(tmp_path / "traces.db") as store, lane(store.path) as one:
        for i in range(10):
            store.put(stored_span("s", f"t{i}"))
        world = World(one, [])
        first = world.ask(ListTraces(limit=3), False)
        assert [t["trace_id"] for t in first["traces"]] == ["t9", "t8", "t7"]
        store.put(stored_span("s", "t10"))
        store.delete("t6", "t7")
        second = world.ask(ListTraces(limit=3, cursor=first["next_cursor"]), False)
        assert [t["trace_id"] for t in second["traces"]] == ["t5", "t4", "t3"]
        assert second["total"] == 9


def test_a_cursor_goes_with_the_created_order_alone() -> None:
    for q in (ListTraces(cursor="5", sort="created_at"), ListTraces(cursor="5", offset=1)):
        with pytest.raises(Invalid, match=r"query\.cursor"):
            filters.check(q)
    filters.check(ListTraces(cursor="5"))


def test_a_large_store_is_not_filtered_by_a_point_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "WALK_FROM_TRACES", 100)
    assert in_one_read(world, ListTraces(status="error")) is None
    assert in_one_read(world, ListTraces(sort="span_count")) is None
    assert in_one_read(world, ListTraces()) is not None
    monkeypatch.setattr(traces, "WALK_FROM_TRACES", 1_000)
    monkeypatch.setattr(traces, "WALK_FROM_SPANS", 100)
    assert in_one_read(world, ListTraces(model="gpt-4o")) is None
    assert in_one_read(world, ListTraces(status="error")) is not None


QUESTIONS: dict[str, Any] = {
    "status:error": lambda t: t.status == "error",
    "-status:error": lambda t: t.status != "error",
    "type:llm_call": lambda t: "llm_call" in t.types,
    "-type:llm_call": lambda t: "llm_call" not in t.types,
    "model:GPT*": lambda t: "gpt-4o" in t.models,
    "session:one": lambda t: t.session_id == "one",
    "-session:one": lambda t: t.session_id != "one",
    "tag:env=prod": lambda t: t.tags.get("env") == "prod",
    "tag:env": lambda t: "env" in t.tags,
    "cost>0.001": lambda t: t.cost_pico > 10**9,
    "tokens<20": lambda t: t.tokens < 20,
    "duration>=2ms": lambda t: t.duration_ns is not None and t.duration_ns >= 2_000_000,
    "-duration>=2ms": lambda t: t.duration_ns is None or t.duration_ns < 2_000_000,
    "since:1790000010": lambda t: t.start_ns >= START_NS + 10 * SECOND,
    '"план"': lambda t: "план" in t.name.casefold(),
    "-Research": lambda t: "research" not in t.name.casefold(),
    "name:strasse": lambda t: "strasse" in t.name.casefold(),
}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.lists(st.sampled_from(sorted(QUESTIONS)), min_size=1, max_size=3, unique=True), walked=st.booleans())
def test_a_question_may_name_fields(world: World, chosen: list[str], walked: bool) -> None:
    page = world.ask(ListTraces(q=" ".join(chosen), limit=200), walked)
    expected = [t.trace_id for t in reversed(world.stored) if all(QUESTIONS[term](t) for term in chosen)]
    assert [t["trace_id"] for t in page["traces"]] == expected
    assert page["total"] == len(expected)


def in_one_read(world: World, q: ListTraces) -> Any:
    return world.lane.read(traces.list_traces, q, filters.where(q, NOW_NS))


@pytest.mark.parametrize("exclude", [None, "t5", "t9"])
def test_the_baseline_is_the_newest_trace_tagged_so(tmp_path: Path, exclude: str | None) -> None:
    with Store(tmp_path / "traces.db") as store, lane(store.path) as one:
        assert one.walk(traces.read_baseline, exclude) == b"null"
        for i in range(10):
            store.put(stored_span("s", f"t{i}"))
        store.skip_rows(5_000, 0)
        store.tag("t3", baseline="true")
        store.tag("t5", baseline="true", env="x")
        store.tag("t7", baseline="True")
        store.tag("t8", other="true")
        found = json.loads(one.walk(traces.read_baseline, exclude))
        assert found["trace_id"] == ("t3" if exclude == "t5" else "t5")
