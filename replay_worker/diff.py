"""Where two texts differ, word by word, as hunks that join back to both texts exactly.

Myers' greedy algorithm (An O(ND) Difference Algorithm, 1986) finds the shortest edit of what is small; what is large is
first cut at words that stand once in each text (patience diff), so that time stays bounded: at STEPS_MAX what is left
counts as replaced.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from typing import Literal

from beacon.contract.jobs import Diff, Hunk

Op = Literal["equal", "insert", "delete"]
Block = tuple[int, int, int]
"""`size` words that are the same from `old` and from `new` on."""

STEPS_MAX = 400_000
"""Steps of Myers' inner loop for one diff, about 0.2 s; texts of a few thousand words need a tenth of it."""

EDITS_MAX = 600
"""Edits Myers looks for in one piece: its memory grows with their square."""

SMALL = 1_500
"""Words of a piece, old and new together, that is not worth cutting further."""

DEPTH_MAX = 12

_WORDS = re.compile(
    r"\s+"
    # scripts without spaces between words: a character each
    r"|[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
    r"|[^\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
    r"|[^\w\s]"
)


def compare(old: str | None, new: str) -> Diff:
    """The difference of `new` from `old`; without an old text everything is new."""
    return Diff(old, new, old != new, hunks(old or "", new))


def hunks(old: str, new: str) -> list[Hunk]:
    """The runs of words both texts share, and what each has alone: a deletion stands before the insertion at the same
    place, neighbours are never of the same kind, none is empty."""
    a, b = words(old), words(new)
    spans: list[tuple[Op, str]] = []
    at_a = at_b = 0
    for in_a, in_b, size in [*_Matcher(a, b).blocks(), (len(a), len(b), 0)]:
        spans.append(("delete", "".join(a[at_a:in_a])))
        spans.append(("insert", "".join(b[at_b:in_b])))
        spans.append(("equal", "".join(a[in_a : in_a + size])))
        at_a, at_b = in_a + size, in_b + size
    return [Hunk(op, text) for op, text in _joined(spans)]


def words(text: str) -> list[str]:
    """`text` in words, runs of white space, and single signs; joined they are the text."""
    return _WORDS.findall(text)


def _joined(spans: list[tuple[Op, str]]) -> Iterator[tuple[Op, str]]:
    """Spaces alone between two changes become part of both (else every word of a rewritten sentence is a hunk), and
    each stretch of changes is one deletion and one insertion."""
    deleted: list[str] = []
    inserted: list[str] = []
    shared: list[str] = []
    pending = ""
    for op, text in spans:
        if not text:
            continue
        if op == "equal":
            if (deleted or inserted) and not shared and text.isspace() and not pending:
                pending = text
                continue
            if deleted or inserted:
                yield from _changed(deleted, inserted)
                deleted, inserted = [], []
            shared.append(pending + text)
            pending = ""
            continue
        if shared:
            yield "equal", "".join(shared)
            shared = []
        if pending:
            deleted.append(pending)
            inserted.append(pending)
            pending = ""
        (deleted if op == "delete" else inserted).append(text)
    if deleted or inserted:
        yield from _changed(deleted, inserted)
    if shared or pending:
        yield "equal", "".join(shared) + pending


def _changed(deleted: list[str], inserted: list[str]) -> Iterator[tuple[Op, str]]:
    if deleted:
        yield "delete", "".join(deleted)
    if inserted:
        yield "insert", "".join(inserted)


class _Matcher:
    """The blocks two lists of words share, in order."""

    def __init__(self, a: list[str], b: list[str]) -> None:
        # numbers compare faster than words do, and whitespace-heavy texts have few of them
        numbers: dict[str, int] = {}
        self._a = [numbers.setdefault(word, len(numbers)) for word in a]
        self._b = [numbers.setdefault(word, len(numbers)) for word in b]
        self._steps = STEPS_MAX
        self._found: list[Block] = []

    def blocks(self) -> list[Block]:
        self._match(0, len(self._a), 0, len(self._b), DEPTH_MAX)
        return self._found

    def _match(self, a_from: int, a_to: int, b_from: int, b_to: int, depth: int) -> None:
        a, b = self._a, self._b
        start = a_from
        while a_from < a_to and b_from < b_to and a[a_from] == b[b_from]:
            a_from += 1
            b_from += 1
        self._add(start, b_from - (a_from - start), a_from - start)
        tail = 0
        while a_from < a_to and b_from < b_to and a[a_to - 1] == b[b_to - 1]:
            a_to -= 1
            b_to -= 1
            tail += 1
        if a_from < a_to and b_from < b_to:
            anchors = (
                self._anchors(a_from, a_to, b_from, b_to) if depth and (a_to - a_from) + (b_to - b_from) > SMALL else []
            )
            if anchors:
                at_a, at_b = a_from, b_from
                for in_a, in_b in [*anchors, (a_to, b_to)]:
                    self._match(at_a, in_a, at_b, in_b, depth - 1)
                    at_a, at_b = in_a, in_b
            else:
                self._shortest_edit(a_from, a_to, b_from, b_to)
        self._add(a_to, b_to, tail)

    def _add(self, in_a: int, in_b: int, size: int) -> None:
        if size:
            self._found.append((in_a, in_b, size))

    def _anchors(self, a_from: int, a_to: int, b_from: int, b_to: int) -> list[tuple[int, int]]:
        """The longest chain of words that stand once in each piece, in the same order in both."""
        in_a = Counter(self._a[a_from:a_to])
        in_b = Counter(self._b[b_from:b_to])
        places = {self._b[j]: j for j in range(b_from, b_to)}
        pairs = [
            (i, places[self._a[i]]) for i in range(a_from, a_to) if in_a[self._a[i]] == 1 and in_b[self._a[i]] == 1
        ]
        # patience sorting: tops[k] ends the best chain of length k + 1
        tops: list[int] = []
        ends: list[int] = []
        before: list[int] = []
        for index, (_, j) in enumerate(pairs):
            k = bisect_left(tops, j)
            before.append(ends[k - 1] if k else -1)
            if k == len(tops):
                tops.append(j)
                ends.append(index)
            else:
                tops[k] = j
                ends[k] = index
        chain = []
        index = ends[-1] if ends else -1
        while index >= 0:
            chain.append(pairs[index])
            index = before[index]
        return chain[::-1]

    def _shortest_edit(self, a_from: int, a_to: int, b_from: int, b_to: int) -> None:
        """Adds the blocks of a shortest edit, or none when it takes more than EDITS_MAX edits or the steps are used
        up."""
        a, b = self._a, self._b
        n, m = a_to - a_from, b_to - b_from
        furthest = {1: 0}
        history: list[dict[int, int]] = []
        for edits in range(min(n + m, EDITS_MAX) + 1):
            self._steps -= edits + 1
            if self._steps < 0:
                return
            history.append(furthest.copy())
            for k in range(-edits, edits + 1, 2):
                down = k == -edits or (k != edits and furthest[k - 1] < furthest[k + 1])
                x = furthest[k + 1] if down else furthest[k - 1] + 1
                y = x - k
                while x < n and y < m and a[a_from + x] == b[b_from + y]:
                    x += 1
                    y += 1
                furthest[k] = x
                if x >= n and y >= m:
                    self._walk_back(history, a_from, b_from, n, m)
                    return

    def _walk_back(self, history: list[dict[int, int]], a_from: int, b_from: int, n: int, m: int) -> None:
        x, y = n, m
        found: list[Block] = []
        for edits in range(len(history) - 1, -1, -1):
            furthest = history[edits]
            k = x - y
            down = k == -edits or (k != edits and furthest[k - 1] < furthest[k + 1])
            before_k = k + 1 if down else k - 1
            before_x = furthest[before_k]
            before_y = before_x - before_k
            start_x = before_x if down else before_x + 1
            size = x - start_x if edits else x
            if size > 0:
                found.append((a_from + x - size, b_from + y - size, size))
            x, y = before_x, before_y
        self._found.extend(reversed(found))
