"""Which span of one run is which of another: the two trees laid side by side. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from replay_worker.analysis.trace import Step, Trace

CELLS_MAX = 1_000_000
"""Pairs of siblings that are compared, about a second; of longer lists those that stand near each other."""

BAND_MIN = 50
"""How far off its place a sibling is looked for at least."""

SAME_WORK = 2
SAME_INPUT = 1
"""Two spans with the same type and name may be the same work; with the same input they rather are."""

Pair = tuple[Step | None, Step | None]


def align(a: Trace, b: Trace) -> list[Pair]:
    """Every span of both once, in the order of the walk: matched, or alone where the other run has no counterpart.

    Matched spans have the same type and name, their parents are matched (or both are roots), and siblings keep their
    order. Of the possible ways the one with the most matches, those with the same input counting half more.
    """
    below_a, below_b = a.children, b.children
    pairs: list[Pair] = []
    # innermost last: a stack of pairs whose children are still to be laid side by side
    waiting: list[Pair] = list(reversed(_pair(below_a.get(None, []), below_b.get(None, []))))
    while waiting:
        one, other = waiting.pop()
        pairs.append((one, other))
        children_a = below_a.get(one.span_id, []) if one else []
        children_b = below_b.get(other.span_id, []) if other else []
        waiting.extend(reversed(_pair(children_a, children_b)))
    return pairs


def _pair(a: Sequence[Step], b: Sequence[Step]) -> list[Pair]:
    return list(_merged(a, b, _matches(a, b)))


def _matches(a: Sequence[Step], b: Sequence[Step]) -> list[tuple[int, int]]:
    """Indexes of matched siblings, ascending in both."""
    likes = [(_work(step), step.input) for step in a], [(_work(step), step.input) for step in b]
    first, last_a, last_b = 0, len(a), len(b)
    # what is equal at both ends is matched at once: most runs of one agent begin alike
    while first < min(last_a, last_b) and likes[0][first] == likes[1][first]:
        first += 1
    while min(last_a, last_b) > first and likes[0][last_a - 1] == likes[1][last_b - 1]:
        last_a, last_b = last_a - 1, last_b - 1
    ends = [(i, i) for i in range(first)], [(last_a + i, last_b + i) for i in range(len(a) - last_a)]
    middle_a, middle_b = likes[0][first:last_a], likes[1][first:last_b]

    def score(i: int, j: int) -> int:
        (work_a, input_a), (work_b, input_b) = middle_a[i], middle_b[j]
        if work_a != work_b:
            return 0
        return SAME_WORK + (SAME_INPUT if input_a == input_b else 0)

    found = _best(len(middle_a), len(middle_b), score)
    return [*ends[0], *((first + i, first + j) for i, j in found), *ends[1]]


def _best(n: int, m: int, score: Callable[[int, int], int]) -> list[tuple[int, int]]:
    """The pairs, ascending in both, whose scores sum to the most (Needleman and Wunsch, gaps free); in a band along the
    diagonal where the whole table would be larger than CELLS_MAX."""
    if not n or not m:
        return []
    half = m if n * m <= CELLS_MAX else max(BAND_MIN, CELLS_MAX // (2 * n))
    begins = [max(0, i * m // n - half) for i in range(n)] + [m]
    rows: list[list[int]] = [[] for _ in range(n)] + [[0]]

    def value(i: int, j: int) -> int:
        at = j - begins[i]
        return rows[i][at] if 0 <= at < len(rows[i]) else 0

    for i in range(n - 1, -1, -1):
        end = min(m, i * m // n + half + 1)
        row = [0] * (end - begins[i])
        right = 0
        for j in range(end - 1, begins[i] - 1, -1):
            points = score(i, j)
            right = max(right, value(i + 1, j), value(i + 1, j + 1) + points if points else 0)
            row[j - begins[i]] = right
        rows[i] = row
    found = []
    i = j = 0
    while i < n and j < m:
        points = score(i, j)
        if points and value(i, j) == value(i + 1, j + 1) + points:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif value(i, j) == value(i + 1, j):
            i += 1
        else:
            j += 1
    return found


def _merged(a: Sequence[Step], b: Sequence[Step], matches: Sequence[tuple[int, int]]) -> Iterator[Pair]:
    i = j = 0
    for match_i, match_j in [*matches, (len(a), len(b))]:
        yield from ((step, None) for step in a[i:match_i])
        yield from ((None, step) for step in b[j:match_j])
        if match_i < len(a):
            yield a[match_i], b[match_j]
        i, j = match_i + 1, match_j + 1


def _work(step: Step) -> tuple[str, str]:
    return step.type, step.name
