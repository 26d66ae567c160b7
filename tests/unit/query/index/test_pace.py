"""How much of the time the index is worked on."""

from __future__ import annotations

import pytest

from query.index.pace import BUSY_SPANS_S, LOOK_S, SHARE_ACTIVE, SHARE_BUSY, Pace


def paced(rates: list[float]) -> Pace:
    """After looks 50 ms apart, while so many spans a second came, for a second each."""
    pace, row = Pace(), 1000.0
    for i in range(len(rates) * 20):
        pace.saw(100 + i * 0.05, int(row))
        row += rates[i // 20] * 0.05
    return pace


@pytest.mark.parametrize(
    ("rates", "share"),
    [
        ([0], 1),
        ([2_000], SHARE_ACTIVE),
        ([20_000], SHARE_BUSY),
        ([20_000, 200], SHARE_ACTIVE),
        ([20_000, 0], 1),
        ([0, BUSY_SPANS_S * 1.1], SHARE_BUSY),
    ],
)
def test_it_rests_the_longer_the_more_spans_come(rates: list[float], share: float) -> None:
    worked = 0.08
    assert paced(rates).rest(worked) == pytest.approx(worked / share - worked)


def test_a_stack_that_starts_is_not_taken_for_a_busy_one() -> None:
    pace = Pace()
    pace.saw(100, 1_000_000)
    pace.saw(100 + LOOK_S / 2, 1_000_000)
    assert pace.rest(1) == 0
