"""Plain values as OTLP's JSON has them: AnyValue and KeyValue
(https://github.com/open-telemetry/opentelemetry-proto/blob/main/docs/specification.md#json-protobuf-encoding). Pure.

Nothing here raises, whatever a value is: instrumentations write any type under any name.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from beacon.contract.limits import ATTRIBUTES_DEPTH_MAX

UNREADABLE = "[a value that cannot be written as JSON]"

INT64 = range(-(2**63), 2**63)

_SURROGATE = re.compile("[\ud800-\udfff]")
_encode = msgspec.json.encode


def any_value(value: Any, depth: int = ATTRIBUTES_DEPTH_MAX) -> dict[str, Any]:
    """`value` as an AnyValue: nothing in it for None, bytes as base64, and as JSON text what is nested more than
    `depth` levels."""
    if value is None:
        return {}
    if isinstance(value, str):
        return {"stringValue": clean_text(value)}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        # 64-bit integers are decimal strings in protobuf's JSON; a larger one keeps its digits as text
        return {"intValue": str(value)} if value in INT64 else {"stringValue": digits_of(value)}
    if isinstance(value, float):
        return {"doubleValue": value if math.isfinite(value) else float_name(value)}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"bytesValue": base64.b64encode(value).decode()}
    if depth <= 0:
        return {"stringValue": text_of(value)}
    if isinstance(value, list | tuple):
        return {"arrayValue": {"values": [any_value(one, depth - 1) for one in value]}}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": [key_value(key, one, depth - 1) for key, one in value.items()]}}
    return {"stringValue": UNREADABLE}


def key_value(key: Any, value: Any, depth: int = ATTRIBUTES_DEPTH_MAX) -> dict[str, Any]:
    """One attribute as a KeyValue."""
    return {"key": clean_text(str(key)), "value": any_value(value, depth)}


def key_values(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`attributes` as a list of KeyValue."""
    return [key_value(key, value) for key, value in attributes.items()]


def clean_text(text: str) -> str:
    """`text` with U+FFFD for every half of a surrogate pair, which UTF-8 has no bytes for."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def float_name(value: float) -> str:
    """What protobuf's JSON calls a number that JSON has no word for."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def digits_of(value: int) -> str:
    """An integer as text: in hex where it has more than 64 bits, since Python refuses to print one of 4,300 digits."""
    return str(value) if value.bit_length() <= 64 else hex(value)


def text_of(value: Any) -> str:
    """`value` as JSON text, whatever it is."""
    try:
        return _encode(value).decode()
    except (TypeError, ValueError, RecursionError, OverflowError):  # UnicodeEncodeError is a ValueError
        return UNREADABLE
