"""The group ANALYSIS: each analysis is a job over traces that are stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import Struct

from beacon import keys
from beacon.config import Settings
from beacon.contract.jobs import AnalysisPayload
from beacon.contract.llm_records import OneSpan
from beacon.errors import BadRequest, NotFound
from beacon.web import Call, Reply
from ingest.database import Transaction
from ingest.jobs.board import NewJob
from ingest.jobs.limits import DEADLINES
from ingest.jobs.requests import JobRequests
from ingest.notes import load_span

NUMBERS_ALONE = ("anomalies", "compare")
"""Analyses that compute their figures themselves, and without a key answer with those."""


class AnalysisHandlers:
    """`environ` may hold provider keys; they are looked for, and go nowhere from here."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], jobs: JobRequests) -> None:
        self._settings = settings
        self._environ = environ
        self._jobs = jobs

    async def root_cause(self, call: Call) -> Reply:
        return await self._of_traces(call, [call.body.trace_id])

    async def cost_optimization(self, call: Call) -> Reply:
        return await self._of_traces(call, call.body.trace_ids)

    async def prompt_suggestions(self, call: Call) -> Reply:
        body: OneSpan = call.body

        def look(tx: Transaction) -> str:
            try:
                trace_id, span = load_span(tx.db, body.span_id, body.trace_id)
            except NotFound as e:
                raise BadRequest(f"Span {body.span_id} is not stored; name one that is.") from e
            if span.span_type != "llm_call":
                raise BadRequest(f"Span {body.span_id} is a {span.span_type}; only an llm_call has a prompt.")
            return trace_id

        return await self._answer(call, look, body.span_id)

    async def anomalies(self, call: Call) -> Reply:
        return await self._of_traces(call, [call.body.trace_id])

    async def error_patterns(self, call: Call) -> Reply:
        return await self._of_traces(call, call.body.trace_ids)

    async def compare_traces(self, call: Call) -> Reply:
        return await self._of_traces(call, [call.body.trace_id_a, call.body.trace_id_b])

    async def summarize(self, call: Call) -> Reply:
        return await self._of_traces(call, [call.body.trace_id])

    async def _of_traces(self, call: Call, trace_ids: Sequence[str]) -> Reply:
        def look(tx: Transaction) -> str:
            require_traces(tx.db, trace_ids)
            return trace_ids[0]

        return await self._answer(call, look)

    async def _answer(self, call: Call, look: Callable[[Transaction], str], span_id: str | None = None) -> Reply:
        analysis = call.operation.path.rpartition("/")[2]
        body: Struct = call.body

        def build(tx: Transaction) -> NewJob:
            trace_id = look(tx)
            if analysis not in NUMBERS_ALONE:
                self._require_model()
            return NewJob(
                kind="analysis",
                label=f"Analysis: {analysis.replace('-', ' ')}",
                payload=AnalysisPayload(analysis, msgspec.to_builtins(body)),
                deadline_s=DEADLINES["analysis"],
                trace_id=trace_id,
                span_id=span_id,
            )

        return await self._jobs.answer(call, build)

    def _require_model(self) -> None:
        """Raises `BadRequest` unless there is a model to ask."""
        model = self._settings.analysis_model
        if model is not None:
            keys.route(self._settings.home, self._environ, model)
        elif not any(found.configured for found in keys.endpoints(self._settings.home, self._environ)):
            raise BadRequest(
                "There is no API key, and no model server on this machine is saved: save one in the settings "
                "(PUT /v1/settings/api-keys)."
            )


def require_traces(db: sqlite3.Connection, trace_ids: Sequence[str]) -> None:
    """Raises `BadRequest` naming the first that is not stored."""
    wanted = list(dict.fromkeys(trace_ids))
    found = db.execute(
        "SELECT trace_id FROM traces WHERE trace_id IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(wanted).decode(),),
    )
    stored = {trace_id for (trace_id,) in found}
    missing = [trace_id for trace_id in wanted if trace_id not in stored]
    if missing:
        raise BadRequest(f"Trace {missing[0]} is not stored; name one that is.")
