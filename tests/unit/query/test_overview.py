"""The overview against a plain reading of the file, whatever happened in between: spans come, change and go, traces are
tagged and deleted, before it is filled, while it is, and after."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beacon import called_models
from beacon.contract.requests import ListSessions, ListTraces, TrendsRange
from beacon.store.connect import connect_writer
from query import figures, filters, sessions, traces
from query.overview import keep
from query.overview.keep import Overview
from tests.store_fixture import SECOND, Store, stored_span
from tests.unit.query.lane import Lane, lane

HOUR = 3_600 * SECOND
NOW = 1_790_035_200 * SECOND
SORTS = ("start_time", "duration_ms", "total_cost_usd", "total_tokens", "span_count", "created_at")
FILTERS: tuple[dict[str, Any], ...] = (
    {}, {"status": "error"}, {"session_id": "one"}, {"tag": ["env:prod"]}, {"tag": ["a:b:c"]}, {"model": "m1"},
    {"model": "m3"}, {"span_type": "tool_use"}, {"span_type": "llm_call", "status": "ok"},
    {"since": (NOW - 20 * HOUR) / 1e9}, {"until": (NOW - 20 * HOUR) / 1e9, "session_id": "two"},
    {"min_cost_usd": 1e-3}, {"min_duration_ms": 1.0, "model": "m2"},
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def small_steps() -> Iterator[None]:
    """So small that a few traces are filled, and followed, in several steps; and few models kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keep, "SLICE_TRACES", 3)
        patch.setattr(keep, "SLICE_SPANS", 2)
        patch.setattr(keep, "NEAR_CHANGES", 6)
        patch.setattr(called_models, "KEPT", 2)
        yield


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 2**32), length=st.integers(1, 40))
def test_it_follows_the_file(tmp_path_factory: pytest.TempPathFactory, seed: int, length: int) -> None:
    path = tmp_path_factory.mktemp("overview") / "traces.db"
    rng = random.Random(seed)
    overview = Overview()
    with Store(path) as store, lane(path) as one:
        try:
            for _ in range(length):
                _change(store, rng)
                if rng.random() < 0.4:
                    one.walk(overview.advance)
                if rng.random() < 0.15:
                    _same(one, overview, rng)
            _change(store, rng)
            while one.walk(overview.advance):
                pass
            _same(one, overview, rng, surely=True)
        finally:
            overview.close()


def _change(store: Store, rng: random.Random) -> None:
    what = rng.random()
    known = [trace_id for (trace_id,) in store.db.execute("SELECT trace_id FROM traces")]
    if what < 0.1 and known:
        store.delete(*rng.sample(known, min(len(known), rng.randint(1, 2))))
    elif what < 0.2 and known:
        store.tag(rng.choice(known), **rng.choice(({}, {"env": "prod"}, {"a": "b:c", "a:b": "c"}, {"env": "dev"})))
    elif what < 0.25:
        store.skip_rows(rng.randint(0, 9), rng.randint(0, 9))
    else:
        store.put(*(_span(rng) for _ in range(rng.randint(1, 4))), created_ns=NOW - rng.randrange(1_000))


def _span(rng: random.Random) -> dict[str, Any]:
    span_type = rng.choice(("llm_call", "tool_use", "custom"))
    start = NOW - rng.randrange(50) * HOUR // 2
    called = span_type == "llm_call"
    return stored_span(
        f"s{rng.randrange(4)}",
        f"t{rng.randrange(9)}",
        start_ns=start,
        end_ns=rng.choice((None, start - 1, start, start + 2_000_000, start + 5_000_000)),
        status=rng.choice(("ok", "ok", "error", "unset")),
        span_type=span_type,
        model=rng.choice(("m1", "m2", "m3", "m4")) if called else None,
        tokens=rng.choice((None, 5, 9)) if called else None,
        cost_pico=rng.choice((None, 0, 10**9, 4 * 10**9, 2 * 10**18)) if called else None,
        session_id=rng.choice((None, "one", "two")),
    )


def _same(one: Lane, overview: Overview, rng: random.Random, surely: bool = False) -> None:
    """What the overview says, if it says anything, is what the file says."""
    for asked in FILTERS:
        sort: Any = rng.choice(("", "-")) + rng.choice(SORTS)
        q = ListTraces(**asked, sort=sort, limit=rng.choice((2, 200)))
        page = one.walk(traces.read_overview, q, overview, NOW)
        assert page is not None or not surely
        if page is not None:
            assert json.loads(page) == json.loads(one.walk(traces.walk_traces, q, filters.where(q, NOW)))
    none = Overview()
    buckets: tuple[Any, ...] = ("day", "hour")
    for bucket in buckets:
        q_trends = TrendsRange(days=rng.randint(1, 3), bucket=bucket)
        found = one.walk(figures.read_trends, q_trends, NOW, overview)
        assert found == one.walk(figures.read_trends, q_trends, NOW, none)
    for read in (figures.read_top_costs, figures.read_top_duration):
        limit = rng.randint(1, 6)
        assert one.walk(read, limit, overview) == one.walk(read, limit, none)
    q_sessions = ListSessions()
    assert one.walk(sessions.list_sessions, q_sessions, overview) == one.walk(sessions.list_sessions, q_sessions, none)


def filled(one: Lane) -> Overview:
    overview = Overview()
    while one.walk(overview.advance):
        pass
    return overview


def total(one: Lane, overview: Overview, **asked: Any) -> int | None:
    page = one.walk(traces.read_overview, ListTraces(sort="-start_time", **asked), overview, NOW)
    return None if page is None else int(json.loads(page)["total"])


def test_it_says_nothing_until_it_is_filled(tmp_path: Path) -> None:
    with Store(tmp_path / "traces.db") as store, lane(store.path) as one:
        store.put(*(stored_span("s", f"t{i}") for i in range(7)))
        overview = Overview()
        assert total(one, overview) is None
        assert one.walk(overview.advance)
        assert total(one, overview) is None
        while one.walk(overview.advance):
            pass
        assert total(one, overview) == 7


def test_far_behind_the_file_answers_and_it_follows(tmp_path: Path) -> None:
    with Store(tmp_path / "traces.db") as store, lane(store.path) as one:
        overview = filled(one)
        store.put(*(stored_span(f"s{k}", f"t{i}") for i in range(9) for k in range(4)))
        assert total(one, overview) is None
        assert overview.in_use
        while one.walk(overview.advance):
            pass
        assert total(one, overview) == 9


@pytest.mark.parametrize("another", ["epoch", "older", "forgotten"])
def test_another_file_is_read_anew(tmp_path: Path, another: str) -> None:
    with Store(tmp_path / "traces.db") as store, lane(store.path) as one:
        store.put(*(stored_span("s", f"t{i}") for i in range(3)))
        overview = filled(one)
        assert total(one, overview) == 3
        # not a change of this file that its numbers would tell
        store.db.execute("DELETE FROM traces WHERE trace_id = 't1'")
        store.db.execute("UPDATE counters SET trace_count = 2")
        if another == "epoch":
            store.db.execute("UPDATE counters SET epoch = ?", (uuid.uuid4().hex,))
        elif another == "older":
            store.db.execute("UPDATE counters SET seq = seq - 1")
        else:
            store.db.execute("UPDATE counters SET seq = seq + 2, tombstone_floor = seq + 1")
        assert total(one, overview) is None
        while one.walk(overview.advance):
            pass
        assert total(one, overview) == 2


def test_a_trace_that_comes_again_under_its_id_is_counted_once(tmp_path: Path) -> None:
    with Store(tmp_path / "traces.db") as store, lane(store.path) as one:
        store.put(stored_span("s", "t", session_id="one"), stored_span("s", "other"))
        overview = filled(one)
        store.delete("t")
        store.put(stored_span("s", "t", session_id="two"))
        assert total(one, overview) == 2
        assert total(one, overview, session_id="one") == 0
        assert total(one, overview, session_id="two") == 1


def test_many_equal_tops_are_told_apart_by_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "TIED_TRACES", 3)
    with Store(tmp_path / "traces.db") as store, lane(store.path) as one:
        for i in range(12):
            store.put(stored_span("s", f"t{i}", span_type="llm_call", cost_pico=5))
        # the newest span of all belongs to the oldest trace
        store.put(stored_span("last", "t0", span_type="llm_call", cost_pico=5))
        overview = filled(one)
        for limit in (1, 3, 11, 13, 20):
            found = json.loads(one.walk(figures.read_top_costs, limit, overview))["prompts"]
            assert found == json.loads(one.walk(figures.read_top_costs, limit, Overview()))["prompts"]
            assert found[0]["span_id"] == "last"


def test_its_writer_is_not_kept_from_emptying_the_wal(tmp_path: Path) -> None:
    with Store(tmp_path / "traces.db") as store, lane(store.path) as one:
        store.put(stored_span("s", "t"))
        overview = filled(one)
        assert total(one, overview) == 1
        other = connect_writer(store.path)
        busy, _, _ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        other.close()
        assert busy == 0


def test_a_model_that_the_row_of_its_trace_has_no_room_for_is_found(tmp_path: Path) -> None:
    with Store(tmp_path / "traces.db") as store, lane(store.path) as one:
        store.put(*(stored_span(f"s{i}", "t", span_type="llm_call", model=f"m{i}") for i in range(4)))
        store.set_trace("t", models='{"m0":1,"m1":1}')  # as many as are kept here
        overview = filled(one)
        assert [total(one, overview, model=f"m{i}") for i in range(5)] == [1, 1, 1, 1, 0]


def test_what_changed_is_found_without_a_look_at_everything(tmp_path: Path) -> None:
    with Store(tmp_path / "traces.db") as store:
        for sql in (keep._CREATED, keep._UPDATED, keep._EDITED, keep._TOMBSTONES):
            plan = store.db.execute(f"EXPLAIN QUERY PLAN {sql}", (1,) * sql.count("?")).fetchall()
            assert plan[0][3].startswith("SEARCH"), (sql, plan)
