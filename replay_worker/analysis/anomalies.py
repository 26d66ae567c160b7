"""What is unusual in a trace, found by counting. Pure.

A false alarm costs more trust than a miss: every rule needs a ratio and an absolute amount, and says nothing where
too little is known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import Literal

from msgspec import Struct

from beacon.contract.llm_records import Anomaly
from replay_worker.analysis.gaps import idle_gap
from replay_worker.analysis.loops import find_loops, find_vain_retries
from replay_worker.analysis.outliers import Distribution
from replay_worker.analysis.trace import Step, Trace

Severity = Literal["low", "medium", "high"]

DURATION_MIN_MS = 1_000.0
"""A span below this keeps nobody waiting, however far from its like it is."""

COST_MIN_USD = 0.005
TOKENS_MIN = 2_000
TRACE_TOKENS_MIN = 5_000

GROWTH_CALLS_MIN = 4
GROWTH_TIMES_MIN = 5.0
GROWTH_TOKENS_MIN = 8_000
"""An agent's prompt grows with each turn: only one that got five times its first and beyond 8,000 tokens is worth a
word."""

MUCH_TIMES = 20.0
"""Times the median from which an outlier is of high severity."""

ANOMALIES_MAX = 50
"""The worst that are told of; a trace with more has one cause, not fifty."""


class Past(Struct, frozen=True):
    """Recent runs of the same agent: each run's duration, cost and tokens, and its spans' durations by (type, name)."""

    durations_ms: Sequence[float] = ()
    costs_usd: Sequence[float] = ()
    tokens: Sequence[float] = ()
    span_durations_ms: dict[tuple[str, str], list[float]] = {}


def find_anomalies(trace: Trace, past: Past) -> list[Anomaly]:
    """The anomalies of `trace`, the gravest first, at most ANOMALIES_MAX."""
    found = [
        *_repetitions(trace),
        *_whole_run(trace, past),
        *_slow_spans(trace, past),
        *_dear_calls(trace),
        *_growing_prompts(trace),
        *_cut_answers(trace),
        *_gaps(trace),
        *_unfinished(trace),
    ]
    found.sort(key=lambda anomaly: ("high", "medium", "low").index(anomaly.severity))
    return found[:ANOMALIES_MAX]


def _repetitions(trace: Trace) -> Iterable[Anomaly]:
    told: set[str] = set()
    for loop in find_loops(trace.steps):
        told.update(step.span_id for step in loop.steps)
        names = " → ".join(dict.fromkeys(step.tool for step in loop.steps))
        yield Anomaly(
            "loop",
            "high" if loop.rounds >= 5 else "medium",
            f"{names} ran {loop.rounds} times in a row with the same input and the same output: "
            "nothing was learned after the first time.",
            trace.trace_id,
            loop.steps[0].span_id,
        )
    for tries in find_vain_retries(trace.steps):
        last = tries[-1]
        if last.span_id in told:
            continue
        yield Anomaly(
            "error_after_retry",
            "high" if trace.status == "error" and len(tries) > 2 else "medium",
            f"{last.name} failed {len(tries)} times with the same input, and was not tried in another way: "
            f"{_short(last.error or 'no error message')}",
            trace.trace_id,
            last.span_id,
        )


def _whole_run(trace: Trace, past: Past) -> Iterable[Anomaly]:
    def unusual(kind: str, value: float, least: float, before: Sequence[float], said: str) -> Iterable[Anomaly]:
        times = Distribution([value, *before]).times_median(value) if value >= least else None
        if times is not None:
            what = f"The run {said}, {times:.1f} times the median of it and the {len(before)} runs before it."
            yield Anomaly(kind, _by_times(times), what, trace.trace_id, None)

    if trace.duration_ms is not None and all(step.end is not None for step in trace.steps):
        said = f"took {_seconds(trace.duration_ms)}"
        yield from unusual("slow_run", trace.duration_ms, DURATION_MIN_MS, past.durations_ms, said)
    said = f"cost ${trace.total_cost_usd:.4f}"
    yield from unusual("dear_run", trace.total_cost_usd, COST_MIN_USD, past.costs_usd, said)
    said = f"used {trace.total_tokens:,} tokens"
    yield from unusual("many_tokens", trace.total_tokens, TRACE_TOKENS_MIN, past.tokens, said)


def _slow_spans(trace: Trace, past: Past) -> Iterable[Anomaly]:
    parents = {step.parent_id for step in trace.steps}
    # a span that holds others is slow because of one of them, and that one is told of
    leaves = [step for step in trace.steps if step.span_id not in parents and step.duration_ms is not None]
    for key, steps in _groups(leaves, lambda step: (step.type, step.name)).items():
        before = past.span_durations_ms.get(key, [])
        usual = Distribution([*(step.duration_ms or 0.0 for step in steps), *before])
        usual_length = median(step.tokens_output or 0 for step in steps)
        for step in steps:
            duration = step.duration_ms or 0.0
            times = usual.times_median(duration) if duration >= DURATION_MIN_MS else None
            if times is None:
                continue
            # a model's call that wrote much took its time for it
            if usual_length and (step.tokens_output or 0) / usual_length > times / 2:
                continue
            said = f"{step.name} took {_seconds(duration)}"
            yield _outlier("slow_span", said, times, usual, trace, step)


def _dear_calls(trace: Trace) -> Iterable[Anomaly]:
    calls = [step for step in trace.steps if step.type == "llm_call"]
    for steps in _groups(calls, lambda step: (step.name, step.model or "")).values():
        usual_cost = Distribution(step.cost_usd or 0.0 for step in steps)
        usual_tokens = Distribution(step.tokens or 0 for step in steps)
        for step in steps:
            cost, tokens = step.cost_usd or 0.0, step.tokens or 0
            times = usual_cost.times_median(cost) if cost >= COST_MIN_USD else None
            if times is not None:
                said = f"{step.name} cost ${cost:.4f}" + (f" for {tokens:,} tokens" if tokens else "")
                yield _outlier("dear_call", said, times, usual_cost, trace, step)
                continue
            times = usual_tokens.times_median(tokens) if tokens >= TOKENS_MIN else None
            if times is not None:
                said = f"{step.name} used {tokens:,} tokens"
                yield _outlier("many_tokens", said, times, usual_tokens, trace, step)


def _outlier(kind: str, said: str, times: float, usual: Distribution, trace: Trace, step: Step) -> Anomaly:
    what = f"{said}, {times:.1f} times the median of it and {usual.others} others like it."
    return Anomaly(kind, _by_times(times), what, trace.trace_id, step.span_id)


def _growing_prompts(trace: Trace) -> Iterable[Anomaly]:
    calls = [step for step in trace.steps if step.type == "llm_call" and step.tokens_input]
    for steps in _groups(calls, lambda step: (step.name, step.model or "")).values():
        sizes = [step.tokens_input or 0 for step in steps]
        grows = all(later >= earlier for earlier, later in pairwise(sizes))
        if len(steps) < GROWTH_CALLS_MIN or not grows:
            continue
        if sizes[-1] >= GROWTH_TOKENS_MIN and sizes[-1] >= GROWTH_TIMES_MIN * sizes[0]:
            yield Anomaly(
                "prompt_growth",
                "high" if sizes[-1] >= 10 * GROWTH_TOKENS_MIN else "medium",
                f"The prompt of {steps[0].name} grew in every one of {len(steps)} calls, from {sizes[0]:,} to "
                f"{sizes[-1]:,} tokens: everything before is sent, and paid, again each time.",
                trace.trace_id,
                steps[-1].span_id,
            )


def _cut_answers(trace: Trace) -> Iterable[Anomaly]:
    for step in trace.steps:
        if step.type == "llm_call" and step.attributes.get("llm.finish_reason") == "length":
            what = f"The answer of {step.name} was cut off at its limit of tokens"
            limit = step.attributes.get("llm.max_tokens")
            what += f" ({limit})." if isinstance(limit, int) else "."
            yield Anomaly("cut_off_answer", "medium", what, trace.trace_id, step.span_id)


def _gaps(trace: Trace) -> Iterable[Anomaly]:
    gap = idle_gap(trace)
    if gap is not None:
        share = gap.seconds / gap.of_seconds
        yield Anomaly(
            "gap",
            "medium" if share >= 0.6 else "low",
            f"Nothing ran for {gap.seconds:.1f} s after {gap.before.name}, {share:.0%} of the whole run: waiting that "
            "no span accounts for.",
            trace.trace_id,
            gap.before.span_id,
        )


def _unfinished(trace: Trace) -> Iterable[Anomaly]:
    by_id = trace.by_id
    for step in trace.steps:
        parent = by_id.get(step.parent_id or "")
        if step.end is None and parent is not None and parent.end is not None:
            what = f"{step.name} was never ended, though {parent.name}, which it is part of, was."
            yield Anomaly("unfinished_span", "low", what, trace.trace_id, step.span_id)


def _groups(steps: Iterable[Step], key: Callable[[Step], tuple[str, str]]) -> dict[tuple[str, str], list[Step]]:
    groups: dict[tuple[str, str], list[Step]] = defaultdict(list)
    for step in steps:
        groups[key(step)].append(step)
    return groups


def _by_times(times: float) -> Severity:
    return "high" if times >= MUCH_TIMES else "medium"


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.1f} s"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else line[:199] + "…"
