"""Storing an exported trace again: checked whole, then stored whole or not at all."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from beacon.contract.records import Imported
from beacon.contract.requests import ImportTrace, required_fields
from beacon.errors import BadRequest, Conflict, Invalid
from beacon.web.application import invalid_json
from ingest.database import Command, Transaction
from ingest.decode import SLICE, Arrival, check_span
from ingest.otlp.exported import exact, read_exported
from ingest.separate import SpanWrong
from ingest.spans import UPDATE_TRACE_TAGS, store

FORMAT = "beacon"
VERSIONS = ("1",)


class _Head(Struct):
    version: Any = None
    format: Any = None
    traces: msgspec.Raw | msgspec.UnsetType = UNSET


async def decode_import(body: bytes) -> tuple[ImportTrace, list[Arrival]]:
    """The export in `body`, its spans checked, others let in between slices of them. Raises `BadRequest` for another
    format or version, `Invalid` naming every span that is wrong."""
    try:
        head = msgspec.json.decode(body, type=_Head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise invalid_json(e, body) from e
    if head.format != FORMAT or head.version not in VERSIONS:
        raise BadRequest(
            f"This is an export of format {_shown(head.format)}, version {_shown(head.version)}; this Beacon imports "
            f'format "{FORMAT}", version {", ".join(f"{v!r}" for v in VERSIONS)} (export with ?format=json).'
        )
    if head.traces is not UNSET:
        raise BadRequest("This is an export of several traces; import each entry of its `traces` on its own.")
    try:
        export = msgspec.json.decode(body, type=ImportTrace)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise invalid_json(e, body) from e
    return export, await _check(export)


async def _check(export: ImportTrace) -> list[Arrival]:
    errors: list[tuple[str, str]] = []
    arrivals: list[Arrival] = []
    if not export.spans:
        errors.append(("spans", "a trace has at least one span"))
    seen: set[str] = set()
    for i, span in enumerate(export.spans):
        if i % SLICE == SLICE - 1:
            await asyncio.sleep(0)
        where = f"spans[{i}]"
        if span.trace_id != export.trace.trace_id:
            errors.append((f"{where}.trace_id", f"is not the trace's, {export.trace.trace_id}"))
        if span.span_id in seen:
            errors.append((f"{where}.span_id", f"{span.span_id} stands in this export twice"))
        seen.add(span.span_id)
        if missing := required_fields(span):
            errors.append((where, f"lacks {', '.join(missing)}"))
        annotations = msgspec.json.encode(span.annotations).decode()
        try:
            arrival = check_span(i, span)
        except SpanWrong as e:
            errors.append((f"{where}.{e.loc}", e.msg))
        else:
            arrival.annotations = annotations
            arrival.interrupted = span.interrupted
            if span.otel is not UNSET:
                try:
                    arrival.otel = read_exported(span.otel)
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
                    errors.append((f"{where}.otel", str(e)))
                arrival.start_ns = exact(arrival.start_ns, span.otel.start_ns)
                arrival.end_ns = exact(arrival.end_ns, span.otel.end_ns)
            arrivals.append(arrival)
    if errors:
        raise Invalid(f"The export cannot be stored: {errors[0][0]}: {errors[0][1]}.", errors)
    return arrivals


def import_trace(export: ImportTrace, arrivals: list[Arrival]) -> Command:
    """Store a checked export; returns `Imported`. Raises `Conflict` when the trace exists."""

    def command(tx: Transaction) -> Imported:
        trace_id = export.trace.trace_id
        if tx.db.execute("SELECT 1 FROM traces WHERE trace_id = ?", (trace_id,)).fetchone():
            raise Conflict(f"Trace {trace_id} is stored already; delete it first to import it anew.")
        (stored,) = store(tx, [arrivals])
        trace = tx.changes.traces_created[0]
        trace.tags = msgspec.json.encode(export.trace.tags).decode()
        # they are what the trace had, a tag of its service included, or had no more
        trace.edited_seq = trace.seq
        tx.db.execute(UPDATE_TRACE_TAGS, (trace.tags, trace.edited_seq, trace.trace_row))
        return Imported(trace_id, stored.accepted)

    return command


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode()[:60]
