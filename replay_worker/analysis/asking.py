"""Which model an analysis asks, and the asking: one more time when the answer cannot be used, and not again."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple, TypeVar

from beacon.errors import BadRequest, UpstreamFailed
from beacon.keys import Endpoint, endpoints, route
from replay_worker.analysis.answers import Accept, Unfit
from replay_worker.analysis.instructions import asked_again
from replay_worker.answers import require_affordable
from replay_worker.providers.calls import ModelCall
from replay_worker.work import Work

log = logging.getLogger("beacon.worker")

DEFAULT_MODELS = {"openai": "gpt-4.1-mini", "anthropic": "claude-haiku-4-5", "google": "gemini-2.5-flash"}
"""The model asked where BEACON_ANALYSIS_MODEL names none, by the first of these providers that has a key."""

ANSWER_TOKENS = 4_096
"""An answer has about 500; models that reason first need the rest."""

ANSWER_CHARS_SHOWN = 4_000
"""Characters of an unusable answer that are sent back with what was wrong."""

T = TypeVar("T")


class Analyst(NamedTuple):
    """The model that is asked."""

    endpoint: Endpoint
    model: str


async def find_analyst(work: Work) -> Analyst:
    """The model of BEACON_ANALYSIS_MODEL, else a sensible one of the first provider that can be called. Raises
    `BadRequest` when there is none."""
    settings = work.settings
    if settings.analysis_model:
        return Analyst(*route(settings.home, work.environ, settings.analysis_model))
    configured = [found for found in endpoints(settings.home, work.environ) if found.configured]
    for found in configured:
        if found.provider in DEFAULT_MODELS and not found.local:
            return Analyst(found, DEFAULT_MODELS[found.provider])
    for found in configured:
        try:
            listed = await work.models.list_models(found)
        except UpstreamFailed as e:
            log.info("job %s: %s cannot be asked: %s", work.job_id, found.provider, e.detail)
            continue
        if listed:
            default = DEFAULT_MODELS.get(found.provider)
            return Analyst(found, default if default in listed else listed[0])
    raise BadRequest(
        "An analysis asks a model, and none can be called, or answers: save an API key or a local server in the "
        "settings (PUT /v1/settings/api-keys), or set BEACON_ANALYSIS_MODEL."
    )


async def ask(work: Work, analyst: Analyst, messages: list[dict[str, Any]], accept: Accept[T]) -> T:
    """What `accept` makes of the model's answer; an answer it cannot use is asked for once more with the reason. Raises
    `UpstreamFailed` when that one cannot be used either, `AboveCap` when both may cost more than the spend cap."""
    endpoint, model = analyst
    call = _call(analyst, messages)
    await require_affordable(work, [(endpoint, call)], 2, f"This analysis by {model}")
    for attempt in (1, 2):
        answer = await work.models.call(endpoint, call)
        try:
            return accept(answer.text)
        except Unfit as e:
            why = str(e)
        if answer.finish_reason == "length":
            why = f"it was cut off after {answer.tokens_output or ANSWER_TOKENS} tokens; be briefer."
        log.info("job %s: attempt %d of the analysis cannot be used: %s", work.job_id, attempt, why)
        call = _call(analyst, asked_again(messages, answer.text[:ANSWER_CHARS_SHOWN], why))
    raise UpstreamFailed(f"{model} of {endpoint.provider} was asked twice and gave no usable answer: {why}")


def _call(analyst: Analyst, messages: list[dict[str, Any]]) -> ModelCall:
    # compatible servers differ in what they take; these two have a mode for JSON
    json_mode = {"type": "json_object"} if analyst.endpoint.provider in ("openai", "google") else None
    return ModelCall(
        model=analyst.model, messages=messages, response_format=json_mode, params={"max_tokens": ANSWER_TOKENS}
    )
