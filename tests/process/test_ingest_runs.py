"""ingest alone: spans whose program has ended, or fallen silent, without a word."""

from __future__ import annotations

from typing import Any

from tests.process.test_ingest_spans import post, rows
from tests.processes import Process, short_home, span, wait_for


def otlp(run_id: str, span_id: str, end: bool) -> dict[str, Any]:
    one = {"traceId": "a" * 32, "spanId": span_id, "name": "n", "startTimeUnixNano": "1790000000000000000"}
    if end:
        one["endTimeUnixNano"] = "1790000001000000000"
    resource = {"attributes": [{"key": "beacon.run_id", "value": {"stringValue": run_id}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [one]}]}]}


def test_the_end_of_a_run_is_told_and_answered() -> None:
    with short_home() as home, Process("ingest", home) as ingest:
        for span_id, end in (("1" * 16, True), ("2" * 16, False)):
            assert ingest.ask("POST", "/v1/traces", otlp("run-1", span_id, end)).status == 200
        answer = ingest.ask("POST", "/internal/runs/run-1/end")
        assert answer.status == 200
        assert answer.json == {"interrupted": 1, "trace_count": 1, "trace_ids": ["a" * 32]}
        assert rows(home, "SELECT span_id FROM spans WHERE interrupted = 2") == [("2" * 16,)]
        nobody = ingest.ask("POST", "/internal/runs/unknown/end")
        assert nobody.json == {"interrupted": 0, "trace_count": 0, "trace_ids": []}


def test_a_silent_trace_is_found_without_being_asked() -> None:
    with short_home() as home, Process("ingest", home, BEACON_STALE_AFTER="0.5") as ingest:
        post(ingest, span("open", end_time=None, status="unset"), span("closed"))
        wait_for(
            lambda: rows(home, "SELECT running_count, interrupted_count FROM traces") == [(0, 1)],
            "the sweep to find it",
        )
        post(ingest, span("open"))
        assert rows(home, "SELECT running_count, interrupted_count FROM traces") == [(0, 0)]
