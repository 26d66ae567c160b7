"""The spans of a demo run as they happen: stored running when something begins, and ended when it is over."""

from __future__ import annotations

import time
import uuid
from types import TracebackType
from typing import Any

from beacon.contract.records import SpanType
from beacon.errors import BeaconError
from replay_worker.steps import end_spans, ended
from replay_worker.work import Work


class AgentFailed(BeaconError):
    """The agent of a demo did not reach its goal; `detail` is the error message of the spans it goes through."""


class Timeline:
    """The trace of one run below its root, which is stored already; `common` attributes are on every span."""

    def __init__(self, work: Work, trace_id: str, root_id: str, common: dict[str, Any]) -> None:
        self.work = work
        self.trace_id = trace_id
        self.root_id = root_id
        self._common = common

    def moment(self, parent_id: str, span_type: SpanType, name: str, attributes: dict[str, Any]) -> Moment:
        """A span below `parent_id`; it begins when its context is entered."""
        return Moment(self, parent_id, span_type, name, {**attributes, **self._common})

    async def begin(self, span: dict[str, Any]) -> None:
        """Store a running span. Raises `SpansRefused` when the trace has been deleted meanwhile."""
        # An update that changes nothing, and is refused when the root is gone: a new span alone would bring a deleted
        # trace back
        await self.work.store.post_spans([{"trace_id": self.trace_id, "span_id": self.root_id}])
        await self.work.store.post_spans([span])

    async def end(self, span_id: str, attributes: dict[str, Any], failure: BaseException | None) -> None:
        """Store a span's end, in `error` with what failed; in a deleted trace nothing happens."""
        await end_spans(self.work, [ended(span_id, self.trace_id, time.time(), attributes, failure)])


class Moment:
    """One span; a context in which it runs. What is raised inside ends it in `error`; `add` gives it attributes."""

    def __init__(
        self, timeline: Timeline, parent_id: str, span_type: SpanType, name: str, attributes: dict[str, Any]
    ) -> None:
        self.span_id = str(uuid.uuid4())
        self._timeline = timeline
        self._parent_id = parent_id
        self._span_type = span_type
        self._name = name
        self._attributes = attributes

    def add(self, attributes: dict[str, Any]) -> None:
        """What it will end with besides what it began with."""
        self._attributes = {**self._attributes, **attributes}

    async def __aenter__(self) -> Moment:
        await self._timeline.begin(
            {
                "span_id": self.span_id,
                "trace_id": self._timeline.trace_id,
                "parent_span_id": self._parent_id,
                "span_type": self._span_type,
                "name": self._name,
                "status": "unset",
                "start_time": time.time(),
                "attributes": self._attributes,
            }
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, _: TracebackType | None
    ) -> None:
        await self._timeline.end(self.span_id, self._attributes, failure)
