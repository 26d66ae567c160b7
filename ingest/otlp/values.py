"""Values of attributes: as JSON text, and as the type a reader asks for. Pure.

Nothing here raises, whatever a value is: instrumentations write any type under any name.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from beacon.contract.limits import ATTRIBUTES_DEPTH_MAX
from beacon.contract.otlp_values import INT64, UNREADABLE, clean_text, digits_of, float_name, text_of

_SCALARS = frozenset((str, int, bool, type(None)))

_encode = msgspec.json.encode
_decode = msgspec.json.decode


# ---------------------------------------------------------------- as JSON


def json_text(value: Any) -> str:
    """`value` as JSON text, for an attribute that holds such: bytes as base64, NaN and infinities as null, halves of
    surrogate pairs as U+FFFD, what no JSON library follows for its depth as a text."""
    try:
        return _encode(value).decode()
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError, OverflowError):
        return _encode(_cleaned(value, ATTRIBUTES_DEPTH_MAX)).decode()


def plain(value: Any) -> Any:
    """`value` itself where JSON has it, else the nearest that JSON has: base64 of bytes, the names of NaN and
    infinities as text, and text for what is nested more than ATTRIBUTES_DEPTH_MAX levels."""
    kind = type(value)
    if kind in _SCALARS or (kind is float and math.isfinite(value)):
        return value
    return _cleaned(value, ATTRIBUTES_DEPTH_MAX - 1)


def is_plain(value: Any) -> bool:
    """Whether JSON gives `value` back as it was: bytes, NaN and infinities come back as text."""
    kind = type(value)
    if kind in _SCALARS:
        return True
    if kind is float:
        return math.isfinite(value)
    if kind is bytes:
        return False
    return _is_plain(value, ATTRIBUTES_DEPTH_MAX - 1)


def _is_plain(value: Any, depth: int) -> bool:
    if isinstance(value, list | tuple):
        return depth > 0 and all(is_plain(one) if type(one) in _SCALARS else _is_plain(one, depth - 1) for one in value)
    if isinstance(value, dict):
        return depth > 0 and all(
            type(key) is str and (type(one) in _SCALARS or _is_plain(one, depth - 1)) for key, one in value.items()
        )
    return type(value) in _SCALARS or (isinstance(value, float) and math.isfinite(value))


def _cleaned(value: Any, depth: int) -> Any:
    """`value` with `depth` levels of lists and objects at most below it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        # other readers of JSON lose digits of a larger one
        return value if value in INT64 else digits_of(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else float_name(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, list | tuple):
        return [_cleaned(one, depth - 1) for one in value] if depth > 0 else text_of(value)
    if isinstance(value, Mapping):
        if depth <= 0:
            return text_of(value)
        return {
            clean_text(key if isinstance(key, str) else str(key)): _cleaned(v, depth - 1) for key, v in value.items()
        }
    return UNREADABLE


# ---------------------------------------------------------------- as what a reader asks for


def parsed(value: Any) -> Any:
    """What a "JSON" attribute says, come as text or as a structure: text that is JSON of a list or an object as that,
    any other value as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return _decode(value)
        except (ValueError, RecursionError):  # msgspec's errors and UnicodeEncodeError are ValueErrors
            return value
    return value


def as_dict(value: Any) -> dict[str, Any] | None:
    """An object, or JSON text of one; None for anything else."""
    value = parsed(value)
    return value if isinstance(value, dict) else None


def as_list(value: Any) -> list[Any] | None:
    """A list, or JSON text of one; None for anything else."""
    value = parsed(value)
    return value if isinstance(value, list) else None


def as_text(value: Any) -> str | None:
    """A text that says something; None for an empty one and for what is no text."""
    return clean_text(value) if isinstance(value, str) and value else None


def as_words(value: Any) -> str | None:
    """Any value as a text: one that is text as it is, another as JSON; None for null and for nothing."""
    if value is None or value == "":
        return None
    return clean_text(value) if isinstance(value, str) else json_text(value)


def as_number(value: Any) -> float | int | None:
    """A finite number, or the text of one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if not 0 < len(value) <= 40:
            return None
        try:
            value = int(value) if value.strip().lstrip("+-").isdecimal() else float(value)
        except ValueError:
            return None
    if isinstance(value, int):
        return value if value in INT64 else None
    return value if isinstance(value, float) and math.isfinite(value) else None


def as_count(value: Any) -> int | None:
    """A whole number of things, at least 0 (also written as 12.0 or "12")."""
    number = as_number(value)
    return int(number) if number is not None and number >= 0 and number == int(number) else None


def as_bool(value: Any) -> bool | None:
    """True or false, or the words for them."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return None


def first_of(attributes: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The value of the first of `names` that is there and neither null nor empty text; else None."""
    for name in names:
        value = attributes.get(name)
        if value is not None and value != "":
            return value
    return None
