"""Changes after a seq, against a follower that applies them: whatever was missed, it ends up with what is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beacon.contract.events import Envelope, unpack
from beacon.errors import Conflict
from query import changes, spans, traces
from query.conditions import Condition
from query.walk import Walk
from tests.store_fixture import SECOND, START_NS, Store, stored_span
from tests.unit.query.lane import Lane, lane


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "traces.db") as opened:
        yield opened


@pytest.fixture
def one(store: Store) -> Iterator[Lane]:
    with lane(store.path) as opened:
        yield opened


def after(one: Lane, seq: int) -> Envelope:
    return unpack(one.read(changes.read_changes, seq))


def kinds(envelope: Envelope) -> list[tuple[int, str]]:
    return [(event.seq, event.kind) for event in envelope.events]


class Follower:
    """A client: summaries and spans by id, as the events tell them."""

    def __init__(self) -> None:
        self.seq = 0
        self.traces: dict[str, Any] = {}
        self.spans: dict[tuple[str, str], Any] = {}

    def apply(self, envelope: Envelope) -> None:
        assert envelope.prev == self.seq
        seqs = [event.seq for event in envelope.events]
        assert seqs == sorted(seqs)
        assert all(self.seq < seq <= envelope.last for seq in seqs)
        for event in envelope.events:
            frame = json.loads(event.frame)
            assert (frame["event"], frame["seq"]) == (event.kind, event.seq)
            getattr(self, event.kind)(frame)
        self.seq = envelope.last

    def trace_created(self, frame: Any) -> None:
        assert frame["trace"]["trace_id"] not in self.traces
        self.traces[frame["trace"]["trace_id"]] = frame["trace"]

    def trace_updated(self, frame: Any) -> None:
        assert frame["trace"]["trace_id"] in self.traces
        self.traces[frame["trace"]["trace_id"]] = frame["trace"]

    def span_created(self, frame: Any) -> None:
        span = frame["span"]
        assert span["trace_id"] in self.traces
        assert (span["trace_id"], span["span_id"]) not in self.spans
        self.spans[span["trace_id"], span["span_id"]] = span

    def span_updated(self, frame: Any) -> None:
        self.spans[frame["trace_id"], frame["span_id"]].update(frame["updates"])

    def traces_deleted(self, frame: Any) -> None:
        for trace_id in frame["trace_ids"]:
            self.traces.pop(trace_id, None)
            self.spans = {key: span for key, span in self.spans.items() if key[0] != trace_id}


def stored(one: Lane) -> tuple[dict[str, Any], dict[tuple[str, str], Any]]:
    """What is there, by the other reads."""

    def all_spans(walk: Walk) -> list[Any]:
        with walk.snapshot() as db:
            rows = db.execute("SELECT t.trace_id, s.span_id FROM spans s JOIN traces t USING (trace_row)").fetchall()
            return [json.loads(spans.read_span(db, span_id, trace_id)) for trace_id, span_id in rows]

    from beacon.contract.requests import ListTraces

    page = one.read(traces.list_traces, ListTraces(limit=200), Condition("", {}))
    assert page is not None
    return (
        {t["trace_id"]: t for t in json.loads(page)["traces"]},
        {(s["trace_id"], s["span_id"]): s for s in one.walk(all_spans)},
    )


TRACES = ("t1", "t2", "t3")
STEPS = st.one_of(
    st.tuples(
        st.just("put"),
        st.lists(
            st.tuples(st.sampled_from(TRACES), st.sampled_from("abc"), st.integers(0, 2), st.booleans()),
            min_size=1,
            max_size=3,
        ),
    ),
    st.tuples(st.just("tag"), st.sampled_from(TRACES)),
    st.tuples(st.just("delete"), st.sets(st.sampled_from(TRACES), min_size=1)),
    st.tuples(st.just("look"), st.none()),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(STEPS, max_size=20))
def test_a_follower_that_looks_now_and_then_has_what_is_stored(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("changes") / "traces.db"
    with Store(path) as store, lane(path) as one:
        follower = Follower()
        there: set[str] = set()
        for i, (what, of) in enumerate([*steps, ("look", None)]):
            if what == "put":
                unique = {(trace_id, span_id): (version, ended) for trace_id, span_id, version, ended in of}
                store.put(
                    *(
                        stored_span(
                            span_id,
                            trace_id,
                            name=f"v{version}",
                            end_ns=START_NS + i * SECOND if ended else None,
                            attributes={"v": version},
                        )
                        for (trace_id, span_id), (version, ended) in unique.items()
                    )
                )
                there |= {trace_id for trace_id, _ in unique}
            elif what == "tag" and of in there:
                store.tag(of, step=str(i))
            elif what == "delete" and there & of:
                store.delete(*sorted(there & of))
                there -= of
            elif what == "look":
                follower.apply(after(one, follower.seq))
        assert follower.seq == store.seq
        assert (follower.traces, follower.spans) == stored(one)


def test_nothing_changed_is_an_empty_envelope(store: Store, one: Lane) -> None:
    assert after(one, 0) == Envelope(store.epoch, 0, 0, [])
    store.put(stored_span("a", "t1"))
    assert after(one, store.seq) == Envelope(store.epoch, store.seq, store.seq, [])


def test_a_trace_precedes_its_spans_and_an_update_of_a_new_span_is_not_told_apart(store: Store, one: Lane) -> None:
    store.put(stored_span("a", "t1", end_ns=None))
    store.put(stored_span("a", "t1"), stored_span("b", "t1"))
    assert kinds(after(one, 0)) == [(1, "trace_created"), (2, "span_created"), (4, "span_created")]
    assert kinds(after(one, 2)) == [(3, "span_updated"), (4, "span_created"), (5, "trace_updated")]
    assert kinds(after(one, 1))[0] == (2, "span_created")


def test_deletes_of_one_transaction_are_one_event(store: Store, one: Lane) -> None:
    for trace_id in ("t1", "t2", "t3"):
        store.put(stored_span("a", trace_id))
    seen = store.seq
    store.delete("t1", "t3")
    store.delete("t2")
    (first, second) = after(one, seen).events
    assert (first.trace_ids, second.trace_ids) == (("t1", "t3"), ("t2",))
    assert json.loads(first.frame) == {"event": "traces_deleted", "seq": seen + 1, "trace_ids": ["t1", "t3"]}
    assert kinds(after(one, seen + 1)) == [(seen + 2, "traces_deleted")]


def test_another_database_and_forgotten_deletes_are_conflicts(store: Store, one: Lane) -> None:
    store.put(stored_span("a", "t1"))
    with pytest.raises(Conflict, match="another database"):
        after(one, store.seq + 1)
    store.delete("t1")
    forgotten = store.seq
    store.forget_tombstones(forgotten)
    with pytest.raises(Conflict, match="forgotten"):
        after(one, forgotten - 1)
    assert after(one, forgotten).events == []


@pytest.mark.parametrize("what", ["created", "updated", "deleted"])
def test_more_rows_than_one_answer_may_carry_are_a_conflict(
    store: Store, one: Lane, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(changes, "CHANGES_MAX", 10)
    if what == "deleted":
        for i in range(11):
            store.put(stored_span("a", f"t{i}"))
    else:
        store.put(*(stored_span(f"s{i}", "t") for i in range(9)))
    before = 0 if what == "created" else store.seq
    if what == "updated":
        store.put(*(stored_span(f"s{i}", "t", name="new") for i in range(9)))
    if what == "deleted":
        store.delete(*(f"t{i}" for i in range(10)))
    assert len(after(one, before).events) in (10, 1)
    if what == "deleted":
        store.delete("t10")
    else:
        store.put(stored_span("more", "t"))
    with pytest.raises(Conflict, match="More than 10 rows"):
        after(one, before)


def test_more_bytes_than_one_answer_may_carry_are_a_conflict(
    store: Store, one: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "BYTES_MAX", 50_000)
    store.put(*(stored_span(f"s{i}", "t", attributes={"text": "x" * 10_000}) for i in range(4)))
    assert len(after(one, 0).events) == 5
    store.put(stored_span("one more", "t", attributes={"text": "x" * 10_000}))
    with pytest.raises(Conflict, match="50,000 bytes"):
        after(one, 0)


def test_a_very_large_span_comes_without_its_attributes(store: Store, one: Lane) -> None:
    store.put(stored_span("a", "t", attributes={"text": "x" * 600_000}))
    (_, created) = after(one, 0).events
    frame = json.loads(created.frame)
    assert frame["attributes_omitted"] is True
    assert frame["span"]["attributes"] == {}
