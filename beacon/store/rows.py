"""Rows of traces.db as the contract's records: the column lists and the pure functions that belong together.

`attributes` is read with CAST(... AS BLOB): bytes go from the file into the answer without becoming a `str` on the
way (a trace of 500 spans is 1.6 MB).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from beacon.called_models import names
from beacon.contract.jobs import Job, JobError
from beacon.contract.records import Span, TraceSummary
from beacon.contract.units import duration_ms, seconds_from_ns, usd_from_pico

SPAN_COLUMNS = (
    "s.span_id, t.trace_id, s.parent_span_id, s.span_type, s.name, s.status, s.error_message, s.start_ns, s.end_ns, "
    "CAST(a.attributes AS BLOB), CAST(s.annotations AS BLOB), s.sdk_language, s.interrupted"
)
"""For `FROM spans s JOIN traces t USING (trace_row) JOIN span_attributes a USING (span_row)`."""

TRACE_COLUMNS = (
    "t.trace_id, t.name, t.start_ns, t.end_ns, t.span_count, t.status, t.cost_pico, t.tokens, "
    "CAST(t.tags AS BLOB), t.sdk_language, t.session_id, t.error_count, t.running_count, t.unpriced_count, "
    "t.created_ns, t.interrupted_count, t.models"
)
"""For `FROM traces t`."""


def span_of(row: Sequence[Any]) -> Span:
    """A row of SPAN_COLUMNS as a Span."""
    start_ns, end_ns = row[7], row[8]
    return Span(
        row[0],
        row[1],
        row[2],
        row[3],
        row[4],
        row[5],
        row[6],
        seconds_from_ns(start_ns),
        None if end_ns is None else seconds_from_ns(end_ns),
        duration_ms(start_ns, end_ns),
        Raw(row[9]),
        Raw(row[10]),
        row[11],
        bool(row[12]),
    )


def trace_of(row: tuple[Any, ...]) -> TraceSummary:
    """A row of TRACE_COLUMNS as a TraceSummary."""
    start_ns, end_ns = row[2], row[3]
    return TraceSummary(
        row[0],
        row[1],
        seconds_from_ns(start_ns),
        None if end_ns is None else seconds_from_ns(end_ns),
        duration_ms(start_ns, end_ns),
        row[4],
        row[5],
        usd_from_pico(row[6]),
        row[7],
        Raw(row[8]),
        row[9],
        row[10],
        row[11],
        row[12],
        row[13],
        seconds_from_ns(row[14]),
        row[15],
        names(row[16]),
    )


JOB_COLUMNS = (
    "j.job_id, j.kind, j.state, j.label, j.trace_id, j.span_id, j.worker_id, j.created_ns, j.started_ns, "
    "j.finished_ns, j.error"
)
"""For `FROM jobs j`."""

_decode_error = msgspec.json.Decoder(JobError).decode


def job_of(row: tuple[Any, ...]) -> Job:
    """A row of JOB_COLUMNS as a Job."""
    return Job(
        job_id=row[0],
        kind=row[1],
        state=row[2],
        label=row[3],
        trace_id=row[4],
        span_id=row[5],
        worker_id=row[6],
        created_at=seconds_from_ns(row[7]),
        started_at=None if row[8] is None else seconds_from_ns(row[8]),
        finished_at=None if row[9] is None else seconds_from_ns(row[9]),
        error=None if row[10] is None else _decode_error(row[10]),
    )
