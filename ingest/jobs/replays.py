"""What a replay leaves: its runs, a prompt version when the prompt was changed, and its client's answer.

The trace it was made of is not touched: a replay's cost and tokens are the replay's.
"""

from __future__ import annotations

import uuid
from typing import Any

import msgspec

from beacon.contract.jobs import Job, JobError, ReplayDone, ReplayRunDone
from beacon.contract.llm_records import ReplayResult, ReplayRun
from beacon.contract.units import seconds_from_ns
from beacon.store.lookup import find_span_row
from ingest.database import Transaction

PROMPT_LABEL = "Replay"

_decode_done = msgspec.json.Decoder(ReplayDone).decode
_decode_modified = msgspec.json.Decoder(dict[str, Any]).decode


class CannotKeep(Exception):
    """A result that cannot be stored; `error` is what the job ends with instead."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.error = JobError(status, detail)


def keep_replay(tx: Transaction, job: Job, remember: str, result: bytes) -> bytes:
    """Write the runs of `result` (a ReplayDone) in `tx`; the ReplayResult as JSON. `remember` has the modified
    attributes. Raises `CannotKeep` before anything is written, and msgspec's errors for a result that is none."""
    done = _decode_done(result)
    if not any(run.new_output is not None and run.diff is not None for run in done.runs):
        failed = next((run.error for run in done.runs if run.error is not None), None)
        raise CannotKeep(
            failed.status if failed else 502, failed.detail if failed else "The model gave no answer at all."
        )
    assert job.span_id is not None
    span_row = find_span_row(tx.db, job.span_id, job.trace_id)
    if span_row is None:
        raise CannotKeep(400, trace_gone(job.trace_id))
    (trace_row,) = tx.db.execute("SELECT trace_row FROM spans WHERE span_row = ?", (span_row,)).fetchone()
    modified = _decode_modified(remember)
    runs = [_keep_run(tx, trace_row, job.span_id, remember, modified, run) for run in done.runs]
    _keep_prompt(tx, trace_row, job.span_id, modified.get("llm.prompt"))
    first = next(run for run in runs if run.new_output is not None and run.diff is not None)
    assert first.new_output is not None
    assert first.diff is not None
    return msgspec.json.encode(
        ReplayResult(
            first.replay_id, job.span_id, first.new_output, first.diff, job.job_id, runs if len(runs) > 1 else []
        )
    )


def trace_gone(trace_id: str | None) -> str:
    """Why a job of a deleted trace ends."""
    return f"The trace {trace_id} was deleted while this ran, so nothing of it was stored."


def _keep_run(
    tx: Transaction, trace_row: int, span_id: str, remember: str, modified: dict[str, Any], run: ReplayRunDone
) -> ReplayRun:
    replay_id = str(uuid.uuid4())
    tx.db.execute(
        "INSERT INTO replay_runs (replay_id, trace_row, span_id, modified_input, new_output, diff, error, created_ns) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            replay_id,
            trace_row,
            span_id,
            remember,
            msgspec.json.encode(run.new_output).decode(),
            msgspec.json.encode(run.diff).decode(),
            None if run.error is None else msgspec.json.encode(run.error).decode(),
            tx.now_ns,
        ),
    )
    return ReplayRun(replay_id, seconds_from_ns(tx.now_ns), run.new_output, run.diff, modified, run.error)


def _keep_prompt(tx: Transaction, trace_row: int, span_id: str, prompt: Any) -> None:
    if not prompt:
        return
    text = prompt if isinstance(prompt, str) else msgspec.json.encode(prompt).decode()
    tx.db.execute(
        "INSERT INTO prompt_versions (version_id, trace_row, span_id, prompt_text, label, created_ns) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (str(uuid.uuid4()), trace_row, span_id, text, PROMPT_LABEL, tx.now_ns),
    )
