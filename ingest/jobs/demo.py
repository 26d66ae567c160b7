"""The group DEMO: the agents there are, and a run of one: root span and job in one transaction, answered at once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping

import msgspec

from beacon import keys
from beacon.config import Settings
from beacon.contract.jobs import DemoPayload
from beacon.contract.llm_records import DemoStarted, RunDemo, Scenario
from beacon.contract.requests import SpanInput
from beacon.scenarios import CARDS, Card, find_card, root_span
from beacon.web import Call, Reply, json_reply
from ingest.decode import check_span
from ingest.jobs.board import NewJob
from ingest.jobs.limits import DEADLINES
from ingest.jobs.requests import JobRequests


class DemoHandlers:
    """Without a key for its provider, an agent runs on a recorded model."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], jobs: JobRequests) -> None:
        self._settings = settings
        self._environ = environ
        self._jobs = jobs

    async def list_scenarios(self, call: Call) -> Reply:
        return json_reply(
            [
                Scenario(card.key, card.name, card.description, card.provider, card.model, self._configured(card))
                for card in CARDS
            ]
        )

    async def run_demo(self, call: Call) -> Reply:
        body: RunDemo = call.body
        card = find_card(body.scenario)
        recorded = not self._configured(card)
        started = await self._jobs.start(call, lambda tx: _job(card, recorded=recorded))
        assert started.job.trace_id is not None
        return json_reply(DemoStarted(started.job.trace_id))

    def _configured(self, card: Card) -> bool:
        found = keys.endpoint(self._settings.home, card.provider, self._environ)
        return found is not None and found.configured


def _job(card: Card, *, recorded: bool) -> NewJob:
    trace_id, span_id = str(uuid.uuid4()), str(uuid.uuid4())
    root = root_span(card, trace_id, span_id, time.time(), recorded=recorded)
    span = msgspec.json.decode(msgspec.json.encode(root), type=SpanInput)
    return NewJob(
        kind="demo",
        label=f"Demo: {card.name}",
        payload=DemoPayload(trace_id, span_id, card.key, recorded),
        deadline_s=DEADLINES["demo"],
        trace_id=trace_id,
        span_id=span_id,
        arrivals=[check_span(0, span)],
    )
