"""Times of spans as OTLP has them: nanoseconds since 1970, unsigned 64 bits on the wire, signed in SQLite. Pure."""

from __future__ import annotations

from ingest.separate import SpanWrong

TIME_MAX_NS = 2**63 - 1


def check_times(start_ns: int, end_ns: int) -> tuple[int, int | None]:
    """Start and end; None for a span that has not ended (0). Raises `SpanWrong`."""
    if not 0 <= start_ns <= TIME_MAX_NS:
        raise SpanWrong("startTimeUnixNano", _TOO_LATE)
    if not 0 <= end_ns <= TIME_MAX_NS:
        raise SpanWrong("endTimeUnixNano", _TOO_LATE)
    return start_ns, end_ns or None


_TOO_LATE = "must be nanoseconds since 1970, at most those of the year 2262"
