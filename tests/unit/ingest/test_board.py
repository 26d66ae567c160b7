"""The rows of jobs on real SQLite: what each command does, and that no order of them makes two claims or results."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from beacon.contract.jobs import (
    BOARD_BYTES_MAX,
    BOARD_MAX,
    FINAL,
    FINISHED_KEPT,
    PAYLOAD_BYTES_MAX,
    ChatPayload,
    JobError,
    KeyTestPayload,
)
from beacon.errors import BadRequest, Conflict, NotFound, QueueFull, TooLarge
from beacon.store.connect import connect_writer
from beacon.store.version import upgrade
from ingest.changes import read_counters, write_counters
from ingest.database import Command, Transaction
from ingest.jobs import board
from ingest.jobs.board import Asked, NewJob, Row, Taken

LOST = JobError(502, "worker lost")
NOBODY = JobError(503, "no worker")


class Rows:
    """Runs commands as the writer does, each in a transaction that leaves nothing behind when it fails."""

    def __init__(self, path: Path | None = None) -> None:
        self.db = connect_writer(path) if path else sqlite3.connect(":memory:", isolation_level=None)
        upgrade(self.db, path or Path(":memory:"))
        self.now_ns = time.time_ns()

    def __call__(self, command: Command) -> Any:
        self.db.execute("BEGIN IMMEDIATE")
        try:
            counters = read_counters(self.db)
            self.now_ns += 1_000_000
            done = command(Transaction(self.db, counters, self.now_ns))
            write_counters(self.db, counters)
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")
        return done

    def one(self, sql: str, *values: Any) -> Any:
        return self.db.execute(sql, values).fetchone()

    def close(self) -> None:
        self.db.close()


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Rows]:
    made = Rows(tmp_path / "t.db")
    yield made
    made.close()


def a_job() -> NewJob:
    return NewJob(kind="key_test", label="a test", payload=KeyTestPayload("openai"), deadline_s=30)


def make(rows: Rows, new: NewJob | None = None, asked: Asked | None = None) -> Row:
    row, _ = rows(board.create(lambda tx: new or a_job(), asked))
    assert isinstance(row, Row)
    return row


def test_payload_and_what_it_remembers_go_when_it_is_over(rows: Rows) -> None:
    new = NewJob(kind="key_test", label="l", payload=KeyTestPayload("p"), deadline_s=1, remember=b'{"k":1}')
    select = "SELECT payload, payload_bytes, remember, result FROM jobs WHERE job_id = ?"
    for end in ("done", "failed", "cancelled", "given up"):
        job_id = make(rows, new).job.job_id
        taken: Taken = rows(board.claim(job_id, "w", "token"))
        assert msgspec.json.decode(taken.payload) == {"provider": "p"}
        if end == "done":
            rows(board.complete(job_id, "token", b'{"ok":true}'))
        elif end == "failed":
            rows(board.complete(job_id, "token", LOST))
        elif end == "cancelled":
            rows(board.cancel(job_id))
        else:
            rows(board.give_up(job_id, LOST))
        payload, size, remember, result = rows.one(select, job_id)
        assert (payload, size) == (None, 0)
        assert remember == ('{"k":1}' if end == "given up" else None), "a late result needs it"
        assert result == ('{"ok":true}' if end == "done" else None)


def test_listing_models_a_thousand_times_pushes_out_no_job_that_was_paid_for(rows: Rows) -> None:
    rows.db.executemany(
        "INSERT INTO jobs (job_id, kind, state, label, payload_bytes, deadline_s, created_ns, finished_ns) "
        "VALUES (?, ?, 'done', 'l', 0, 1, 1, ?)",
        [("paid", "replay", 0), *((f"list-{i}", "models", i) for i in range(FINISHED_KEPT))],
    )
    listing = make(rows).job.job_id
    rows(board.claim(listing, "w", "token"))
    rows(board.complete(listing, "token", b"{}"))
    kept = {job_id for (job_id,) in rows.db.execute("SELECT job_id FROM jobs")}
    assert "paid" in kept
    assert "list-0" not in kept


def test_only_so_many_that_are_over_stay(rows: Rows) -> None:
    waits, slow = (make(rows).job.job_id for _ in range(2))
    rows(board.claim(slow, "w", "token"))
    rows.db.executemany(
        "INSERT INTO jobs (job_id, kind, state, label, payload_bytes, deadline_s, created_ns, finished_ns) "
        "VALUES (?, 'models', 'done', 'l', 0, 1, 1, ?)",
        [(f"old-{i}", i) for i in range(FINISHED_KEPT)],
    )
    rows(board.complete(slow, "token", b"{}"))  # the oldest that is over goes, not the one that took longest
    kept = {job_id for (job_id,) in rows.db.execute("SELECT job_id FROM jobs")}
    assert len(kept) == FINISHED_KEPT + 1
    assert {waits, slow, "old-1"} <= kept
    assert "old-0" not in kept


def test_the_board_is_bounded_in_jobs_and_bytes(rows: Rows) -> None:
    insert = (
        "INSERT INTO jobs (job_id, kind, state, label, payload_bytes, deadline_s, created_ns) "
        "VALUES (?, 'models', ?, 'l', ?, 1, 1)"
    )
    rows.db.executemany(insert, [(f"j{i}", "queued" if i % 2 else "running", 1) for i in range(BOARD_MAX - 1)])
    make(rows)
    with pytest.raises(QueueFull) as full:
        make(rows)
    assert full.value.retry_after >= 1
    rows.db.execute("DELETE FROM jobs")
    rows.db.execute(insert, ("big", "queued", BOARD_BYTES_MAX))
    with pytest.raises(QueueFull):
        make(rows)
    rows.db.execute("UPDATE jobs SET state = 'done'")
    make(rows)
    huge = ChatPayload("c", "t", "m", [{"role": "user", "content": "x" * PAYLOAD_BYTES_MAX}])
    with pytest.raises(TooLarge):
        make(rows, NewJob(kind="chat", label="l", payload=huge, deadline_s=1))


def test_a_job_that_cannot_be_built_leaves_nothing(rows: Rows) -> None:
    def refuse(tx: Transaction) -> NewJob:
        raise BadRequest("no such span")

    with pytest.raises(BadRequest):
        rows(board.create(refuse, Asked("k", "h")))
    assert rows.one("SELECT count(*) FROM jobs") == (0,)
    make(rows, asked=Asked("k", "h"))


def test_a_key_is_one_request_and_free_again_when_nobody_ran_its_job(rows: Rows) -> None:
    asked = Asked("k", "hash")
    job_id = make(rows, asked=asked).job.job_id

    def unexpected(tx: Transaction) -> NewJob:
        raise AssertionError("the job is there already")

    row, fresh = rows(board.create(unexpected, asked))
    assert (row.job.job_id, fresh) == (job_id, False)
    with pytest.raises(Conflict):
        make(rows, asked=Asked("k", "other hash"))
    rows(board.forget(job_id, NOBODY))
    again = make(rows, asked=asked)
    assert again.job.job_id != job_id
    rows(board.claim(again.job.job_id, "w", "token"))
    rows(board.give_up(again.job.job_id, LOST))
    assert make(rows, asked=asked).job.job_id == again.job.job_id, "its call may have been paid for"


def test_a_result_that_comes_late_is_kept_unless_it_was_cancelled(rows: Rows) -> None:
    lost, cancelled, failed = (make(rows).job.job_id for _ in range(3))
    for job_id in (lost, cancelled, failed):
        rows(board.claim(job_id, "w", "token"))
    rows(board.give_up(lost, LOST))
    rows(board.cancel(cancelled))
    rows(board.fail(failed, JobError(400, "trace deleted")))
    states = {job_id: rows(board.complete(job_id, "token", b"{}")).job.state for job_id in (lost, cancelled, failed)}
    assert states == {lost: "done", cancelled: "cancelled", failed: "failed"}
    assert rows.one("SELECT error FROM jobs WHERE job_id = ?", lost) == (None,)


def test_a_late_error_does_not_replace_what_was_said(rows: Rows) -> None:
    job_id = make(rows).job.job_id
    rows(board.claim(job_id, "w", "token"))
    rows(board.give_up(job_id, LOST))
    assert rows(board.complete(job_id, "token", JobError(500, "other"))).job.error == LOST


@pytest.mark.parametrize("result", [b'"\xff"', b'{"runs": 3}', b'{"runs": []}', b"[" * 5000 + b"]" * 5000])
def test_a_result_that_cannot_be_read_fails_the_job(rows: Rows, result: bytes) -> None:
    new = NewJob(
        kind="replay", label="l", payload=KeyTestPayload("p"), deadline_s=1, trace_id="t", span_id="s", remember=b"{}"
    )
    job_id = make(rows, new).job.job_id
    rows(board.claim(job_id, "w", "token"))
    row = rows(board.complete(job_id, "token", result))
    assert row.job.state == "failed"
    assert row.job.error.status == 502


def test_jobs_of_no_row_are_told_apart(rows: Rows) -> None:
    for command in (
        board.claim("x", "w", "t"),
        board.complete("x", "t", b"{}"),
        board.cancel("x"),
        board.look("x", "t"),
    ):
        with pytest.raises(NotFound):
            rows(command)
    for command in (board.give_up("x", LOST), board.forget("x", NOBODY), board.fail("x", LOST)):
        assert rows(command) is None


def test_at_a_start_what_was_queued_long_ago_is_forgotten(rows: Rows) -> None:
    old, new, running = (make(rows).job.job_id for _ in range(3))
    rows(board.claim(running, "w", "token"))
    rows.db.execute("UPDATE jobs SET created_ns = created_ns - 3600000000000 WHERE job_id IN (?, ?)", (old, running))
    found: list[Row] = rows(board.unfinished(90.0, NOBODY))
    assert [(row.job.job_id, row.job.state) for row in found] == [(new, "queued"), (running, "running")]
    assert rows.one("SELECT state FROM jobs WHERE job_id = ?", old) == ("cancelled",)


# ---------------------------------------------------------------- every order of commands


class Interleavings(RuleBasedStateMachine):
    """Workers, clients and the board's clock act on the same jobs in any order, with right and wrong tokens."""

    jobs = Bundle("jobs")
    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.rows = Rows()
        self.claims: dict[str, list[str]] = {}
        self.results: dict[str, set[str]] = {}
        self.over: dict[str, str] = {}
        self.count = 0

    def teardown(self) -> None:
        self.rows.close()

    @rule(target=jobs)
    def create(self) -> str:
        return make(self.rows).job.job_id

    @rule(target=tokens, job=jobs)
    def claim(self, job: str) -> Any:
        self.count += 1
        token = f"token-{self.count}"
        try:
            self.rows(board.claim(job, "w", token))
        except Conflict:
            return multiple()
        except NotFound:
            raise AssertionError("fewer than FINISHED_KEPT jobs: none is dropped") from None
        self.claims.setdefault(job, []).append(token)
        return (job, token)

    @rule(job=jobs, held=tokens, good=st.booleans())
    def complete(self, job: str, held: tuple[str, str], good: bool) -> None:
        """With a token that may be of another job."""
        self.count += 1
        text = f'{{"n":{self.count}}}'
        outcome = text.encode() if good else JobError(502, f"error {self.count}")
        mine = held[1] in self.claims.get(job, ())
        try:
            row = self.rows(board.complete(job, held[1], outcome))
        except Conflict:
            assert not mine
            return
        assert mine, "a token of another job completed this one"
        if row.result is not None:
            self.results.setdefault(job, set()).add(row.result)

    @rule(job=jobs, how=st.sampled_from(["cancel", "give_up", "forget", "fail"]))
    def end(self, job: str, how: str) -> None:
        command = {
            "cancel": board.cancel(job),
            "give_up": board.give_up(job, LOST),
            "forget": board.forget(job, NOBODY),
            "fail": board.fail(job, JobError(400, "gone")),
        }[how]
        before = self.state(job)
        after = self.rows(command).job.state
        if how == "give_up" and before != "running":
            assert after == before
        if how == "forget" and before != "queued":
            assert after == before

    def state(self, job: str) -> str:
        found: str = self.rows.one("SELECT state FROM jobs WHERE job_id = ?", job)[0]
        return found

    @invariant()
    def no_job_is_claimed_twice_and_none_has_two_results(self) -> None:
        assert all(len(tokens) == 1 for tokens in self.claims.values())
        assert all(len(results) == 1 for results in self.results.values())

    @invariant()
    def what_is_over_stays_over(self) -> None:
        for job, state, given_up, result, payload in self.rows.db.execute(
            "SELECT job_id, state, given_up, result, payload FROM jobs"
        ):
            before = self.over.get(job)
            if before is not None and before != state:
                assert (before, state) == ("failed", "done"), "only what was given up can still be done"
            if state in FINAL:
                self.over[job] = state
                assert payload is None
            assert (result is not None) == (state == "done")
            assert not given_up or state == "failed"
            assert state != "done" or job in self.claims


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
