"""What people add to a span: annotations and prompt versions. Commands for the writer."""

from __future__ import annotations

import sqlite3
import uuid

import msgspec

from beacon.contract.records import Annotation, PromptVersion
from beacon.contract.units import seconds_from_ns
from beacon.errors import BadRequest, NotFound
from beacon.store.lookup import find_span_row
from ingest.changes import SpanChange
from ingest.database import Command, Transaction
from ingest.merge import SpanState
from ingest.spans import SPAN_LIST
from ingest.traces import load_trace

_SELECT_SPAN = (
    f"SELECT t.trace_id, {SPAN_LIST}, a.attributes FROM spans s "
    "JOIN traces t ON t.trace_row = s.trace_row JOIN span_attributes a ON a.span_row = s.span_row WHERE s.span_row = ?"
)


def put_annotations(span_id: str, trace_id: str | None, annotations: list[Annotation]) -> Command:
    """Replace the notes on a span. Raises `NotFound`."""

    def command(tx: Transaction) -> None:
        span_trace_id, before = load_span(tx.db, span_id, trace_id)
        text = msgspec.json.encode(annotations).decode()
        if text == before.annotations:
            return
        after = msgspec.structs.replace(before, annotations=text, seq=tx.next_seq())
        tx.db.execute("UPDATE spans SET annotations = ?, seq = ? WHERE span_row = ?", (text, after.seq, after.span_row))
        trace = load_trace(tx.db, span_trace_id)
        trace.seq = tx.next_seq()
        tx.db.execute("UPDATE traces SET seq = ? WHERE trace_row = ?", (trace.seq, trace.trace_row))
        tx.changes.spans.append(SpanChange(span_trace_id, after, before))
        tx.changes.traces_updated.append(trace)

    return command


def create_prompt_version(span_id: str, trace_id: str | None, text: str, label: str | None) -> Command:
    """Keep a prompt version of an llm_call span; returns the PromptVersion. Raises `NotFound`, `BadRequest`."""

    def command(tx: Transaction) -> PromptVersion:
        _, span = load_span(tx.db, span_id, trace_id)
        if span.span_type != "llm_call":
            raise BadRequest(f"Span {span_id} is a {span.span_type}; only an llm_call has prompt versions.")
        version_id = str(uuid.uuid4())
        tx.db.execute(
            "INSERT INTO prompt_versions (version_id, trace_row, span_id, prompt_text, label, created_ns) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (version_id, span.trace_row, span.span_id, text, label, tx.now_ns),
        )
        return PromptVersion(version_id, span.span_id, text, label, seconds_from_ns(tx.now_ns))

    return command


def load_span(db: sqlite3.Connection, span_id: str, trace_id: str | None) -> tuple[str, SpanState]:
    """(trace_id, row) of the span; the newest with this id unless `trace_id` decides. Raises `NotFound`."""
    span_row = find_span_row(db, span_id, trace_id)
    if span_row is None:
        raise NotFound("Span not found")
    row = db.execute(_SELECT_SPAN, (span_row,)).fetchone()
    return row[0], SpanState(*row[1:])
