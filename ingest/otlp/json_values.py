"""Values of OTLP's JSON: what protobuf's JSON mapping allows and what clients write besides, as plain Python. Pure.

Sources: opentelemetry-proto docs/specification.md (JSON Protobuf Encoding), https://protobuf.dev/programming-guides/json/
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from beacon.contract.limits import ATTRIBUTES_DEPTH_MAX
from ingest.otlp.records import Attributes
from ingest.separate import TOO_DEEP, SpanWrong

Json = dict[str, Any]

_INT64 = range(-(2**63), 2**63)
_DIGITS = re.compile(r"\s*[+-]?[0-9]{1,40}\s*", re.ASCII)
_DOUBLES = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_HEX = re.compile(r"[0-9a-f]*", re.ASCII)
_BASE64_CHARS = {24: 16, 12: 8}
"""Bytes of an id by its length in base64, which is what protobuf's own JSON writers make of it."""


class NotOtlp(SpanWrong):
    """Something is of a kind that no exporter's encoder writes, so that all it writes will be as bad."""


def field(holder: Json, name: str, older: str) -> Any:
    """What stands under the name of protobuf's JSON, or under the `older`, the name in the .proto file; None."""
    value = holder.get(name)
    return holder.get(older) if value is None else value


def text(value: Any) -> str:
    """A string field; another scalar as its text."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, (dict, list)):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def integer(value: Any) -> int | None:
    """An integer, as a number or as decimal text; 0 where there is none, None where it is something else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if value is None or value == "":
        return 0
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return None


def count(value: Any) -> int:
    """A uint32: 0 for anything else."""
    found = integer(value)
    return found if found is not None and 0 <= found < 2**32 else 0


def enum(value: Any, names: Mapping[str, int]) -> int:
    """A number, or one of `names`, with or without the prefix that protobuf gives them; 0 for anything else."""
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        return names.get(value.strip().upper().rpartition("_")[2], 0)
    return count(value)


def hex_id(value: Any) -> str:
    """An id as lower-case hex of whatever length it has: as hex in any case, as base64 by its length. Raises
    `SpanWrong` for what is neither."""
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise SpanWrong("", "must be text: hex digits")
    found = value.strip().lower()
    size = _BASE64_CHARS.get(len(found))
    if size is not None:
        try:
            decoded = base64.b64decode(value.strip().replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError):
            decoded = b""
        if len(decoded) == size:
            return decoded.hex()
    if not _HEX.fullmatch(found):
        raise SpanWrong("", f"must be hex digits; {value[:40]!r} is not")
    return found


# ---------------------------------------------------------------- attributes


def attributes(pairs: Any) -> Attributes:
    """A list of KeyValue as a dict; a key that comes twice counts as it comes last. What is no KeyValue is left out.

    Raises `NotOtlp` where it is no list, and `SpanWrong` where a value nests deeper than may be stored.
    """
    if pairs is None:
        return {}
    if not isinstance(pairs, list):
        raise NotOtlp(
            "attributes",
            'must be a list of {"key": …, "value": {"stringValue": …}}, as OTLP has it, not '
            + ("an object" if isinstance(pairs, dict) else "text or a number"),
        )
    return _pairs(pairs, ATTRIBUTES_DEPTH_MAX - 1)


def _pairs(pairs: list[Any], depth: int) -> Attributes:
    out: Attributes = {}
    for pair in pairs:
        if type(pair) is dict and (key := pair.get("key")).__class__ is str:
            held = pair.get("value")
            # the common case, without a call
            if type(held) is dict and type(found := held.get("stringValue")) is str:
                out[key] = found
            else:
                out[key] = any_value(held, depth)
    return out


def any_value(value: Any, depth: int = ATTRIBUTES_DEPTH_MAX - 1) -> Any:
    """An AnyValue; a scalar that stands where one should be is taken as it is. `depth` is how many levels it may have.
    Raises `SpanWrong` when it has more."""
    if type(value) is not dict:
        if type(value) is list:
            return _items(value, depth)
        return value
    for name, held in value.items():
        read = _READERS.get(name)
        if read is not None:
            return read(held, depth)
    return None


def _string(value: Any, _: int) -> Any:
    return value if isinstance(value, str) or value is None else text(value)


def _integer(value: Any, _: int) -> Any:
    found = integer(value)
    if found is None:
        return value if isinstance(value, (str, float, bool)) else None
    return found if found in _INT64 else str(found)


def _double(value: Any, _: int) -> Any:
    if isinstance(value, str):
        if value in _DOUBLES:
            return _DOUBLES[value]
        try:
            return float(value)
        except ValueError:
            return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return str(value)
    return value if isinstance(value, (float, bool)) else None


def _boolean(value: Any, _: int) -> Any:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower(), value)
    return value if isinstance(value, (bool, int, float)) else None


def _bytes(value: Any, _: int) -> Any:
    """Base64, its padding left out or not, in either alphabet; what is not, as the text that it is."""
    if not isinstance(value, str):
        return None
    plain = value.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return value


def _array(value: Any, depth: int) -> Any:
    held = value.get("values") if isinstance(value, dict) else value
    return _items(held, depth) if isinstance(held, list) else []


def _items(values: list[Any], depth: int) -> list[Any]:
    if depth <= 0:
        raise SpanWrong("attributes", TOO_DEEP)
    return [any_value(item, depth - 1) for item in values]


def _key_values(value: Any, depth: int) -> Any:
    if depth <= 0:
        raise SpanWrong("attributes", TOO_DEEP)
    held = value.get("values") if isinstance(value, dict) else value
    return _pairs(held, depth - 1) if isinstance(held, list) else {}


_READERS = {
    "stringValue": _string,
    "string_value": _string,
    "intValue": _integer,
    "int_value": _integer,
    "doubleValue": _double,
    "double_value": _double,
    "boolValue": _boolean,
    "bool_value": _boolean,
    "bytesValue": _bytes,
    "bytes_value": _bytes,
    "arrayValue": _array,
    "array_value": _array,
    "kvlistValue": _key_values,
    "kvlist_value": _key_values,
}
