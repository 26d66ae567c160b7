"""How an arrival becomes part of a stored span. Pure.

A later arrival replaces, field by field, what it sends. One exception: an open copy (a whole span with no end) never
reopens a closed span. Clients send a span when it starts and again when it ends, and the two may arrive in either
order; so an open copy that comes late only fills in what was not sent with the end, as if it had come first.
`closed_fields` remembers what was.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from beacon.contract.records import Span
from beacon.contract.requests import required_fields
from beacon.contract.units import duration_ms, seconds_from_ns
from ingest.columns import LABEL_MAX, derive_columns
from ingest.decode import Arrival
from ingest.otlp.arrived import Otel


class SpanState(Struct, gc=False):
    """One row of `spans`, in column order, then the attribute text of `span_attributes`."""

    span_row: int
    trace_row: int
    span_id: str
    parent_span_id: str | None
    span_type: str
    name: str
    status: str
    error_message: str | None
    start_ns: int
    end_ns: int | None
    model: str | None
    tokens: int | None
    cost_pico: int | None
    framework: str | None
    session_id: str | None
    sdk_language: str | None
    service: str | None
    annotations: str
    created_ns: int
    created_seq: int
    seq: int
    closed_fields: int
    interrupted: int
    attributes: str


SILENT, ENDED = 1, 2
"""Why an open span is interrupted: nothing more came of its trace for long, which the next span of it disproves; or the
program that sent it has ended."""

_BITS = {
    "parent_span_id": 1,
    "span_type": 2,
    "name": 4,
    "status": 8,
    "error_message": 16,
    "start_ns": 32,
    "sdk_language": 64,
    "attributes": 128,
    "annotations": 256,
    "end_ns": 512,
    "service": 1024,
}
"""The bit of each field in `closed_fields`."""

_WHOLE = sum(_BITS[name] for name in ("span_type", "name", "start_ns", "end_ns"))

ALL_FIELDS = sum(_BITS.values())
"""`closed_fields` of a closed span to which an open copy has nothing to add."""


class Incomplete(ValueError):
    """A span that is not stored yet and lacks `missing` fields."""

    def __init__(self, missing: list[str]) -> None:
        super().__init__(", ".join(missing))
        self.missing = missing


def first_seen(arrival: Arrival) -> SpanState:
    """The state of a span seen for the first time; rows and seqs are 0 until the writer gives them.

    Raises `Incomplete` when required fields are missing. Written out, since every span comes this way: 0.8 us against
    2.6 by way of `_sent`.
    """
    span = arrival.span
    columns = arrival.columns
    if span.span_type is UNSET or span.name is UNSET or arrival.start_ns is UNSET:
        raise Incomplete(required_fields(span))
    assert columns is not UNSET, "decoding sets the columns whenever span_type is there"
    end_ns = None if arrival.end_ns is UNSET else arrival.end_ns
    parent, error, language = span.parent_span_id, span.error_message, span.sdk_language
    return SpanState(
        0,
        0,
        span.span_id,
        None if parent is UNSET else parent,
        span.span_type,
        span.name,
        "unset" if span.status is UNSET else span.status,
        None if error is UNSET else error,
        arrival.start_ns,
        end_ns,
        *columns,
        None if language is UNSET else language,
        None if arrival.otel is None else _service(arrival.otel),
        "[]" if arrival.annotations is UNSET else arrival.annotations,
        0,
        0,
        0,
        0 if end_ns is None else _closed_with(arrival),
        ENDED if arrival.interrupted and end_ns is None else 0,
        "{}" if arrival.attributes is UNSET else arrival.attributes,
    )


def _closed_with(arrival: Arrival) -> int:
    """`closed_fields` of a whole span that came with its end."""
    span = arrival.span
    bits = _WHOLE
    if span.parent_span_id is not UNSET:
        bits |= _BITS["parent_span_id"]
    if span.status is not UNSET:
        bits |= _BITS["status"]
    if span.error_message is not UNSET:
        bits |= _BITS["error_message"]
    if span.sdk_language is not UNSET:
        bits |= _BITS["sdk_language"]
    if arrival.attributes is not UNSET:
        bits |= _BITS["attributes"]
    if arrival.annotations is not UNSET:
        bits |= _BITS["annotations"]
    if arrival.otel is not None:
        bits |= _BITS["service"]
    return bits


def _service(otel: Otel) -> str | None:
    return None if otel.service is None else otel.service[:LABEL_MAX]


def _sent(arrival: Arrival) -> dict[str, Any]:
    """What `arrival` sends, by the names of SpanState."""
    span = arrival.span
    fields = {
        "parent_span_id": span.parent_span_id,
        "span_type": span.span_type,
        "name": span.name,
        "status": span.status,
        "error_message": span.error_message,
        "start_ns": arrival.start_ns,
        "end_ns": arrival.end_ns,
        "sdk_language": span.sdk_language,
        "attributes": arrival.attributes,
        "annotations": arrival.annotations,
        "service": UNSET if arrival.otel is None else _service(arrival.otel),
    }
    return {name: value for name, value in fields.items() if value is not UNSET}


def _bits(sent: Iterable[str]) -> int:
    return sum(_BITS[name] for name in sent)


def is_open_copy(stored: SpanState, arrival: Arrival) -> bool:
    """Whether `arrival` is a whole copy of a span made before it ended, come after the end is known."""
    return (
        stored.end_ns is not None
        and (arrival.end_ns is UNSET or arrival.end_ns is None)
        and not required_fields(arrival.span)
    )


def merge(stored: SpanState, arrival: Arrival) -> SpanState:
    """`stored` with what `arrival` sends; `stored` itself when nothing changes. A span that is sent again is not
    interrupted: who sends it goes on."""
    changes = _sent(arrival)
    closed_fields = stored.closed_fields
    if is_open_copy(stored, arrival):
        changes = {k: v for k, v in changes.items() if k != "end_ns" and not _BITS[k] & closed_fields}
    else:
        if stored.end_ns is not None and changes.get("end_ns", 0) is None:
            del changes["end_ns"]  # a closed span stays closed
        if stored.end_ns is not None or changes.get("end_ns") is not None:
            closed_fields |= _bits(changes)
    changes = {k: v for k, v in changes.items() if v != getattr(stored, k)}
    if not changes and closed_fields == stored.closed_fields and not stored.interrupted:
        return stored
    after = msgspec.structs.replace(stored, **changes, closed_fields=closed_fields, interrupted=0)
    if "attributes" in changes or "span_type" in changes:
        columns = derive_columns(after.span_type, msgspec.json.decode(after.attributes))
        after = msgspec.structs.replace(after, **columns._asdict())
    return after


def changed_fields(before: SpanState, after: SpanState) -> list[str]:
    """The contract's names of what differs, for the `updates` of a live event."""
    names = [
        name
        for name in (
            "parent_span_id",
            "span_type",
            "name",
            "status",
            "error_message",
            "attributes",
            "annotations",
            "sdk_language",
        )
        if getattr(before, name) != getattr(after, name)
    ]
    if before.interrupted != after.interrupted:
        names.append("interrupted")
    if before.start_ns != after.start_ns:
        names.append("start_time")
    if before.end_ns != after.end_ns:
        names.append("end_time")
    if before.start_ns != after.start_ns or before.end_ns != after.end_ns:
        names.append("duration_ms")
    return names


def span_record(trace_id: str, s: SpanState) -> Span:
    """`s` as the contract's Span."""
    return Span(
        s.span_id,
        trace_id,
        s.parent_span_id,
        s.span_type,  # type: ignore[arg-type]
        s.name,
        s.status,  # type: ignore[arg-type]
        s.error_message,
        seconds_from_ns(s.start_ns),
        None if s.end_ns is None else seconds_from_ns(s.end_ns),
        duration_ms(s.start_ns, s.end_ns),
        Raw(s.attributes.encode()),
        Raw(s.annotations.encode()),
        s.sdk_language,
        bool(s.interrupted),
    )
