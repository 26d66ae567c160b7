"""A body of POST /v1/spans as arrivals: decoded, validated, each bad span named and left out. Pure.

`msgspec.Raw` does not check what it holds: invalid UTF-8, `null` where an object should be, and 1e999 would pass, and
break every read that splices them later. So attributes are decoded in full, as a check (2-3 µs a span), and the same
decoding gives the typed columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from beacon.contract.limits import ATTRIBUTES_DEPTH_MAX, ID_CHARS_MAX, RESERVED_TRACE_IDS, TIME_MAX_S
from beacon.contract.records import SpanError
from beacon.contract.requests import SpanInput
from beacon.contract.units import ns_from_seconds
from beacon.web.application import invalid_json, split_location
from ingest.columns import Columns, derive_columns
from ingest.otlp.arrived import Otel
from ingest.separate import SpanWrong, separate_spans

SLICE = 256
"""Spans decoded between two turns of the event loop when a body is large."""


class Arrival(Struct, gc=False):
    """One valid span as it arrived. `columns` is UNSET where attributes or type are missing (a partial update)."""

    index: int
    span: SpanInput
    start_ns: int | UnsetType
    end_ns: int | UnsetType | None
    attributes: str | UnsetType
    columns: Columns | UnsetType
    annotations: str | UnsetType = UNSET
    otel: Otel | None = None
    interrupted: bool = False  # an export of a span that was


class _LooseSpan(SpanInput, kw_only=True, gc=False):
    """A span whose ids are still to be checked: msgspec runs a pattern on each, half the time of decoding a batch."""

    span_id: str
    trace_id: str
    parent_span_id: str | UnsetType | None = UNSET


class _Batch(Struct):
    spans: list[_LooseSpan]


class _RawBatch(Struct):
    spans: list[Raw]


_decode_batch = msgspec.json.Decoder(_Batch).decode
_decode_raw_batch = msgspec.json.Decoder(_RawBatch).decode
_decode_span = msgspec.json.Decoder(SpanInput).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class Decoded(Struct):
    arrivals: list[Arrival]
    errors: list[SpanError]


def decode_spans(body: bytes) -> Decoded:
    """Everything at once: for small bodies and for tests. Raises `Invalid` when the body is no list of spans."""
    out = Decoded([], [])
    for _ in decode_in_slices(body, out):
        pass
    return out


def decode_in_slices(body: bytes, out: Decoded) -> Iterator[None]:
    """Decode `body` into `out`, yielding after every SLICE spans so that a large body does not hold up others.

    Raises `Invalid`, with the byte or the place, when the body is not JSON or not `{"spans": [...]}`.
    """
    try:
        spans = _decode_batch(body).spans
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        yield from _decode_one_by_one(body, out)
        return
    if not _ids_are_plain(spans):
        yield from _decode_one_by_one(body, out)
        return
    for i, span in enumerate(spans):
        _take(i, span, out)
        if i % SLICE == SLICE - 1:
            yield


def _ids_are_plain(spans: list[_LooseSpan]) -> bool:
    """Whether every id is of 1 to 128 ASCII letters, digits and dashes, as hex ids and UUIDs are: then none needs a
    closer look."""
    ids = {span.trace_id for span in spans}
    ids.update(span.span_id for span in spans)
    ids.update(span.parent_span_id for span in spans if span.parent_span_id)
    return (
        all(0 < len(one) <= ID_CHARS_MAX for one in ids)
        and (joined := "".join(ids).replace("-", "")).isascii()
        and (joined.isalnum() or not ids)
        and not any(span.parent_span_id == "" for span in spans)
    )


def _decode_one_by_one(body: bytes, out: Decoded) -> Iterator[None]:
    """Something in the body is wrong: find out what, and keep the spans that are right."""
    try:
        raws: Sequence[Raw | bytes | SpanWrong] = _decode_raw_batch(body).spans
    except (msgspec.DecodeError, RecursionError) as e:
        separated = separate_spans(body)
        if separated is None:
            raise invalid_json(e, body) from e
        raws = separated
    for i, raw in enumerate(raws):
        if isinstance(raw, SpanWrong):
            out.errors.append(SpanError(i, f"spans[{i}]{'.' if raw.loc else ''}{raw.loc}", raw.msg))
            continue
        try:
            span = _decode_span(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
            loc, msg = explain(e, bytes(raw))
            out.errors.append(SpanError(i, f"spans[{i}]{'.' if loc else ''}{loc}", msg))
        else:
            _take(i, span, out)
        if i % SLICE == SLICE - 1:
            yield


def _take(index: int, span: SpanInput, out: Decoded) -> None:
    try:
        arrival = check_span(index, span)
    except SpanWrong as e:
        out.errors.append(SpanError(index, f"spans[{index}].{e.loc}", e.msg))
    else:
        out.arrivals.append(arrival)


def check_span(index: int, span: SpanInput) -> Arrival:
    """`span` as an arrival. Raises `SpanWrong`."""
    if span.trace_id in RESERVED_TRACE_IDS:
        raise SpanWrong("trace_id", f"{span.trace_id!r} is a word of the routes; give the trace another id")
    start, end = span.start_time, span.end_time
    start_ns = UNSET if start is UNSET else ns_from_seconds(start)
    end_ns = end if end is UNSET or end is None else ns_from_seconds(end)
    if span.attributes is UNSET:
        columns = Columns() if span.span_type is not UNSET else UNSET
        return Arrival(index, span, start_ns, end_ns, UNSET, columns)
    text, decoded = check_attributes(span.attributes)
    columns = UNSET if span.span_type is UNSET else derive_columns(span.span_type, decoded)
    span.attributes = UNSET  # the text is kept beside; the body it is a view of can go
    return Arrival(index, span, start_ns, end_ns, text, columns)


def check_attributes(raw: Raw | bytes) -> tuple[str, dict[str, Any]]:
    """The JSON text of an object and what it decodes to. Raises `SpanWrong` for anything a later read could not
    splice: not an object, invalid UTF-8, a lone surrogate, a number beyond 64-bit floats, NaN, too deep."""
    try:
        decoded = _decode_object(raw)
        text = str(raw, "utf-8")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        loc, msg = explain(e, bytes(raw))
        raise SpanWrong(f"attributes{'.' if loc else ''}{loc}", msg) from e
    if not _SCALARS.issuperset(map(type, decoded.values())) and _too_deep(decoded):
        raise SpanWrong("attributes", f"nested more than {ATTRIBUTES_DEPTH_MAX} levels deep")
    return text, decoded


_CONTAINERS = (dict, list)
_SCALARS = frozenset((str, int, float, bool, type(None)))


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(ATTRIBUTES_DEPTH_MAX):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _CONTAINERS
        ]
        if not level:
            return False
    return True


def explain(error: Exception, raw: bytes) -> tuple[str, str]:
    """(place, what is wrong) for a decoding error of the JSON text `raw`."""
    if isinstance(error, RecursionError):
        return "", f"nested more than {ATTRIBUTES_DEPTH_MAX} levels deep"
    if isinstance(error, UnicodeDecodeError):
        return "", f"not valid UTF-8 ({error.reason})"
    if isinstance(error, msgspec.ValidationError):
        msg, loc = split_location(str(error))
        if loc in ("start_time", "end_time"):
            msg = _time_hint(raw, loc, msg)
        if msg == "Number out of range":
            msg = "a number is beyond what a 64-bit float holds"
        return loc if loc != "[...]" else "", msg
    return "", str(error)


def _time_hint(raw: bytes, field: str, msg: str) -> str:
    found = re.search(rb'"%b"\s*:\s*([-+.\deE]+)' % field.encode(), raw)
    try:
        value = float(found[1]) if found else 0.0
    except ValueError:
        return msg
    if value < 0:
        return "times are seconds since 1970, at least 0"
    for unit, scale in (("milliseconds", 1e3), ("microseconds", 1e6), ("nanoseconds", 1e9)):
        if 1e8 * scale <= value <= 4.2e9 * scale:  # between 1973 and 2103 in that unit
            return f"times are seconds since 1970; {value:.0f} looks like {unit}: divide by {scale:,.0f}"
    return f"times are seconds since 1970, at most {TIME_MAX_S:,.0f}" if value > TIME_MAX_S else msg
