from __future__ import annotations

import pytest

from tests.bench.figures import percentile, written
from tests.bench.plan import QUICK
from tests.bench.rows import ROWS, Results, Row


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(100, 0, -1)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile(values, 1.0) == 100
    assert percentile([3.0], 0.01) == 3
    with pytest.raises(ValueError):
        percentile([], 0.5)


@pytest.mark.parametrize(
    ("value", "text"), [(21_340.4, "21,340"), (312.4, "312"), (45.67, "45.7"), (4.564, "4.56"), (0.1234, "0.123")]
)
def test_figures_are_written_with_three_digits(value: float, text: str) -> None:
    assert written(value) == text


def row(key: str) -> Row:
    return next(row for row in ROWS if row.key == key)


def test_the_verdict_is_that_of_the_median_and_faults_spoil_it() -> None:
    results = Results()
    assert results.verdict(row("by_100")) == "not measured"
    for figure in (30_000, 10_000, 23_000):
        results.add("by_100", figure)
    assert results.verdict(row("by_100")) == "met"
    results.fault("by_100", ["1 x status 500"])
    assert results.verdict(row("by_100")) == "missed"
    results.add("live_p50", 2.6)
    assert results.verdict(row("live_p50")) == "missed"
    results.add("sqlite", 1)
    assert results.verdict(row("sqlite")) == ""


def test_a_figure_without_a_row_is_an_error() -> None:
    with pytest.raises(KeyError):
        Results().add("by_1000", 1)


def test_every_row_has_a_name_of_its_own_and_one_target_at_most() -> None:
    assert len({row.key for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert row.at_least is None or row.at_most is None
        assert "{" not in row.what.format(**vars(QUICK))
