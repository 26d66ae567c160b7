"""Steps that were done again and brought nothing new. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from replay_worker.analysis.trace import Step

ROUNDS_MIN = 3
"""Twice the same may be a check; three times with the same answer is a loop."""

PERIOD_MAX = 3
"""A, A, A and A, B, A, B, A, B and three in turn: what agents that are stuck do."""

TRIES_MIN = 2


class Loop(Struct, frozen=True):
    """`rounds` times the same steps, one after the other; `steps` are all of them."""

    rounds: int
    steps: tuple[Step, ...]


def find_loops(steps: Sequence[Step]) -> Iterator[Loop]:
    """Tool calls that repeat ROUNDS_MIN times or more with equal input and equal output, each round begun after the one
    before had ended, with no other tool call in between.

    A tool that answers differently each time is being waited for, and calls at the same time are a fan-out; neither is
    a loop. A call whose input or output was not recorded is like no other.
    """
    calls = [step for step in steps if step.type == "tool_use"]
    keys = [_what_was_learned(step) for step in calls]
    at = 0
    while at < len(calls):
        best = max(
            ((_rounds(calls, keys, at, period), period) for period in range(1, PERIOD_MAX + 1)),
            key=lambda found: (found[0] * found[1] if found[0] >= ROUNDS_MIN else 0, -found[1]),
        )
        rounds, period = best
        if rounds >= ROUNDS_MIN:
            yield Loop(rounds, tuple(calls[at : at + rounds * period]))
            at += rounds * period
        else:
            at += 1


def find_vain_retries(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """The tries of each call (same type, name and input) that failed TRIES_MIN times or more and never succeeded."""
    tries: dict[tuple[str, str, str], list[Step]] = {}
    for step in steps:
        if step.type in ("tool_use", "llm_call", "shell_command") and step.input is not None:
            tries.setdefault((step.type, step.name, step.input), []).append(step)
    for same in tries.values():
        failed = [step for step in same if step.status == "error"]
        if len(failed) >= TRIES_MIN and len(failed) == len(same) and _one_after_another(same):
            yield failed


def _what_was_learned(step: Step) -> tuple[str, str, str] | None:
    given, came = step.input, step.output if step.status != "error" else step.error
    return None if given is None or came is None else (step.tool, given, came)


def _rounds(calls: Sequence[Step], keys: Sequence[tuple[str, str, str] | None], at: int, period: int) -> int:
    """How often the `period` calls at `at` come in a row; 0 when they are not known well enough to compare."""
    pattern = keys[at : at + period]
    if len(pattern) < period or None in pattern or (period > 1 and len(set(pattern)) == 1):
        return 0
    rounds = 1
    while keys[at + rounds * period : at + (rounds + 1) * period] == pattern:
        before = calls[at + (rounds - 1) * period : at + rounds * period]
        after = calls[at + rounds * period : at + (rounds + 1) * period]
        # what runs side by side in one round (a model asks for two tools at once) may; rounds may not
        if not all(step.end is not None and step.end <= after[0].start for step in before):
            break
        rounds += 1
    return rounds


def _one_after_another(steps: Sequence[Step]) -> bool:
    return all(earlier.end is not None and later.start >= earlier.end for earlier, later in pairwise(steps))
