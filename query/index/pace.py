"""How much of the time the index is worked on, by what the writer has to do meanwhile.

A process that computes beside it costs the writer more than its share of the cores: with two of them, and the other at
the lowest priority there is, requests of one span took twice as long.
"""

from __future__ import annotations

BUSY_SPANS_S = 3_000.0
"""Spans a second from which on the writer has the machine to itself, nearly: a search scans what comes meanwhile."""

SHARE_BUSY = 0.1
SHARE_ACTIVE = 0.4
"""Of the time, while spans come at all: 2,000 a second take 0.25."""

LOOK_S = 0.2
"""Seconds over which spans are counted."""


class Pace:
    """Told of every look at the writer, it says how long to rest after some work."""

    def __init__(self) -> None:
        self._since = 0.0
        self._row = -1
        self._rate = 0.0

    def saw(self, now: float, last_row: int) -> None:
        """At `now` seconds, `last_row` was the last span_row the writer had given out."""
        if self._row < 0:
            self._since, self._row = now, last_row
        elif now - self._since >= LOOK_S:
            self._rate = (last_row - self._row) / (now - self._since)
            self._since, self._row = now, last_row

    def rest(self, worked: float) -> float:
        """Seconds to do nothing after `worked` seconds of work."""
        if self._rate <= 0:
            return 0.0
        share = SHARE_BUSY if self._rate >= BUSY_SPANS_S else SHARE_ACTIVE
        return worked * (1 / share - 1)
