"""The kind `demo`: one run of a demo agent, on its real model or on the recorded one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from beacon.contract.jobs import JOB_ID_ATTRIBUTE, DemoPayload
from beacon.errors import UpstreamFailed
from beacon.keys import route
from beacon.scenarios import Card, find_card, root_span
from replay_worker.demo.loop import Model, run_agent
from replay_worker.demo.scenario import load_scenario
from replay_worker.demo.timeline import AgentFailed, Timeline
from replay_worker.stack import SpansRefused
from replay_worker.work import Work


async def run_demo(work: Work) -> dict[str, Any]:
    """Runs the agent below its stored root span, and ends that. `{"trace_id", "status", "error"}`: an agent that fails
    is a demo that worked; `deleted` when its trace was. Raises what a call of the model raises, after the spans have
    ended in `error`."""
    payload = cast("DemoPayload", work.payload)
    card = find_card(payload.scenario)
    recorded = payload.recorded or not await _has_model(work, card)
    begun = root_span(card, payload.trace_id, payload.root_span_id, 0.0, recorded=recorded)
    attributes: dict[str, Any] = {**begun["attributes"], JOB_ID_ATTRIBUTE: work.job_id}
    common = {JOB_ID_ATTRIBUTE: work.job_id} | ({"demo.recorded": True} if recorded else {})
    timeline = Timeline(work, payload.trace_id, payload.root_span_id, common)
    failure: BaseException | None = None
    try:
        async with _model(card, recorded, work) as model:
            answer = await run_agent(load_scenario(card.key), card.task, model, timeline, work.settings.demo_pace)
        attributes = {**attributes, "agent.output": answer}
        return {"trace_id": payload.trace_id, "status": "ok", "error": None}
    except AgentFailed as e:
        failure = e
        return {"trace_id": payload.trace_id, "status": "error", "error": e.detail}
    except SpansRefused:
        return {"trace_id": payload.trace_id, "status": "deleted", "error": None}
    except BaseException as e:
        failure = e
        raise
    finally:
        await timeline.end(payload.root_span_id, attributes, failure)


async def _has_model(work: Work, card: Card) -> bool:
    """Whether the provider's server has the card's model: an Ollama in its place does not, and a first demo that ends
    in "model not found" shows nobody what Beacon is for."""
    endpoint, name = route(work.settings.home, work.environ, card.model, card.provider)
    if not endpoint.local:
        return True
    try:
        return name in await work.models.list_models(endpoint)
    except UpstreamFailed:
        return True  # the call itself says best what is wrong


@asynccontextmanager
async def _model(card: Card, recorded: bool, work: Work) -> AsyncIterator[Model]:
    """The card's model. Raises `BadRequest` when its key has gone since the run was asked for."""
    if recorded:
        # the HTTP client with it: only where a recording is played
        from replay_worker.providers.recorded import recorded_endpoint, recorded_model

        async with recorded_model(card.key, work.settings.demo_pace) as caller:
            yield Model(caller, recorded_endpoint(card.provider), card.model)
    else:
        endpoint, name = route(work.settings.home, work.environ, card.model, card.provider)
        yield Model(work.models, endpoint, name)
