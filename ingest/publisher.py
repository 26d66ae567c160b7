"""Commits as live events: after COMMIT, in commit order, built only while somebody listens."""

from __future__ import annotations

from collections.abc import Iterator

from beacon.bus import Publisher
from beacon.contract import events
from beacon.contract.events import TOPIC_EVENTS, TOPIC_HEARTBEAT, Event, Heartbeat
from ingest.changes import Changes
from ingest.database import Commit
from ingest.merge import changed_fields, span_record
from ingest.rollup import trace_record


class LiveEvents:
    """Publishes each commit, and a heartbeat with the newest *published* seq: the writer's own would run ahead of the
    messages, and receivers would see gaps that are none."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._epoch: str | None = None
        self._last = 0

    def opened(self, epoch: str, seq: int) -> None:
        """The database is open, at this seq: heartbeats may start."""
        self._epoch, self._last = epoch, seq

    def publish(self, commit: Commit) -> None:
        prev = self._last
        # first of all: should building the events fail, the next message's `prev` shows the gap, and it heals
        self._epoch, self._last = commit.epoch, commit.last
        if self._publisher.subscribed(TOPIC_EVENTS):
            for envelope in events.split(commit.epoch, prev, commit.last, events_of(commit.changes)):
                self._publisher.send(TOPIC_EVENTS, events.pack(envelope))

    def beat(self, workers: int) -> None:
        if self._epoch is not None:
            beat = Heartbeat(self._epoch, self._last, workers)
            self._publisher.send(TOPIC_HEARTBEAT, events.pack_heartbeat(beat))


def events_of(changes: Changes) -> list[Event]:
    """The events of one commit by seq. Pure."""
    return sorted(_events_of(changes), key=lambda e: e.seq)


def _events_of(changes: Changes) -> Iterator[Event]:
    for trace in changes.traces_created:
        yield events.trace_created(trace.created_seq, trace_record(trace))
    for change in changes.spans:
        record = span_record(change.trace_id, change.after)
        if change.before is None:
            yield events.span_created(change.after.seq, record)
        elif changed := changed_fields(change.before, change.after):
            yield events.span_updated(change.after.seq, record, changed)
    for trace in changes.traces_updated:
        yield events.trace_updated(trace.seq, trace_record(trace))
    for seq, trace_ids in changes.deleted:
        yield events.traces_deleted(seq, trace_ids)
