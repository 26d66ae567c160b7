"""Tags that a trace gets from what sent it: `service.name` of its head span's resource, and what an instrumentation
says. Once somebody has edited the tags of a trace, they stay as they are."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from ingest.otlp.arrived import Otel
from ingest.rollup import TraceState

SERVICE = "service.name"

KEY_MAX = 200
VALUE_MAX = 2_000
"""As many characters as an edit of the tags may give them."""


class _Sent(Struct):
    tags: dict[str, str] = {}
    whole: dict[str, str] | None = None


class TagsMade:
    """The tags of one transaction's traces."""

    def __init__(self) -> None:
        self._services: dict[str, str | None] = {}
        self._sent: dict[str, _Sent] = {}

    def known(self, traces: Iterable[TraceState]) -> None:
        """Traces as they are stored, before anything changes them."""
        for trace in traces:
            if trace.service is not None:
                self._services[trace.trace_id] = trace.service

    def sent(self, trace_id: str, otel: Otel) -> None:
        """What came with a span; the first to give a tag a value wins."""
        if not otel.tags and not otel.tags_whole:
            return
        sent = self._sent.get(trace_id)
        if sent is None:
            sent = self._sent[trace_id] = _Sent({})
        fitting = {key[:KEY_MAX]: value[:VALUE_MAX] for key, value in otel.tags.items() if key}
        if otel.tags_whole:
            sent.whole = {**fitting, **(sent.whole or {})}
        sent.tags = {**fitting, **sent.tags}

    def settle(self, trace_id: str, trace: TraceState) -> bool:
        """Give the trace its tags; whether they have changed. `trace.service` is the head's by now."""
        before = self._services.get(trace_id)
        sent = self._sent.get(trace_id)
        if (before == trace.service and sent is None) or trace.edited_seq is not None:
            return False
        stored: dict[str, str] = msgspec.json.decode(trace.tags)
        if sent is not None and sent.whole is not None and (trace.created_seq == trace.seq or not stored):
            # an export has all the tags the trace had, a service tag too unless it was taken away
            tags, trace.edited_seq = sent.whole, trace.seq
        else:
            tags = dict(stored)
            if before is not None and tags.get(SERVICE) == before[:VALUE_MAX]:
                del tags[SERVICE]
            for key, value in (sent.tags if sent is not None else {}).items():
                tags.setdefault(key, value)
            if trace.service is not None and SERVICE not in tags:
                tags = {SERVICE: trace.service, **tags}
            self._services[trace_id] = trace.service
        if tags == stored and trace.edited_seq is None:
            return False
        trace.tags = msgspec.json.encode(tags).decode()
        return True
