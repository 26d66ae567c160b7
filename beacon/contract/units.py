"""Exact units: times as integer nanoseconds, money as integer picodollars.

Floats are what JSON carries; integers are what is stored and summed, so that the order in which spans
arrive leaves no trace in the last digit (1e-12 dollars is below any price per token).
"""

from __future__ import annotations

NS = 1_000_000_000
PICO = 1_000_000_000_000


def ns_from_seconds(seconds: float) -> int:
    """Nanoseconds since the epoch, exact to 0.5 ns for any float: `seconds * 1e9` would be off by up to 128 ns,
    and the time read back would differ from the time that was posted."""
    whole = int(seconds)
    return whole * NS + int((seconds - whole) * 1e9 + 0.5)  # a third of the time of round()


def seconds_from_ns(ns: int) -> float:
    """The float nearest to `ns`; gives back the very float that `ns_from_seconds` was given."""
    return ns / NS


def duration_ms(start_ns: int, end_ns: int | None) -> float | None:
    """Milliseconds between the two; None while open, 0 where the end is before the start (clock skew)."""
    if end_ns is None:
        return None
    return max(0, end_ns - start_ns) / 1_000_000


def pico_from_usd(usd: float) -> int:
    """Integer picodollars of a price in US dollars."""
    return round(usd * PICO)


def usd_from_pico(pico: int) -> float:
    return pico / PICO
