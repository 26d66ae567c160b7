"""A file of an older schema, brought up to date: nothing is lost, and its totals follow the rules of today."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beacon import called_models
from beacon.errors import Refused
from beacon.store.connect import APPLICATION_ID, connect_writer
from beacon.store.version import newest_schema, schema_files, upgrade
from ingest.nesting import Row, covered, node_of

IDS = [f"s{i}" for i in range(7)]

a_span = st.tuples(
    st.sampled_from([None, *IDS, "never"]),
    st.sampled_from(["llm_call", "llm_call", "custom"]),
    st.sampled_from([None, 0, 1, 10, 100]),
    st.sampled_from([None, 0, 1000]),
)
a_trace = st.dictionaries(st.sampled_from(IDS), a_span, min_size=1)


def older(db: sqlite3.Connection, version: int) -> None:
    """The tables of an earlier schema."""
    for number, sql in schema_files():
        if number <= version:
            db.executescript(
                f"BEGIN;\n{sql}\nPRAGMA application_id={APPLICATION_ID};PRAGMA user_version={number};COMMIT;"
            )


def fill(db: sqlite3.Connection, trace_row: int, spans: dict[str, Any], end_ns: int | None = 2) -> None:
    """A trace as a Beacon of that schema wrote it: every call counted."""
    calls = [s for s in spans.values() if s[1] == "llm_call"]
    db.execute(
        "INSERT INTO traces (trace_row, trace_id, name, status, start_ns, span_count, error_count, unset_count, "
        "running_count, unpriced_count, cost_pico, tokens, head_is_root, head_start_ns, head_span_id, tags, "
        "created_ns, created_seq, seq) "
        "VALUES (?, ?, 'n', 'ok', 1, ?, 0, 0, 0, ?, ?, ?, 0, 1, 's', '{\"k\":\"v\"}', 77, 1, 1)",
        (
            trace_row,
            f"t{trace_row}",
            len(spans),
            sum(1 for s in calls if s[2] and s[3] is None),
            sum(s[3] or 0 for s in calls),
            sum(s[2] or 0 for s in calls),
        ),
    )
    for i, (span_id, (parent, span_type, tokens, cost)) in enumerate(spans.items()):
        span_row = trace_row * 100 + i
        db.execute(
            "INSERT INTO spans (span_row, trace_row, span_id, parent_span_id, span_type, name, status, start_ns, "
            "end_ns, tokens, cost_pico, created_ns, created_seq, seq) "
            "VALUES (?, ?, ?, ?, ?, 'n', 'ok', 1, ?, ?, ?, 1, 1, 1)",
            # as the columns are derived: only a call has them
            (span_row, trace_row, span_id, parent, span_type, end_ns)
            + ((tokens, cost) if span_type == "llm_call" else (None, None)),
        )
        db.execute("INSERT INTO span_attributes VALUES (?, '{}')", (span_row,))


@settings(max_examples=60, deadline=None)
@given(traces=st.lists(a_trace, min_size=1, max_size=4))
def test_totals_count_each_call_once_afterwards(traces: list[dict[str, Any]]) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    older(db, 3)
    for i, spans in enumerate(traces):
        fill(db, i + 1, spans)
    before = db.execute("SELECT unpriced_count, cost_pico, tokens FROM traces ORDER BY trace_row").fetchall()
    upgrade(db, Path(":memory:"))
    after = db.execute("SELECT unpriced_count, cost_pico, tokens FROM traces ORDER BY trace_row").fetchall()
    for spans, was, now in zip(traces, before, after, strict=True):
        off = covered(node_of(Row(span_id, *fields)) for span_id, fields in spans.items())
        assert now == (was[0] - off.unpriced, was[1] - off.cost_pico, was[2] - off.tokens)


def test_an_older_file_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    db = connect_writer(path)
    older(db, 3)
    fill(db, 1, {"a": (None, "llm_call", 5, None), "b": ("a", "llm_call", 7, 9)}, end_ns=None)
    (epoch,) = db.execute("SELECT epoch FROM counters").fetchone()
    upgrade(db, path)
    assert db.execute("PRAGMA user_version").fetchone() == (newest_schema(),)
    assert db.execute("SELECT tokens, tags, seen_ns, interrupted_count, service FROM traces").fetchone() == (
        7, '{"k":"v"}', 77, 0, None,
    )  # fmt: skip
    open_spans = "SELECT count(*) FROM spans INDEXED BY spans_open WHERE end_ns IS NULL AND interrupted = 0"
    assert db.execute(open_spans).fetchone() == (2,)
    # whoever remembers answers of before asks anew: they read differently
    assert db.execute("SELECT epoch FROM counters").fetchone() != (epoch,)
    assert db.execute("SELECT name FROM temp.sqlite_master").fetchall() == []
    upgrade(db, path)
    db.close()


@pytest.mark.parametrize(
    "models", [[], ["gpt-4o"], ["b", None, "a", "b", 'q"\\', "中"], [f"m{i:02}" for i in range(40)]]
)
def test_models_are_counted_as_todays_writer_counts_them(models: list[str | None]) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    older(db, 4)
    fill(db, 1, {f"s{i}": (None, "llm_call", None, None) for i in range(len(models) + 1)})
    called = called_models.NONE
    for i, model in enumerate(models):
        db.execute("UPDATE spans SET model = ? WHERE span_id = ?", (model, f"s{i}"))
        called = called if model is None else called_models.with_call(called, model)
    upgrade(db, Path(":memory:"))
    (stored,) = db.execute("SELECT models FROM traces").fetchone()
    assert json.loads(stored) == json.loads(called)


def test_a_file_of_a_newer_beacon_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    db = connect_writer(path)
    upgrade(db, path)
    db.execute(f"PRAGMA user_version={newest_schema() + 1}")
    with pytest.raises(Refused, match="A newer Beacon wrote it"):
        upgrade(db, path)
    db.close()
