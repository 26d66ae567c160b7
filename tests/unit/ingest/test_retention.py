"""What goes when the database is bounded: the oldest traces, but for those that are kept, and the pages they leave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beacon.environment import read_environment
from beacon.errors import Refused
from ingest.retention import VACUUM_PAGES, Step, expire, free_pages, give_back, shrink, used_bytes
from ingest.traces import put_tags
from tests.unit.ingest.writing import Written

SECOND = 1_000_000_000


def call(trace: str, n: int = 0, text: str = "", **fields: Any) -> dict[str, Any]:
    span = {"trace_id": trace, "span_id": f"s{n}", "span_type": "custom", "name": "n", "start_time": 1, "end_time": 2}
    return {**span, "attributes": {"text": text}, **fields}


def traces_of(written: Written) -> list[str]:
    return [row[0] for row in written.db.execute("SELECT trace_id FROM traces ORDER BY trace_row")]


def all_steps(written: Written, command: Any) -> list[Step]:
    steps = [written.run(command(0))]
    while steps[-1].after is not None:
        steps.append(written.run(command(steps[-1].after)))
    return steps


def test_what_nothing_came_of_for_long_goes(tmp_path: Path) -> None:
    written = Written(tmp_path)
    for n in range(5):
        written.post(call(f"t{n}"))
        written.now_ns += 10 * SECOND
    written.post(call("t1", 1))  # an old one that goes on
    written.run(put_tags("t2", {"keep": "true"}))
    written.now_ns += 25 * SECOND
    all_steps(written, lambda after: expire(40 * SECOND, after))
    assert traces_of(written) == ["t1", "t2", "t4"]
    counts = written.db.execute("SELECT trace_count, span_count FROM counters").fetchone()
    assert counts == (3, 4) == (len(traces_of(written)), written.db.execute("SELECT count(*) FROM spans").fetchone()[0])
    # who looks on is told
    assert written.db.execute("SELECT trace_id FROM tombstones ORDER BY 1").fetchall() == [("t0",), ("t3",)]


@pytest.mark.parametrize(
    ("tags", "stays"),
    [
        ({"keep": "true"}, True),
        ({"keep": ""}, True),
        ({"pinned": "yes"}, True),
        ({"baseline": "true"}, True),
        ({"keep": "false"}, False),
        ({"keeper": "true"}, False),
        ({"note": "keep"}, False),
        ({}, False),
    ],
)
def test_tags_that_keep_a_trace(tmp_path: Path, tags: dict[str, str], stays: bool) -> None:
    written = Written(tmp_path)
    written.post(call("t"))
    written.run(put_tags("t", tags))
    written.now_ns += 100 * SECOND
    all_steps(written, lambda after: expire(SECOND, after))
    assert traces_of(written) == (["t"] if stays else [])


def test_the_oldest_make_room_and_their_pages_are_given_back(tmp_path: Path) -> None:
    written = Written(tmp_path)
    for n in range(60):
        written.post(*(call(f"t{n}", i, "x" * 20_000) for i in range(10)))
    written.run(put_tags("t3", {"keep": "1"}))
    before = written.run(used_bytes)
    assert before > 10_000_000
    all_steps(written, lambda after: shrink(before // 2, after))
    left = traces_of(written)
    used = written.run(used_bytes)
    assert before * 0.4 < used <= before // 2
    assert left == ["t3", *(f"t{n}" for n in range(61 - len(left), 60))]  # the newest, and the one that is kept
    pages = written.db.execute("PRAGMA page_count").fetchone()[0]
    free = written.run(free_pages)
    assert free > 100
    written.run(give_back)
    assert written.run(free_pages) == free - VACUUM_PAGES
    while written.run(give_back):
        pass
    assert written.run(free_pages) == 0
    assert written.db.execute("PRAGMA page_count").fetchone()[0] <= pages - free
    assert written.db.execute("PRAGMA quick_check").fetchone() == ("ok",)
    assert written.attributes("s0")["text"] == "x" * 20_000


def test_one_transaction_takes_few_spans_or_one_trace(tmp_path: Path) -> None:
    written = Written(tmp_path)
    for n in range(4):
        written.post(*(call(f"t{n}", i) for i in range(400)))
    written.post(*(call("large", i) for i in range(2_000)))
    written.now_ns += 100 * SECOND
    assert [step.deleted for step in all_steps(written, lambda after: expire(SECOND, after))] == [1, 1, 1, 1, 1]


def test_one_transaction_looks_at_few_traces_however_many_are_kept(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("ingest.retention.LOOK_TRACES", 3)
    written = Written(tmp_path)
    for n in range(7):
        written.post(call(f"t{n}"))
        if n < 6:
            written.run(put_tags(f"t{n}", {"keep": "true"}))
    written.now_ns += 100 * SECOND
    written.post(call("young"))
    steps = all_steps(written, lambda after: expire(SECOND, after))
    assert [step.deleted for step in steps] == [0, 0, 1]
    assert traces_of(written) == [*(f"t{n}" for n in range(6)), "young"]


@settings(max_examples=60, deadline=None)
@given(ages=st.lists(st.tuples(st.integers(0, 100), st.booleans()), min_size=1, max_size=12), limit=st.integers(1, 100))
def test_exactly_the_old_ones_that_nobody_keeps_go(
    ages: list[tuple[int, bool]], limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    written = Written(tmp_path_factory.getbasetemp())
    now = written.now_ns
    for n, (age, kept) in enumerate(sorted(ages, reverse=True)):
        written.now_ns = now - age * SECOND
        written.post(call(f"t{n}"))
        if kept:
            written.run(put_tags(f"t{n}", {"keep": "true"}))
    written.now_ns = now
    all_steps(written, lambda after: expire(limit * SECOND, after))
    expected = [f"t{n}" for n, (age, kept) in enumerate(sorted(ages, reverse=True)) if kept or age <= limit]
    assert traces_of(written) == expected
    written.db.close()


@pytest.mark.parametrize(
    ("said", "size"),
    [("2GB", 2_000_000_000), ("1.5 GiB", 1_610_612_736), ("500mb", 500_000_000), ("16000000", 16_000_000)],
)
def test_a_size_is_written_as_people_write_it(said: str, size: int) -> None:
    assert read_environment({"BEACON_MAX_DB_SIZE": said}).max_db_size == size


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BEACON_MAX_DB_SIZE", "1MB"),
        ("BEACON_MAX_DB_SIZE", "much"),
        ("BEACON_MAX_DB_SIZE", "-5GB"),
        ("BEACON_RETENTION_DAYS", "0"),
        ("BEACON_RETENTION_DAYS", "nan"),
    ],
)
def test_limits_that_cannot_be_used_are_refused(name: str, value: str) -> None:
    with pytest.raises(Refused, match=name):
        read_environment({name: value})


def test_nothing_is_bounded_unless_it_is_said() -> None:
    plain = read_environment({})
    assert (plain.retention_days, plain.max_db_size) == (None, None)
    assert json.dumps([plain.retention_days]) == "[null]"
