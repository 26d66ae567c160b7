from __future__ import annotations

from datetime import UTC, datetime

import pytest

from replay_worker.providers.retrying import RETRIES_MAX, retry_after, wait_before_retry

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "Mon, 23 Nov 2026 12:00:07 GMT"}, 7.0),
        ({"retry-after": "Mon, 23 Nov 2026 11:59:00 GMT"}, 0.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_what_a_provider_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


def test_only_a_provider_that_says_when_is_asked_again() -> None:
    assert wait_before_retry(429, {"retry-after": "1"}, 0) == 1.0
    assert wait_before_retry(503, {"retry-after": "1"}, 1) == 1.0
    assert wait_before_retry(429, {}, 0) is None
    assert wait_before_retry(500, {"retry-after": "1"}, 0) is None
    assert wait_before_retry(429, {"retry-after": "1", "x-should-retry": "false"}, 0) is None
    assert wait_before_retry(429, {"retry-after": "1"}, RETRIES_MAX) is None


def test_nobody_is_asked_earlier_than_they_said() -> None:
    assert wait_before_retry(429, {"retry-after": "31"}, 0) is None
