"""A trace of the file as a row in memory, and its facts. Pure, but for traces of more models than their row has."""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from typing import Any

import msgspec

from beacon import called_models
from beacon.store import span_types
from query.overview.facts import Fact
from query.overview.tables import ENDLESS

STORED = (
    "t.trace_row, t.trace_id, t.status, t.start_ns, t.end_ns, t.cost_pico, t.tokens, t.span_count, t.running_count, "
    "t.unpriced_count, t.created_ns, t.seen_ns, t.session_id, t.tags, t.models, t.types, t.top_call_pico, t.top_tool_ns"
)
"""For `FROM traces t`."""

_decode_tags = msgspec.json.Decoder(dict[str, str]).decode
_decode_models = msgspec.json.Decoder(dict[str, int]).decode
_MODELS = "SELECT DISTINCT model FROM spans WHERE trace_row = ? AND model IS NOT NULL"


class Trace(msgspec.Struct, gc=False):
    """What memory holds of one trace; its numbers are the columns of the table between `id_hash` and `session`."""

    trace_row: int
    id_hash: int
    """By which a trace is found when it was deleted; what it finds is checked."""
    numbers: tuple[int, ...]
    session: Fact | None
    tops: tuple[int | None, int | None]
    facts: list[Fact]

    @property
    def start_ns(self) -> int:
        return self.numbers[0]


def trace_of(db: sqlite3.Connection, row: tuple[Any, ...]) -> Trace:
    """A row of STORED."""
    (
        trace_row, trace_id, status, start_ns, end_ns, cost_pico, tokens, span_count, running, unpriced, created_ns,
        seen_ns, session_id, tags, models, types, top_call_pico, top_tool_ns,
    ) = row  # fmt: skip
    down_ns, up_ns = (-1, ENDLESS) if end_ns is None else (max(0, end_ns - start_ns),) * 2
    facts: list[Fact] = [("status", status)]
    session = None if session_id is None else ("session", session_id)
    if session is not None:
        facts.append(session)
    if tags != "{}":
        # keys may hold colons: two tags can be the same fact
        facts += {("tag", f"{key}:{value}") for key, value in _decode_tags(tags).items()}
    facts += _type_facts(types)
    if models != called_models.NONE:
        named: Any = _decode_models(models)
        if len(named) >= called_models.KEPT:
            named = [model for (model,) in db.execute(_MODELS, (trace_row,))]
        facts += [("model", model) for model in named]
        facts += {("model in any case", folded_model(model)) for model in named}
    return Trace(
        trace_row,
        hash(trace_id),
        (
            start_ns, down_ns, up_ns, cost_pico, tokens, span_count, int(status == "error"), int(running > 0), unpriced,
            created_ns, max(seen_ns, created_ns),
        ),
        session,
        (top_call_pico, top_tool_ns),
        facts,
    )  # fmt: skip


@lru_cache(maxsize=1_024)
def folded_model(model: str) -> str:
    """As SQLite's NOCASE compares: ASCII alone."""
    return model.encode(errors="surrogatepass").lower().decode(errors="surrogatepass")


@lru_cache(maxsize=256)
def _type_facts(types: int) -> list[Fact]:
    return [("type", name) for name in span_types.names(types)]
