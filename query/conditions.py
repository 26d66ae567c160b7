"""The fields of a question (query/terms.py) as SQL over `spans s` and `traces t`, or over `traces t` alone. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from query.matching import probe
from query.terms import Field, Text

TRACE_DURATION = "CASE WHEN t.end_ns IS NOT NULL THEN max(0, t.end_ns - t.start_ns) END"
_SPAN_DURATION = "CASE WHEN s.end_ns IS NOT NULL THEN max(0, s.end_ns - s.start_ns) END"


class Condition(NamedTuple):
    """SQL and its named parameters; "" when everything passes. `reads_spans`: it looks into the spans of every trace,
    which is some ten times dearer."""

    sql: str
    params: dict[str, Any]
    reads_spans: bool = False


def over_spans(fields: Sequence[Field]) -> Condition:
    """What holds for a span that every field fits."""
    return _all(fields, _ON_SPANS)


def over_traces(fields: Sequence[Field], texts: Sequence[Text] = ()) -> Condition:
    """What holds for a trace that every field fits, and whose name holds every text: `type` and `model` ask for any
    span of that kind, the rest is about the trace as a whole."""
    named = [Field("name", ":", text.text, text.negated) for text in texts]
    return _all([*fields, *named], _ON_TRACES)


_ON_SPANS = {
    "status": "s.status",
    "type": "s.span_type",
    "model": "s.model",
    "name": "s.name",
    "session": "t.session_id",
    "since": "s.start_ns",
    "until": "s.start_ns",
    "cost": "s.cost_pico",
    "duration": _SPAN_DURATION,
    "tokens": "s.tokens",
}
_ON_TRACES = {
    "status": "t.status",
    "type": "s.span_type",
    "model": "s.model",
    "name": "t.name",
    "session": "t.session_id",
    "since": "t.start_ns",
    "until": "t.start_ns",
    "cost": "t.cost_pico",
    "duration": TRACE_DURATION,
    "tokens": "t.tokens",
}
_COMPARES = {"since": ">=", "until": "<"}


def _all(fields: Sequence[Field], columns: dict[str, str]) -> Condition:
    terms: list[str] = []
    params: dict[str, Any] = {}
    reads_spans = False
    # what is dear to ask goes last: SQLite asks in this order
    for i, field in enumerate(sorted(fields, key=lambda field: _DEAR.index(field.name) if field.name in _DEAR else -1)):
        sql = _term(field, columns.get(field.name, ""), f"field{i}", params)
        if columns is _ON_TRACES and field.name in ("type", "model"):
            sql = any_span(sql)
            reads_spans = True
        terms.append(f"NOT coalesce({sql}, 0)" if field.negated else f"coalesce({sql}, 0)")
    return Condition(" AND ".join(terms), params, reads_spans)


_DEAR = ("tag", "name", "type", "model")


def any_span(condition: str) -> str:
    """Whether a condition on `spans s` holds for any span of the trace."""
    return f"EXISTS (SELECT 1 FROM spans s WHERE s.trace_row = t.trace_row AND {condition})"


def _term(field: Field, column: str, at: str, params: dict[str, Any]) -> str:
    """The condition for one field, its values in `params` under names that begin with `at`."""
    name, op, value, _ = field
    if isinstance(value, int):
        params[at] = value
        return f"({column} {_COMPARES.get(name, '=' if op == ':' else op)} :{at})"
    if name == "name":
        folded = value.casefold()
        likely = probe(folded)
        params[at] = folded
        params[f"{at}_like"] = likely.like
        return f"({likely.sql(column, f'{at}_like')} AND holds({column}, :{at}))"
    if name == "tag":
        params[at] = value
        if "=" not in value:
            return f"(t.tags <> '{{}}' AND EXISTS (SELECT 1 FROM json_each(t.tags) WHERE key = :{at}))"
        # a key may hold = too: the tag holds where any split at one gives key and value
        return f"(t.tags <> '{{}}' AND EXISTS (SELECT 1 FROM json_each(t.tags) WHERE key || '=' || value = :{at}))"
    if name in ("model", "session") and "*" in value:
        params[at] = re.sub(r"([%_\\])", r"\\\1", value).replace("*", "%")
        return f"({column} LIKE :{at} ESCAPE '\\')"
    params[at] = value
    return f"({column} = :{at}{' COLLATE NOCASE' if name == 'model' else ''})"
