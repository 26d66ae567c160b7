"""Moments as people write them: `2h` ago, a date, seconds since 1970. Pure."""

from __future__ import annotations

import re
from datetime import datetime

INT64_MAX = 2**63 - 1

_UNITS = {"ms": 1e6, "s": 1e9, "m": 60e9, "min": 60e9, "h": 3600e9, "d": 86_400e9, "w": 604_800e9}


def read_moment(value: str, now_ns: int) -> int:
    """Nanoseconds since 1970. Raises ValueError that says what to write instead."""
    if re.fullmatch(r"\d{9,}(?:\.\d+)?", value):
        return min(round(float(value) * 1e9), INT64_MAX)
    if re.match(r"\d{4}-", value):
        try:
            seconds = datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError, OSError):
            raise ValueError(f"{value[:40]!r} is no date; write 2026-11-23 or 2026-11-23T14:30Z") from None
        # a date without a zone means the clock on the wall of whoever asks, and this is their machine
        return min(max(round(seconds * 1e9), 0), INT64_MAX)
    return max(0, now_ns - read_span_of_time(value, "write 30m, 2h, 7d, a date, or seconds since 1970"))


def read_span_of_time(value: str, like: str) -> int:
    """Nanoseconds. Raises ValueError: it is no time, and `like` says what is."""
    match = re.fullmatch(r"([\d.]+)([a-z]+)", value.lower())
    number = None if match is None else read_number(match[1])
    if match is None or number is None or match[2] not in _UNITS:
        raise ValueError(f"{value[:40]!r} is no time; {like}")
    return min(round(number * _UNITS[match[2]]), INT64_MAX)


def read_number(said: str) -> float | None:
    """A plain decimal number; None for anything else."""
    return float(said) if re.fullmatch(r"\d{1,18}(?:\.\d{1,18})?|\.\d{1,18}", said, re.ASCII) else None
