"""Whatever arrives, in whatever order and grouping: a trace's row equals the one made from its stored spans."""

from __future__ import annotations

import json
import random
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beacon import called_models
from beacon.called_models import names
from beacon.store.connect import connect_writer
from beacon.store.version import upgrade
from ingest.changes import read_counters, write_counters
from ingest.database import Command, Transaction
from ingest.decode import decode_spans
from ingest.kept import Kept
from ingest.merge import SpanState
from ingest.rollup import TraceState, from_scratch
from ingest.spans import SELECT_TRACE_SPANS, TRACE_FIELDS
from ingest.spans import store as store_arrivals
from ingest.traces import delete_trace

TRACES = ["t1", "t2", "t3"]
SPANS = [f"s{i}" for i in range(6)]


@pytest.fixture(autouse=True, scope="module")
def few_models() -> Iterator[None]:
    """So few models are kept that some are pushed out, and come back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(called_models, "KEPT", 2)
        yield


attributes = st.fixed_dictionaries(
    {},
    optional={
        "llm.tokens.input": st.integers(0, 500),
        "llm.tokens.total": st.integers(0, 900),
        "llm.cost_usd": st.sampled_from([0, 1e-12, 0.1, 0.2, 0.3, 12.345678901234]),
        "llm.model": st.sampled_from(["a", "b", "c", "d"]),
        "session.id": st.sampled_from(["x", "y"]),
    },
)
whole = st.fixed_dictionaries(
    {
        "trace_id": st.sampled_from(TRACES),
        "span_id": st.sampled_from(SPANS),
        "span_type": st.sampled_from(["llm_call", "tool_use", "custom"]),
        "name": st.sampled_from(["n1", "n2"]),
        "start_time": st.integers(0, 20),
        "parent_span_id": st.sampled_from([None, *SPANS[:4], "never-sent"]),
        "end_time": st.one_of(st.none(), st.integers(0, 40)),
        "status": st.sampled_from(["ok", "error", "unset"]),
        "attributes": attributes,
        "sdk_language": st.sampled_from([None, "python"]),
    }
)
partial = st.fixed_dictionaries(
    {"trace_id": st.sampled_from(TRACES), "span_id": st.sampled_from(SPANS)},
    optional={
        "span_type": st.sampled_from(["llm_call", "tool_use"]),
        "name": st.sampled_from(["n1", "n3"]),
        "start_time": st.integers(0, 20),
        "parent_span_id": st.sampled_from([None, "s0", "s3"]),
        "end_time": st.integers(0, 40),
        "status": st.sampled_from(["ok", "error"]),
        "attributes": attributes,
    },
)
post_of_some = st.lists(st.lists(st.one_of(whole, whole, partial), max_size=5), min_size=1, max_size=3)
step = st.one_of(
    post_of_some,
    st.tuples(st.just("delete"), st.sampled_from(TRACES)),
    st.tuples(st.just("fail"), post_of_some),
    st.tuples(st.just("restart"), st.none()),
)


class Written(sqlite3.Connection):
    """A database, and what its writer remembers of it."""

    kept: Kept


def fresh(folder: Path) -> Written:
    path = folder / f"{uuid.uuid4().hex}.db"  # not from `random`: hypothesis seeds that anew for each example
    connect_writer(path).close()
    db = sqlite3.connect(path, isolation_level=None, factory=Written)
    db.execute("PRAGMA foreign_keys=ON")
    db.execute("PRAGMA synchronous=OFF")
    upgrade(db, path)
    db.kept = Kept()
    return db


def post(db: Written, requests: list[list[dict[str, Any]]], *, fails: bool = False) -> None:
    decoded = [decode_spans(json.dumps({"spans": spans}).encode()) for spans in requests]
    assert not any(d.errors for d in decoded)

    def command(tx: Transaction) -> None:
        store_arrivals(tx, [d.arrivals for d in decoded])

    run(db, command, fails=fails)


def run(db: Written, command: Command, *, fails: bool = False) -> None:
    """`command` as the writer runs it."""
    db.execute("BEGIN IMMEDIATE")
    tx = Transaction(db, read_counters(db), 7, db.kept)
    command(tx)
    if fails:
        db.execute("ROLLBACK")
        db.kept.clear()
        return
    write_counters(db, tx.counters)
    db.execute("COMMIT")


def delete(db: Written, trace_id: str) -> None:
    if db.execute("SELECT 1 FROM traces WHERE trace_id = ?", (trace_id,)).fetchone():
        run(db, delete_trace(trace_id))


def traces_of(db: sqlite3.Connection) -> list[TraceState]:
    return [TraceState(*row) for row in db.execute(f"SELECT {', '.join(TRACE_FIELDS)} FROM traces ORDER BY trace_id")]


def spans_of(db: sqlite3.Connection, trace: TraceState) -> list[SpanState]:
    return [SpanState(*row) for row in db.execute(SELECT_TRACE_SPANS, (trace.trace_row,))]


def comparable(trace: TraceState) -> dict[str, Any]:
    fields = msgspec.structs.asdict(trace)
    for name in ("trace_row", "created_seq", "seq", "created_ns", "seen_ns", "tags"):
        del fields[name]
    return fields


def check(db: sqlite3.Connection) -> None:
    traces = traces_of(db)
    for trace in traces:
        again = from_scratch(trace.trace_row, trace.trace_id, spans_of(db, trace), trace.created_ns)
        assert comparable(trace) == comparable(again)
    counters = read_counters(db)
    assert counters.trace_count == len(traces)
    assert counters.span_count == sum(t.span_count for t in traces)
    assert db.execute("SELECT count(*) FROM spans").fetchone()[0] == counters.span_count
    assert db.execute("SELECT count(*) FROM span_attributes").fetchone()[0] == counters.span_count
    seqs = [s for (s,) in db.execute("SELECT seq FROM spans UNION ALL SELECT seq FROM traces")]
    assert len(seqs) == len(set(seqs))
    assert max(seqs, default=0) <= counters.seq


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(step, max_size=8))
def test_rows_equal_those_made_from_scratch(steps: list[Any], tmp_path_factory: Any) -> None:
    db = fresh(tmp_path_factory.getbasetemp())
    try:
        for one in steps:
            if isinstance(one, list):
                post(db, one)
            elif one[0] == "delete":
                delete(db, one[1])
            elif one[0] == "fail":
                post(db, one[1], fails=True)
            else:
                db.kept.clear()
            check(db)
    finally:
        db.close()


@st.composite
def run_of_an_agent(draw: st.DrawFn) -> tuple[list[dict[str, Any]], random.Random]:
    """Each span once open and once closed, as a client sends them, and some of them again."""
    optional = ("parent_span_id", "status", "attributes", "sdk_language")
    copies = []
    for span_id in draw(st.lists(st.sampled_from(SPANS), min_size=1, unique=True)):
        trace_id = draw(st.sampled_from(TRACES))
        for end in (None, draw(st.integers(0, 40))):
            copy = draw(whole) | {"span_id": span_id, "trace_id": trace_id, "end_time": end}
            for left_out in draw(st.lists(st.sampled_from(optional), unique=True)):
                del copy[left_out]
            copies.append(copy)
    copies += draw(st.lists(st.sampled_from(copies), max_size=6))
    return copies, random.Random(draw(st.integers(0, 2**32)))


@settings(max_examples=100, deadline=None)
@given(run=run_of_an_agent())
def test_order_batching_and_repetition_leave_no_trace(
    run: tuple[list[dict[str, Any]], random.Random], tmp_path_factory: Any
) -> None:
    copies, shuffle = run
    rows = []
    for _ in range(3):
        db = fresh(tmp_path_factory.getbasetemp())
        order = shuffle.sample(copies, len(copies)) + shuffle.sample(copies, len(copies) // 2)
        while order:
            size = shuffle.randint(1, 4)
            cut = shuffle.randint(0, size)
            post(db, [order[:cut], order[cut:size]])
            del order[:size]
        spans = {
            (t.trace_id, s.span_id): {
                k: v
                for k, v in msgspec.structs.asdict(s).items()
                if k not in ("span_row", "trace_row", "created_seq", "seq")
            }
            for t in traces_of(db)
            for s in spans_of(db, t)
        }
        rows.append((spans, [comparable(t) for t in traces_of(db)]))
        db.close()
    assert rows[0] == rows[1] == rows[2]


def test_a_model_that_was_pushed_out_comes_back_when_another_goes(tmp_path: Path) -> None:
    db = fresh(tmp_path)
    call = {"trace_id": "t", "span_type": "llm_call", "name": "n", "start_time": 1}
    models = ["b", "c", "d"]  # two are kept
    post(db, [[{**call, "span_id": m, "attributes": {"llm.model": m}} for m in models]])
    assert [names(trace.models) for trace in traces_of(db)] == [["b", "c"]]
    post(db, [[{"trace_id": "t", "span_id": "b", "attributes": {"llm.model": "x"}}]])
    assert [names(trace.models) for trace in traces_of(db)] == [["c", "d"]]
    check(db)
    db.close()


def test_names_of_any_characters_survive_the_row(tmp_path: Path) -> None:
    """Known traces are read as JSON: a name with quotes, NUL, or beyond the BMP must come back as it was."""
    db = fresh(tmp_path)
    name = 'a"b\\c\u0000d\n\u2028 中 🛰'
    first = {"trace_id": "t", "span_id": "s", "span_type": "custom", "name": name, "start_time": 1}
    post(db, [[first]])
    post(db, [[{**first, "span_id": "s2", "name": "other", "parent_span_id": "s"}]])
    (trace,) = traces_of(db)
    assert (trace.name, trace.span_count) == (name, 2)
    db.close()
