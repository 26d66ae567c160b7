"""A span found by its id alone, wherever it lies: among the newest rows, in a complete segment, or nowhere any more."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from beacon.store import lookup, version
from beacon.store.connect import connect_writer
from beacon.store.lookup import SEGMENT_BITS, find_span_row
from tests.store_fixture import Store, stored_span

SEGMENT = 1 << SEGMENT_BITS


def brute_force(db: sqlite3.Connection, span_id: str) -> int | None:
    row: int | None = db.execute("SELECT max(span_row) FROM spans WHERE span_id = ?", (span_id,)).fetchone()[0]
    return row


def indexed(db: sqlite3.Connection) -> list[tuple[int, str, int]]:
    return db.execute("SELECT segment, span_id, span_row FROM span_lookup ORDER BY span_row").fetchall()


def expected_index(db: sqlite3.Connection) -> list[tuple[int, str, int]]:
    (end,) = db.execute("SELECT next_span_row >> ? FROM counters", (SEGMENT_BITS,)).fetchone()
    return [
        (row >> SEGMENT_BITS, span_id, row)
        for row, span_id in db.execute("SELECT span_row, span_id FROM spans ORDER BY span_row")
        if row >> SEGMENT_BITS < end
    ]


@pytest.mark.parametrize("seed", range(8))
def test_every_id_is_found_newest_first_after_inserts_gaps_and_deletes(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    ids = [f"span{i}" for i in range(12)]
    with Store(tmp_path / "traces.db") as store:
        there: set[str] = set()
        for step in range(60):
            what = rng.choice(("put", "put", "put", "gap", "boundary", "delete"))
            if what == "put":
                trace_id = f"t{step % 9}"
                store.put(*(stored_span(span_id, trace_id) for span_id in rng.sample(ids, rng.randint(1, 4))))
                there.add(trace_id)
            elif what == "gap":
                store.skip_rows(0, rng.choice((1, 100, SEGMENT, 3 * SEGMENT)))
            elif what == "boundary":
                (at,) = store.db.execute("SELECT next_span_row FROM counters").fetchone()
                store.skip_rows(0, SEGMENT - at % SEGMENT - rng.randint(0, 1))
            elif there:
                gone = rng.choice(sorted(there))
                store.delete(gone)
                there.discard(gone)
            for span_id in (*ids, "never"):
                assert find_span_row(store.db, span_id) == brute_force(store.db, span_id), (step, what, span_id)
        assert indexed(store.db) == expected_index(store.db)
        assert indexed(store.db)


def test_an_id_in_two_traces_is_told_apart_by_the_trace(tmp_path: Path) -> None:
    with Store(tmp_path / "traces.db") as store:
        store.put(stored_span("a", "old"))
        store.skip_rows(0, 2 * SEGMENT)
        store.put(stored_span("a", "new"))
        assert (
            find_span_row(store.db, "a") == find_span_row(store.db, "a", "new") != find_span_row(store.db, "a", "old")
        )
        assert find_span_row(store.db, "a", "old") == 1
        assert find_span_row(store.db, "a", "other") is None


def test_a_lookup_reads_the_newest_rows_and_the_index_and_no_more(tmp_path: Path) -> None:
    with Store(tmp_path / "traces.db") as store:
        for search in (lookup._FIND_AMONG_NEWEST, lookup._FIND_IN_SEGMENTS):
            plan = [row[3] for row in store.db.execute("EXPLAIN QUERY PLAN " + search, {"span_id": "a"})]
            assert not {"SCAN spans", "SCAN l"} & set(plan), plan


def test_a_file_of_the_first_schema_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "traces.db"
    all_files = version.schema_files()
    with closing(connect_writer(path)) as db:
        monkeypatch.setattr(version, "schema_files", lambda: all_files[:1])
        version.upgrade(db, path)
        db.execute("UPDATE counters SET next_span_row = ?, seq = 9", (SEGMENT + 3,))
        trace = (
            "INSERT INTO traces (trace_row, trace_id, name, status, start_ns, span_count, error_count, unset_count,"
            " running_count, unpriced_count, cost_pico, tokens, head_is_root, head_start_ns, head_span_id, tags,"
            " created_ns, created_seq, seq) VALUES (?, ?, 'n', 'ok', 0, 2, 0, 0, 0, 0, 0, 0, 1, 0, 'a', ?, 0, 1, ?)"
        )
        db.execute(trace, (1, "plain", "{}", 4))
        db.execute(trace, (2, "tagged", '{"k":"v"}', 7))
        for row, span_id in ((1, "b"), (2, "a"), (SEGMENT - 1, "c"), (SEGMENT, "d"), (SEGMENT + 2, "b")):
            db.execute(
                "INSERT INTO spans (span_row, trace_row, span_id, span_type, name, status, start_ns, created_ns,"
                " created_seq, seq) VALUES (?, ?, ?, 'custom', 'n', 'ok', 0, 0, 5, 5)",
                (row, 1 + row // SEGMENT, span_id),
            )
        monkeypatch.undo()
        version.upgrade(db, path)
        assert db.execute("PRAGMA user_version").fetchone() == (version.newest_schema(),)
        assert indexed(db) == expected_index(db) == [(0, "b", 1), (0, "a", 2), (0, "c", SEGMENT - 1)]
        assert [find_span_row(db, span_id) for span_id in "abcde"] == [2, SEGMENT + 2, SEGMENT - 1, SEGMENT, None]
        assert db.execute("SELECT trace_id, edited_seq FROM traces").fetchall() == [("plain", None), ("tagged", 7)]
