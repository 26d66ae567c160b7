"""The spans a job's worker has posted: what is still running when the job ends badly is ended in error."""

from __future__ import annotations

from beacon.contract.jobs import JOB_ID_ATTRIBUTE, Job
from beacon.contract.requests import SpanInput
from beacon.contract.units import seconds_from_ns
from ingest.database import Transaction
from ingest.decode import check_span
from ingest.spans import store

OWN_SPANS = ("chat", "compare", "compare_prompts", "demo")
"""The kinds of job that post spans of their own. A replay names a trace too, but that is somebody else's."""

_RUNNING = (
    "SELECT s.span_id FROM traces t JOIN spans s ON s.trace_row = t.trace_row "
    "JOIN span_attributes a ON a.span_row = s.span_row "
    "WHERE t.trace_id = :trace AND s.end_ns IS NULL AND (s.span_id = :root "
    "OR CASE WHEN json_valid(a.attributes) THEN json_extract(a.attributes, :path) END = :job)"
)
"""A job that names a span made it itself, before there was a job to name: the root of a demo."""


def end_running_spans(tx: Transaction, job: Job, message: str) -> None:
    """End what `job` left running, in error; other turns of the same conversation stay as they are, earlier ones and
    those that run beside it."""
    if job.kind not in OWN_SPANS or job.trace_id is None:
        return
    running = tx.db.execute(
        _RUNNING,
        {"trace": job.trace_id, "root": job.span_id, "job": job.job_id, "path": f'$."{JOB_ID_ATTRIBUTE}"'},
    ).fetchall()
    if not running:
        return
    end = seconds_from_ns(tx.now_ns)
    arrivals = [
        check_span(
            i,
            SpanInput(span_id=span_id, trace_id=job.trace_id, status="error", error_message=message, end_time=end),
        )
        for i, (span_id,) in enumerate(running)
    ]
    store(tx, [arrivals])
