"""A trace's row as a function of its spans, kept by deltas. Pure.

Counts and sums move by what changed, at constant cost however long the trace is (rolling up 5,000 wide rows takes
10.5 ms). Extremes (first start, last end, the span that names the trace, the session) follow an insert at once; only an
update that takes away a current extreme needs the spans again, and `apply_change` says so. The sums count every call;
what is counted twice where calls nest is taken off by `cover`.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Raw, Struct

from beacon import called_models
from beacon.contract.records import TraceSummary
from beacon.contract.units import duration_ms, seconds_from_ns, usd_from_pico
from ingest.merge import SpanState
from ingest.nesting import Sums, covered, node_of


class TraceState(Struct, array_like=True, gc=False):
    """One row of `traces`, in column order; as JSON an array."""

    trace_row: int
    trace_id: str
    name: str
    status: str
    start_ns: int
    end_ns: int | None
    span_count: int
    error_count: int
    unset_count: int
    running_count: int
    interrupted_count: int
    unpriced_count: int
    cost_pico: int
    tokens: int
    head_is_root: int
    head_start_ns: int
    head_span_id: str
    session_id: str | None
    session_start_ns: int | None
    session_span_id: str | None
    sdk_language: str | None
    service: str | None
    tags: str
    created_ns: int
    created_seq: int
    seq: int
    seen_ns: int
    edited_seq: int | None
    models: str


def new_trace(trace_row: int, trace_id: str, first: SpanState, created_ns: int) -> TraceState:
    """The row of a trace whose only span is `first`; its seqs are 0 until the writer gives them."""
    trace = TraceState(
        trace_row, trace_id, "", "ok", first.start_ns, None, 0, 0, 0, 0, 0, 0, 0, 0,
        0, first.start_ns, first.span_id, None, None, None, None, None, "{}", created_ns, 0, 0, created_ns, None,
        called_models.NONE,
    )  # fmt: skip
    _take_head(trace, first)
    add(trace, first)
    return trace


def add(trace: TraceState, span: SpanState) -> None:
    """Take a new span into the row."""
    _count(trace, span, 1)
    _extend(trace, span)
    if span.model is not None:
        trace.models = called_models.with_call(trace.models, span.model)


def apply_change(trace: TraceState, before: SpanState, after: SpanState) -> bool:
    """Take a span's change into the row. True when an extreme may have gone: then call `set_extremes`."""
    _count(trace, before, -1)
    _count(trace, after, 1)
    if _loses_model(trace, before, after) or _loses_extreme(trace, before, after):
        return True
    _extend(trace, after)
    return False


def set_extremes(trace: TraceState, spans: Iterable[SpanState]) -> None:
    """Find first start, last end, head, session and models anew, from all spans of the trace (at least one)."""
    all_spans = list(spans)
    first = all_spans[0]
    trace.start_ns = first.start_ns
    trace.end_ns = None
    trace.models = called_models.NONE
    trace.session_id = trace.session_start_ns = trace.session_span_id = None
    _take_head(trace, first)
    for span in all_spans:
        _extend(trace, span)
        if span.model is not None:
            trace.models = called_models.with_call(trace.models, span.model)


def from_scratch(trace_row: int, trace_id: str, spans: Iterable[SpanState], created_ns: int) -> TraceState:
    """The row of a trace with these spans (at least one): what the deltas must always equal."""
    all_spans = list(spans)
    trace = new_trace(trace_row, trace_id, all_spans[0], created_ns)
    for span in all_spans[1:]:
        add(trace, span)
    cover(trace, covered(map(node_of, all_spans)))
    return trace


def cover(trace: TraceState, more: Sums) -> None:
    """Take off what calls add that nest around others (ingest/nesting.py)."""
    trace.tokens -= more.tokens
    trace.cost_pico -= more.cost_pico
    trace.unpriced_count -= more.unpriced


def trace_record(t: TraceState) -> TraceSummary:
    """`t` as the contract's TraceSummary."""
    return TraceSummary(
        trace_id=t.trace_id,
        name=t.name,
        start_time=seconds_from_ns(t.start_ns),
        end_time=None if t.end_ns is None else seconds_from_ns(t.end_ns),
        duration_ms=duration_ms(t.start_ns, t.end_ns),
        span_count=t.span_count,
        status=t.status,  # type: ignore[arg-type]
        total_cost_usd=usd_from_pico(t.cost_pico),
        total_tokens=t.tokens,
        tags=Raw(t.tags.encode()),
        sdk_language=t.sdk_language,
        session_id=t.session_id,
        error_count=t.error_count,
        running_count=t.running_count,
        unpriced_count=t.unpriced_count,
        created_at=seconds_from_ns(t.created_ns),
        interrupted_count=t.interrupted_count,
        models=called_models.names(t.models),
    )


def _count(trace: TraceState, span: SpanState, by: int) -> None:
    trace.span_count += by
    if span.status == "error":
        trace.error_count += by
    elif span.status == "unset":
        trace.unset_count += by
    if span.end_ns is None:
        if span.interrupted:
            trace.interrupted_count += by
        else:
            trace.running_count += by
    if span.span_type == "llm_call":
        trace.tokens += by * (span.tokens or 0)
        if span.cost_pico is not None:
            trace.cost_pico += by * span.cost_pico
        elif span.tokens:
            trace.unpriced_count += by
    trace.status = "error" if trace.error_count else "unset" if trace.unset_count else "ok"


def _extend(trace: TraceState, span: SpanState) -> None:
    """Let `span` move the extremes outward."""
    start_ns = span.start_ns
    if start_ns < trace.start_ns:
        trace.start_ns = start_ns
    if span.end_ns is not None and (trace.end_ns is None or span.end_ns > trace.end_ns):
        trace.end_ns = span.end_ns
    is_root = span.parent_span_id is None
    if is_root == bool(trace.head_is_root):
        if (start_ns, span.span_id) <= (trace.head_start_ns, trace.head_span_id):
            _take_head(trace, span)
    elif is_root:
        _take_head(trace, span)
    if span.session_id is not None and (
        trace.session_start_ns is None
        or trace.session_span_id is None
        or (start_ns, span.span_id) <= (trace.session_start_ns, trace.session_span_id)
    ):
        trace.session_id = span.session_id
        trace.session_start_ns = start_ns
        trace.session_span_id = span.span_id


def _take_head(trace: TraceState, span: SpanState) -> None:
    trace.head_is_root = int(span.parent_span_id is None)
    trace.head_start_ns = span.start_ns
    trace.head_span_id = span.span_id
    trace.name = span.name
    trace.sdk_language = span.sdk_language
    trace.service = span.service


def _loses_model(trace: TraceState, before: SpanState, after: SpanState) -> bool:
    """Take a call's change of model into the row. True when the models have to be counted anew."""
    if before.model == after.model:
        return False
    if before.model is not None:
        left = called_models.without_call(trace.models, before.model)
        if left is None:
            return True
        trace.models = left
    if after.model is not None:
        trace.models = called_models.with_call(trace.models, after.model)
    return False


def _loses_extreme(trace: TraceState, before: SpanState, after: SpanState) -> bool:
    """Whether `before` held an extreme that `after` gives up: then another span may hold it now."""
    later = after.start_ns > before.start_ns
    if later and before.start_ns == trace.start_ns:
        return True
    if (
        before.end_ns is not None
        and before.end_ns == trace.end_ns
        and (after.end_ns is None or after.end_ns < before.end_ns)
    ):
        return True
    loses_root = before.parent_span_id is None and after.parent_span_id is not None
    if before.span_id == trace.head_span_id and (later or loses_root):
        return True
    return before.span_id == trace.session_span_id and (later or after.session_id is None)
