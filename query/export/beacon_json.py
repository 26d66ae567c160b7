"""Beacon's own export format, version 1: what POST /v1/traces/import takes. Pure."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from beacon.contract.records import ExportedSpan, SpanOtel, TraceSummary, encode
from beacon.store.rows import span_of
from query.export.trace_walk import SpanRow
from query.spans import list_items

CONTENT_TYPE = b"application/json"


def head(exported_at: float) -> bytes:
    """The fields every export begins with, the object left open."""
    return b'{"version":"1","format":"beacon","exported_at":%b' % encode(exported_at)


def opening(trace: TraceSummary, exported_at: float) -> bytes:
    """The export of one trace up to its spans."""
    return b'%b,"trace":%b,"spans":[' % (head(exported_at), encode(trace))


def spans(rows: list[SpanRow], before: bytes) -> bytearray:
    """`before` (which ends in "[" or ",") and the spans, with what came by OpenTelemetry."""
    return list_items([_exported(row) for row in rows], before)


def plain_spans(rows: list[SpanRow], before: bytes) -> bytearray:
    """As `spans`, of the spans alone: for a trace that is no export."""
    return list_items([span_of(row.columns) for row in rows], before)


def _exported(row: SpanRow) -> ExportedSpan:
    span = span_of(row.columns)
    own = msgspec.structs.asdict(span)
    if row.otel is None:
        return ExportedSpan(**own)
    start_ns, end_ns = row.columns[7:9]
    otel = SpanOtel(
        Raw(row.otel.resource.encode()),
        Raw(row.otel.scope.encode()),
        Raw(row.otel.span.encode()),
        str(start_ns),
        None if end_ns is None else str(end_ns),
    )
    return ExportedSpan(**own, otel=otel)


CLOSING = b"]}"
