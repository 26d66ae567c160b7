"""A model's answer, made an answer of Beacon's: read, checked against its shape, and against the runs. Pure.

What is wrong is said in a sentence that the model can act on (`Unfit`). Span ids that are in none of the runs are left
out; an answer in which nothing else was named is unfit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from beacon.contract import llm_records as rec
from replay_worker.analysis.errors import ErrorGroup
from replay_worker.analysis.trace import Trace

Text = Annotated[str, Meta(min_length=1, max_length=8_000)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]

SUGGESTIONS_MAX = 20
EVENTS_MAX = 40
EXAMPLES_MAX = 5

T = TypeVar("T")

Accept = Callable[[str], T]
"""Makes an answer of a model's text. Raises `Unfit`."""


class Unfit(ValueError):
    """Why a model's answer cannot be used: a sentence to tell the model."""


class RootCauseSaid(Struct):
    root_cause: Text
    affected_spans: list[str]
    confidence: Annotated[float, Meta(ge=0, le=1)]
    suggested_fix: Text


class CostSaid(Struct):
    suggestions: Annotated[list[rec.CostSuggestion], Meta(max_length=SUGGESTIONS_MAX)]


class PromptSaid(Struct):
    suggestions: Annotated[list[rec.PromptSuggestion], Meta(min_length=1, max_length=SUGGESTIONS_MAX)]


class PatternSaid(Struct):
    pattern_name: Name
    groups: list[str]
    common_root_cause: Text
    category: Name


class PatternsSaid(Struct):
    patterns: list[PatternSaid]


class NarrativeSaid(Struct):
    narrative: Text


class SummarySaid(Struct):
    summary: Text
    key_events: Annotated[list[rec.KeyEvent], Meta(max_length=EVENTS_MAX)]


def root_cause(text: str, trace: Trace) -> rec.RootCause:
    said = read(text, RootCauseSaid)
    spans = _known(said.affected_spans, trace.by_id)
    return rec.RootCause(trace.trace_id, said.root_cause, spans, said.confidence, said.suggested_fix)


def cost_optimization(text: str, traces: Sequence[Trace]) -> rec.CostOptimization:
    """Savings that cannot be (negative, or above what the runs cost) become null."""
    said = read(text, CostSaid)
    cost = sum(trace.total_cost_usd for trace in traces)
    ids = {step.span_id for trace in traces for step in trace.steps}
    suggestions = [
        rec.CostSuggestion(
            one.type,
            one.description,
            one.estimated_savings_usd if 0 <= (one.estimated_savings_usd or 0) <= cost else None,
            _known(one.affected_spans, ids),
        )
        for one in said.suggestions
    ]
    return rec.CostOptimization([trace.trace_id for trace in traces], suggestions)


def prompt_suggestions(text: str, span_id: str, original_prompt: str) -> rec.PromptSuggestions:
    return rec.PromptSuggestions(span_id, original_prompt, read(text, PromptSaid).suggestions)


def error_patterns(text: str, groups: Sequence[ErrorGroup]) -> rec.ErrorPatterns:
    """The model names patterns and says which groups are theirs; how often, and in which runs, is counted here."""
    said = read(text, PatternsSaid)
    left = {group.id: group for group in groups}
    patterns = []
    for one in said.patterns:
        own = [left.pop(name) for name in dict.fromkeys(one.groups) if name in left]
        if own:
            examples = list(dict.fromkeys(trace_id for group in own for trace_id in group.trace_ids))
            count = sum(group.count for group in own)
            patterns.append(
                rec.ErrorPattern(one.pattern_name, count, examples[:EXAMPLES_MAX], one.common_root_cause, one.category)
            )
    if not patterns:
        raise Unfit(f"it names none of the groups {', '.join(group.id for group in groups[:10])}.")
    patterns.sort(key=lambda pattern: -pattern.count)
    return rec.ErrorPatterns(patterns)


def narrative(text: str) -> str:
    return read(text, NarrativeSaid).narrative


def summary(text: str, trace: Trace) -> rec.TraceSummaryText:
    said = read(text, SummarySaid)
    known = _known([event.span_id for event in said.key_events], trace.by_id)
    events = [event for event in said.key_events if event.span_id in known]
    return rec.TraceSummaryText(trace.trace_id, said.summary, events)


def read(text: str, kind: type[T]) -> T:
    """The JSON object in a model's answer, whatever stands around it. Raises `Unfit`."""
    found = _last_object(text)
    if found is None:
        raise Unfit("it holds no JSON object that can be read.")
    try:
        return msgspec.convert(found, kind, strict=False)
    except msgspec.ValidationError as e:
        raise Unfit(f"{e}.") from None


def _last_object(text: str) -> dict[str, Any] | None:
    """Models think aloud before they answer, in braces too: the last object counts, unless it is part of another."""
    decoder = json.JSONDecoder(parse_constant=_no_number)
    found = None
    at = text.find("{")
    tries = 0
    while at >= 0 and tries < OBJECTS_TRIED:
        tries += 1
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            found = value
        at = text.find("{", end)
    return found


OBJECTS_TRIED = 200
"""Braces looked at: an answer of nothing but braces must not take a minute."""


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


def _known(named: Sequence[str], ids: Collection[str]) -> list[str]:
    """The ids that are spans of the runs, each once. Raises `Unfit` when there are others only."""
    known = [span_id for span_id in dict.fromkeys(named) if span_id in ids]
    if named and not known:
        shown = ", ".join(json.dumps(span_id[:60]) for span_id in named[:5])
        raise Unfit(f"{shown} is no span of the data; name spans by the ids that stand after the word span.")
    return known
