"""The errors of several runs, those that are alike together. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from replay_worker.analysis.excerpt import quoted
from replay_worker.analysis.trace import Step, Trace

GROUPS_MAX = 60
"""Groups a model is asked about, the most frequent ones."""

MESSAGE_CHARS = 400


class ErrorGroup(Struct, frozen=True):
    """`count` errors in the runs `trace_ids`, of which `example` is one."""

    id: str
    count: int
    trace_ids: tuple[str, ...]
    example: Step


def error_groups(traces: Sequence[Trace]) -> list[ErrorGroup]:
    """The errors of `traces` by where they came up and what they say, the most frequent first. An error that went up
    through the spans above counts once, where it began."""
    found: dict[tuple[str, str, str], list[tuple[str, Step]]] = {}
    for trace in traces:
        below: dict[str | None, list[str]] = {}
        for step in trace.steps:
            if step.status == "error":
                below.setdefault(step.parent_id, []).append(step.error or "")
        for step in trace.steps:
            if step.status == "error" and not _passed_on(step.error or "", below.get(step.span_id, [])):
                key = (step.type, step.name, alike(step.error or ""))
                found.setdefault(key, []).append((trace.trace_id, step))
    ranked = sorted(found.values(), key=len, reverse=True)[:GROUPS_MAX]
    return [
        ErrorGroup(f"E{number}", len(same), tuple(dict.fromkeys(trace_id for trace_id, _ in same)), same[0][1])
        for number, same in enumerate(ranked, start=1)
    ]


def groups_text(groups: Sequence[ErrorGroup]) -> str:
    """The groups as a model gets them, one a line."""
    return "\n".join(
        f"{group.id} times={group.count} runs={len(group.trace_ids)} type={group.example.type} "
        f"name={quoted(group.example.name, 120)} message={quoted(group.example.error or '', MESSAGE_CHARS)}"
        for group in groups
    )


def alike(message: str) -> str:
    """`message` without what differs from one time to the next: numbers, ids, quoted values, addresses."""
    text = message[:2_000].lower()
    for pattern, put in _DIFFERS:
        text = pattern.sub(put, text)
    return " ".join(text.split())[:300]


def _passed_on(message: str, below: Sequence[str]) -> bool:
    """Whether a span failed with what a span below it had failed with: programs put words around an error, or only say
    that there was one."""
    said = alike(message)
    return any(not said or inner in said or said in inner for inner in map(alike, below))


_DIFFERS = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{20,24}\b"), "#"),
    (re.compile(r"\b0x[0-9a-f]+\b"), "#"),
    (re.compile(r"https?://[^\s\"'<>]+"), "#"),
    (re.compile(r"\"[^\"\n]{0,200}\"|'[^'\n]{0,200}'"), "#"),
    (re.compile(r"\b(?=[a-z_-]*\d)[a-z0-9_-]{8,}\b"), "#"),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "#"),
)
