"""The types of a trace's spans as one number, a bit each: what `traces.types` holds. Pure."""

from __future__ import annotations

from typing import get_args

from beacon.contract.records import SpanType

BITS: dict[str, int] = {name: 1 << place for place, name in enumerate(get_args(SpanType))}
"""Stored: a new type takes the next bit, and none ever moves."""


def names(types: int) -> list[str]:
    """The types whose bits are set."""
    return [name for name, bit in BITS.items() if types & bit]
