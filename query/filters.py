"""The filters and orders of GET /v1/traces as SQL over `traces t`. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from beacon.contract.limits import TIME_MAX_S
from beacon.contract.requests import ListTraces
from beacon.contract.units import ns_from_seconds, pico_from_usd
from beacon.errors import Invalid
from query.conditions import TRACE_DURATION, Condition, any_span, over_traces
from query.terms import INT64_MAX, parse

_SORT_KEYS = {
    "created_at": None,
    "start_time": "t.start_ns",
    "duration_ms": TRACE_DURATION,
    "total_cost_usd": "t.cost_pico",
    "total_tokens": "t.tokens",
    "span_count": "t.span_count",
}


class Order(NamedTuple):
    """`key` is an SQL expression, a number or NULL (NULLs go last), or None for created order."""

    key: str | None
    descending: bool


def check(q: ListTraces) -> None:
    """Raises `Invalid` for a cursor where it means nothing."""
    if q.cursor is None:
        return
    if q.sort != "-created_at":
        wrong = f"goes with the order -created_at only, not {q.sort}; page with offset there"
    elif q.offset:
        wrong = "and offset exclude each other; leave offset out"
    else:
        return
    raise Invalid(f"query.cursor: {wrong}.", [("query.cursor", wrong)])


def cursor_row(q: ListTraces) -> int | None:
    """The trace_row before which the page begins."""
    return None if q.cursor is None else min(int(q.cursor), INT64_MAX)


def order(q: ListTraces) -> Order:
    return Order(_SORT_KEYS[q.sort.lstrip("-")], q.sort.startswith("-"))


def where(q: ListTraces, now_ns: int) -> Condition:
    """Every filter that is given; all must hold. Raises `Invalid` for a `q` that cannot be read."""
    terms: list[str] = []
    params: dict[str, Any] = {}

    def add(term: str, **values: Any) -> None:
        terms.append(term)
        params.update(values)

    # Cheap conditions first: SQLite asks them in this order
    if q.status is not None:
        add("t.status = :status", status=q.status)
    if q.session_id is not None:
        add("t.session_id = :session_id", session_id=q.session_id)
    if q.since is not None:
        add("t.start_ns >= :since", since=_ns(q.since))
    if q.until is not None:
        add("t.start_ns < :until", until=_ns(q.until))
    if q.min_duration_ms is not None:
        add(f"{_SORT_KEYS['duration_ms']} >= :min_duration", min_duration=_round(q.min_duration_ms * 1e6))
    if q.min_cost_usd is not None:
        add("t.cost_pico >= :min_cost", min_cost=_pico(q.min_cost_usd))
    for i, tag in enumerate(q.tag):
        # A key may hold a colon too: the tag holds where any split at a colon gives key and value
        add(
            f"t.tags <> '{{}}' AND EXISTS (SELECT 1 FROM json_each(t.tags) WHERE key || ':' || value = :tag{i})",
            **{f"tag{i}": tag},
        )
    reads_spans = q.span_type is not None or q.model is not None
    if q.q is not None:
        asked = parse(q.q, now_ns)
        said = over_traces(asked.fields, asked.texts)
        add(said.sql, **said.params)
        reads_spans = reads_spans or said.reads_spans
    if q.span_type is not None:
        add(any_span("s.span_type = :span_type"), span_type=q.span_type)
    if q.model is not None:
        add(any_span("s.model = :model"), model=q.model)
    return Condition(" AND ".join(terms), params, reads_spans)


def _ns(seconds: float) -> int:
    return INT64_MAX if seconds >= TIME_MAX_S else ns_from_seconds(seconds)


def _pico(usd: float) -> int:
    return INT64_MAX if usd >= INT64_MAX / 1e12 else pico_from_usd(usd)


def _round(number: float) -> float:
    """To the whole nanosecond, so that a duration read from an answer finds its trace again."""
    return number if number > 2**53 else float(round(number))
