"""A step that calls models, as spans that anybody can watch: stored running before the first call, ended after it."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple

from beacon.contract.jobs import JOB_ID_ATTRIBUTE
from beacon.errors import BeaconError
from beacon.keys import Endpoint
from beacon.pricing import Price
from replay_worker.answers import answered_attributes, asked_attributes, price_of
from replay_worker.providers.calls import Completion, ModelCall
from replay_worker.stack import SpansRefused
from replay_worker.work import Work

log = logging.getLogger("beacon.worker")

Span = dict[str, Any]


class Called(NamedTuple):
    answer: Completion
    cost: Price


class Step:
    """An agent_step in the trace `trace_id` with an llm_call for each `child`; a context in which the calls are made.

    Entering stores all of them as running. An llm_call is stored ended as soon as it is; the step when the context
    ends: in `error` with what was raised, with `output` otherwise. A trace that was deleted meanwhile stays deleted.
    """

    def __init__(self, work: Work, trace_id: str, name: str, framework: str, said: str) -> None:
        self._work = work
        self.trace_id = trace_id
        self.span_id = str(uuid.uuid4())
        self.name = name
        self.attributes: dict[str, Any] = {
            "agent.framework": framework,
            "agent.step_name": name,
            "agent.input": said,
            JOB_ID_ATTRIBUTE: work.job_id,
        }
        self.output: str | None = None
        self._children: list[Child] = []
        self._began = 0.0

    def child(self, endpoint: Endpoint, call: ModelCall, name: str, attributes: dict[str, Any] | None = None) -> Child:
        """An llm_call below this step, made by the child's `call`."""
        made = Child(self._work, self, endpoint, call, name, attributes or {})
        self._children.append(made)
        return made

    async def __aenter__(self) -> Step:
        self._began = time.time()
        own: Span = {
            "span_id": self.span_id,
            "trace_id": self.trace_id,
            "span_type": "agent_step",
            "name": self.name,
            "status": "unset",
            "start_time": self._began,
            "attributes": self.attributes,
        }
        await self._work.store.post_spans([own, *(child.running(self._began) for child in self._children)])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, _: TracebackType | None
    ) -> None:
        if self.output is not None:
            self.attributes["agent.output"] = self.output
        await end_spans(self._work, [ended(self.span_id, self.trace_id, time.time(), self.attributes, failure)])


class Child:
    """One llm_call of a step."""

    def __init__(
        self, work: Work, step: Step, endpoint: Endpoint, call: ModelCall, name: str, attributes: dict[str, Any]
    ) -> None:
        self._work = work
        self._step = step
        self._endpoint = endpoint
        self._call = call
        self._name = name
        self._span_id = str(uuid.uuid4())
        self._attributes = {
            **asked_attributes(endpoint, call),
            **attributes,
            JOB_ID_ATTRIBUTE: work.job_id,
        }

    def running(self, began: float) -> Span:
        return {
            "span_id": self._span_id,
            "trace_id": self._step.trace_id,
            "parent_span_id": self._step.span_id,
            "span_type": "llm_call",
            "name": self._name,
            "status": "unset",
            "start_time": began,
            "attributes": self._attributes,
        }

    async def call(self, on_text: Callable[[str], None] | None) -> Called:
        """The model's answer and its price. Raises what the call raised. Its span has ended by then."""
        try:
            answer = await self._work.models.call(self._endpoint, self._call, on_text)
            cost = await price_of(self._work, self._endpoint, self._call, answer)
        except BaseException as e:
            await self._end(self._attributes, e)
            raise
        await self._end({**self._attributes, **answered_attributes(answer, cost)}, None)
        return Called(answer, cost)

    async def _end(self, attributes: dict[str, Any], failure: BaseException | None) -> None:
        await end_spans(self._work, [ended(self._span_id, self._step.trace_id, time.time(), attributes, failure)])


def ended(
    span_id: str, trace_id: str, at: float, attributes: dict[str, Any], failure: BaseException | None = None
) -> Span:
    """The update that ends a stored span; an update, so that it does not bring back a trace that has been deleted."""
    return {
        "span_id": span_id,
        "trace_id": trace_id,
        "status": "ok" if failure is None else "error",
        "error_message": None if failure is None else _why(failure),
        "end_time": at,
        "attributes": attributes,
    }


async def end_spans(work: Work, spans: list[Span]) -> None:
    """Store the ends; nothing happens where the trace has been deleted."""
    try:
        await work.store.post_spans(spans)
    except SpansRefused:
        log.info("job %s: its trace has been deleted", work.job_id)


def _why(failure: BaseException) -> str:
    if isinstance(failure, asyncio.CancelledError):
        return "Cancelled before the answer was there."
    return failure.detail if isinstance(failure, BeaconError) else "Beacon failed with a bug; its log has more."
