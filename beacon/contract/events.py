"""Live events: the frames a websocket client reads, and the envelopes that carry them over the bus.

A frame is the finished JSON text of one event. It is made once, by ingest (or by query, when a gap is healed), and
passed on unread. The envelope is the message on the bus, version 1, in msgpack:

    events     [1, epoch, prev, last, [[seq, kind, trace_ids, frame], ...]]      topic b"e"
    heartbeat  [1, epoch, last, workers]                                         topic b"h"
    job frame  [1, trace_id, frame]                                              topic b"jobs"

`prev` and `last` are change numbers: a receiver that holds `prev` and applies the message then holds `last`; one that
holds less has missed something. `epoch` names the database: seqs of two epochs cannot be compared. `trace_ids` are
the traces an event belongs to, for the filter of a subscribed client.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import msgpack
import msgspec

from beacon.contract.jobs import Job
from beacon.contract.limits import EVENT_BYTES_MAX, EVENT_SPAN_BYTES_MAX
from beacon.contract.records import Span, TraceSummary

VERSION = 1
TOPIC_EVENTS = b"e"
TOPIC_HEARTBEAT = b"h"
HEARTBEAT_S = 0.25

Kind = Literal["trace_created", "span_created", "span_updated", "trace_updated", "traces_deleted"]

_encode = msgspec.json.Encoder().encode


class Event(NamedTuple):
    """One event: `frame` is the JSON text a client gets."""

    seq: int
    kind: Kind
    trace_ids: tuple[str, ...]
    frame: bytes


class Envelope(NamedTuple):
    epoch: str
    prev: int
    last: int
    events: list[Event]


class Heartbeat(NamedTuple):
    epoch: str
    last: int
    workers: int


RESYNC_FRAME = b'{"event":"resync"}'
"""Says: you may have missed something, fetch again what you show."""


def span_created(seq: int, span: Span) -> Event:
    frame = b'{"event":"span_created","seq":%d,"span":%b}' % (seq, _encode(span))
    if len(frame) > EVENT_SPAN_BYTES_MAX:
        light = msgspec.structs.replace(span, attributes=msgspec.Raw(b"{}"))
        frame = b'{"event":"span_created","seq":%d,"attributes_omitted":true,"span":%b}' % (
            seq,
            _encode(light),
        )
    return Event(seq, "span_created", (span.trace_id,), frame)


def span_updated(seq: int, span: Span, changed: Iterable[str] | None = None) -> Event:
    """`changed` names the fields that differ from before; None sends every field that can change."""
    fields = _MUTABLE if changed is None else changed
    text = b",".join(b'"%b":%b' % (f.encode(), _encode(getattr(span, f))) for f in fields)
    omitted = b""
    if len(text) > EVENT_SPAN_BYTES_MAX:
        omitted = b'"attributes_omitted":true,'
        text = b",".join(b'"%b":%b' % (f.encode(), _encode(getattr(span, f))) for f in fields if f != "attributes")
    frame = b'{"event":"span_updated","seq":%d,"span_id":%b,"trace_id":%b,%b"updates":{%b}}' % (
        seq,
        _encode(span.span_id),
        _encode(span.trace_id),
        omitted,
        text,
    )
    return Event(seq, "span_updated", (span.trace_id,), frame)


def trace_created(seq: int, trace: TraceSummary) -> Event:
    frame = b'{"event":"trace_created","seq":%d,"trace":%b}' % (seq, _encode(trace))
    return Event(seq, "trace_created", (trace.trace_id,), frame)


def trace_updated(seq: int, trace: TraceSummary) -> Event:
    frame = b'{"event":"trace_updated","seq":%d,"trace":%b}' % (seq, _encode(trace))
    return Event(seq, "trace_updated", (trace.trace_id,), frame)


def traces_deleted(seq: int, trace_ids: list[str]) -> Event:
    frame = b'{"event":"traces_deleted","seq":%d,"trace_ids":%b}' % (seq, _encode(trace_ids))
    return Event(seq, "traces_deleted", tuple(trace_ids), frame)


_MUTABLE = (
    "parent_span_id",
    "span_type",
    "name",
    "status",
    "error_message",
    "start_time",
    "end_time",
    "duration_ms",
    "attributes",
    "annotations",
    "sdk_language",
    "interrupted",
)


def split(epoch: str, prev: int, last: int, events: list[Event]) -> Iterator[Envelope]:
    """`events` (by seq, all of one commit that ends at `last`) as envelopes of at most EVENT_BYTES_MAX of frames.

    Each envelope's `prev` is the `last` of the one before, so a receiver notices when one in the middle is lost.
    """
    start = prev
    part: list[Event] = []
    size = 0
    for event in events:
        if part and size + len(event.frame) > EVENT_BYTES_MAX:
            yield Envelope(epoch, start, part[-1].seq, part)
            start, part, size = part[-1].seq, [], 0
        part.append(event)
        size += len(event.frame)
    yield Envelope(epoch, start, last, part)


def pack(envelope: Envelope) -> bytes:
    packed: bytes = msgpack.packb([VERSION, *envelope])
    return packed


def unpack(message: bytes) -> Envelope:
    """Raises ValueError for a message of another version, or none of ours."""
    version, epoch, prev, last, events = msgpack.unpackb(message)
    if version != VERSION:
        raise ValueError(f"event envelope of version {version}; this process speaks {VERSION}")
    return Envelope(epoch, prev, last, [Event(s, k, tuple(t), f) for s, k, t, f in events])


def pack_heartbeat(beat: Heartbeat) -> bytes:
    packed: bytes = msgpack.packb([VERSION, *beat])
    return packed


def unpack_heartbeat(message: bytes) -> Heartbeat:
    version, epoch, last, workers = msgpack.unpackb(message)
    if version != VERSION:
        raise ValueError(f"heartbeat of version {version}; this process speaks {VERSION}")
    return Heartbeat(epoch, last, workers)


class JobFrame(NamedTuple):
    """A `job_updated` frame on TOPIC_JOBS, for global clients and those of `trace_id`. It has no seq: nothing heals it,
    and the state it tells of can be asked for."""

    trace_id: str | None
    frame: bytes


def job_changed(job: Job) -> JobFrame:
    """The state of a job has changed."""
    return JobFrame(
        job.trace_id,
        b'{"event":"job_updated","job_id":%b,"state":%b,"job":%b}'
        % (_encode(job.job_id), _encode(job.state), _encode(job)),
    )


def job_said(job: Job, run: int, text: str) -> JobFrame:
    """A piece of the text a running job's model writes; `run` counts from 0 where a job makes several calls."""
    return JobFrame(
        job.trace_id,
        b'{"event":"job_updated","job_id":%b,"state":%b,"trace_id":%b,"span_id":%b,"delta":{"run":%d,"text":%b}}'
        % (
            _encode(job.job_id),
            _encode(job.state),
            _encode(job.trace_id),
            _encode(job.span_id),
            run,
            _encode(text),
        ),
    )


def pack_job_frame(frame: JobFrame) -> bytes:
    packed: bytes = msgpack.packb([VERSION, *frame])
    return packed


def unpack_job_frame(message: bytes) -> JobFrame:
    """Raises ValueError for a message of another version."""
    version, trace_id, frame = msgpack.unpackb(message)
    if version != VERSION:
        raise ValueError(f"job frame of version {version}; this process speaks {VERSION}")
    return JobFrame(trace_id, frame)
