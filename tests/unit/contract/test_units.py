from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from beacon.contract.limits import TIME_MAX_S
from beacon.contract.units import duration_ms, ns_from_seconds, pico_from_usd, seconds_from_ns, usd_from_pico


@given(st.floats(min_value=1e7, max_value=TIME_MAX_S - 1))
def test_a_time_is_read_back_as_the_very_float_that_was_sent(seconds: float) -> None:
    assert seconds_from_ns(ns_from_seconds(seconds)) == seconds


@given(st.floats(min_value=0, max_value=1e7))
def test_small_times_are_kept_to_the_nanosecond(seconds: float) -> None:
    assert abs(ns_from_seconds(seconds) - Fraction(seconds) * 10**9) <= 1


@given(st.lists(st.sampled_from([0.1, 0.2, 0.3, 1e-12, 0.000036]), max_size=30))
def test_money_sums_to_the_same_in_any_order(prices: list[float]) -> None:
    forth = sum(pico_from_usd(p) for p in prices)
    back = sum(pico_from_usd(p) for p in reversed(prices))
    assert usd_from_pico(forth) == usd_from_pico(back)


def test_durations() -> None:
    assert duration_ms(1_000_000, None) is None
    assert duration_ms(1_000_000, 3_500_000) == 2.5
    assert duration_ms(3_000_000, 1_000_000) == 0
