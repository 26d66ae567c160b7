"""Ids of OTLP: 32 lower-case hex digits for a trace, 16 for a span, not all zero (opentelemetry-proto, trace.proto).
Pure."""

from __future__ import annotations

import hashlib
import re

TRACE_ID_DIGITS = 32
SPAN_ID_DIGITS = 16

_HEX = re.compile(r"[0-9a-f]+")


def hex_id(native: str, digits: int) -> str:
    """`native` if it is an OTLP id already, else `digits` hex digits that always follow from it."""
    if len(native) == digits and _HEX.fullmatch(native) and native.strip("0"):
        return native
    return hashlib.sha256(native.encode()).hexdigest()[:digits]
