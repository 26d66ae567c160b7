"""Time in which nothing ran. Pure."""

from __future__ import annotations

from msgspec import Struct

from replay_worker.analysis.trace import Step, Trace

GAP_MIN_S = 5.0
SHARE_MIN = 0.3
TIMES_NEXT_MIN = 5.0
"""A run that pauses after every step is one that people or a schedule drive; only a single long pause stands out."""


class Gap(Struct, frozen=True):
    """`seconds` without any span that does work, after `before`, in a run of `of_seconds`."""

    seconds: float
    of_seconds: float
    before: Step


def idle_gap(trace: Trace) -> Gap | None:
    """The one long pause of a run: GAP_MIN_S or more, SHARE_MIN of the run, TIMES_NEXT_MIN times the next longest.

    Spans that hold others do not count as work: an agent's root runs through every pause.
    """
    parents = {step.parent_id for step in trace.steps}
    leaves = [step for step in trace.steps if step.span_id not in parents]
    if len(leaves) < 3 or any(step.end is None for step in leaves):
        return None
    gaps: list[Gap] = []
    busy_until, last = leaves[0].end or leaves[0].start, leaves[0]
    whole = max(step.end or step.start for step in leaves) - leaves[0].start
    for step in leaves[1:]:
        if step.start > busy_until:
            gaps.append(Gap(step.start - busy_until, whole, last))
        if step.end is not None and step.end > busy_until:
            busy_until, last = step.end, step
    gaps.sort(key=lambda gap: gap.seconds, reverse=True)
    if not gaps or gaps[0].seconds < GAP_MIN_S or gaps[0].seconds < SHARE_MIN * whole:
        return None
    if len(gaps) > 1 and gaps[0].seconds < TIMES_NEXT_MIN * gaps[1].seconds:
        return None
    return gaps[0]
