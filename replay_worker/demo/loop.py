"""The loop of a demo agent: ask the model, do what it asks for, tell it what came back, until it answers."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

from beacon.keys import Endpoint
from beacon.scenarios import FRAMEWORK
from replay_worker.answers import answered_attributes, asked_attributes, price_of
from replay_worker.demo.scenario import Scenario
from replay_worker.demo.timeline import AgentFailed, Moment, Timeline
from replay_worker.demo.tools import Deed, Outcome, World, use
from replay_worker.providers.calls import Completion, ModelCall
from replay_worker.work import Caller

STEPS_MAX = 5
"""Calls of the model one run may make."""

TOOL_CALLS_MAX = 8
"""Tool calls of one answer that are done: a model may ask for any number."""

PARAMS = {"temperature": 0.2, "max_tokens": 900}


class Model(NamedTuple):
    """The model an agent runs on."""

    caller: Caller
    endpoint: Endpoint
    name: str


async def run_agent(scenario: Scenario, task: str, model: Model, timeline: Timeline, pace: float) -> str:
    """The agent's answer to `task`. `pace` is the factor on the tools' pauses. Raises `AgentFailed` when it does not
    reach its goal, and what a call of the model raises."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": scenario.instructions},
        {"role": "user", "content": task},
    ]
    world: World = {}
    for number in range(1, STEPS_MAX + 1):
        step = timeline.moment(timeline.root_id, "agent_step", f"step {number}", _named(number))
        async with step:
            said = await _ask(scenario, messages, model, timeline, step)
            messages.append(_said(said))
            if not said.tool_calls:
                step.add({"agent.output": said.text})
                fault = scenario.fault(world)
                if fault is not None:
                    raise AgentFailed(fault)
                return said.text
            if said.text:
                step.add({"agent.thought": said.text})
            messages += await _use_tools(scenario, said, timeline, step, world, pace)
    raise AgentFailed(f"StepLimitReached: no answer after {STEPS_MAX} steps.")


async def _ask(
    scenario: Scenario, messages: list[dict[str, Any]], model: Model, timeline: Timeline, step: Moment
) -> Completion:
    tools = [tool.schema for tool in scenario.tools]
    call = ModelCall(model=model.name, messages=list(messages), tools=tools, params=PARAMS)
    name = f"chat {model.name}"
    async with timeline.moment(step.span_id, "llm_call", name, asked_attributes(model.endpoint, call)) as moment:
        work = timeline.work
        answer = await model.caller.call(model.endpoint, call, lambda text: work.say(0, text))
        moment.add(answered_attributes(answer, await price_of(work, model.endpoint, call, answer)))
        return answer


async def _use_tools(
    scenario: Scenario, said: Completion, timeline: Timeline, step: Moment, world: World, pace: float
) -> list[dict[str, Any]]:
    """The messages that tell the model what its tool calls brought."""
    tools = {tool.name: tool for tool in scenario.tools}
    told = []
    for number, call in enumerate(said.tool_calls):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        if number >= TOOL_CALLS_MAX:
            content = f"Not done: at most {TOOL_CALLS_MAX} tool calls a turn."
        else:
            outcome = use(tools, name, arguments, world)
            content = await _do(name, arguments, outcome, timeline, step, pace)
        told.append({"role": "tool", "tool_call_id": call["id"], "content": content})
    return told


async def _do(name: str, arguments: str, outcome: Outcome, timeline: Timeline, step: Moment, pace: float) -> str:
    """Let a tool's outcome happen, span by span; what the model is told. Raises `AgentFailed` for a fatal one."""
    begun = {"tool.name": name, "tool.input": arguments, "tool.framework": FRAMEWORK}
    tool = timeline.moment(step.span_id, "tool_use", name, begun)
    try:
        async with tool:
            for deed in outcome.deeds:
                await _happen(deed, timeline, tool, pace)
            await asyncio.sleep(outcome.seconds * pace)
            if outcome.error is not None:
                raise AgentFailed(outcome.error)
            output = json.dumps(outcome.output, ensure_ascii=False)
            tool.add({"tool.output": output})
            return output
    except AgentFailed:
        if outcome.fatal:
            raise
        return json.dumps({"error": outcome.error}, ensure_ascii=False)


async def _happen(deed: Deed, timeline: Timeline, tool: Moment, pace: float) -> None:
    try:
        async with timeline.moment(tool.span_id, deed.type, deed.name, deed.given) as moment:
            await asyncio.sleep(deed.seconds * pace)
            moment.add(deed.came)
            if deed.error is not None:
                raise AgentFailed(deed.error)
    except AgentFailed:
        return  # the tool says what it means


def _named(number: int) -> dict[str, Any]:
    return {"agent.step_name": f"step {number}", "agent.framework": FRAMEWORK}


def _said(answer: Completion) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if answer.tool_calls:
        message["tool_calls"] = answer.tool_calls
    return message
