"""What a trace can be asked for exactly: its status, session, tags, types and models. Numbered, and counted.

A number stands in the tables in place of the text, and the counts are the totals of the commonest lists.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

Fact = tuple[str, str]
"""A kind (status, session, tag, type, model) and a value; a tag is `key:value`."""


class Facts:
    """The numbers of the facts that some trace has, and how many traces have each."""

    def __init__(self) -> None:
        self._numbers: dict[Fact, int] = {}
        self._by_number: dict[int, Fact] = {}
        self._counts: dict[int, int] = {}
        self._next = 1

    def number(self, fact: Fact) -> int | None:
        """None when no trace has it."""
        return self._numbers.get(fact)

    def fact(self, number: int) -> Fact:
        return self._by_number[number]

    def count(self, number: int) -> int:
        return self._counts[number]

    def take(self, facts: Iterable[Fact]) -> list[int]:
        """The numbers of a trace's facts, in order, each counted once more."""
        numbers = []
        for fact in facts:
            number = self._numbers.get(fact)
            if number is None:
                number = self._numbers[fact] = self._next
                self._by_number[number] = fact
                self._counts[number] = 0
                self._next += 1
            self._counts[number] += 1
            numbers.append(number)
        return sorted(numbers)

    def drop(self, numbers: Iterable[int]) -> None:
        """Count each once less; a fact that no trace has any more is forgotten."""
        for number in numbers:
            self._counts[number] -= 1
            if not self._counts[number]:
                del self._counts[number]
                del self._numbers[self._by_number.pop(number)]


def packed(numbers: Iterable[int]) -> bytes:
    return array("I", numbers).tobytes()


def unpacked(packed_numbers: bytes) -> list[int]:
    return array("I", packed_numbers).tolist()
