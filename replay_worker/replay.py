"""The kind `replay`: a recorded call, changed as asked, made again `n` times side by side."""

from __future__ import annotations

import asyncio
from typing import cast

from beacon.contract.jobs import Diff, JobError, ReplayDone, ReplayPayload, ReplayRunDone
from beacon.errors import BeaconError
from beacon.keys import Endpoint
from beacon.recorded import recorded_endpoint
from replay_worker.answers import new_output, price_of, require_affordable
from replay_worker.diff import compare
from replay_worker.messages import without_signatures
from replay_worker.providers.calls import ModelCall
from replay_worker.recorded import model_call
from replay_worker.work import Work

ON_A_THREAD = 20_000
"""Characters from which texts are read and compared on a thread: 1 MB takes up to 0.5 s, and other calls are in
flight."""


async def run_replay(work: Work) -> ReplayDone:
    """Every run's answer with its diff, or why it has none. Raises the first run's error when none has an answer, and
    `BadRequest` before any call for what cannot be called again."""
    payload = cast("ReplayPayload", work.payload)
    if len(str(payload.attributes.get("llm.prompt"))) < ON_A_THREAD:
        call = model_call(payload.attributes)
    else:
        call = await asyncio.to_thread(model_call, payload.attributes)
    call.siblings = payload.n
    if payload.other_model:
        call.messages = without_signatures(call.messages)
    endpoint, call.model = recorded_endpoint(work.settings.home, work.environ, payload.attributes)
    if payload.n > 1:
        await require_affordable(work, [(endpoint, call)], payload.n, f"{payload.n} runs of {call.model}")
    runs = await asyncio.gather(*(_run(work, payload, endpoint, call, run) for run in range(payload.n)))
    failures = [run for run in runs if isinstance(run, BeaconError)]
    if len(failures) == len(runs):
        raise failures[0]
    return ReplayDone(
        [ReplayRunDone(error=JobError(run.status, run.detail)) if isinstance(run, BeaconError) else run for run in runs]
    )


async def _run(
    work: Work, payload: ReplayPayload, endpoint: Endpoint, call: ModelCall, run: int
) -> ReplayRunDone | BeaconError:
    try:
        answer = await work.models.call(endpoint, call, (lambda text: work.say(run, text)) if payload.stream else None)
    except BeaconError as e:
        return e
    cost = await price_of(work, endpoint, call, answer)
    return ReplayRunDone(new_output(endpoint, call, answer, cost), await _diff(payload.old_completion, answer.text))


async def _diff(old: str | None, new: str) -> Diff:
    if len(old or "") + len(new) < ON_A_THREAD:
        return compare(old, new)
    return await asyncio.to_thread(compare, old, new)
