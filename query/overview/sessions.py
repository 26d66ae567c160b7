"""Sums of the traces of each session, made anew for those that changed when somebody asks."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

_MICRO = 1_000_000
"""Sums are taken in two parts, of whole and of broken millions: picodollars of very dear traces leave 64 bits when
summed, and SQLite answers that with an error."""

_SUMS = f"""
count(*), sum(t.cost_pico / {_MICRO}), sum(t.cost_pico % {_MICRO}), sum(t.tokens / {_MICRO}), sum(t.tokens % {_MICRO}),
sum(t.failed), sum(t.running), sum(t.unpriced), min(t.created_ns), max(t.seen_ns)
"""
_ALL = f"SELECT t.session, {_SUMS} FROM traces t WHERE t.session IS NOT NULL GROUP BY t.session"
_ONE = (
    f"SELECT f.fact, {_SUMS} FROM facts f CROSS JOIN traces t ON t.trace_row = f.trace_row WHERE f.fact = ? "
    "GROUP BY f.fact"
)


class Sums(NamedTuple):
    """`failed` and `running` count traces."""

    traces: int
    cost_pico: int
    tokens: int
    errors: int
    running: int
    unpriced: int
    first_ns: int
    last_ns: int


class Sessions:
    """By the number of the session among the facts."""

    def __init__(self) -> None:
        self._sums: dict[int, Sums] | None = None
        self._changed: set[int] = set()

    def changed(self, number: int) -> None:
        """A trace of it came, changed or went."""
        self._changed.add(number)

    def sums(self, memory: sqlite3.Connection) -> dict[int, Sums]:
        if self._sums is None:
            self._sums = {row[0]: _sums(row) for row in memory.execute(_ALL)}
        else:
            for number in self._changed:
                row = memory.execute(_ONE, (number,)).fetchone()
                if row is None:
                    self._sums.pop(number, None)
                else:
                    self._sums[number] = _sums(row)
        self._changed.clear()
        return self._sums


def _sums(row: tuple[int, ...]) -> Sums:
    _, traces, cost_m, cost, tokens_m, tokens, errors, running, unpriced, first_ns, last_ns = row
    return Sums(
        traces, cost_m * _MICRO + cost, tokens_m * _MICRO + tokens, errors, running, unpriced, first_ns, last_ns
    )
