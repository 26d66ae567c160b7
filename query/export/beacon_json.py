"""Beacon's own export format, version 1: what POST /v1/traces/import takes. Pure."""

from __future__ import annotations

from beacon.contract.records import TraceSummary, encode
from beacon.store.rows import exported_span, span_of
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
    return list_items([exported_span(row.columns, row.otel) for row in rows], before)


def plain_spans(rows: list[SpanRow], before: bytes) -> bytearray:
    """As `spans`, of the spans alone: for a trace that is no export."""
    return list_items([span_of(row.columns) for row in rows], before)


CLOSING = b"]}"
