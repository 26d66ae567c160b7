"""Jobs and replay runs as query reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from beacon.contract.jobs import Job, JobPage
from beacon.contract.llm_records import ListJobs, ListReplays, ReplayRuns
from beacon.errors import NotFound
from query import jobs, replays
from tests.store_fixture import Store, stored_span


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "traces.db") as made:
        made.put(stored_span("call", "t"), stored_span("call", "t2"))
        yield made


def page(store: Store, **asked: Any) -> JobPage:
    return msgspec.json.decode(jobs.list_jobs(store.db, ListJobs(**asked)), type=JobPage)


def test_jobs_newest_first_by_state_and_page(store: Store) -> None:
    for i in range(5):
        store.job(f"j{i}", "failed" if i % 2 else "done", '{"status":502,"detail":"no"}' if i % 2 else None)
    every = page(store)
    assert [job.job_id for job in every.jobs] == ["j4", "j3", "j2", "j1", "j0"]
    assert (every.total, every.limit, every.offset) == (5, 50, 0)
    failed = page(store, state="failed", limit=1, offset=1)
    assert [job.job_id for job in failed.jobs] == ["j1"]
    assert failed.total == 2
    assert failed.jobs[0].error is not None
    assert failed.jobs[0].error.detail == "no"
    assert page(store, state="queued").jobs == []


def test_one_job(store: Store) -> None:
    store.job("j")
    job = msgspec.json.decode(jobs.read_job(store.db, "j"), type=Job)
    assert (job.state, job.label, job.trace_id, job.worker_id) == ("done", "Replay of ask", "t", "w")
    assert (job.started_at or 0) - job.created_at == 1.0
    assert "payload" not in json.loads(jobs.read_job(store.db, "j"))
    with pytest.raises(NotFound):
        jobs.read_job(store.db, "none")


def runs(store: Store, **asked: Any) -> list[Any]:
    found = replays.list_replays(store.db, "call", ListReplays(**asked))
    msgspec.json.decode(found, type=ReplayRuns, strict=True)
    listed: list[Any] = json.loads(found)["replays"]
    return listed


def test_runs_newest_first_of_the_newest_span_unless_the_trace_is_named(store: Store) -> None:
    for i in range(3):
        store.replay("t", "call", f"r{i}")
    store.replay("t2", "call", "other")
    assert [run["replay_id"] for run in runs(store)] == ["other"]
    assert [run["replay_id"] for run in runs(store, trace_id="t")] == ["r2", "r1", "r0"]
    assert [run["replay_id"] for run in runs(store, trace_id="t", limit=1, offset=1)] == ["r1"]
    assert runs(store)[0]["modified_attributes"] == {"llm.model": "m"}
    assert runs(store)[0]["new_output"]["llm.cost_usd"] == 0.5
    with pytest.raises(NotFound):
        replays.list_replays(store.db, "none", ListReplays())
    with pytest.raises(NotFound):
        replays.list_replays(store.db, "call", ListReplays(trace_id="t3"))


def test_a_run_that_failed_says_why_and_has_no_answer(store: Store) -> None:
    store.replay("t", "call", "r", new_output=None, diff=None, error='{"status":502,"detail":"no"}')
    [run] = runs(store, trace_id="t")
    assert run["error"] == {"status": 502, "detail": "no"}
    assert "new_output" not in run
    assert "diff" not in run


@pytest.mark.parametrize(
    ("output", "diff"),
    [
        ({"llm.completion": "new"}, {"old_completion": "old", "new_completion": "new", "changed": True}),
        ({}, {}),
        ({"llm.completion": None, "llm.tokens.input": "many"}, {"hunks": "?"}),
        ([1], [2]),
    ],
)
def test_runs_of_an_older_database_are_shown_as_far_as_they_go(store: Store, output: Any, diff: Any) -> None:
    store.replay("t", "call", "r", new_output=output, diff=diff)
    [run] = runs(store, trace_id="t")
    assert run["replay_id"] == "r"
    if isinstance(output, dict) and output.get("llm.completion"):
        assert run["new_output"]["llm.completion"] == "new"
        assert run["new_output"]["llm.tokens.input"] is None
        assert run["diff"]["changed"] is True
