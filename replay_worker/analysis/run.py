"""The kind `analysis`: numbers computed from the runs, words asked of a model, answers checked against both."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

import msgspec

from beacon.contract import llm_records as rec
from beacon.contract.jobs import AnalysisPayload
from beacon.errors import BadRequest
from beacon.pricing import AboveCap
from replay_worker.analysis import answers
from replay_worker.analysis.anomalies import find_anomalies
from replay_worker.analysis.asking import Analyst, ask, find_analyst
from replay_worker.analysis.comparison import compare
from replay_worker.analysis.errors import error_groups, groups_text
from replay_worker.analysis.excerpt import CHARS_MAX, excerpt
from replay_worker.analysis.facts import anomaly_facts, call_text, comparison_facts, cost_facts
from replay_worker.analysis.instructions import messages, new_nonce
from replay_worker.analysis.past import read_past
from replay_worker.analysis.trace import Trace, slim, step_of, trace_of
from replay_worker.work import Work

log = logging.getLogger("beacon.worker")

SPANS_MAX = 20_000
"""Spans of the runs one analysis looks at; at 3 KB each that is 60 MB of a worker's memory."""

T = TypeVar("T")


async def run_analysis(work: Work) -> msgspec.Struct:
    """The answer of the analysis that the payload names. Raises `BadRequest` for a trace or span that is not there and,
    where words are the answer, when no model can be called; `UpstreamFailed` when the model fails."""
    payload = cast("AnalysisPayload", work.payload)
    kind, function = _ANALYSES[payload.analysis]
    return await function(work, msgspec.convert(payload.request, kind))


async def _root_cause(work: Work, request: rec.OneTrace) -> rec.RootCause:
    analyst = await find_analyst(work)
    trace = await _read(work, request.trace_id)
    return await _asked(work, analyst, "root-cause", [trace], "", lambda text: answers.root_cause(text, trace))


async def _summarize(work: Work, request: rec.OneTrace) -> rec.TraceSummaryText:
    analyst = await find_analyst(work)
    trace = await _read(work, request.trace_id)
    return await _asked(work, analyst, "summarize", [trace], "", lambda text: answers.summary(text, trace))


async def _cost_optimization(work: Work, request: rec.SomeTraces) -> rec.CostOptimization:
    analyst = await find_analyst(work)
    traces = await _read_several(work, request.trace_ids)
    facts = await asyncio.to_thread(cost_facts, traces)
    return await _asked(
        work, analyst, "cost-optimization", traces, facts, lambda text: answers.cost_optimization(text, traces)
    )


async def _error_patterns(work: Work, request: rec.SomeTraces) -> rec.ErrorPatterns:
    analyst = await find_analyst(work)
    traces = await _read_several(work, request.trace_ids)
    groups = await asyncio.to_thread(error_groups, traces)
    if not groups:
        return rec.ErrorPatterns([])  # nothing to ask, and nothing to pay
    return await _asked(
        work, analyst, "error-patterns", [], groups_text(groups), lambda text: answers.error_patterns(text, groups)
    )


async def _prompt_suggestions(work: Work, request: rec.OneSpan) -> rec.PromptSuggestions:
    analyst = await find_analyst(work)
    step = step_of(await work.store.get_span(request.span_id, request.trace_id))
    if step.type != "llm_call":
        raise BadRequest(f"The span {step.span_id} is a {step.type}; only an llm_call has a prompt.")
    recorded = step.attributes.get("llm.prompt")
    if not recorded:
        raise BadRequest(f"The span {step.span_id} has no llm.prompt that could be improved.")
    prompt = recorded if isinstance(recorded, str) else json.dumps(recorded, ensure_ascii=False)
    facts = call_text(step, prompt, CHARS_MAX // 2)
    return await _asked(
        work,
        analyst,
        "prompt-suggestions",
        [],
        facts,
        lambda text: answers.prompt_suggestions(text, step.span_id, prompt),
    )


async def _anomalies(work: Work, request: rec.OneTrace) -> rec.Anomalies:
    trace = await _read(work, request.trace_id)
    past = await read_past(work.store, trace)
    found = await asyncio.to_thread(find_anomalies, trace, past)
    if not found:
        return rec.Anomalies(trace.trace_id, found, None)  # of nothing there is nothing to tell
    narrative, reason = await _narrated(work, "anomalies", [trace], anomaly_facts(found))
    return rec.Anomalies(trace.trace_id, found, narrative, reason)


async def _compare(work: Work, request: rec.TwoTraces) -> rec.TraceComparison:
    a, b = await _read(work, request.trace_id_a), await _read(work, request.trace_id_b)
    found = await asyncio.to_thread(compare, a, b)
    found.narrative, found.narrative_reason = await _narrated(work, "compare", [a, b], comparison_facts(found))
    return found


async def _narrated(work: Work, analysis: str, traces: Sequence[Trace], facts: str) -> tuple[str | None, str | None]:
    """Words about numbers that stand without them; else None, and why: no model can be called, or it may cost more than
    the user lets one request cost. Raises `UpstreamFailed` when the model fails."""
    try:
        analyst = await find_analyst(work)
    except BadRequest as e:
        return _without_words(work, e)
    try:
        return await _asked(work, analyst, analysis, traces, facts, answers.narrative), None
    except AboveCap as e:
        return _without_words(work, e)


def _without_words(work: Work, why: BadRequest) -> tuple[None, str]:
    log.info("job %s: numbers without words: %s", work.job_id, why.detail)
    return None, why.detail


_ANALYSES: dict[str, tuple[type[Any], Callable[[Work, Any], Awaitable[msgspec.Struct]]]] = {
    "root-cause": (rec.OneTrace, _root_cause),
    "cost-optimization": (rec.SomeTraces, _cost_optimization),
    "prompt-suggestions": (rec.OneSpan, _prompt_suggestions),
    "anomalies": (rec.OneTrace, _anomalies),
    "error-patterns": (rec.SomeTraces, _error_patterns),
    "compare": (rec.TwoTraces, _compare),
    "summarize": (rec.OneTrace, _summarize),
}


async def _asked(
    work: Work, analyst: Analyst, analysis: str, traces: Sequence[Trace], facts: str, accept: answers.Accept[T]
) -> T:
    nonce = new_nonce()
    # on a thread: a large run takes a second, in which other calls would stand still
    told = await asyncio.to_thread(excerpt, traces, CHARS_MAX - min(len(facts), CHARS_MAX // 2)) if traces else ""
    data = "\n\n".join(part for part in (facts, told) if part)
    return await ask(work, analyst, messages(analysis, data, nonce), accept)


async def _read(work: Work, trace_id: str, spans_left: int = SPANS_MAX) -> Trace:
    """Raises `BadRequest` when there is no such trace, or when it is too large."""
    summary = await work.store.get_trace(trace_id, light=True)
    if summary["span_count"] > spans_left:
        raise BadRequest(
            f"The trace {trace_id} has {summary['span_count']:,} spans; an analysis looks at {SPANS_MAX:,} in all. "
            "Name fewer or smaller traces."
        )
    found = await work.store.get_trace(trace_id)
    return await asyncio.to_thread(trace_of, found)


async def _read_several(work: Work, trace_ids: Sequence[str]) -> list[Trace]:
    """Each trace once, slimmed, one after the other: so that one is in memory whole, and not fifty."""
    traces: list[Trace] = []
    left = SPANS_MAX
    for trace_id in dict.fromkeys(trace_ids):
        trace = slim(await _read(work, trace_id, left))
        left -= len(trace.steps)
        traces.append(trace)
    return traces
