"""What a kind of job gets to do its work with, and what it may raise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec import Struct

from beacon.config import Settings
from beacon.keys import Endpoint
from replay_worker.providers.calls import Completion, ModelCall


class Caller(Protocol):
    """Calls models (`replay_worker.providers.client.Providers`)."""

    async def call(
        self, endpoint: Endpoint, call: ModelCall, on_text: Callable[[str], None] | None = None
    ) -> Completion:
        """The model's answer; `on_text` gets its text as it comes. Raises `UpstreamFailed` and `BadRequest`."""
        ...

    async def list_models(self, endpoint: Endpoint) -> list[str]:
        """The models a server says it has. Raises `UpstreamFailed`."""
        ...


class Store(Protocol):
    """Ingest and query, over their sockets (`replay_worker.stack.Stack`)."""

    async def post_spans(self, spans: list[dict[str, Any]]) -> None:
        """Store spans as any client would, again and again while ingest is away."""
        ...

    async def get_trace(self, trace_id: str, *, light: bool = False) -> dict[str, Any]:
        """The trace with its spans. Raises `BadRequest` when there is none."""
        ...

    async def get_span(self, span_id: str, trace_id: str | None = None) -> dict[str, Any]:
        """Raises `BadRequest` when there is none."""
        ...

    async def list_traces(self, **query: str | int) -> list[dict[str, Any]]:
        """Summaries, newest first; `query` as GET /v1/traces takes it."""
        ...


@dataclass(slots=True)
class Work:
    """One claimed job. `payload` is of the kind's type (beacon.contract.jobs.PAYLOADS); `say(run, text)` passes text on
    as it comes; cancelling the job cancels the task the work runs in."""

    job_id: str
    payload: Struct
    settings: Settings
    environ: Mapping[str, str]
    models: Caller
    store: Store
    say: Callable[[int, str], None]


Kind = Callable[[Work], Awaitable[Struct | list[Any] | dict[str, Any]]]
"""Does a job; returns its result, or raises a BeaconError whose status and detail the waiting client gets."""
