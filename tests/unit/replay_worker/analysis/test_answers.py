"""What is made of a model's answer, and what is sent back to it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from replay_worker.analysis import answers
from replay_worker.analysis.answers import Unfit
from replay_worker.analysis.errors import alike, error_groups, groups_text
from tests.unit.replay_worker.analysis.runs import call, run, span, tool

TRACE = run([span("root", seconds=9), tool("t1", 1, "x", parent="root", status="error", error="boom"), call("c1", 3)])


def cause(**fields: Any) -> str:
    said = {"root_cause": "it broke", "affected_spans": ["t1"], "confidence": 0.8, "suggested_fix": "mend it"}
    return json.dumps(said | fields)


@pytest.mark.parametrize(
    "text",
    [
        cause(),
        f"```json\n{cause()}\n```",
        f"Here it is:\n{cause()}\nI hope it helps.",
        '<think>First {maybe} {"root_cause": 1} no.</think>' + cause(),
        cause(confidence="0.8"),
        cause(more="ignored"),
    ],
)
def test_the_object_is_found_whatever_stands_around_it(text: str) -> None:
    found = answers.root_cause(text, TRACE)
    assert (found.trace_id, found.root_cause, found.affected_spans) == ("t", "it broke", ["t1"])
    assert found.confidence == 0.8


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON object"),
        ("I cannot do that.", "no JSON object"),
        (cause()[:-10], "no JSON object"),
        ("[1, 2]", "no JSON object"),
        ("{" * 5_000, "no JSON object"),
        (cause(confidence=1.5), "confidence"),
        (cause(confidence="NaN"), "confidence"),
        (cause(root_cause=""), "root_cause"),
        (cause(affected_spans="t1"), "affected_spans"),
        ('{"root_cause": "x"}', "affected_spans"),
        (cause(affected_spans=["t9", "made up"]), '"t9", "made up" is no span'),
    ],
)
def test_what_cannot_be_used_is_said(text: str, why: str) -> None:
    with pytest.raises(Unfit, match=why):
        answers.root_cause(text, TRACE)


def test_spans_of_no_run_are_left_out_where_others_are_named() -> None:
    assert answers.root_cause(cause(affected_spans=["t9", "t1", "t1", "root"]), TRACE).affected_spans == ["t1", "root"]
    assert answers.root_cause(cause(affected_spans=[]), TRACE).affected_spans == []


@pytest.mark.parametrize(("said", "kept"), [(0.01, 0.01), (0.2, None), (-1, None), (None, None)])
def test_nobody_saves_more_than_was_spent(said: float | None, kept: float | None) -> None:
    trace = run([call("c1", cost_usd=0.05)])
    one = {"type": "model", "description": "d", "estimated_savings_usd": said, "affected_spans": ["c1", "c2"]}
    found = answers.cost_optimization(json.dumps({"suggestions": [one]}), [trace])
    assert found.trace_ids == ["t"]
    assert found.suggestions[0].estimated_savings_usd == kept
    assert found.suggestions[0].affected_spans == ["c1"]


def test_a_summary_keeps_events_of_the_run_only() -> None:
    events = [{"span_id": "c1", "description": "asked"}, {"span_id": "c7", "description": "made up"}]
    found = answers.summary(json.dumps({"summary": "s", "key_events": events}), TRACE)
    assert [(event.span_id, event.description) for event in found.key_events] == [("c1", "asked")]
    with pytest.raises(Unfit):
        answers.summary(json.dumps({"summary": "s", "key_events": events[1:]}), TRACE)


# ---------------------------------------------------------------- error patterns


def failing(trace_id: str, message: str) -> Any:
    spans = [
        span("root", "agent_step", 0, 5, status="error", error=f"AgentFailed: {message}"),
        span("step", "agent_step", 0, 5, status="error", error=None, parent="root"),
        tool("t1", 1, "x", parent="step", status="error", error=message),
    ]
    return run(spans, trace_id=trace_id)


RUNS = [
    failing("r1", "timeout after 30 s on db-7"),
    failing("r2", "timeout after 45.5 s on db-7"),
    failing("r3", "KeyError: 'total'"),
    failing("r4", "timeout after 1 s on db-7"),
]


def test_an_error_counts_once_where_it_began_and_with_those_like_it() -> None:
    first, second = error_groups(RUNS)
    assert (first.count, first.trace_ids, first.example.span_id) == (3, ("r1", "r2", "r4"), "t1")
    assert (second.count, second.trace_ids) == (1, ("r3",))
    assert groups_text([first, second]).splitlines()[0].startswith('E1 times=3 runs=3 type=tool_use name="search"')


def test_a_failure_of_its_own_above_another_counts_too() -> None:
    spans = [
        span("root", "agent_step", 0, 5, status="error", error="StepLimitReached: no answer after 5 steps."),
        tool("t1", 1, "x", parent="root", status="error", error="timeout"),
    ]
    assert [group.example.span_id for group in error_groups([run(spans)])] == ["root", "t1"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("timeout after 30 s", "Timeout after 4.5 s"),
        ("no row 6f9619ff-8b86-d011-b42d-00c04fc964ff", "no row 7d444840-9dc0-11d1-b245-5ffdce74fad2"),
        ("GET https://a.example/1 failed", "GET https://b.example/x?y=2 failed"),
        ("KeyError: 'a'", "KeyError: 'b'"),
    ],
)
def test_messages_that_differ_in_values_only_are_alike(one: str, other: str) -> None:
    assert alike(one) == alike(other)


def test_messages_that_say_something_else_are_not_alike() -> None:
    assert alike("connection refused") != alike("connection reset")


def test_counts_and_examples_are_counted_here_and_not_by_the_model() -> None:
    groups = error_groups(RUNS)
    pattern = {"pattern_name": "Slow database", "groups": ["E1", "E9"], "common_root_cause": "c", "category": "timeout"}
    twice = {**pattern, "pattern_name": "Again", "groups": ["E1"]}
    found = answers.error_patterns(json.dumps({"patterns": [pattern, twice]}), groups)
    assert [(p.pattern_name, p.count, p.example_trace_ids) for p in found.patterns] == [
        ("Slow database", 3, ["r1", "r2", "r4"])
    ]
    with pytest.raises(Unfit, match="E1, E2"):
        answers.error_patterns(json.dumps({"patterns": [{**pattern, "groups": ["E9"]}]}), groups)
