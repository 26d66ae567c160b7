"""Ingest and query, as a worker needs them: the job board, spans to store, traces to read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal
from urllib.parse import quote, urlencode

import msgspec
from msgspec import UNSET

from beacon.config import Settings
from beacon.contract.jobs import Claim, Claimed, Complete, JobError, Renew, Renewed
from beacon.errors import BadRequest, PartDown
from replay_worker.wire import Answer, Away, Peer

log = logging.getLogger("beacon.worker")

TRY_AGAIN = (429, 502, 503, 504)
"""Statuses that say: not now. A 500 is a bug, and comes back the same; a result is handed in again all the same."""

AGAIN_S = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between attempts while a process is away; the last goes on."""

ANSWER_S = 20.0
"""Seconds a process has for an answer that may be asked for again: a stopped one (SIGSTOP) takes connections and says
nothing."""

CLAIM_S = 600.0
"""A claim is not given up sooner: one that arrived and whose answer nobody heard is a job lost."""

DELIVER_S = 600.0
"""Seconds a result, or spans, are sent again while ingest is away; after that they are lost, with a line in the log."""

LEAVING_S = 20.0
"""The same once this worker has been told to end: where ingest does not come back, the stack is ending too."""

READ_S = 30.0
"""Seconds a read is asked again while query is away."""


class SpansRefused(BadRequest):
    """Ingest does not take the spans: an update of a span whose trace has been deleted."""


class Stack:
    """The stack of `settings`. Implements `replay_worker.work.Store`."""

    def __init__(self, settings: Settings) -> None:
        # apart, so that a renewal never queues behind claims or results
        self._claims = Peer(settings.socket_path("ingest"))
        self._board = Peer(settings.socket_path("ingest"))
        self._ingest = Peer(settings.socket_path("ingest"))
        self._query = Peer(settings.socket_path("query"))
        self._leaving = False

    def leave(self) -> None:
        """From now on an ingest that is away is waited for LEAVING_S only."""
        self._leaving = True

    def close(self) -> None:
        for peer in (self._claims, self._board, self._ingest, self._query):
            peer.close()

    # ------------------------------------------------------------ the job board

    async def announce(self, worker_id: str) -> str | None:
        """Tell ingest that this worker is there; what went wrong, or None."""
        try:
            answer = await self._board.ask("PUT", f"/internal/workers/{worker_id}", timeout=2.0)
        except Away as e:
            return str(e)
        return None if answer.status == 200 else f"it answers {answer.status}"

    async def gone(self) -> None:
        """Returns when ingest has not been there for LEAVING_S seconds."""
        loop = asyncio.get_running_loop()
        seen = loop.time()
        while loop.time() - seen < LEAVING_S:
            try:
                await self._board.ask("GET", "/internal/ingest/health", timeout=ANSWER_S)
                seen = loop.time()
            except Away:
                pass
            await asyncio.sleep(AGAIN_S[-1])

    async def claim(self, job_id: str, worker_id: str) -> Claimed | None:
        """The job, if it was free; None when another has it, it is over, or nobody can be asked."""
        body = msgspec.json.encode(Claim(job_id, worker_id))
        try:
            answer = await self._claims.ask("POST", "/internal/jobs/claim", body, timeout=CLAIM_S)
        except Away as e:
            log.info("job %s could not be claimed (%s)", job_id, e)
            return None
        if answer.status != 200:
            return None
        return msgspec.json.decode(answer.body, type=Claimed)

    async def renew(self, job_id: str, token: str) -> Literal["kept", "cancelled", "away"]:
        """Prolong the lease. `cancelled`: nobody wants the result any more; `away`: ask again."""
        target = f"/internal/jobs/{quote(job_id)}/renew"
        try:
            answer = await self._board.ask("POST", target, msgspec.json.encode(Renew(token)), timeout=ANSWER_S)
        except Away:
            return "away"
        if answer.status in (404, 409):
            return "cancelled"
        if answer.status != 200:
            return "away"
        return "cancelled" if msgspec.json.decode(answer.body, type=Renewed).cancelled else "kept"

    async def complete(self, job_id: str, complete: Complete) -> None:
        """Hand a job's result or error in, again and again while ingest is away: a paid answer must not be lost."""
        body = msgspec.json.encode(complete)
        what = f"the result of job {job_id}"
        try:
            target = f"/internal/jobs/{quote(job_id)}/complete"
            answer = await self._deliver(target, body, what, again=(*TRY_AGAIN, 500))
        except PartDown:
            return
        if answer.status in (200, 404, 409):
            return
        log.error("ingest did not take %s: %d %s", what, answer.status, answer.body[:300].decode("utf-8", "replace"))
        if complete.error is UNSET:
            # else its client would wait for a lease to run out, and read that the worker was lost
            why = f"{len(body):,} bytes are too many" if answer.status == 413 else f"ingest answers {answer.status}"
            detail = f"The model has answered, and may have been paid for, but the answer could not be stored: {why}."
            await self.complete(job_id, Complete(complete.token, error=JobError(502, detail)))

    # ------------------------------------------------------------ spans and traces

    async def post_spans(self, spans: list[dict[str, Any]]) -> None:
        """Store spans as any client would, again and again while ingest is away. Raises `SpansRefused` when one of them
        is not taken, `PartDown` when ingest stayed away."""
        answer = await self._deliver("/v1/spans", msgspec.json.encode({"spans": spans}), "spans")
        said = _decoded(answer)
        if answer.status == 200 and not said.get("rejected"):
            return
        raise SpansRefused(f"Spans were not stored: {said.get('detail') or said.get('errors') or answer.status}")

    async def get_trace(self, trace_id: str, *, light: bool = False) -> dict[str, Any]:
        """The trace with its spans. Raises `BadRequest` when there is none."""
        target = f"/v1/traces/{quote(trace_id, safe='')}" + ("?fields=light" if light else "")
        return await self._read(target, f"The trace {trace_id[:128]} is not there; name one that is stored.")

    async def list_traces(self, **query: str | int) -> list[dict[str, Any]]:
        """A page of trace summaries; `query` as GET /v1/traces has it."""
        found = await self._read("/v1/traces?" + urlencode(query), "These traces cannot be listed as asked.")
        traces: list[dict[str, Any]] = found["traces"]
        return traces

    async def get_span(self, span_id: str, trace_id: str | None = None) -> dict[str, Any]:
        """Raises `BadRequest` when there is none."""
        target = f"/v1/spans/{quote(span_id, safe='')}"
        if trace_id is not None:
            target += "?" + urlencode({"trace_id": trace_id})
        return await self._read(target, f"The span {span_id[:128]} is not there; name one that is stored.")

    # ------------------------------------------------------------ inside

    async def _read(self, target: str, missing: str) -> dict[str, Any]:
        answer = await _again(
            lambda: self._query.ask("GET", target, timeout=ANSWER_S), lambda: READ_S, "query cannot be read"
        )
        if answer.status in (404, 422):
            raise BadRequest(missing)
        if answer.status != 200:
            raise PartDown(f"query answers {answer.status}; try again.")
        found: dict[str, Any] = msgspec.json.decode(answer.body)
        return found

    async def _deliver(self, target: str, body: bytes, what: str, again: tuple[int, ...] = TRY_AGAIN) -> Answer:
        try:
            return await _again(
                lambda: self._ingest.ask("POST", target, body, timeout=ANSWER_S),
                lambda: LEAVING_S if self._leaving else DELIVER_S,
                f"{what} cannot be handed to ingest",
                again,
            )
        except PartDown as e:
            log.error("%s", e.detail)
            raise


async def _again(
    ask: Callable[[], Awaitable[Answer]],
    patience_s: Callable[[], float],
    what: str,
    statuses: tuple[int, ...] = TRY_AGAIN,
) -> Answer:
    """The first answer whose status is none of `statuses`. Raises `PartDown` when there is none within `patience_s`
    seconds."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    attempt = 0
    while True:
        try:
            answer = await ask()
            if answer.status not in statuses:
                return answer
            why = f"it answers {answer.status}"
        except Away as e:
            why = str(e)
        waited = loop.time() - began
        if waited > patience_s():
            raise PartDown(f"{what} ({why}); it was tried for {waited:.0f} s.")
        await asyncio.sleep(AGAIN_S[min(attempt, len(AGAIN_S) - 1)])
        attempt += 1


def _decoded(answer: Answer) -> dict[str, Any]:
    try:
        said = msgspec.json.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}
    return said if isinstance(said, dict) else {}
