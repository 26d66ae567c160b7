"""Whether a number stands apart from the others like it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median

OTHERS_MIN = 8
"""Others needed before anything may be called unusual: with fewer, one slow neighbour decides."""

TIMES_MEDIAN_MIN = 5.0
"""Latencies of one model vary threefold from call to call; five times the median is more than that."""

DEVIATIONS_MIN = 6.0
"""Deviations of the logarithm: durations and costs are skewed, and far on a linear scale is often near on this one."""

SPREAD_MIN = 0.15
"""The least spread (of the logarithm) that is believed: among equal samples any other number is infinitely far."""

_TO_SIGMA = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""


class Distribution:
    """Numbers of one kind, those that may be unusual among them: medians do not follow a few that stand apart."""

    def __init__(self, sample: Iterable[float]) -> None:
        known = [value for value in sample if value > 0]
        self.others = max(0, len(known) - 1)
        if self.others >= OTHERS_MIN:
            self._median = median(known)
            logs = [math.log(value) for value in known]
            self._centre = median(logs)
            self._spread = max(SPREAD_MIN, _TO_SIGMA * median(abs(log - self._centre) for log in logs))

    def times_median(self, value: float) -> float | None:
        """How many times the median an unusually high `value` of the sample is; None when it is not unusual, or when
        there are too few others to say."""
        if self.others < OTHERS_MIN or value < TIMES_MEDIAN_MIN * self._median:
            return None
        if (math.log(value) - self._centre) / self._spread < DEVIATIONS_MIN:
            return None
        return value / self._median
