"""A page of the list out of the overview: which rows it has, and how many pass in all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from query.overview.facts import Fact
from query.overview.keep import Moment

FEW = 6_000
"""Traces that are sorted for a page rather than walked past in order: 5 ms. To walk the order of 80,000 until a page is
full takes less for what is commoner."""

SCANNED = 16_000
"""The same for a range of start times, which is read without a look at any other table."""


class Asked(NamedTuple):
    """What must hold: every fact, and `column op value` for every range, the columns those of the overview."""

    facts: Sequence[Fact]
    ranges: Sequence[tuple[str, str, Any]]


class After(NamedTuple):
    """Where a page begins: behind this key (None in created order) and row."""

    key: int | None
    trace_row: int


class Page(NamedTuple):
    """(key, trace_row) of each row in order, one more than was asked for when more follow; and how many pass in all."""

    rows: list[tuple[int, int]]
    total: int | None


def select(
    now: Moment, asked: Asked, column: str | None, descending: bool, after: After | None, *,
    offset: int, limit: int, count: bool,
) -> Page:  # fmt: skip
    """`limit` rows behind `after`, or behind `offset` rows, by `column` (None: as they were created) and, where that is
    equal, as they were created."""
    numbers = [now.facts.number(fact) for fact in dict.fromkeys(asked.facts)]
    known = sorted((number for number in numbers if number is not None), key=now.facts.count)
    if len(known) < len(numbers):
        return Page([], 0 if count else None)
    few = now.facts.count(known[0]) if known else now.counters.trace_count
    total = _total(now, known, asked.ranges) if count or (not known and asked.ranges) else None
    source, leads = _source(known, asked.ranges, column, few, total)
    where = [*(f"f{i}.fact = {number}" for i, number in enumerate(known)), *_ranges(asked.ranges)]
    params: dict[str, Any] = {f"v{i}": value for i, (_, _, value) in enumerate(asked.ranges)}
    row = f"{leads}.trace_row"
    way = "DESC" if descending else "ASC"
    if after is not None:
        less = "<" if descending else ">"
        params |= {"after_row": after.trace_row, "after_key": after.key}
        if column is None:
            where.append(f"{row} {less} :after_row")
        else:
            where.append(f"t.{column} {less}= :after_key AND (t.{column} {less} :after_key OR {row} {less} :after_row)")
    key = "0" if column is None else f"t.{column}"
    sql = (
        f"SELECT {key}, {row} FROM {source}{' WHERE ' if where else ''}{' AND '.join(where)} "
        f"ORDER BY {'' if column is None else f't.{column} {way}, '}{row} {way} LIMIT :limit OFFSET :offset"
    )
    rows = now.memory.execute(sql, params | {"limit": limit, "offset": min(offset, 2**63 - 1)}).fetchall()
    return Page(rows, total if count else None)


def _ranges(ranges: Sequence[tuple[str, str, Any]]) -> list[str]:
    return [f"t.{column} {op} :v{i}" for i, (column, op, _) in enumerate(ranges)]


def _total(now: Moment, known: list[int], ranges: Sequence[tuple[str, str, Any]]) -> int:
    if not ranges:
        if not known:
            return now.counters.trace_count
        if len(known) == 1:
            return now.facts.count(known[0])
    where = [*(f"f{i}.fact = {number}" for i, number in enumerate(known)), *_ranges(ranges)]
    params = {f"v{i}": value for i, (_, _, value) in enumerate(ranges)}
    indexed = f" INDEXED BY by_{ranges[0][0]}" if len({column for column, _, _ in ranges}) == 1 and not known else ""
    source = " CROSS JOIN ".join(_facts(known))
    if ranges:
        source += (
            f" CROSS JOIN traces t ON t.trace_row = f{len(known) - 1}.trace_row" if known else f"traces t{indexed}"
        )
    sql = f"SELECT count(*) FROM {source} WHERE {' AND '.join(where)}"
    return int(now.memory.execute(sql, params).fetchone()[0])


def _facts(known: list[int]) -> list[str]:
    return [f"facts f{i}{f' ON f{i}.trace_row = f0.trace_row' if i else ''}" for i in range(len(known))]


def _source(
    known: list[int], ranges: Sequence[tuple[str, str, Any]], column: str | None, few: int, total: int | None
) -> tuple[str, str]:
    """The FROM clause, which says what is walked and in which order, and the table that leads."""
    if known and (column is None or few <= FEW):
        source = " CROSS JOIN ".join(_facts(known))
        if column is not None or ranges:
            source += " CROSS JOIN traces t ON t.trace_row = f0.trace_row"
        return source, "f0"
    if not known and ranges and total is not None and total <= (SCANNED if column is None else FEW):
        one = {name for name, _, _ in ranges}
        return f"traces t INDEXED BY by_{ranges[0][0]}" if len(one) == 1 else "traces t", "t"
    leading = "traces t NOT INDEXED" if column is None else f"traces t INDEXED BY by_{column}"
    tables = [leading, *(f"facts f{i} ON f{i}.trace_row = t.trace_row" for i in range(len(known)))]
    return " CROSS JOIN ".join(tables), "t"
