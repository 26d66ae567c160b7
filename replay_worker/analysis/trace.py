"""A trace as the analyses see it: its spans typed, in order of start, with their place in the tree. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct


class Step(Struct, frozen=True, kw_only=True):
    """One span. Times in epoch seconds; tokens and cost belong to llm_calls, None where nothing usable was sent."""

    span_id: str
    parent_id: str | None
    type: str
    name: str
    status: str
    error: str | None
    start: float
    end: float | None
    duration_ms: float | None
    attributes: Mapping[str, Any]

    @property
    def tokens_input(self) -> int | None:
        return _count(self.attributes.get("llm.tokens.input"))

    @property
    def tokens_output(self) -> int | None:
        return _count(self.attributes.get("llm.tokens.output"))

    @property
    def tokens(self) -> int | None:
        whole = _count(self.attributes.get("llm.tokens.total"))
        if whole is not None:
            return whole
        parts = [n for n in (self.tokens_input, self.tokens_output) if n is not None]
        return sum(parts) if parts else None

    @property
    def cost_usd(self) -> float | None:
        return _number(self.attributes.get("llm.cost_usd"))

    @property
    def model(self) -> str | None:
        model = self.attributes.get("llm.model")
        return model if isinstance(model, str) and model else None

    @property
    def tool(self) -> str:
        """The name of the tool a tool_use calls."""
        name = self.attributes.get("tool.name")
        return name if isinstance(name, str) and name else self.name

    @property
    def input(self) -> str | None:
        """What went in, as text that is equal when the input is; None where nothing was recorded."""
        return self._first("tool.input", "llm.prompt", "shell.command", "browser.url", "file.path", "agent.input")

    @property
    def output(self) -> str | None:
        """What came out, likewise."""
        if self.type == "llm_call":
            said = [self._first("llm.completion"), self._first("llm.tool_calls")]
            return "\n".join(part for part in said if part) or None
        return self._first("tool.output", "shell.stdout", "file.content", "browser.page_title", "agent.output")

    def _first(self, *names: str) -> str | None:
        for name in names:
            value = self.attributes.get(name)
            if value is not None:
                return canonical(value)
        return None


class Trace(Struct, frozen=True, kw_only=True):
    """`steps` by (start, span_id); `total_cost_usd` and `total_tokens` as Beacon rolls them up: each paid call once."""

    trace_id: str
    name: str
    status: str
    start: float
    end: float | None
    duration_ms: float | None
    total_cost_usd: float
    total_tokens: int
    unpriced_count: int
    steps: tuple[Step, ...]

    @property
    def by_id(self) -> dict[str, Step]:
        return {step.span_id: step for step in self.steps}

    @property
    def children(self) -> dict[str | None, list[Step]]:
        """The steps below each span, in order; under None the roots: a step whose parent is not here is one, and so
        is the first step of a ring of parents, which broken clients make."""
        ids = {step.span_id for step in self.steps}
        below: dict[str | None, list[Step]] = {}
        for step in self.steps:
            below.setdefault(step.parent_id if step.parent_id in ids else None, []).append(step)
        reached = {step.span_id for step, _ in _walk(below)}
        for step in self.steps:
            if step.span_id not in reached:
                below[step.parent_id].remove(step)
                below.setdefault(None, []).append(step)
                reached.update(found.span_id for found, _ in _walk(below, [step]))
        return below

    def walk(self) -> Iterator[tuple[Step, int]]:
        """Every step with its depth, parents first, children in order."""
        return _walk(self.children)


def step_of(span: Mapping[str, Any]) -> Step:
    """A span, as query answers it."""
    return Step(
        span_id=span["span_id"],
        parent_id=span["parent_span_id"],
        type=span["span_type"],
        name=span["name"],
        status=span["status"],
        error=span["error_message"],
        start=span["start_time"],
        end=span["end_time"],
        duration_ms=span["duration_ms"],
        attributes=span.get("attributes") or {},
    )


def trace_of(found: Mapping[str, Any]) -> Trace:
    """A trace with its spans, as query answers it."""
    steps = [step_of(span) for span in found["spans"]]
    steps.sort(key=lambda step: (step.start, step.span_id))
    return Trace(
        trace_id=found["trace_id"],
        name=found["name"],
        status=found["status"],
        start=found["start_time"],
        end=found["end_time"],
        duration_ms=found["duration_ms"],
        total_cost_usd=found["total_cost_usd"],
        total_tokens=found["total_tokens"],
        unpriced_count=found.get("unpriced_count", 0),
        steps=tuple(steps),
    )


VALUE_KEPT = 8_000
"""Characters of a value that `slim` keeps at each end."""


def slim(trace: Trace) -> Trace:
    """`trace` without what fills memory when many are looked at together: pictures, and the middle of long texts."""
    steps = tuple(
        msgspec.structs.replace(
            step,
            attributes={
                name: value if not isinstance(value, str) or len(value) <= 2 * VALUE_KEPT else _cut(value)
                for name, value in step.attributes.items()
                if name != "browser.screenshot"
            },
        )
        for step in trace.steps
    )
    return msgspec.structs.replace(trace, steps=steps)


def _cut(value: str) -> str:
    return f"{value[:VALUE_KEPT]} …(left out)… {value[-VALUE_KEPT:]}"


def canonical(value: Any) -> str:
    """Text that is the same for the same JSON value, however its keys were ordered or spaced; JSON inside text, as SDKs
    send it, counts as the value it says."""
    if isinstance(value, str):
        stripped = value.strip()
        if not stripped.startswith(("{", "[")):
            return stripped
        try:
            value = json.loads(stripped)
        except (ValueError, RecursionError):
            return stripped
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _walk(below: Mapping[str | None, list[Step]], begin: list[Step] | None = None) -> Iterator[tuple[Step, int]]:
    # a stack and not recursion: a chain of 5,000 nested spans is a trace like any other
    waiting = [(step, 0) for step in reversed(below.get(None, []) if begin is None else begin)]
    while waiting:
        step, depth = waiting.pop()
        yield step, depth
        waiting.extend((child, depth + 1) for child in reversed(below.get(step.span_id, [])))


def _count(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    return value
