"""When a call is made again. Pure.

Only where nobody can have paid for the first one: the connection could not be made, or the provider itself said when to
come back (`Retry-After`, RFC 9110 10.2.3; `retry-after-ms` and `x-should-retry` of OpenAI and Anthropic).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRIES_MAX = 2

RETRY_AFTER_MAX_S = 30.0
"""Seconds a call waits to be made again. A provider that wants longer is not asked earlier: the call fails and says
so."""

RECONNECT_S = (0.2, 1.0)
"""Seconds before a connection is tried again: a server that is being restarted is there within a second or two."""

STATUSES = (429, 503)


def wait_before_retry(
    status: int, headers: Mapping[str, str], retries: int, now: datetime | None = None
) -> float | None:
    """Seconds to wait before the call is made again, None when it is not. `retries`: how often it was already."""
    if status not in STATUSES or retries >= RETRIES_MAX or headers.get("x-should-retry") == "false":
        return None
    seconds = retry_after(headers, now)
    return seconds if seconds is not None and seconds <= RETRY_AFTER_MAX_S else None


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds the provider asks to wait; None when it does not say."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = _seconds(headers.get(name))
        if seconds is not None:
            return seconds * unit
    try:
        at = parsedate_to_datetime(headers.get("retry-after") or "")
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())


def _seconds(value: str | None) -> float | None:
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
