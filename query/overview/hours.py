"""Sums of the traces that started in each hour. Python's integers: picodollars of dear traces leave 64 bits in sum."""

from __future__ import annotations

from beacon.contract.units import NS

HOUR_NS = 3_600 * NS


class Sums:
    __slots__ = ("cost_pico", "errors", "tokens", "traces")

    def __init__(self) -> None:
        self.traces = self.errors = self.cost_pico = self.tokens = 0


class Hours:
    def __init__(self) -> None:
        self._hours: dict[int, Sums] = {}

    def count(self, start_ns: int, cost_pico: int, tokens: int, failed: int, by: int) -> None:
        """A trace more (`by` 1) or less (-1)."""
        hour = start_ns // HOUR_NS
        sums = self._hours.get(hour)
        if sums is None:
            sums = self._hours[hour] = Sums()
        sums.traces += by
        sums.errors += by * failed
        sums.cost_pico += by * cost_pico
        sums.tokens += by * tokens
        if not sums.traces:
            del self._hours[hour]

    def between(self, first: int, end: int, width: int) -> dict[int, Sums]:
        """The sums of the buckets [first, end), each of `width` hours, those with no trace left out."""
        found: dict[int, Sums] = {}
        for hour, sums in self._hours.items():
            bucket = hour // width
            if first <= bucket < end:
                whole = found.get(bucket)
                if whole is None:
                    whole = found[bucket] = Sums()
                whole.traces += sums.traces
                whole.errors += sums.errors
                whole.cost_pico += sums.cost_pico
                whole.tokens += sums.tokens
        return found
