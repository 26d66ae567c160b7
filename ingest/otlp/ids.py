"""Ids of spans as OTLP has them: 16 and 8 bytes, not all zero (trace.proto), here as lower-case hex. Pure."""

from __future__ import annotations

from ingest.separate import SpanWrong

TRACE_DIGITS = 32
SPAN_DIGITS = 16

NO_ID = ""

_NO_TRACE = "0" * TRACE_DIGITS
_NO_SPAN = "0" * SPAN_DIGITS


def check_span_ids(trace_id: str, span_id: str, parent: str) -> tuple[str, str, str | None]:
    """The ids of a span, each hex of any length; an empty or zero parent is None, a root. Raises `SpanWrong`."""
    if len(trace_id) != TRACE_DIGITS or trace_id == _NO_TRACE:
        raise SpanWrong("traceId", wrong(trace_id, TRACE_DIGITS))
    if len(span_id) != SPAN_DIGITS or span_id == _NO_SPAN:
        raise SpanWrong("spanId", wrong(span_id, SPAN_DIGITS))
    if not parent or parent == _NO_SPAN:
        return trace_id, span_id, None
    if len(parent) != SPAN_DIGITS:
        raise SpanWrong("parentSpanId", wrong(parent, SPAN_DIGITS))
    return trace_id, span_id, parent


def record_ids(trace_id: str, span_id: str) -> tuple[str, str]:
    """The ids of a log record; NO_ID for one it does not have, which is usual. Raises `SpanWrong`."""
    if trace_id and len(trace_id) != TRACE_DIGITS:
        raise SpanWrong("traceId", wrong(trace_id, TRACE_DIGITS))
    if span_id and len(span_id) != SPAN_DIGITS:
        raise SpanWrong("spanId", wrong(span_id, SPAN_DIGITS))
    return NO_ID if trace_id == _NO_TRACE else trace_id, NO_ID if span_id == _NO_SPAN else span_id


def wrong(hexadecimal: str, digits: int) -> str:
    """What is wrong with an id."""
    if not hexadecimal:
        return f"is missing; an id of {digits // 2} bytes is needed"
    if not hexadecimal.strip("0"):
        return "is all zeros, which is no id"
    return f"has {len(hexadecimal) // 2} bytes; {digits // 2} are needed"
