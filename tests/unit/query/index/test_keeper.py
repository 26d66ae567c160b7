"""Which segments become one."""

from __future__ import annotations

import pytest

from query.index import keeper
from query.index.file import Segment
from query.index.keeper import to_merge


def segments(*counts: int) -> list[Segment]:
    return [Segment(i + 1, i * 100, i * 100 + 100, count) for i, count in enumerate(counts)]


@pytest.fixture(autouse=True)
def small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "LARGE", 80)
    monkeypatch.setattr(keeper, "TINY_MAX", 3)


@pytest.mark.parametrize(
    ("counts", "idle", "merged"),
    [
        ((), True, []),
        ((80,), True, []),
        ((5, 5, 80), False, [0, 1]),
        ((5, 80), True, []),
        ((80, 39, 30, 80, 5), False, [1, 2]),
        ((80, 30, 30), True, []),
        ((80, 39, 39, 5), False, [1, 2, 3]),
        ((80, 5, 5, 5), False, []),
        ((80, 5, 5, 5), True, [1, 2, 3]),
        ((80, 30, 5, 5), True, []),
        ((80, 30, 5, 5, 5), True, [2, 3, 4]),
        ((80, 39, 5, 5, 31), True, [1, 2, 3, 4]),
        ((40, 40, 40), True, []),
    ],
)
def test_small_neighbours_become_one(counts: tuple[int, ...], idle: bool, merged: list[int]) -> None:
    have = segments(*counts)
    assert to_merge(have, idle=idle) == [have[i] for i in merged]
