"""Spans that never end: marked when their trace falls silent or their program has ended, cleared when they go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from ingest.interrupted import RUNS_KEPT_NS, SETTLED_NS, end_run, forget_unclaimed, interrupt_silent
from ingest.merge import changed_fields
from ingest.otlp.arrived import Otel
from tests.unit.ingest.writing import Written, native

HOUR = 3_600 * 1_000_000_000


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path)


def span(span_id: str, trace_id: str = "t", end: float | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "span_id": span_id,
        "trace_id": trace_id,
        "span_type": "custom",
        "name": span_id,
        "start_time": 1,
        "end_time": end,
        **fields,
    }


def of_run(run_id: str, *spans: dict[str, Any]) -> list[Any]:
    otel = Otel("{}", f'{{"run":"{run_id}"}}', "{}", run_id=run_id)
    return [msgspec.structs.replace(arrival, otel=otel) for arrival in native(*spans)]


def counts(written: Written, trace_id: str = "t") -> tuple[int, int]:
    trace = written.trace(trace_id)
    return trace.running_count, trace.interrupted_count


def test_a_silent_trace_has_its_open_spans_interrupted(written: Written) -> None:
    written.post(span("open"), span("closed", end=2))
    written.now_ns += HOUR
    assert written.run(interrupt_silent(HOUR)) == 0  # not longer than that
    written.now_ns += 1
    seq = written.seq
    assert written.run(interrupt_silent(HOUR)) == 1
    assert (written.span("open").interrupted, written.span("closed").interrupted) == (True, False)
    assert counts(written) == (0, 1)
    (change,) = written.changes.spans
    assert change.before is not None
    assert changed_fields(change.before, change.after) == ["interrupted"]
    assert [t.interrupted_count for t in written.changes.traces_updated] == [1]
    assert written.seq == seq + 2
    assert written.run(interrupt_silent(HOUR)) == 0
    assert written.seq == seq + 2


def test_whatever_comes_of_the_trace_keeps_it_from_being_silent(written: Written) -> None:
    written.post(span("open"))
    written.now_ns += HOUR
    written.post(span("another", end=2))
    written.now_ns += HOUR
    assert written.run(interrupt_silent(HOUR)) == 0
    assert counts(written) == (1, 0)


@pytest.mark.parametrize(
    "again", [span("open"), span("open", end=5), {"span_id": "open", "trace_id": "t", "status": "ok"}]
)
def test_a_span_that_is_sent_again_is_interrupted_no_more(written: Written, again: dict[str, Any]) -> None:
    written.post(span("open"))
    written.now_ns += 2 * HOUR
    written.run(interrupt_silent(HOUR))
    written.post(again)
    assert not written.span("open").interrupted
    assert counts(written) == (0 if again.get("end_time") else 1, 0)
    (change,) = written.changes.spans
    assert change.before is not None
    assert "interrupted" in changed_fields(change.before, change.after)
    assert written.run(interrupt_silent(HOUR)) == 0


def test_a_trace_that_goes_on_after_a_silence_was_never_interrupted(written: Written) -> None:
    written.post(span("root"), span("waiting"))
    written.now_ns += 2 * HOUR
    assert written.run(interrupt_silent(HOUR)) == 2
    written.post(span("next", end=5))
    assert [written.span(s).interrupted for s in ("root", "waiting")] == [0, 0]
    assert counts(written) == (2, 0)
    assert {c.after.span_id for c in written.changes.spans} == {"root", "waiting", "next"}
    assert written.run(interrupt_silent(HOUR)) == 0
    written.now_ns += 2 * HOUR
    assert written.run(interrupt_silent(HOUR)) == 2


def test_what_comes_late_of_a_program_that_has_ended_does_not_bring_it_back(written: Written) -> None:
    written.store(*of_run("r1", span("root")))
    written.run(end_run("r1"))
    written.store(*of_run("r1", span("late", end=5)))
    assert written.span("root").interrupted
    assert counts(written) == (0, 1)


def test_many_are_marked_in_turns(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.interrupted.MARK_SPANS", 4)
    written.post(*(span(f"s{i}", f"t{i % 3}") for i in range(10)))
    written.now_ns += 2 * HOUR
    turns = []
    while marked := written.run(interrupt_silent(HOUR)):
        turns.append(marked)
    assert turns == [4, 4, 2]


def test_the_end_of_a_program_interrupts_its_own_spans_alone(written: Written) -> None:
    written.store(*of_run("r1", span("a"), span("b", end=2), span("c", "t2")))
    written.store(*of_run("r2", span("other")))
    written.post(span("native"))
    ended = written.run(end_run("r1"))
    assert (ended.interrupted, ended.trace_count, ended.trace_ids) == (2, 2, ["t2", "t"])
    marked = {s: written.span(s).interrupted for s in ("a", "b", "c", "other", "native")}
    assert marked == {"a": True, "b": False, "c": True, "other": False, "native": False}
    again = written.run(end_run("r1"))
    assert (again.interrupted, again.trace_count) == (0, 2)
    unknown = written.run(end_run("nobody"))
    assert (unknown.interrupted, unknown.trace_count, unknown.trace_ids) == (0, 0, [])


def test_what_comes_open_after_the_end_of_its_program_is_interrupted_too(written: Written) -> None:
    written.run(end_run("r1"))
    written.store(*of_run("r1", span("late")))
    assert written.run(interrupt_silent(HOUR)) == 0
    written.now_ns += SETTLED_NS + 1
    assert written.run(interrupt_silent(HOUR)) == 1
    assert written.span("late").interrupted
    written.now_ns += RUNS_KEPT_NS
    written.run(forget_unclaimed)
    assert written.rows("SELECT * FROM ended_runs") == []
