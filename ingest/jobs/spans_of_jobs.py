"""The spans a job's worker has posted: what is still running when the job ends badly is ended in error."""

from __future__ import annotations

from beacon.contract.jobs import Job
from beacon.contract.requests import SpanInput
from beacon.contract.units import ns_from_seconds, seconds_from_ns
from ingest.database import Transaction
from ingest.decode import check_span
from ingest.spans import store

OWN_SPANS = ("chat", "compare", "compare_prompts", "demo")
"""The kinds of job that post spans of their own. A replay names a trace too, but that is somebody else's."""


def end_running_spans(tx: Transaction, job: Job, message: str) -> None:
    """End what `job` left running, in error; earlier turns of the same conversation stay as they are."""
    if job.kind not in OWN_SPANS or job.trace_id is None:
        return
    running = tx.db.execute(
        "SELECT s.span_id FROM traces t JOIN spans s ON s.trace_row = t.trace_row "
        "WHERE t.trace_id = ? AND s.end_ns IS NULL AND s.created_ns >= ?",
        (job.trace_id, ns_from_seconds(job.created_at) - 1_000),  # seconds as a float are exact to 0.3 us
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
    _, changes = store(tx.db, tx.counters, [arrivals], tx.now_ns)
    tx.changes.traces_updated += changes.traces_updated
    tx.changes.spans += changes.spans
