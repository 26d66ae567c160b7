"""The kinds `chat`, `compare` and `compare_prompts`: calls from the playground, with real traces, live from the first
moment: an agent_step that runs, an llm_call below it for each model or prompt, then both ended."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from beacon.contract import llm_records as rec
from beacon.contract.jobs import ChatPayload, ComparePayload, ComparePromptsPayload
from beacon.errors import BeaconError, UpstreamFailed
from beacon.keys import Endpoint, route
from replay_worker.answers import metrics, require_affordable
from replay_worker.messages import openai_messages
from replay_worker.providers.calls import ModelCall
from replay_worker.recorded import numbered
from replay_worker.steps import Called, Step
from replay_worker.work import Work

FRAMEWORK = "beacon-playground"


async def run_chat(work: Work) -> rec.ChatResult:
    """One turn of a conversation. Raises what the call raised, after its spans have ended in `error`."""
    payload = cast("ChatPayload", work.payload)
    messages = _messages(payload.system_prompt, payload.messages)
    endpoint, model = route(work.settings.home, work.environ, payload.model, payload.provider)
    call = ModelCall(model=model, messages=messages, tools=payload.tools or None, params=numbered(payload.params))
    step = Step(work, payload.trace_id, "Playground chat", FRAMEWORK, _last_said(messages))
    span = step.child(endpoint, call, f"chat {model}", {"playground.conversation_id": payload.conversation_id})
    async with step:
        called = await span.call((lambda text: work.say(0, text)) if payload.stream else None)
        step.output = called.answer.text
    answer = called.answer
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.tool_calls:
        message["tool_calls"] = answer.tool_calls
    return rec.ChatResult(payload.conversation_id, payload.trace_id, message, metrics(answer, called.cost))


async def run_compare(work: Work) -> rec.CompareResult:
    """The same messages to each model, side by side; one that fails carries its error. Raises `UpstreamFailed` when all
    fail."""
    payload = cast("ComparePayload", work.payload)
    messages = _messages(payload.system_prompt, payload.messages)
    asked: list[tuple[Endpoint, ModelCall] | BeaconError] = []
    for name in payload.models:
        try:
            endpoint, model = route(work.settings.home, work.environ, name)
        except BeaconError as e:
            asked.append(e)
        else:
            asked.append((endpoint, ModelCall(model=model, messages=messages, params=numbered(payload.params))))
    step = Step(work, payload.trace_id, "Playground comparison", FRAMEWORK, _last_said(messages))
    outcomes = await _side_by_side(work, step, asked, [f"chat {name}" for name in payload.models], "model")
    return rec.CompareResult(
        payload.trace_id,
        [
            rec.CompareRun(name, _provider(one), None, None, outcome.detail)
            if isinstance(outcome, BeaconError)
            else rec.CompareRun(name, _provider(one), outcome.answer.text, metrics(outcome.answer, outcome.cost))
            for name, one, outcome in zip(payload.models, asked, outcomes, strict=True)
        ],
    )


async def run_compare_prompts(work: Work) -> rec.ComparePromptsResult:
    """Each prompt to the same model, side by side; errors as in `run_compare`."""
    payload = cast("ComparePromptsPayload", work.payload)
    endpoint, model = route(work.settings.home, work.environ, payload.model)
    asked: list[tuple[Endpoint, ModelCall] | BeaconError] = [
        (
            endpoint,
            ModelCall(
                model=model,
                messages=_messages(payload.system_prompt, [{"role": "user", "content": prompt}]),
                params=numbered(payload.params),
            ),
        )
        for prompt in payload.prompts
    ]
    step = Step(work, payload.trace_id, "Playground prompts", FRAMEWORK, f"{len(payload.prompts)} prompts to {model}")
    step.attributes["playground.test_id"] = payload.test_id
    names = [f"prompt {number}" for number in range(1, len(payload.prompts) + 1)]
    outcomes = await _side_by_side(work, step, asked, names, "prompt")
    return rec.ComparePromptsResult(
        payload.trace_id,
        payload.test_id,
        [
            rec.PromptRun(prompt, None, None, outcome.detail)
            if isinstance(outcome, BeaconError)
            else rec.PromptRun(prompt, outcome.answer.text, metrics(outcome.answer, outcome.cost))
            for prompt, outcome in zip(payload.prompts, outcomes, strict=True)
        ],
    )


async def _side_by_side(
    work: Work, step: Step, asked: list[tuple[Endpoint, ModelCall] | BeaconError], names: list[str], what: str
) -> list[Called | BeaconError]:
    """Make every call at once under `step`. Raises `UpstreamFailed` when none succeeds."""
    calls = [one for one in asked if not isinstance(one, BeaconError)]
    for _, call in calls:
        call.siblings = len(calls)
    await require_affordable(work, calls, 1, f"{len(calls)} calls ({', '.join({call.model for _, call in calls})})")
    spans = [
        one if isinstance(one, BeaconError) else step.child(*one, name) for one, name in zip(asked, names, strict=True)
    ]

    async def outcome(index: int) -> Called | BeaconError:
        span = spans[index]
        if isinstance(span, BeaconError):
            return span
        try:
            return await span.call(lambda text: work.say(index, text))
        except BeaconError as e:
            return e

    async with step:
        outcomes = await asyncio.gather(*map(outcome, range(len(spans))))
        failed = [found.detail for found in outcomes if isinstance(found, BeaconError)]
        if len(failed) == len(outcomes):
            raise UpstreamFailed(f"Every {what} failed; the first: {failed[0]}")
        step.output = f"{len(outcomes) - len(failed)} of {len(outcomes)} answered"
    return outcomes


def _messages(system_prompt: str | None, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Raises `BadRequest` that names the message (of the request) that cannot be sent."""
    checked = openai_messages(messages)
    return [{"role": "system", "content": system_prompt}, *checked] if system_prompt else checked


def _last_said(messages: list[dict[str, Any]]) -> str:
    content = messages[-1].get("content")
    if isinstance(content, list):
        return " ".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)
    return str(content or "")


def _provider(one: tuple[Endpoint, ModelCall] | BeaconError) -> str | None:
    return None if isinstance(one, BeaconError) else one[0].provider
