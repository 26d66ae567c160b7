"""Spans as CSV (RFC 4180), one row each. Pure."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal

from beacon.contract.units import duration_ms, seconds_from_ns
from query.export.trace_walk import SpanRow

CONTENT_TYPE = b"text/csv; charset=utf-8"

COLUMNS = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "name",
    "span_type",
    "start_time",
    "end_time",
    "duration_ms",
    "status",
    "cost",
    "tokens",
)

HEADER = (",".join(COLUMNS) + "\r\n").encode()

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def spans(rows: list[SpanRow], before: bytes) -> bytes:
    """`before` and one line a span, with CRLF; what is not known is an empty cell."""
    out = io.StringIO(newline="")
    write = csv.writer(out, lineterminator="\r\n").writerow
    for row in rows:
        span_id, trace_id, parent_span_id, span_type, name, status, _, start_ns, end_ns = row.columns[:9]
        duration = duration_ms(start_ns, end_ns)
        write(
            (
                trace_id,
                span_id,
                parent_span_id,
                guarded(name),
                span_type,
                number(seconds_from_ns(start_ns)),
                None if end_ns is None else number(seconds_from_ns(end_ns)),
                None if duration is None else number(duration),
                status,
                None if row.cost_pico is None else number(Decimal(row.cost_pico).scaleb(-12)),
                row.tokens,
            )
        )
    return before + out.getvalue().encode()


def guarded(text: str) -> str:
    """`text`, with an apostrophe before it where a spreadsheet would take it for a formula and run it: a span's name
    is whatever a program sent. Ids cannot hold a formula, and stay exact."""
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def number(value: float | Decimal) -> str:
    """`value` written out, without an exponent."""
    text = format(Decimal(repr(value)) if isinstance(value, float) else value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def filename(trace_id: str) -> str:
    """A name for the download that every file system takes."""
    return f"trace-{re.sub(r'[^A-Za-z0-9_-]', '_', trace_id)}.csv"
