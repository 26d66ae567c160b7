"""One span, the spans of a trace, prompt versions: spliced from stored text."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from beacon.contract.limits import ID_PATTERN
from beacon.contract.records import JsonArray, PromptVersion, PromptVersions, SpanType, Status, encode
from beacon.contract.units import duration_ms, seconds_from_ns, usd_from_pico
from beacon.errors import NotFound
from beacon.store.lookup import find_span_row
from beacon.store.rows import SPAN_COLUMNS, TRACE_COLUMNS, span_of, trace_of
from query.labels import label_of
from query.otel import whole_span

CHUNK_BYTES = 128 * 1024
"""About how much of an answer is one chunk: large enough that sending costs few calls, small enough to copy once."""

POINT_BYTES_MAX = 16 * 1024 * 1024
POINT_S = 0.06
"""A trace that is larger, or takes longer to read, is streamed in slices: one read transaction stays below 100 ms, and
one answer does not fill the memory."""

_ID = re.compile(ID_PATTERN)

_SPAN = (
    f"SELECT x.otel, o.resource, o.scope, {SPAN_COLUMNS} FROM spans s JOIN traces t ON t.trace_row = s.trace_row "
    "JOIN span_attributes a ON a.span_row = s.span_row LEFT JOIN span_otel x ON x.span_row = s.span_row "
    "LEFT JOIN origins o ON o.origin_row = x.origin_row WHERE s.span_row = ?"
)


# Sorted in Python: SQLite's sorter would carry every attribute text (1.7 ms against 1.3 ms for 500 spans)
_SPANS_OF_TRACE = (
    f"SELECT s.tokens, s.cost_pico, s.start_ns, {SPAN_COLUMNS} FROM traces t CROSS JOIN spans s "
    "ON s.trace_row = t.trace_row CROSS JOIN span_attributes a ON a.span_row = s.span_row WHERE t.trace_row = ?"
)


class LightSpan(Struct):
    """A Span with a label, tokens and cost in place of its attributes."""

    span_id: str
    trace_id: str
    parent_span_id: str | None
    span_type: SpanType
    name: str
    status: Status
    error_message: str | None
    start_time: float
    end_time: float | None
    duration_ms: float | None
    annotations: JsonArray
    sdk_language: str | None
    interrupted: bool
    label: str | None
    tokens: int | None
    cost_usd: float | None


class Detail(NamedTuple):
    """A trace with its spans: JSON in chunks, None when it did not change since `etag`, or was too large to be read at
    once."""

    etag: str
    chunks: list[bytearray] | None
    too_large: bool = False


def require_id(value: str, what: str) -> str:
    """`value` if it can be an id at all. Raises `NotFound`: "Span not found"."""
    if not _ID.match(value):
        raise NotFound(f"{what} not found")
    return value


def read_span(db: sqlite3.Connection, span_id: str, trace_id: str | None) -> bytes:
    """One span as JSON: the newest with this id, or the one in `trace_id`. Raises `NotFound`."""
    row = db.execute(_SPAN, (_span_row(db, span_id, trace_id),)).fetchone()
    return encode(whole_span(span_of(row[3:]), row[:3] if row[0] is not None else None))


def read_prompt_versions(db: sqlite3.Connection, span_id: str, trace_id: str | None) -> bytes:
    """The prompt versions of a span as JSON, newest first. Raises `NotFound` for an unknown span."""
    rows = db.execute(
        "SELECT v.version_id, v.span_id, v.prompt_text, v.label, v.created_ns FROM spans s "
        "JOIN prompt_versions v ON v.trace_row = s.trace_row AND v.span_id = s.span_id WHERE s.span_row = ? "
        "ORDER BY v.created_ns DESC, v.version_row DESC",
        (_span_row(db, span_id, trace_id),),
    )
    return encode(
        PromptVersions(
            [
                PromptVersion(version_id, of, text, label, seconds_from_ns(created_ns))
                for version_id, of, text, label, created_ns in rows
            ]
        )
    )


def _span_row(db: sqlite3.Connection, span_id: str, trace_id: str | None) -> int:
    row = find_span_row(db, span_id, trace_id)
    if row is None:
        raise NotFound("Span not found")
    return row


def read_detail(db: sqlite3.Connection, trace_id: str, light: bool, known: Sequence[str]) -> Detail:
    """A trace with its spans by (start_time, span_id); no chunks when its etag is one of `known`. Raises `NotFound`."""
    began = time.monotonic()
    row = db.execute(
        f"SELECT c.epoch, c.seq, t.trace_row, t.seq, {TRACE_COLUMNS} FROM traces t, counters c WHERE t.trace_id = ?",
        (trace_id,),
    ).fetchone()
    if row is None:
        raise NotFound("Trace not found")
    epoch, seq, trace_row, trace_seq = row[:4]
    # the writer moves a trace's seq on with every change of the trace or of any span in it
    etag = f'W/"{epoch}-{trace_seq}{"-light" if light else ""}"'
    if any(tag == "*" or tag.removeprefix("W/") == etag.removeprefix("W/") for tag in known):  # RFC 9110 13.1.2: weak
        return Detail(etag, None)
    spans: list[_Placed] = []
    size = 0
    for tokens, cost_pico, start_ns, *columns in db.execute(_SPANS_OF_TRACE, (trace_row,)):
        record = light_of(columns, tokens, cost_pico) if light else span_of(columns)
        spans.append((start_ns, columns[0], 0 if light else len(columns[9]), record))
        size += spans[-1][2]
        if size > POINT_BYTES_MAX or (not len(spans) & 255 and time.monotonic() - began > POINT_S):
            return Detail(etag, None, too_large=True)
    spans.sort(key=_by_start)
    head = encode(trace_of(row[4:]))[:-1] + b',"seq":%d,"spans":[' % seq
    return Detail(etag, _spliced(head, spans))


_Placed = tuple[int, str, int, Struct]
"""start_ns and span_id, to sort by; bytes of attributes; the record."""


def _by_start(span: _Placed) -> tuple[int, str]:
    return span[0], span[1]


def _spliced(head: bytes, spans: list[_Placed]) -> list[bytearray]:
    """`head`, which ends in "[", the spans with commas between, and the closing brackets, in chunks of about
    CHUNK_BYTES."""
    chunks: list[bytearray] = []
    batch: list[Struct] = []
    size = 0
    for _, _, attributes_size, record in spans:
        batch.append(record)
        size += attributes_size + 400
        if size >= CHUNK_BYTES:
            chunks.append(list_items(batch, b"," if chunks else head))
            batch, size = [], 0
    if batch or not chunks:
        chunks.append(list_items(batch, b"," if chunks else head))
    chunks[-1] += b"]}"
    return chunks


def list_items(batch: list[Struct], opening: bytes) -> bytearray:
    """`opening` and the records of `batch` as JSON with commas between, built in place: no copy of a large text."""
    chunk = bytearray(opening)
    at = len(chunk) - 1
    # the list's own "[" goes over the last byte of `opening`, which is then put back
    _encoder.encode_into(batch, chunk, at)
    chunk[at] = opening[-1]
    del chunk[-1]
    return chunk


_encoder = msgspec.json.Encoder()


def light_of(row: Sequence[Any], tokens: int | None, cost_pico: int | None) -> LightSpan:
    """A row of SPAN_COLUMNS, and the span's tokens and cost, as a LightSpan."""
    start_ns, end_ns = row[7], row[8]
    return LightSpan(
        row[0],
        row[1],
        row[2],
        row[3],
        row[4],
        row[5],
        row[6],
        seconds_from_ns(start_ns),
        None if end_ns is None else seconds_from_ns(end_ns),
        duration_ms(start_ns, end_ns),
        Raw(row[10]),
        row[11],
        bool(row[12]),
        label_of(row[3], row[4], row[9]),
        tokens,
        None if cost_pico is None else usd_from_pico(cost_pico),
    )
