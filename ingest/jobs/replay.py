"""The group REPLAY: a recorded llm_call, changed as asked, becomes a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from beacon.config import Settings
from beacon.contract.jobs import ReplayPayload
from beacon.contract.llm_records import ReplayRequest
from beacon.errors import BadRequest, NotFound
from beacon.recorded import asked_model, merged, recorded_endpoint
from beacon.web import Call, Reply
from ingest.database import Transaction
from ingest.jobs.board import NewJob
from ingest.jobs.limits import DEADLINES
from ingest.jobs.requests import JobRequests
from ingest.notes import load_span

LABEL_CHARS = 120


class ReplayHandlers:
    """`environ` may hold provider keys; they are looked for, and go nowhere from here."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], jobs: JobRequests) -> None:
        self._settings = settings
        self._environ = environ
        self._jobs = jobs

    async def replay(self, call: Call) -> Reply:
        body: ReplayRequest = call.body
        return await self._jobs.answer(call, lambda tx: self._job(tx, body), stream=body.stream)

    def _job(self, tx: Transaction, asked: ReplayRequest) -> NewJob:
        """Raises `BadRequest` for what cannot be replayed."""
        try:
            trace_id, span = load_span(tx.db, asked.span_id, asked.trace_id)
        except NotFound as e:
            raise BadRequest(f"Span {asked.span_id} is not stored; name one that is.") from e
        if span.span_type != "llm_call":
            raise BadRequest(f"Span {asked.span_id} is a {span.span_type}; only an llm_call can be replayed.")
        stored: dict[str, Any] = msgspec.json.decode(span.attributes)
        attributes = merged(stored, asked.modified_attributes)
        recorded_endpoint(self._settings.home, self._environ, attributes)
        times = f", {asked.n} times" if asked.n > 1 else ""
        return NewJob(
            kind="replay",
            label=f"Replay of {span.name[:LABEL_CHARS]}{times}",
            payload=ReplayPayload(
                trace_id,
                span.span_id,
                span.name,
                attributes,
                _completion(stored),
                asked.n,
                asked.stream,
                asked_model(attributes) != asked_model(stored),
            ),
            deadline_s=DEADLINES["replay"],
            trace_id=trace_id,
            span_id=span.span_id,
            remember=msgspec.json.encode(asked.modified_attributes),
        )


def _completion(attributes: Mapping[str, Any]) -> str | None:
    """What was recorded as the model's answer, as text."""
    value = attributes.get("llm.completion")
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
