"""The rows of jobs: made, claimed, completed, given up, cancelled. Commands for the writer.

    queued ── claim ──▶ running ── complete ──▶ done | failed
       │                   ├── give_up ──▶ failed, given_up: what its worker says later is still kept
       └── forget,         └── cancel, fail ──▶ cancelled, failed: what its worker says later is not
           cancel, fail

A job is claimed once, and never again, whatever becomes of its worker: its call may have been paid for.
"""

from __future__ import annotations

import hmac
import logging
import sqlite3
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from beacon.contract.jobs import (
    BOARD_BYTES_MAX,
    BOARD_MAX,
    FINAL,
    FINISHED_KEPT,
    PAYLOAD_BYTES_MAX,
    Job,
    JobError,
    JobKind,
    JobState,
)
from beacon.contract.units import NS
from beacon.errors import Conflict, NotFound, QueueFull, TooLarge
from beacon.store.rows import JOB_COLUMNS, job_of
from ingest.database import Command, Transaction
from ingest.decode import Arrival
from ingest.jobs.replays import CannotKeep, keep_replay
from ingest.jobs.spans_of_jobs import end_running_spans
from ingest.spans import store

log = logging.getLogger("beacon.jobs")

FULL_RETRY_S = 5
"""Retry-After of a full board, in seconds: a call of a model takes that long."""

_UNFINISHED = "state IN ('queued', 'running')"
_FINISHED = "state NOT IN ('queued', 'running')"
"""As the partial indexes say it: SQLite uses them for these very words only."""

_FREE = ("key_test", "models")
"""Kinds that cost nothing. They are kept apart: a page that lists models a thousand times must not push out the jobs
that were paid for, and with them their keys of idempotency."""

_SELECT = f"SELECT {JOB_COLUMNS}, j.token, j.given_up, j.deadline_s, j.result FROM jobs j"
_JOB_FIELDS = len(Job.__struct_fields__)


class NewJob(Struct, kw_only=True):
    """A job to make. `arrivals` are spans stored with it; `remember` is JSON that storing its result will need."""

    kind: JobKind
    label: str
    payload: Struct
    deadline_s: float
    trace_id: str | None = None
    span_id: str | None = None
    remember: bytes | None = None
    arrivals: list[Arrival] = []


class Asked(Struct, frozen=True):
    """A request's Idempotency-Key, and a hash of what it asks for."""

    key: str
    request_hash: str


class Row(Struct):
    """A job's row as it stands; `result` is JSON."""

    job: Job
    token: str | None
    given_up: bool
    deadline_s: float
    result: str | None


class Taken(Struct):
    """A job just claimed, with its payload as JSON."""

    row: Row
    payload: str


# ---------------------------------------------------------------- making and taking


def create(build: Callable[[Transaction], NewJob], asked: Asked | None = None) -> Command:
    """Make the job that `build` says; returns (Row, whether it is new). With the key of a job there is already, that
    one. Raises `Conflict` for a key that was given for something else, `QueueFull` when the board is full, `TooLarge`,
    and what `build` raises."""

    def command(tx: Transaction) -> tuple[Row, bool]:
        if asked is not None:
            found = tx.db.execute(
                "SELECT job_id, request_hash FROM jobs WHERE idempotency_key = ?", (asked.key,)
            ).fetchone()
            if found is not None:
                if found[1] != asked.request_hash:
                    raise Conflict("This Idempotency-Key was given for another request; use a new one.")
                return _load(tx.db, found[0]), False
        count, size = tx.db.execute(
            f"SELECT count(*), coalesce(sum(payload_bytes), 0) FROM jobs WHERE {_UNFINISHED}"
        ).fetchone()
        if count >= BOARD_MAX:
            raise QueueFull(
                f"{count:,} jobs are waiting or running, as many as may; send this again when some are done.",
                FULL_RETRY_S,
            )
        new = build(tx)
        payload = msgspec.json.encode(new.payload).decode()
        payload_bytes = len(payload)
        if payload_bytes > PAYLOAD_BYTES_MAX:
            raise TooLarge(f"What the model would be sent has {payload_bytes:,} bytes; {PAYLOAD_BYTES_MAX:,} may be.")
        if size + payload_bytes > BOARD_BYTES_MAX:
            raise QueueFull("The jobs that wait hold as much as they may; send this again when some are done.", 5)
        job_id = str(uuid.uuid4())
        tx.db.execute(
            "INSERT INTO jobs (job_id, kind, state, label, trace_id, span_id, idempotency_key, request_hash, payload, "
            "payload_bytes, remember, deadline_s, created_ns) VALUES (?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                job_id,
                new.kind,
                new.label,
                new.trace_id,
                new.span_id,
                asked and asked.key,
                asked and asked.request_hash,
                payload,
                payload_bytes,
                None if new.remember is None else new.remember.decode(),
                new.deadline_s,
                tx.now_ns,
            ),
        )
        if new.arrivals:
            store(tx, [new.arrivals])
        return _load(tx.db, job_id), True

    return command


def claim(job_id: str, worker_id: str, token: str) -> Command:
    """Give a queued job to a worker, under `token`; returns what it Taken. Raises `NotFound`, and `Conflict` for a job
    that is not queued any more."""

    def command(tx: Transaction) -> Taken:
        row = _load(tx.db, job_id)
        if row.job.state != "queued":
            raise Conflict(f"Job {job_id} is {row.job.state}.")
        tx.db.execute(
            "UPDATE jobs SET state = 'running', token = ?, worker_id = ?, started_ns = ? WHERE job_id = ?",
            (token, worker_id, tx.now_ns, job_id),
        )
        (payload,) = tx.db.execute("SELECT payload FROM jobs WHERE job_id = ?", (job_id,)).fetchone()
        return Taken(_load(tx.db, job_id), payload)

    return command


# ---------------------------------------------------------------- ending


def complete(job_id: str, token: str, outcome: bytes | JobError) -> Command:
    """What its worker says at the end: a result (JSON) or an error; returns the Row. The same again changes nothing; a
    result is kept though the job was given up meanwhile, not when it was cancelled. Raises `NotFound`, and `Conflict`
    for a token that is not the job's."""

    def command(tx: Transaction) -> Row:
        row = _load(tx.db, job_id)
        if not _is_token(row, token):
            raise Conflict(f"Job {job_id} runs under another token.")
        late = row.job.state == "failed" and row.given_up and not isinstance(outcome, JobError)
        if row.job.state != "running" and not late:
            return row
        error: JobError
        if isinstance(outcome, JobError):
            error = outcome
        else:
            try:
                result = _keep(tx, row, outcome)
            except CannotKeep as e:
                error = e.error
            else:
                return _finish(tx, row, "done", result=result)
        if late:
            return row
        return _finish(tx, row, "failed", error=error)

    return command


def give_up(job_id: str, error: JobError) -> Command:
    """Fail a running job whose worker is silent; returns the Row as it then stands, None when there is no such row."""

    def command(tx: Transaction) -> Row | None:
        row = _find(tx.db, job_id)
        if row is None or row.job.state != "running":
            return row
        return _finish(tx, row, "failed", error=error, given_up=True)

    return command


def forget(job_id: str, error: JobError) -> Command:
    """Cancel a queued job that no worker came for; returns the Row as it then stands, None when there is none. Nothing
    was paid for, so its key may be used again."""

    def command(tx: Transaction) -> Row | None:
        row = _find(tx.db, job_id)
        if row is None or row.job.state != "queued":
            return row
        return _forget(tx, row, error)

    return command


def cancel(job_id: str) -> Command:
    """Cancel a job that is not over; returns the Row as it then stands. Raises `NotFound`."""

    def command(tx: Transaction) -> Row:
        row = _load(tx.db, job_id)
        if row.job.state in FINAL:
            return row
        return _finish(tx, row, "cancelled")

    return command


def fail(job_id: str, error: JobError) -> Command:
    """Fail a job that is not over, for good; returns the Row as it then stands, None when there is none."""

    def command(tx: Transaction) -> Row | None:
        row = _find(tx.db, job_id)
        if row is None or row.job.state in FINAL:
            return row
        return _finish(tx, row, "failed", error=error)

    return command


# ---------------------------------------------------------------- looking


def look(job_id: str, token: str) -> Command:
    """The Row of a job under `token`. Raises `NotFound`, `Conflict`."""

    def command(tx: Transaction) -> Row:
        row = _load(tx.db, job_id)
        if not _is_token(row, token):
            raise Conflict(f"Job {job_id} runs under another token.")
        return row

    return command


def unfinished(queued_max_s: float, too_old: JobError) -> Command:
    """Every job that is queued or running, oldest first. What was queued longer than `queued_max_s` ago, before Beacon
    was stopped, is forgotten: nobody waits for it any more, and a call nobody expects is not to be paid for."""

    def command(tx: Transaction) -> list[Row]:
        rows = [_row(r) for r in tx.db.execute(f"{_SELECT} WHERE j.{_UNFINISHED} ORDER BY j.job_row")]
        oldest = tx.now_ns / NS - queued_max_s
        kept = []
        for row in rows:
            if row.job.state == "queued" and row.job.created_at < oldest:
                _forget(tx, row, too_old)
            else:
                kept.append(row)
        return kept

    return command


# ---------------------------------------------------------------- inside


def _forget(tx: Transaction, row: Row, error: JobError) -> Row:
    tx.db.execute("UPDATE jobs SET idempotency_key = NULL WHERE job_id = ?", (row.job.job_id,))
    return _finish(tx, row, "cancelled", error=error)


def _keep(tx: Transaction, row: Row, result: bytes) -> str:
    """The JSON text the job's client gets, once all that belongs to it is written. Raises `CannotKeep`."""
    try:
        if row.job.kind == "replay":
            (remember,) = tx.db.execute("SELECT remember FROM jobs WHERE job_id = ?", (row.job.job_id,)).fetchone()
            return keep_replay(tx, row.job, remember, result).decode()
        return result.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        log.error("the result of job %s (%s) cannot be read: %s", row.job.job_id, row.job.kind, e)
        raise CannotKeep(502, "The replay worker's answer cannot be read; this is a bug. Its log has more.") from e


def _finish(
    tx: Transaction,
    row: Row,
    state: JobState,
    *,
    result: str | None = None,
    error: JobError | None = None,
    given_up: bool = False,
) -> Row:
    tx.db.execute(
        "UPDATE jobs SET state = ?, result = ?, error = ?, given_up = ?, finished_ns = ?, payload = NULL, "
        "payload_bytes = 0, remember = CASE WHEN ? THEN remember END WHERE job_id = ?",
        (
            state,
            result,
            None if error is None else msgspec.json.encode(error).decode(),
            given_up,
            tx.now_ns,
            given_up,
            row.job.job_id,
        ),
    )
    if state != "done":
        end_running_spans(tx, row.job, "The job was cancelled." if error is None else error.detail)
    ended = _load(tx.db, row.job.job_id)
    alike = f"{_FINISHED} AND kind {'IN' if row.job.kind in _FREE else 'NOT IN'} {_FREE}"
    tx.db.execute(
        f"DELETE FROM jobs WHERE job_row IN "
        f"(SELECT job_row FROM jobs WHERE {alike} ORDER BY finished_ns DESC LIMIT -1 OFFSET ?)",
        (FINISHED_KEPT,),
    )
    return ended


def _is_token(row: Row, token: str) -> bool:
    return row.token is not None and hmac.compare_digest(row.token.encode(), token.encode())


def _load(db: sqlite3.Connection, job_id: str) -> Row:
    row = _find(db, job_id)
    if row is None:
        raise NotFound("Job not found")
    return row


def _find(db: sqlite3.Connection, job_id: str) -> Row | None:
    found = db.execute(f"{_SELECT} WHERE j.job_id = ?", (job_id,)).fetchone()
    return None if found is None else _row(found)


def _row(found: tuple[Any, ...]) -> Row:
    token, given_up, deadline_s, result = found[_JOB_FIELDS:]
    return Row(job_of(found[:_JOB_FIELDS]), token, bool(given_up), deadline_s, result)
