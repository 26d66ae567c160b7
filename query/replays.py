"""The replay runs of a span, newest first."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from beacon.contract.jobs import Diff, JobError, NewOutput
from beacon.contract.llm_records import ListReplays, ReplayRun, ReplayRuns
from beacon.contract.records import encode
from beacon.contract.units import seconds_from_ns
from beacon.errors import NotFound
from beacon.store.lookup import find_span_row


def list_replays(db: sqlite3.Connection, span_id: str, asked: ListReplays) -> bytes:
    """A page of them as JSON; the span is the newest with this id unless `trace_id` decides. Raises `NotFound`."""
    span_row = find_span_row(db, span_id, asked.trace_id)
    if span_row is None:
        raise NotFound("Span not found")
    rows = db.execute(
        "SELECT r.replay_id, r.created_ns, r.new_output, r.diff, r.modified_input, r.error FROM spans s "
        "JOIN replay_runs r ON r.trace_row = s.trace_row AND r.span_id = s.span_id WHERE s.span_row = ? "
        "ORDER BY r.created_ns DESC, r.replay_row DESC LIMIT ? OFFSET ?",
        (span_row, asked.limit, asked.offset),
    )
    return encode(ReplayRuns([run_of(row) for row in rows]))


def run_of(row: tuple[Any, ...]) -> ReplayRun:
    """One run. Those of a database that an older Beacon wrote may lack what they lacked then."""
    replay_id, created_ns, output, diff, modified, error = row
    return ReplayRun(
        replay_id,
        seconds_from_ns(created_ns),
        _output(msgspec.json.decode(output)),
        _diff(msgspec.json.decode(diff)),
        msgspec.json.decode(modified, type=dict[str, Any]),
        None if error is None else msgspec.json.decode(error, type=JobError),
    )


_COUNTS = ("llm.tokens.input", "llm.tokens.output")


def _output(stored: Any) -> NewOutput | None:
    if not isinstance(stored, dict):
        return None
    known = {"llm.completion": "", "llm.cost_usd": None, **dict.fromkeys(_COUNTS), **stored}
    try:
        return msgspec.convert(known, NewOutput)
    except msgspec.ValidationError:
        completion = stored.get("llm.completion")
        return NewOutput(completion if isinstance(completion, str) else str(stored), None, None, None)


def _diff(stored: Any) -> Diff | None:
    if not isinstance(stored, dict):
        return None
    known = {"old_completion": None, "new_completion": "", "changed": True, "hunks": [], **stored}
    try:
        return msgspec.convert(known, Diff)
    except msgspec.ValidationError:
        return None
