"""Rows of the original layout as rows of ours. Pure.

No value may sink a migration. What our layout cannot hold as it is gets the nearest value that it can, always the same
one for the same row, and the original stays readable in the span's attributes under a key `beacon.legacy.<column>`.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any, NamedTuple, get_args

import msgspec

from beacon.contract.limits import ID_PATTERN, RESERVED_TRACE_IDS, TIME_MAX_S
from beacon.contract.records import Annotation, SpanType, Status
from beacon.contract.units import ns_from_seconds, seconds_from_ns
from ingest.columns import derive_columns
from ingest.decode import check_attributes
from ingest.legacy.layout import LegacySpan, LegacyTrace, Value
from ingest.merge import ALL_FIELDS, SpanState
from ingest.separate import SpanWrong

NOTE = "beacon.legacy."
"""What the attributes that keep an original value begin with; the column's name follows."""

NAME_MAX = 10_000
LANGUAGE_MAX = 100
"""Characters a span's name and sdk_language may have in the contract: a longer one could not be imported again."""

NO_TRACE_ID = "legacy-no-trace"
"""The trace of spans whose trace_id is NULL or empty."""

_is_id = re.compile(ID_PATTERN).match
_SPAN_TYPES: dict[Value, str] = {t.encode(): t for t in get_args(SpanType)}
_STATUSES: dict[Value, str] = {s.encode(): s for s in get_args(Status)}
_decode_annotations = msgspec.json.Decoder(list[Annotation]).decode
_decode_tags = msgspec.json.Decoder(dict[str, str]).decode
_encode = msgspec.json.Encoder().encode


class ConvertedSpan(NamedTuple):
    """`span` lacks its rows and seqs, which the writer gives. `notes` are the originals of what had to be changed, by
    attribute key; they are in `span.attributes` already."""

    trace_id: str
    span: SpanState
    notes: dict[str, Any]


class ConvertedTrace(NamedTuple):
    """What a trace's row knows that its spans do not. `mended` says whether the tags had to be changed."""

    trace_id: str
    tags: str
    created_ns: int
    sdk_language: str | None
    mended: bool


def convert_span(row: LegacySpan) -> ConvertedSpan:
    notes: dict[str, Any] = {}
    text, decoded = _attributes(row.attributes, notes)
    span_id = fit_id(row.span_id, f"span:{row.rowid}")
    if span_id.encode() != row.span_id:
        notes[NOTE + "span_id"] = _plain(row.span_id)
    trace_id = fit_trace_id(row.trace_id)
    if trace_id.encode() != row.trace_id:
        notes[NOTE + "trace_id"] = _plain(row.trace_id)
    parent = None
    if row.parent_span_id is not None and row.parent_span_id != b"":
        parent = fit_id(row.parent_span_id, "")
        if parent.encode() != row.parent_span_id:
            notes[NOTE + "parent_span_id"] = _plain(row.parent_span_id)
    span_type = _SPAN_TYPES.get(row.span_type)
    if span_type is None:
        span_type = "custom"
        notes[NOTE + "span_type"] = _plain(row.span_type)
    status = _status(row.status, notes)
    start_ns, end_ns, created_ns = _times(row, notes)
    name = text_of(row.name) or ""
    if len(name) > NAME_MAX:
        notes[NOTE + "name"], name = name, name[:NAME_MAX]
    language = text_of(row.sdk_language)
    if language is not None and len(language) > LANGUAGE_MAX:
        notes[NOTE + "sdk_language"], language = language, language[:LANGUAGE_MAX]
    annotations, whole = convert_annotations(row.annotations, seconds_from_ns(created_ns))
    if not whole:
        notes[NOTE + "annotations"] = _plain(row.annotations)
    columns = derive_columns(span_type, decoded)
    span = SpanState(
        0, 0, span_id, parent, span_type, name, status, text_of(row.error_message), start_ns, end_ns,
        columns.model, columns.tokens, columns.cost_pico, columns.framework, columns.session_id,
        language, None, annotations, created_ns, 0, 0, 0 if end_ns is None else ALL_FIELDS, 0,
        _with_notes(text, decoded, notes) if notes else text,
    )  # fmt: skip
    return ConvertedSpan(trace_id, span, notes)


def convert_trace(row: LegacyTrace) -> ConvertedTrace:
    tags, whole = convert_tags(row.tags)
    created_ns = time_ns(row.created_at)
    if created_ns is None:
        created_ns = time_ns(row.first_span_at)
    language = text_of(row.sdk_language)
    return ConvertedTrace(
        fit_trace_id(row.trace_id),
        tags,
        0 if created_ns is None else created_ns,
        None if language is None else language[:LANGUAGE_MAX],
        not whole,
    )


def fit_id(value: Value, where: str) -> str:
    """`value` itself where the contract takes it as an id; else an id that is the same for the same value, and for a
    value that is NULL or empty the same for the same place in the file (`where`)."""
    text = text_of(value)
    if text and _is_id(text):
        return text
    return _hashed(where.encode() if not text else value if isinstance(value, bytes) else text.encode())


def fit_trace_id(value: Value) -> str:
    """As `fit_id`; words that stand where a trace id stands in a path are no ids."""
    text = text_of(value)
    if text and _is_id(text) and text not in RESERVED_TRACE_IDS:
        return text
    if not text:
        return NO_TRACE_ID
    return _hashed(value if isinstance(value, bytes) else text.encode())


def other_id(span_id: str, rowid: int) -> str:
    """Another id for a span whose own is taken in its trace: the original tells text from a blob of the same bytes."""
    return _hashed(f"{span_id}:{rowid}".encode())


def with_note(attributes: str, column: str, original: str) -> str:
    """`attributes`, a JSON object's text, with one more note."""
    return _with_notes(attributes, msgspec.json.decode(attributes), {NOTE + column: original})


def convert_annotations(value: Value, created_at: float) -> tuple[str, bool]:
    """(JSON list of annotations, whether nothing was lost). `created_at`, in seconds, is for those that have none."""
    if value is None or value in (b"", b"[]"):
        return "[]", True
    raw = value if isinstance(value, bytes) else str(value).encode()
    try:
        return _encode(_decode_annotations(raw)).decode(), not _extra_keys(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    found = _lenient(raw)
    if not isinstance(found, list):
        return "[]", False
    notes = [_annotation(item, i, created_at) for i, item in enumerate(found)]
    return _encode([n for n in notes if n is not None]).decode(), False


def convert_tags(value: Value) -> tuple[str, bool]:
    """(JSON object of strings, whether nothing was changed). What is no object at all stays as one tag."""
    if value is None or value in (b"", b"{}"):
        return "{}", True
    raw = value if isinstance(value, bytes) else str(value).encode()
    try:
        return _encode(_decode_tags(raw)).decode(), True
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    found = _lenient(raw)
    tags = {_words(k): _words(v) for k, v in found.items()} if isinstance(found, dict) else {NOTE + "tags": _plain(raw)}
    return _encode(tags).decode(), False


def json_object(value: Value) -> str:
    """The text of a JSON object: `value` where it is one, else an object that holds it as text."""
    if value is None or value == b"":
        return "{}"
    try:
        return check_attributes(value if isinstance(value, bytes) else str(value).encode())[0]
    except SpanWrong:
        return _encode({NOTE + "text": _plain(value)}).decode()


def time_ns(value: Value) -> int | None:
    """Nanoseconds of epoch seconds; None for what is no time the contract knows."""
    if isinstance(value, bytes):
        try:
            value = float(value)
        except ValueError:
            return None
    if value is None or not 0 <= value <= TIME_MAX_S:  # false for NaN too
        return None
    return ns_from_seconds(value)


def text_of(value: Value) -> str | None:
    """`value` as text; bytes that are not UTF-8 become U+FFFD."""
    if value is None:
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _attributes(value: Value, notes: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if value is None or value == b"":
        return "{}", {}
    try:
        return check_attributes(value if isinstance(value, bytes) else str(value).encode())
    except SpanWrong:
        notes[NOTE + "attributes"] = text_of(value)
        return "{}", {}


def _status(value: Value, notes: dict[str, Any]) -> str:
    status = _STATUSES.get(value)
    if status is None:
        status = _STATUSES.get(value.strip().lower()) if isinstance(value, bytes) else None
        if status is None:
            status = "unset"
            if value is not None and value != b"":
                notes[NOTE + "status"] = _plain(value)
    return status


def _times(row: LegacySpan, notes: dict[str, Any]) -> tuple[int, int | None, int]:
    """(start, end, created) in nanoseconds. Before 1970 becomes 0; any other that is no time becomes `created`."""
    start_ns, created_ns = time_ns(row.start_time), time_ns(row.created_at)
    if created_ns is None:
        notes[NOTE + "created_at"] = _plain(row.created_at)
        created_ns = 0 if start_ns is None else start_ns
    if start_ns is None:
        notes[NOTE + "start_time"] = _plain(row.start_time)
        start_ns = _clamp(row.start_time, created_ns)
    end_ns = None
    if row.end_time is not None:
        end_ns = time_ns(row.end_time)
        if end_ns is None:
            notes[NOTE + "end_time"] = _plain(row.end_time)
            end_ns = _clamp(row.end_time, created_ns)
    return start_ns, end_ns, created_ns


def _clamp(value: Value, created_ns: int) -> int:
    return 0 if isinstance(value, int | float) and value < 0 else created_ns


def _with_notes(text: str, decoded: dict[str, Any], notes: dict[str, Any]) -> str:
    """The notes spliced in, so that what was sent keeps its very text."""
    added = _encode(notes).decode()
    return f"{text.rstrip()[:-1]},{added[1:]}" if decoded else added


def _annotation(item: Any, place: int, created_at: float) -> Annotation | None:
    if isinstance(item, str):
        item = {"text": item}
    if not isinstance(item, dict) or item.get("text") in (None, ""):
        return None
    at = item.get("created_at")
    usable = isinstance(at, int | float) and not isinstance(at, bool) and 0 <= at <= TIME_MAX_S
    return Annotation(
        _words(item.get("id") or f"legacy-{place + 1}")[:128],
        _words(item["text"])[:100_000],
        float(at) if usable else created_at,  # type: ignore[arg-type]
    )


def _extra_keys(raw: bytes) -> bool:
    return any(len(item) > len(Annotation.__struct_fields__) for item in msgspec.json.decode(raw))


def _lenient(raw: bytes) -> Any:
    """What Python's own reader makes of it, which takes NaN and lone surrogates as the original did, or None."""
    try:
        return json.loads(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _plain(value: Value) -> Any:
    """`value` as JSON can carry it."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return text_of(value) if isinstance(value, bytes) else value


def _words(value: Any) -> str:
    """`value` as a string: itself, or its JSON text. Halves of surrogate pairs, which UTF-8 cannot hold, become `?`."""
    if not isinstance(value, str):
        try:
            return json.dumps(value)
        except RecursionError:
            return "(nested too deeply)"
    return value.encode("utf-8", "replace").decode()


def _hashed(value: bytes) -> str:
    return f"legacy-{hashlib.blake2b(value, digest_size=16).hexdigest()}"
