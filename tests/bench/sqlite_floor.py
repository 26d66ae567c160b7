"""What sqlite3 itself does with the same spans on this disk: one process, no HTTP, a plain schema.

Text keys and an index for every column one might filter by: the schema that comes to mind first. Ingest is quoted as
a share of this, because it says how much of the disk's and SQLite's speed reaches a client.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from tests.bench.workload import Span, encode

TRANSACTION_SPANS = 500

_SCHEMA = """
CREATE TABLE traces(
  trace_id TEXT PRIMARY KEY, name TEXT, start_time REAL, end_time REAL, span_count INTEGER, status TEXT,
  tags TEXT DEFAULT '{}', total_cost_usd REAL, total_tokens INTEGER, created_at REAL);
CREATE INDEX traces_by_created ON traces(created_at);
CREATE INDEX traces_by_status ON traces(status);
CREATE TABLE spans(
  span_id TEXT PRIMARY KEY, trace_id TEXT NOT NULL, parent_span_id TEXT, span_type TEXT, name TEXT, status TEXT,
  error_message TEXT, start_time REAL, end_time REAL, attributes TEXT, annotations TEXT DEFAULT '[]', created_at REAL);
CREATE INDEX spans_by_trace ON spans(trace_id);
CREATE INDEX spans_by_parent ON spans(parent_span_id);
CREATE INDEX spans_by_type ON spans(span_type);
CREATE INDEX spans_by_start ON spans(start_time);
CREATE INDEX spans_by_name ON spans(name);
"""

_INSERT_SPAN = """
INSERT INTO spans(span_id, trace_id, parent_span_id, span_type, name, status, error_message, start_time, end_time,
                  attributes, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_ADD_TO_TRACE = """
INSERT INTO traces(trace_id, name, start_time, end_time, span_count, status, total_cost_usd, total_tokens, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT(trace_id) DO UPDATE SET
  span_count = span_count + excluded.span_count,
  start_time = min(start_time, excluded.start_time),
  end_time = max(end_time, excluded.end_time),
  status = CASE WHEN excluded.status = 'error' THEN 'error' ELSE status END,
  total_cost_usd = total_cost_usd + excluded.total_cost_usd,
  total_tokens = total_tokens + excluded.total_tokens
"""


def insertion_rate(path: Path, spans: list[Span]) -> float:
    """Spans a second into a new file at `path`, which is removed. Rows are made before the clock starts."""
    groups = [spans[at : at + TRANSACTION_SPANS] for at in range(0, len(spans), TRANSACTION_SPANS)]
    prepared = [(_trace_rows(group), [_span_row(span) for span in group]) for group in groups]
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # as Beacon runs by default
        connection.executescript(_SCHEMA)
        began = time.perf_counter()
        for traces, rows in prepared:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_ADD_TO_TRACE, traces)
            connection.executemany(_INSERT_SPAN, rows)
            connection.execute("COMMIT")
        return len(spans) / (time.perf_counter() - began)
    finally:
        connection.close()
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _span_row(span: Span) -> tuple[Any, ...]:
    return (
        span.span_id,
        span.trace_id,
        span.parent_span_id,
        span.span_type,
        span.name,
        span.status,
        span.error_message,
        span.start_time,
        span.end_time,
        encode(span.attributes).decode(),
        span.end_time,
    )


def _trace_rows(spans: list[Span]) -> list[tuple[Any, ...]]:
    traces: dict[str, list[Span]] = {}
    for span in spans:
        traces.setdefault(span.trace_id, []).append(span)
    return [
        (
            trace_id,
            members[0].name,
            min(span.start_time for span in members),
            max(span.end_time for span in members),
            len(members),
            "error" if any(span.status == "error" for span in members) else "ok",
            sum(span.attributes.get("llm.cost_usd", 0.0) for span in members),
            sum(span.attributes.get("llm.tokens.total", 0) for span in members),
            members[0].start_time,
        )
        for trace_id, members in traces.items()
    ]
