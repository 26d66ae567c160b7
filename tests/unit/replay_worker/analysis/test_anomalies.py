"""What is called an anomaly, and, as much, what is not."""

from __future__ import annotations

from typing import Any

import pytest

from beacon.contract.llm_records import Anomaly
from replay_worker.analysis.anomalies import ANOMALIES_MAX, Past, find_anomalies
from tests.unit.replay_worker.analysis.runs import call, run, span, tool

Spans = list[dict[str, Any]]


def found(spans: Spans, past: Past | None = None, **fields: Any) -> list[tuple[str, str, str | None]]:
    return [(a.type, a.severity, a.span_id) for a in find_anomalies(run(spans, **fields), past or Past())]


def told(spans: Spans, past: Past | None = None) -> Anomaly:
    (anomaly,) = find_anomalies(run(spans), past or Past())
    return anomaly


# ---------------------------------------------------------------- loops


def test_the_same_call_with_the_same_answer_is_a_loop() -> None:
    spans = [tool(f"t{n}", n, '{"q": "x"}', "nothing") for n in range(3)]
    assert found(spans) == [("loop", "medium", "t0")]
    assert "3 times" in told(spans).description


def test_five_rounds_are_a_grave_one_told_once() -> None:
    assert found([tool(f"t{n}", n, {"q": "x"}, "nothing") for n in range(7)]) == [("loop", "high", "t0")]


def test_two_tools_in_turn_are_a_loop() -> None:
    spans = [tool(f"t{n}", n, "x", "same", name=("search", "open")[n % 2]) for n in range(6)]
    assert found(spans) == [("loop", "medium", "t0")]
    assert "search → open" in told(spans).description


def test_two_tools_at_once_round_after_round_are_a_loop() -> None:
    spans = [tool(f"t{n}", n // 2 + n % 2 / 10, "x", "same", name=("search", "open")[n % 2]) for n in range(6)]
    assert found(spans) == [("loop", "medium", "t0")]
    assert found([tool(f"t{n}", n / 10, "x", "same", name=("search", "open")[n % 2]) for n in range(6)]) == []


def test_a_loop_of_calls_that_fail_alike_is_told_as_one_thing() -> None:
    spans = [tool(f"t{n}", n, "x", status="error", error="503") for n in range(3)]
    assert found(spans) == [("loop", "medium", "t0")]


@pytest.mark.parametrize(
    ("what", "spans"),
    [
        ("twice may be a check", [tool(f"t{n}", n, "x", "same") for n in range(2)]),
        ("polling: the answers differ", [tool(f"t{n}", n, "job 7", f"{n * 30} %") for n in range(5)]),
        ("paging: the inputs differ", [tool(f"t{n}", n, {"page": n}, "[]") for n in range(5)]),
        ("nothing was recorded of the inputs", [tool(f"t{n}", n, None, "same") for n in range(5)]),
        ("nothing was recorded of the outputs", [tool(f"t{n}", n, "x") for n in range(5)]),
        ("at the same time: a fan-out", [tool(f"t{n}", 0.1 * n, "x", "same") for n in range(5)]),
        (
            "something was done in between each time",
            [
                tool(
                    f"t{n}", n, *(("tests", "2 failed") if n % 2 else (f"edit {n}", "ok")), name=("edit", "run")[n % 2]
                )
                for n in range(6)
            ],
        ),
    ],
)
def test_no_loop(what: str, spans: Spans) -> None:
    assert found(spans) == []


# ---------------------------------------------------------------- retries


def test_an_error_that_came_again_after_a_retry() -> None:
    spans = [
        tool("t0", 0, "x", status="error", error="timeout"),
        tool("t1", 1, "x", status="error", error="timeout after 9 s"),
    ]
    assert found(spans) == [("error_after_retry", "medium", "t1")]
    assert "timeout after 9 s" in told(spans).description


@pytest.mark.parametrize(
    ("what", "spans"),
    [
        (
            "the retry worked",
            [tool("t0", 0, "x", status="error", error="timeout"), tool("t1", 1, "x", "found")],
        ),
        (
            "the second retry worked",
            [*(tool(f"t{n}", n, "x", status="error", error=f"e{n}") for n in range(2)), tool("t2", 2, "x", "found")],
        ),
        (
            "another input is another try",
            [tool("t0", 0, "x", status="error", error="e"), tool("t1", 1, "y", status="error", error="e")],
        ),
        ("one failure alone", [tool("t0", 0, "x", status="error", error="e")]),
        (
            "side by side is no retry",
            [tool("t0", 0, "x", status="error", error="e"), tool("t1", 0.1, "x", status="error", error="e")],
        ),
    ],
)
def test_no_vain_retry(what: str, spans: Spans) -> None:
    assert found(spans) == []


# ---------------------------------------------------------------- outliers


def test_a_span_far_slower_than_its_like() -> None:
    spans = [call(f"c{n}", n * 3, 0.9 + n / 50) for n in range(9)] + [call("slow", 40, 12.0)]
    assert ("slow_span", "medium", "slow") in found(spans)
    assert all(kind != "slow_span" or span_id == "slow" for kind, _, span_id in found(spans))


def test_earlier_runs_tell_what_is_usual() -> None:
    spans = [call("slow", 0, 30.0)]
    assert found(spans) == []
    past = Past(span_durations_ms={("llm_call", "chat m"): [900.0 + 10 * n for n in range(9)]})
    assert found(spans, past) == [("slow_span", "high", "slow")]


@pytest.mark.parametrize(
    ("what", "spans"),
    [
        ("too few to tell", [call(f"c{n}", n, 0.5) for n in range(4)] + [call("c9", 9, 30)]),
        ("latencies vary threefold", [call(f"c{n}", n * 5, 0.8 + 0.3 * n) for n in range(9)] + [call("c9", 60, 6.0)]),
        ("three times is not much", [call(f"c{n}", n * 5, 1 + n / 100) for n in range(9)] + [call("c9", 60, 3.2)]),
        ("anything is usual here", [call(f"c{n}", n * 50, 0.1 * 2**n) for n in range(9)] + [call("c9", 900, 40)]),
        ("milliseconds keep nobody waiting", [call(f"c{n}", n, 0.001) for n in range(9)] + [call("c9", 9.5, 0.5)]),
        (
            "it took long because it wrote much",
            [call(f"c{n}", n, 0.9, tokens_output=100) for n in range(9)] + [call("c9", 9, 20, tokens_output=1_900)],
        ),
        (
            "the parent is slow because of its child",
            [span(f"p{n}", "chain", n * 2, 1.0, name="p") for n in range(9)]
            + [span("p9", "chain", 30, 20, name="p"), span("child", "tool_use", 30, 20, parent="p9")],
        ),
    ],
)
def test_no_outlier(what: str, spans: Spans) -> None:
    assert [kind for kind, _, _ in found(spans) if kind in ("slow_span", "dear_call", "many_tokens")] == []


def test_a_call_far_dearer_than_its_like() -> None:
    spans = [call(f"c{n}", n, tokens_input=500 + n, cost_usd=0.001 + n / 1e5) for n in range(9)]
    spans.append(call("dear", 20, tokens_input=60_000, cost_usd=0.12))
    assert ("dear_call", "high", "dear") in found(spans)
    assert not [one for one in found(spans) if one[0] == "many_tokens" and one[2]]  # told once


def test_a_call_with_far_more_tokens_where_no_price_is_known() -> None:
    spans = [call(f"c{n}", n, tokens_input=500 + n) for n in range(9)] + [call("big", 9, tokens_input=20_000)]
    assert ("many_tokens", "high", "big") in found(spans)


def test_a_whole_run_is_held_against_the_runs_before_it() -> None:
    spans = [call("c", 0, 30.0, tokens_input=90_000, cost_usd=0.5)]
    past = Past(
        durations_ms=[2_000.0 + 100 * n for n in range(9)],
        costs_usd=[0.01 + n / 1000 for n in range(9)],
        tokens=[1_000 + n for n in range(9)],
    )
    assert {one for one in found(spans, past) if one[2] is None} == {
        ("slow_run", "medium", None), ("dear_run", "high", None), ("many_tokens", "high", None),
    }  # fmt: skip
    assert not [one for one in found(spans, Past(durations_ms=[2_000.0] * 5)) if one[2] is None]


def test_a_run_that_is_not_over_is_not_called_slow() -> None:
    past = Past(durations_ms=[2_000.0] * 9)
    spans = [span("root", seconds=None), call("c", 0, 60)]
    assert found(spans, past) == []


# ---------------------------------------------------------------- growth, cut answers, gaps, open spans


def test_a_prompt_that_keeps_growing() -> None:
    spans = [call(f"c{n}", n * 2, tokens_input=size) for n, size in enumerate((1_000, 4_000, 9_000, 20_000))]
    assert found(spans) == [("prompt_growth", "medium", "c3")]


@pytest.mark.parametrize("sizes", [(1_000, 1_300, 1_700, 2_100), (100, 200, 400, 900), (9_000, 2_000, 9_000, 50_000)])
def test_a_prompt_that_grows_as_every_agents_does(sizes: tuple[int, ...]) -> None:
    assert found([call(f"c{n}", n * 2, tokens_input=size) for n, size in enumerate(sizes)]) == []


def test_an_answer_that_was_cut_off() -> None:
    assert found([call("c", finish_reason="length", max_tokens=64)]) == [("cut_off_answer", "medium", "c")]
    assert found([call("c", finish_reason="stop")]) == []


def test_a_long_pause_in_which_nothing_ran() -> None:
    spans = [span("root", "agent_step", 0, 33), *(tool(f"t{n}", n, n, n, parent="root") for n in range(3))]
    spans.append(tool("late", 32, "y", "z", parent="root"))
    assert found(spans) == [("gap", "medium", "t2")]


@pytest.mark.parametrize(
    ("what", "begins"),
    [
        ("short", (0, 1, 2, 6)),
        ("people drive it: every step is followed by a pause", (0, 30, 60, 95)),
        ("two steps are no rhythm", (0, 30)),
    ],
)
def test_no_gap(what: str, begins: tuple[float, ...]) -> None:
    spans = [span("root", "agent_step", 0, 99), *(tool(f"t{b}", b, b, b, parent="root") for b in begins)]
    assert found(spans) == []


def test_a_span_that_was_never_ended_in_one_that_was() -> None:
    spans = [span("root", seconds=5), span("open", begin=1, seconds=None, parent="root")]
    assert found(spans) == [("unfinished_span", "low", "open")]
    still_running = [span("root", seconds=None), span("open", begin=1, seconds=None, parent="root")]
    assert found(still_running) == []


def test_the_gravest_come_first_and_not_without_end() -> None:
    spans = [call(f"c{n}", n, finish_reason="length") for n in range(ANOMALIES_MAX + 10)]
    spans += [tool(f"t{n}", 100 + n, "x", "same") for n in range(5)]
    listed = found(spans)
    assert len(listed) == ANOMALIES_MAX
    assert listed[0] == ("loop", "high", "t0")
