"""The filters and orders of GET /v1/traces as the overview of traces knows them. Pure."""

from __future__ import annotations

from typing import Any

from beacon.contract.requests import ListTraces
from query.filters import ns, pico, whole
from query.overview.facts import Fact
from query.overview.rows import folded_model
from query.overview.select import Asked
from query.terms import Field, parse

Range = tuple[str, str, Any]
"""A column of the overview, an operator, a value."""

_COLUMNS = {
    "created_at": None,
    "start_time": "start_ns",
    "duration_ms": "up_ns",
    "total_cost_usd": "cost_pico",
    "total_tokens": "tokens",
    "span_count": "span_count",
}
_FIELD_COLUMNS = {
    "since": ("start_ns", ">="),
    "until": ("start_ns", "<"),
    "cost": ("cost_pico", ""),
    "tokens": ("tokens", ""),
    "duration": ("down_ns", ""),
}


def needs_overview(q: ListTraces, now_ns: int) -> bool:
    """Whether the list is any other than that of all traces as they were created."""
    wanted = asked(q, now_ns)
    return wanted is not None and (column_of(q) is not None or any(wanted))


def column_of(q: ListTraces) -> str | None:
    """The overview's column that the list is ordered by; None in created order."""
    return "down_ns" if q.sort == "-duration_ms" else _COLUMNS[q.sort.lstrip("-")]


def asked(q: ListTraces, now_ns: int) -> Asked | None:
    """The filters; None when the overview does not know them all: names, what must not be, and patterns."""
    facts: list[Fact] = [("tag", tag) for tag in q.tag]
    for kind, value in (("status", q.status), ("session", q.session_id), ("type", q.span_type), ("model", q.model)):
        if value is not None:
            facts.append((kind, value))
    ranges: list[Range] = []
    if q.since is not None:
        ranges.append(("start_ns", ">=", ns(q.since)))
    if q.until is not None:
        ranges.append(("start_ns", "<", ns(q.until)))
    if q.min_duration_ms is not None:
        ranges.append(("down_ns", ">=", whole(q.min_duration_ms * 1e6)))
    if q.min_cost_usd is not None:
        ranges.append(("cost_pico", ">=", pico(q.min_cost_usd)))
    if q.q is not None:
        said = parse(q.q, now_ns)
        if said.texts:
            return None
        for field in said.fields:
            fact = _fact(field)
            if field.negated or (fact is None and field.name not in _FIELD_COLUMNS):
                return None
            if fact is not None:
                facts.append(fact)
            else:
                ranges += _ranges(field)
    return Asked(facts, ranges)


def _fact(field: Field) -> Fact | None:
    """None when the overview has no such fact of a trace."""
    name, _, value, _ = field
    if not isinstance(value, str):
        return None
    if name in ("status", "type"):
        return name, value
    if "*" not in value and name == "session":
        return name, value
    if "*" not in value and name == "model":
        return "model in any case", folded_model(value)
    # a colon in it, or another =, could be of the key and of the value
    if name == "tag" and value.count("=") == 1 and ":" not in value:
        return name, value.replace("=", ":")
    return None


def _ranges(field: Field) -> list[Range]:
    column, op = _FIELD_COLUMNS[field.name]
    found: list[Range] = [(column, op or ("=" if field.op == ":" else field.op), field.value)]
    if column == "down_ns":
        found.append((column, ">=", 0))  # an open trace has no duration
    return found
