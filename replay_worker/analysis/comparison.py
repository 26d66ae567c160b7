"""Where two runs part, and by how much they differ: numbers and plain sentences. Pure."""

from __future__ import annotations

from itertools import takewhile

from beacon.contract.llm_records import Divergence, MetricDiff, TraceComparison
from replay_worker.analysis.alignment import Pair, align
from replay_worker.analysis.trace import Step, Trace

DIVERGENCES_MAX = 50

QUOTED = 80
"""Characters of a text that are shown where two differ."""


def compare(a: Trace, b: Trace) -> TraceComparison:
    """`b` against `a`, without a narrative. The first divergence comes first; spans below one that has no counterpart
    are part of its divergence and not named again."""
    pairs = align(a, b)
    points: list[Divergence] = []
    alone: set[str] = set()
    for one, other in pairs:
        present = one or other
        if present is None:
            continue
        if one is None or other is None:
            side = "a" if other is None else "b"
            key = f"{side} {present.parent_id}"
            if key not in alone:
                points.append(_only_in(side, present))
            alone.add(f"{side} {present.span_id}")
        elif what := difference(one, other):
            points.append(Divergence(one.span_id, other.span_id, what))
    diff = metric_diff(a, b)
    return TraceComparison(
        divergence_points=points[:DIVERGENCES_MAX],
        metric_diff=diff,
        summary=_summary(a, b, pairs, points, diff),
        narrative=None,
    )


def difference(a: Step, b: Step) -> str | None:
    """How two matched spans differ in one sentence, the gravest difference only; None when they do not."""
    if a.status != b.status:
        return f"{a.name}: {_state(a)} in a, {_state(b)} in b."
    if a.status == "error" and a.error != b.error:
        return f"{a.name} failed differently: {_quoted(a.error)} in a, {_quoted(b.error)} in b."
    if a.model != b.model:
        return f"{a.name} called {a.model or 'an unnamed model'} in a, {b.model or 'an unnamed model'} in b."
    if a.input != b.input:
        return f"{a.name} was given something else: {_apart(a.input, b.input)}."
    if a.output != b.output:
        return f"{a.name} came back with something else: {_apart(a.output, b.output)}."
    return None


def metric_diff(a: Trace, b: Trace) -> MetricDiff:
    """`b` less `a`. Cost is None where a run has calls without a price: their sums cannot be compared."""
    priced = not a.unpriced_count and not b.unpriced_count
    return MetricDiff(
        cost_diff_usd=round(b.total_cost_usd - a.total_cost_usd, 12) if priced else None,
        duration_diff_ms=None
        if a.duration_ms is None or b.duration_ms is None
        else round(b.duration_ms - a.duration_ms, 6),
        token_diff=b.total_tokens - a.total_tokens,
        span_count_diff=len(b.steps) - len(a.steps),
    )


def _only_in(side: str, step: Step) -> Divergence:
    if side == "a":
        return Divergence(step.span_id, None, f"{step.name} ({step.type}) ran in a only.")
    return Divergence(None, step.span_id, f"{step.name} ({step.type}) ran in b only.")


def _summary(a: Trace, b: Trace, pairs: list[Pair], points: list[Divergence], diff: MetricDiff) -> str:
    matched = sum(1 for one, other in pairs if one and other)
    if not points:
        first = f"Both runs did the same: {matched} spans match, with the same inputs and outputs."
    else:
        same = sum(1 for _ in takewhile(lambda pair: pair[0] and pair[1] and not difference(pair[0], pair[1]), pairs))
        where = f"after {same} equal span{'s' * (same != 1)}" if same else "at the first span"
        first = f"The runs part {where}: {points[0].description} {matched} spans match, {len(points)} differ."
    changes = []
    if diff.duration_diff_ms:
        changes.append(f"{abs(diff.duration_diff_ms) / 1000:.1f} s {_more(diff.duration_diff_ms, 'slower', 'faster')}")
    if diff.token_diff:
        changes.append(f"{abs(diff.token_diff):,} tokens {_more(diff.token_diff, 'more', 'fewer')}")
    if diff.cost_diff_usd:
        changes.append(f"${abs(diff.cost_diff_usd):.6f} {_more(diff.cost_diff_usd, 'dearer', 'cheaper')}")
    ends = f" a ended {a.status}, b {b.status}." if a.status != b.status else ""
    return first + (f" Against a, b is {', '.join(changes)}." if changes else "") + ends


def _more(value: float, up: str, down: str) -> str:
    return up if value > 0 else down


def _state(step: Step) -> str:
    if step.status == "error":
        return f"error ({_quoted(step.error)})"
    return "still running" if step.end is None else step.status


def _quoted(text: str | None) -> str:
    if text is None:
        return "nothing"
    line = " ".join(text.split())
    return f"“{line if len(line) <= QUOTED else line[: QUOTED - 1] + '…'}”"


def _apart(a: str | None, b: str | None) -> str:
    """Both texts from shortly before the first character in which they differ."""
    if a is None or b is None:
        return f"{_quoted(a)} in a, {_quoted(b)} in b"
    at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    begin = max(0, at - QUOTED // 4)
    lead = "…" if begin else ""
    return f"{_quoted(lead + a[begin:])} in a, {_quoted(lead + b[begin:])} in b"
