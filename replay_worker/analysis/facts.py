"""Figures and findings as a model gets them, before the runs themselves. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from beacon.contract.llm_records import Anomaly, TraceComparison
from replay_worker.analysis.excerpt import quoted
from replay_worker.analysis.trace import Step, Trace

DEAREST_MAX = 10
REPEATED_MAX = 10
FINDING_CHARS = 400


def cost_facts(traces: Sequence[Trace]) -> str:
    """What each model cost, the dearest calls, and prompts that were paid more than once."""
    calls = [(step.cost_usd or 0.0, step) for trace in traces for step in trace.steps if step.type == "llm_call"]
    models: dict[str, list[tuple[float, Step]]] = {}
    prompts: dict[str, list[tuple[float, Step]]] = {}
    for cost, step in calls:
        models.setdefault(step.model or "unknown", []).append((cost, step))
        if step.input is not None:
            prompts.setdefault(f"{step.model} {step.input}", []).append((cost, step))
    lines = [f"all runs: {len(calls)} calls, ${sum(cost for cost, _ in calls):.6f}"]
    lines += [
        f"model {quoted(model, 100)}: {len(same)} calls, ${sum(cost for cost, _ in same):.6f}, "
        f"{sum(step.tokens_input or 0 for _, step in same)} tokens in, "
        f"{sum(step.tokens_output or 0 for _, step in same)} out"
        for model, same in models.items()
    ]
    dearest = sorted(calls, key=lambda call: -call[0])[:DEAREST_MAX]
    lines += [f"dear call: span {step.span_id} ${cost:.6f}" for cost, step in dearest if cost > 0]
    repeated = sorted((same for same in prompts.values() if len(same) > 1), key=len, reverse=True)[:REPEATED_MAX]
    lines += [
        f"same prompt {len(same)} times, ${sum(cost for cost, _ in same[1:]):.6f} after the first: "
        f"spans {' '.join(step.span_id for _, step in same[:8])}"
        for same in repeated
    ]
    return "\n".join(lines)


def anomaly_facts(anomalies: Sequence[Anomaly]) -> str:
    """What was found, one anomaly a line."""
    return "\n".join(
        f"anomaly {one.type} severity={one.severity} span={one.span_id} {quoted(one.description, FINDING_CHARS)}"
        for one in anomalies
    )


def comparison_facts(found: TraceComparison) -> str:
    """What was computed of two runs."""
    diff = found.metric_diff
    lines = [
        f"summary {quoted(found.summary, 2 * FINDING_CHARS)}",
        f"b less a: cost_usd={diff.cost_diff_usd} duration_ms={diff.duration_diff_ms} tokens={diff.token_diff} "
        f"spans={diff.span_count_diff}",
    ]
    lines += [
        f"difference span_a={point.span_a} span_b={point.span_b} {quoted(point.description, FINDING_CHARS)}"
        for point in found.divergence_points[:15]
    ]
    return "\n".join(lines)


def call_text(step: Step, prompt: str, chars_max: int) -> str:
    """One model call whose prompt is to be improved."""
    parts = [
        f"span {step.span_id} {quoted(step.name, 120)} status={step.status} model={quoted(step.model or '', 100)}",
        f"prompt={quoted(prompt, chars_max)}",
    ]
    names = ("llm.completion", "llm.tool_calls", "llm.finish_reason")
    parts += [f"{name}={quoted(step.attributes[name], chars_max // 4)}" for name in names if step.attributes.get(name)]
    if step.error:
        parts.append(f"error={quoted(step.error, chars_max // 4)}")
    return "\n".join(parts)
