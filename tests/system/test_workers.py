"""Workers that die, ingest that goes away, jobs nobody wants any more: no paid answer is lost, none is paid twice."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from beacon.contract.jobs import BOARD_MAX
from beacon.web.server import GRACE_S
from replay_worker.runner import JOBS_MAX
from tests.fake_provider import Reply
from tests.processes import Process, wait_for
from tests.system.lab import KEY, Lab, open_lab
from tests.system.live import Live


@pytest.fixture(scope="module")
def shared_lab() -> Iterator[Lab]:
    with open_lab(BEACON_REPLAY_WORKERS="1") as lab:
        yield lab


@pytest.fixture
def lab(shared_lab: Lab) -> Lab:
    shared_lab.fake.requests.clear()
    shared_lab.fake.default = Reply()
    shared_lab.stack.wait_healthy()
    return shared_lab


def workers(lab: Lab) -> dict[str, int]:
    return {name: pid for name, pid in lab.stack.pids().items() if name.startswith("replay_worker")}


def wait_workers(lab: Lab, count: int) -> None:
    """Wait until so many workers take jobs: each starts to listen for hints before it says that it is there."""
    there = f"{count} up"
    wait_for(lambda: lab.stack.ask("GET", "/health").json["parts"]["replay_worker"] == there, there, 15)


def test_a_worker_that_died_before_it_took_the_job_is_replaced_by_another(lab: Lab) -> None:
    (name,) = workers(lab)
    pid = lab.stack.kill(name, signal.SIGSTOP)
    call = lab.replay_soon(lab.record())
    lab.job("replay", "queued")
    os.kill(pid, signal.SIGKILL)
    assert call.result().status == 200
    assert lab.calls() == 1


def test_a_worker_that_died_in_the_middle_is_lost_and_its_call_is_not_made_again(lab: Lab) -> None:
    lab.fake.default = Reply(hang=True)
    body = {"model": "lab/fake-large", "messages": [{"role": "user", "content": "hi"}]}
    calls = [lab.replay_soon(lab.record()), lab.soon("POST", "/v1/playground/chat", body)]
    lab.wait_calls(2)
    (name,) = workers(lab)
    old = lab.stack.kill(name)
    answers = [call.result() for call in calls]
    assert [answer.status for answer in answers] == [502, 502]
    assert all("worker lost" in answer.json["detail"] for answer in answers)
    lab.stack.wait_replaced(name, old)
    lab.fake.default = Reply()
    assert lab.replay(lab.record()).status == 200, "the new worker works"
    assert lab.calls() == 3, "nothing was paid for twice"
    spans = lab.spans(lab.job("chat", "failed")["trace_id"])
    assert {span["span_type"] for span in spans} == {"agent_step", "llm_call"}
    assert {span["status"] for span in spans} == {"error"}
    assert all(span["end_time"] for span in spans)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_result_lands_though_ingest_was_away_when_it_came(lab: Lab, number: signal.Signals) -> None:
    lab.fake.script(Reply(text="paid for", gate=f"away {number}"))
    span_id = lab.record()
    call = lab.replay_soon(span_id)
    lab.wait_calls(1)
    with lab.stack.without("ingest") if number == signal.SIGKILL else stopped(lab, "ingest"):
        lab.fake.open(f"away {number}")
        wait_for(lambda: lab.fake.requests[0].ended_at, "the whole answer to come while ingest is away")
    status = call.result().status
    assert status == 200 or number == signal.SIGKILL, "who waited on a stopped ingest gets the answer"
    (run,) = wait_for(lambda: lab.stack._health() and lab.replays(span_id), "the replay run")
    assert run["new_output"]["llm.completion"] == "paid for"
    assert lab.calls() == 1


class stopped:  # noqa: N801 - used as a context, like `without`
    """A context in which a process of the stack stands still."""

    def __init__(self, lab: Lab, name: str) -> None:
        self._pid = lab.stack.pids()[name]

    def __enter__(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGCONT)


def test_a_cancelled_job_closes_the_connection_to_the_provider(lab: Lab) -> None:
    lab.fake.default = Reply(hang=True)
    call = lab.replay_soon(lab.record())
    lab.wait_calls(1)
    job = lab.job("replay", "running")
    assert lab.stack.ask("DELETE", f"/v1/jobs/{job['job_id']}").json["state"] == "cancelled"
    assert call.result().status == 409
    lab.fake.wait(lambda: lab.fake.requests[0].disconnected, "the provider to be left")


def test_a_cancelled_chat_leaves_its_spans_ended(lab: Lab) -> None:
    lab.fake.default = Reply(hang=True)
    body = {"model": "lab/fake-large", "messages": [{"role": "user", "content": "hi"}]}
    call = lab.soon("POST", "/v1/playground/chat", body)
    lab.wait_calls(1)
    job = lab.job("chat", "running")
    lab.stack.ask("DELETE", f"/v1/jobs/{job['job_id']}")
    call.result()
    wait_for(lambda: {s["status"] for s in lab.spans(job["trace_id"])} == {"error"}, "the spans to end")
    lab.fake.wait(lambda: lab.fake.requests[0].disconnected, "the provider to be left")


def test_a_trace_deleted_in_the_middle_ends_the_job_and_stays_deleted(lab: Lab) -> None:
    lab.fake.default = Reply(hang=True)
    body = {"model": "lab/fake-large", "messages": [{"role": "user", "content": "hi"}]}
    span_id = lab.record()
    calls = [lab.replay_soon(span_id), lab.soon("POST", "/v1/playground/chat", body)]
    lab.wait_calls(2)
    chat = lab.job("chat", "running")["trace_id"]
    for trace_id in (span_id, chat):
        assert lab.stack.ask("DELETE", f"/v1/traces/{trace_id}").status == 200
    assert [call.result().status for call in calls] == [400, 400]
    lab.fake.wait(lambda: all(request.disconnected for request in lab.fake.requests), "the provider to be left")
    wait_for(
        lambda: "its trace has been deleted" in lab.stack.log("replay_worker"), "the worker to try to end its spans"
    )
    for trace_id in (span_id, chat):
        assert lab.stack.ask("GET", f"/v1/traces/{trace_id}").status == 404


def test_a_job_past_its_deadline_ends_and_leaves_the_provider(lab: Lab) -> None:
    """A deadline is minutes long; here it is shortened in the rows of jobs that no worker has taken yet."""
    lab.fake.default = Reply(hang=True)
    body = {"model": "lab/fake-large", "messages": [{"role": "user", "content": "hi"}]}
    (name,) = workers(lab)
    pid = lab.stack.kill(name, signal.SIGSTOP)
    try:
        calls = [lab.replay_soon(lab.record()), lab.soon("POST", "/v1/playground/chat", body)]
        jobs = [lab.job(kind, "queued") for kind in ("replay", "chat")]
        with closing(sqlite3.connect(lab.stack.home / "traces.db", timeout=10)) as db, db:
            assert db.execute("UPDATE jobs SET deadline_s = 2 WHERE state = 'queued'").rowcount == 2
    finally:
        os.kill(pid, signal.SIGCONT)
    lab.wait_calls(2)
    for call in calls:
        answer = call.result()
        assert answer.status == 502
        assert answer.json["detail"] == "The job was not done within its 2 seconds."
    lab.fake.wait(lambda: all(request.disconnected for request in lab.fake.requests), "the provider to be left")
    for job in jobs:
        ended = lab.stack.ask("GET", f"/v1/jobs/{job['job_id']}").json
        assert (ended["state"], ended["error"]["status"]) == ("failed", 502)
        assert 2.0 <= ended["finished_at"] - ended["started_at"] < 5.0
    spans = lab.spans(jobs[1]["trace_id"])
    assert [span["status"] for span in spans] == ["error", "error"]
    assert all(span["end_time"] for span in spans)
    assert lab.calls() == 2, "nothing was paid for twice"
    lab.fake.default = Reply()
    assert lab.replay(lab.record()).status == 200, "the worker takes others"


def test_a_full_board_is_a_503_that_says_when_to_come_back() -> None:
    with open_lab(BEACON_REPLAY_WORKERS="1", BEACON_DEMO_PACE="0") as lab:
        saved = {"provider": "openai", "api_key": KEY, "base_url": lab.fake.base_url()}
        assert lab.stack.ask("PUT", "/v1/settings/api-keys", saved).status == 200
        lab.fake.models.append("gpt-4o-mini")
        lab.fake.default = Reply(gate="full")
        chat = {"model": "lab/fake-large", "messages": [{"role": "user", "content": "hi"}]}
        demo = {"scenario": "research_assistant"}
        first = lab.soon("POST", "/v1/playground/chat", chat)
        lab.wait_calls(1)
        for _ in range(BOARD_MAX - 1):  # demos, whose request does not wait for the job
            assert lab.stack.ask("POST", "/v1/demo/run", demo).status == 200
        span_id = lab.record()
        for answer in (
            lab.replay(span_id),
            lab.stack.ask("POST", "/v1/playground/chat", chat),
            lab.stack.ask("POST", "/v1/demo/run", demo),
        ):
            assert answer.status == 503
            assert answer.headers["retry-after"] == "5"
            assert "1,000 jobs are waiting or running" in answer.json["detail"]
        lab.fake.wait(lambda: lab.fake.in_flight() == JOBS_MAX, "the worker to be full too")
        page = lab.stack.ask("GET", "/v1/jobs?state=queued&limit=1").json
        assert page["total"] == BOARD_MAX - JOBS_MAX
        assert lab.stack.ask("DELETE", f"/v1/jobs/{page['jobs'][0]['job_id']}").status == 200
        assert lab.stack.ask("POST", "/v1/demo/run", demo).status == 200, "there is room again"
        assert lab.stack.ask("POST", "/v1/demo/run", demo).status == 503
        lab.fake.open("full")
        assert first.result().status == 200


def test_scaling_up_shares_the_work_and_scaling_down_finishes_it_first(lab: Lab) -> None:
    before = workers(lab)
    done = lab.stack.beacon("scale", "3")
    assert done.returncode == 0, done.stderr
    assert "started" in done.stdout
    assert before.items() <= workers(lab).items(), "who was there stays"
    assert len(workers(lab)) == 3
    wait_workers(lab, 3)
    lab.fake.default = Reply(text="in time", gate="scaled")
    calls = [lab.replay_soon(lab.record()) for _ in range(12)]
    lab.wait_calls(12)
    jobs = lab.stack.ask("GET", "/v1/jobs?state=running").json["jobs"]
    assert len({job["worker_id"] for job in jobs}) == 3, "each worker has some of them"
    done = lab.stack.beacon("scale", "1")
    assert done.returncode == 0, done.stderr
    assert "after finishing what is under way" in done.stdout
    leaving = [state for state in lab.stack.states() if state.state == "STOPPING"]
    assert len(leaving) == 2
    assert lab.stack.beacon("status").returncode in (0, 1)
    lab.fake.default = Reply(text="later")
    assert lab.replay(lab.record()).status == 200, "the one that stays takes new jobs meanwhile"
    lab.fake.open("scaled")
    assert {call.result().json["new_output"]["llm.completion"] for call in calls} == {"in time"}
    assert lab.calls() == 13
    wait_for(lambda: workers(lab) == before, "the others to end")
    wait_workers(lab, 1)
    assert lab.stack.beacon("status").returncode == 0
    assert lab.stack.beacon("scale", "1").stdout.strip().endswith("nothing to do.")


def test_scaling_to_none_and_back(lab: Lab) -> None:
    assert lab.stack.beacon("scale", "0").returncode == 0
    wait_for(lambda: not workers(lab), "the worker to end")
    wait_for(lambda: lab.stack.ask("GET", "/health").json["parts"]["replay_worker"] == "none", "health", 15)
    assert lab.stack.ask("GET", "/health").json["status"] == "ok", "none is what was asked for"
    assert lab.stack.beacon("scale", "1").returncode == 0
    assert lab.replay(lab.record()).status == 200


@pytest.mark.parametrize("number", ["-1", "65", "many"])
def test_a_number_of_workers_that_cannot_be_is_refused(lab: Lab, number: str) -> None:
    done = lab.stack.beacon("scale", "--", number)
    assert done.returncode == 2
    assert "0 to 64" in done.stderr


def test_a_worker_of_its_own_beside_the_stack(lab: Lab, tmp_path: Path) -> None:
    assert lab.stack.beacon("scale", "0").returncode == 0
    try:
        wait_for(lambda: not workers(lab), "the worker to end")
        worker = Process("replay_worker", lab.stack.home)
        worker.start(wait=False)
        try:
            assert lab.replay(lab.record()).status == 200
            # one signal: it finishes what it has
            lab.fake.script(Reply(text="finished", gate="told to end"))
            call = lab.replay_soon(lab.record())
            lab.wait_calls(2)
            assert worker.child is not None
            worker.child.send_signal(signal.SIGTERM)
            wait_for(lambda: "finishing 1 jobs" in worker.log.read_text(), "the worker to know")
            lab.fake.open("told to end")
            assert call.result().json["new_output"]["llm.completion"] == "finished"
            assert worker.child.wait(10) == 0
        finally:
            if not worker.ended():
                worker.end(signal.SIGKILL)
    finally:
        lab.stack.beacon("scale", "1")


def test_stopping_beacon_finishes_the_calls_under_way() -> None:
    with open_lab() as lab:
        # longer than ingest, told to stop at the same time, would give a request to end
        lab.fake.script(Reply(text="last words", first_byte_s=GRACE_S + 1.0))
        call = lab.replay_soon(lab.record())
        lab.wait_calls(1)
        lab.stack.stop()
        assert call.result().json["new_output"]["llm.completion"] == "last words"


BEGINNING = KEY[:8]


def test_no_key_is_left_anywhere() -> None:
    """After calls that went well and calls that failed with the key in the provider's words, also where those are cut:
    half a key is as bad."""
    with open_lab(BEACON_LOG_LEVEL="DEBUG") as lab:
        with Live(lab.stack) as live:
            span_id = lab.record()
            for before in (470, 480, 490):
                lab.fake.script(Reply(status=401, error="x" * before + KEY))
                assert lab.replay(span_id).status == 502
            # as a server writes it that escapes all that is not a letter
            escaped = KEY.replace("-", "\\u002D").encode()
            for before in (470, 480, 490):
                lab.fake.script(Reply(status=401, body=b'{"error": "' + b"x" * before + escaped + b'"}'))
                assert lab.replay(span_id).status == 502
            lab.fake.script(Reply(headers={"x-your-key": KEY}))
            assert lab.replay(span_id).status == 200
            lab.fake.script(Reply(status=401, error="this key is wrong", echo_key=True))
            failed = lab.replay(span_id)
            assert failed.status == 502
            body = {"model": "lab/fake-large", "messages": [{"role": "user", "content": "hi"}]}
            assert lab.stack.ask("POST", "/v1/playground/chat", body).status == 200
            tested = lab.stack.ask("POST", "/v1/settings/api-keys/lab/test", {})
        shown = [failed.body, tested.body]
        shown += [
            lab.stack.ask("GET", path).body
            for path in (
                "/v1/settings/api-keys",
                "/v1/jobs",
                "/v1/models",
                f"/v1/spans/{span_id}/replays",
                f"/v1/traces/{span_id}/export?format=json",
                "/health",
            )
        ]
        shown.append(json.dumps(live.events).encode())
        assert not [text for text in shown if BEGINNING.encode() in text]
        assert all(request.key == KEY for request in lab.fake.requests)
        found = subprocess.run(
            ["grep", "-rlF", "--exclude=config.json", BEGINNING, str(lab.stack.home)], capture_output=True, text=True
        )
        assert found.stdout == ""
        lab.stack.stop()
        found = subprocess.run(
            ["grep", "-rlF", "--exclude=config.json", BEGINNING, str(lab.stack.home)], capture_output=True, text=True
        )
        assert found.stdout == ""
