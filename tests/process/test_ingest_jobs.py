"""ingest's job board over its real sockets, with a worker in the test's own hands."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from beacon.contract.jobs import BOARD_MAX, LEASE_S
from tests.hand_worker import HandWorker, replay_done, replay_run
from tests.process.test_ingest_spans import post, rows
from tests.processes import Answer, Process, short_home, span, wait_for

HERE = "http://127.0.0.1:9/v1"
"""A recorded server on this machine: it needs no key, and nobody calls it in these tests."""


def llm_call(span_id: str = "call", trace_id: str = "t", **attributes: Any) -> dict[str, Any]:
    known = {
        "llm.model": "llama3.2",
        "llm.base_url": HERE,
        "llm.prompt": '[{"role":"user","content":"hello"}]',
        "llm.completion": "old",
        "llm.tokens.total": 30,
        "llm.cost_usd": 0.25,
    }
    return span(span_id, trace_id, span_type="llm_call", name="ask", attributes={**known, **attributes})


@pytest.fixture
def ingest() -> Iterator[Process]:
    with short_home() as home, Process("ingest", home) as process:
        post(process, llm_call(), span("tool", "t", span_type="tool_use"))
        yield process


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as made:
        yield made


class Requests:
    """Requests that wait for their answer on threads."""

    def __init__(self, ingest: Process, pool: ThreadPoolExecutor) -> None:
        self._ingest = ingest
        self._pool = pool

    def post(self, path: str, body: Any, **headers: str) -> Future[Answer]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._pool.submit(self._ingest.ask, "POST", path, body, sent, 60)

    def replay(self, span_id: str = "call", key: str | None = None, **body: Any) -> Future[Answer]:
        headers = {"idempotency_key": key} if key else {}
        return self.post("/v1/replay", {"span_id": span_id, **body}, **headers)


@pytest.fixture
def ask(ingest: Process, pool: ThreadPoolExecutor) -> Requests:
    return Requests(ingest, pool)


def job_rows(ingest: Process) -> list[Any]:
    return rows(ingest.home, "SELECT state, payload IS NULL, worker_id, error FROM jobs ORDER BY job_row")


def state_of(ingest: Process, job_id: str) -> str:
    found: str = rows(ingest.home, "SELECT state FROM jobs WHERE job_id = ?", job_id)[0][0]
    return found


# ---------------------------------------------------------------- the whole way


def test_a_replay_goes_the_whole_way_and_leaves_its_trace_as_it_was(ingest: Process, ask: Requests) -> None:
    before = rows(ingest.home, "SELECT * FROM traces"), rows(ingest.home, "SELECT * FROM spans")
    with HandWorker(ingest) as worker:
        modified = {"llm.prompt": '[{"role":"user","content":"bye"}]', "llm.temperature": 0.5}
        answer = ask.replay(modified_attributes=modified)
        job = worker.take()
        assert job["kind"] == "replay"
        assert job["lease_s"] == LEASE_S
        payload = job["payload"]
        assert payload["attributes"]["llm.temperature"] == 0.5
        assert payload["attributes"]["llm.prompt"] == modified["llm.prompt"]
        assert payload["attributes"]["llm.completion"] == payload["old_completion"] == "old"
        assert worker.complete(job, result=replay_done()).status == 200
        got = answer.result(20)
    assert got.status == 200, got.body
    assert got.json["original_span_id"] == "call"
    assert got.json["new_output"]["llm.completion"] == "fresh"
    assert got.json["diff"]["changed"] is True
    assert got.json["job_id"] == job["job_id"]
    stored = rows(ingest.home, "SELECT replay_id, span_id, modified_input, new_output FROM replay_runs")
    assert [row[:2] for row in stored] == [(got.json["replay_id"], "call")]
    assert json.loads(stored[0][2]) == modified
    assert json.loads(stored[0][3])["llm.tokens.output"] == 5
    assert rows(ingest.home, "SELECT prompt_text, label FROM prompt_versions") == [(modified["llm.prompt"], "Replay")]
    assert job_rows(ingest) == [("done", 1, "hand", None)]
    assert (rows(ingest.home, "SELECT * FROM traces"), rows(ingest.home, "SELECT * FROM spans")) == before


def test_several_runs_are_stored_each_and_those_that_failed_too(ingest: Process, ask: Requests) -> None:
    with HandWorker(ingest) as worker:
        answer = ask.replay(n=3)
        job = worker.take()
        assert job["payload"]["n"] == 3
        failed = {"error": {"status": 502, "detail": "the model is tired"}}
        worker.complete(job, result={"runs": [failed, replay_run("one"), replay_run("two")]})
        got = answer.result(20).json
    assert [run.get("new_output", {}).get("llm.completion") for run in got["runs"]] == [None, "one", "two"]
    assert got["new_output"]["llm.completion"] == "one"
    assert got["replay_id"] == got["runs"][1]["replay_id"]
    assert got["runs"][0]["error"]["detail"] == "the model is tired"
    assert rows(ingest.home, "SELECT count(*), count(error) FROM replay_runs") == [(3, 1)]
    assert rows(ingest.home, "SELECT count(*) FROM prompt_versions") == [(0,)], "the prompt was not changed"


def test_an_error_of_the_worker_is_the_answer(ingest: Process, ask: Requests) -> None:
    with HandWorker(ingest) as worker:
        answer = ask.replay()
        job = worker.take()
        worker.complete(job, error={"status": 502, "detail": "api.example says: model overloaded"})
        got = answer.result(20)
        assert (got.status, got.json) == (502, {"detail": "api.example says: model overloaded"})
        # said again, and something else after it: the first word stands
        assert worker.complete(job, error={"status": 502, "detail": "other"}).status == 200
        assert worker.complete(job, result=replay_done()).status == 200
    assert [row[0] for row in job_rows(ingest)] == ["failed"]
    assert rows(ingest.home, "SELECT count(*) FROM replay_runs") == [(0,)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"span_id": "none"}, "not stored"),
        ({"span_id": "tool"}, "only an llm_call"),
        ({"span_id": "call", "modified_attributes": {"llm.model": None}}, "llm.model"),
        ({"span_id": "call", "modified_attributes": {"llm.base_url": None, "llm.model": "gpt-4o"}}, "API key"),
        ({"span_id": "call", "modified_attributes": {"llm.base_url": None}}, "unknown"),
        ({"span_id": "call", "modified_attributes": {"llm.provider": "nobody"}}, "nobody"),
        ({"span_id": "call", "modified_attributes": {"llm.base_url": "http://models.example/v1"}}, "unknown"),
    ],
)
def test_what_cannot_be_replayed_is_a_400_and_no_job(ingest: Process, body: Any, said: str) -> None:
    answer = ingest.ask("POST", "/v1/replay", body)
    assert answer.status == 400, answer.body
    assert said in answer.json["detail"]
    assert job_rows(ingest) == []


# ---------------------------------------------------------------- hints and workers that are lost


def test_a_hint_that_is_lost_comes_again_to_another(ingest: Process, ask: Requests) -> None:
    with HandWorker(ingest, "first") as first:
        answer = ask.replay()
        lost = first.hint()
        first.vanish()  # killed before it claimed
        with HandWorker(ingest, "second") as second:
            job = second.take()
            assert job["job_id"] == lost
            second.complete(job, result=replay_done())
            assert answer.result(20).status == 200
    assert [row[2] for row in job_rows(ingest)] == ["second"]


def test_a_job_is_claimed_once(ingest: Process, ask: Requests, pool: ThreadPoolExecutor) -> None:
    with HandWorker(ingest) as worker:
        answer = ask.replay()
        job_id = worker.hint()
        claims = [answer.status for answer in pool.map(lambda _: worker.claim(job_id), range(8))]
        assert sorted(claims) == [200] + [409] * 7
        assert worker.claim("no-such-job").status == 404
        job = {"job_id": job_id}
        assert worker.renew(job, "wrong").status == 409
        assert worker.complete(job, "wrong", result=replay_done()).status == 409
        assert worker.complete(job, "wrong").status in (409, 422)
        token = rows(ingest.home, "SELECT token FROM jobs")[0][0]
        assert worker.complete(job, token, result=replay_done()).status == 200
        assert answer.result(20).status == 200


def test_a_worker_that_is_lost_after_its_claim_fails_the_job_and_what_it_brings_late_is_kept(
    ingest: Process, ask: Requests
) -> None:
    with HandWorker(ingest) as worker:
        answer = ask.replay(key="lost-1")
        job = worker.take()
        claimed = time.monotonic()
        got = answer.result(LEASE_S + 10)
        assert time.monotonic() - claimed > LEASE_S - 1
        assert got.status == 502
        assert got.json["detail"].startswith("worker lost")
        assert not worker.hinted(1.5), "a paid call is not made a second time"
        assert worker.claim(job["job_id"]).status == 409
        assert worker.renew(job).json == {"cancelled": False}, "it may finish: somebody may ask for the result"
        assert worker.complete(job, result=replay_done("late")).status == 200
        assert state_of(ingest, job["job_id"]) == "done"
        again = ask.replay(key="lost-1").result(20)
        assert again.json["new_output"]["llm.completion"] == "late"
        assert again.json["job_id"] == job["job_id"]
    assert rows(ingest.home, "SELECT count(*) FROM replay_runs") == [(1,)]


# ---------------------------------------------------------------- ingest stopped, restarted


def test_leases_start_anew_after_ingest_stood_still(ingest: Process, ask: Requests) -> None:
    with HandWorker(ingest) as worker:
        answer = ask.replay()
        job = worker.take()
        assert ingest.child is not None
        os.kill(ingest.child.pid, signal.SIGSTOP)
        stopped = time.monotonic()
        try:
            wait_for(lambda: time.monotonic() - stopped > LEASE_S + 2, "the lease to be over, had time gone on", 30)
        finally:
            os.kill(ingest.child.pid, signal.SIGCONT)
        wait_for(lambda: "stood still" in ingest.log.read_text(), "ingest to notice")
        assert worker.renew(job).json == {"cancelled": False}
        assert state_of(ingest, job["job_id"]) == "running"
        assert worker.complete(job, result=replay_done()).status == 200
        assert answer.result(20).status == 200


def test_a_result_lands_though_ingest_was_killed_in_the_middle(ingest: Process, ask: Requests) -> None:
    with HandWorker(ingest) as worker:
        lost = ask.replay(key="once")
        job = worker.take()
        ingest.end(signal.SIGKILL)
        with pytest.raises(OSError):
            lost.result(20)
        ingest.start()
        assert worker.renew(job).json == {"cancelled": False}
        again = ask.replay(key="once")  # the client has lost its connection, and asks once more
        assert not worker.hinted(1.5)
        assert worker.complete(job, result=replay_done()).status == 200
        got = again.result(20)
        assert (got.status, got.json["job_id"]) == (200, job["job_id"])
    assert len(job_rows(ingest)) == 1


def test_a_running_job_whose_worker_went_with_ingest_fails_a_lease_later(ingest: Process, ask: Requests) -> None:
    with HandWorker(ingest) as worker:
        lost = ask.replay(key="both")
        worker.take()
        ingest.end(signal.SIGKILL)
        with pytest.raises(OSError):
            lost.result(20)
    ingest.start()
    started = time.monotonic()
    again = ask.replay(key="both").result(LEASE_S + 15)
    assert again.status == 502
    assert "worker lost" in again.json["detail"]
    assert time.monotonic() - started > LEASE_S - 2, "a fresh lease, not what was left of the old one"


def test_a_job_queued_before_a_restart_runs_after_it(ingest: Process, ask: Requests) -> None:
    lost = ask.replay(key="early")
    wait_for(lambda: job_rows(ingest), "the job")
    ingest.end(signal.SIGKILL)
    with pytest.raises(OSError):
        lost.result(20)
    ingest.start()
    with HandWorker(ingest) as worker:
        again = ask.replay(key="early")
        worker.complete(worker.take(), result=replay_done())
        assert again.result(20).status == 200
    assert len(job_rows(ingest)) == 1


def test_a_job_queued_long_before_a_start_is_not_run_out_of_the_blue(ingest: Process, ask: Requests) -> None:
    lost = ask.replay(key="yesterday")
    wait_for(lambda: job_rows(ingest), "the job")
    ingest.end(signal.SIGKILL)
    with pytest.raises(OSError):
        lost.result(20)
    with sqlite3.connect(ingest.home / "traces.db") as db:
        db.execute("UPDATE jobs SET created_ns = created_ns - 86400 * 1000000000")
    db.close()
    ingest.start()
    wait_for(lambda: job_rows(ingest)[0][0] == "cancelled", "it to be forgotten")
    with HandWorker(ingest) as worker:
        again = ask.replay(key="yesterday")  # nothing was paid: the key may be used again
        worker.complete(worker.take(), result=replay_done())
        assert again.result(20).status == 200
    assert [row[0] for row in job_rows(ingest)] == ["cancelled", "done"]


# ---------------------------------------------------------------- ended from outside


def test_a_trace_deleted_in_the_middle_ends_the_job_and_nothing_is_stored(ingest: Process, ask: Requests) -> None:
    with HandWorker(ingest) as worker:
        answer = ask.replay(modified_attributes={"llm.prompt": "changed"})
        job = worker.take()
        assert ingest.ask("DELETE", "/v1/traces/t").json == {"deleted_count": 1}
        got = answer.result(20)
        assert got.status == 400
        assert "was deleted" in got.json["detail"]
        assert worker.renew(job).json == {"cancelled": True}
        assert worker.complete(job, result=replay_done()).status == 200
    assert state_of(ingest, job["job_id"]) == "failed"
    for table in ("replay_runs", "prompt_versions", "traces"):
        assert rows(ingest.home, f"SELECT count(*) FROM {table}") == [(0,)]


def test_a_trace_that_is_gone_when_the_result_comes_after_a_restart(ingest: Process, ask: Requests) -> None:
    """The board has not heard of the delete: the row of the trace decides."""
    with HandWorker(ingest) as worker:
        answer = ask.replay()
        job = worker.take()
        ingest.end(signal.SIGKILL)
        with pytest.raises(OSError):
            answer.result(20)
        db = sqlite3.connect(ingest.home / "traces.db")
        db.execute("PRAGMA foreign_keys=ON")
        db.execute("DELETE FROM traces")
        db.commit()
        db.close()
        ingest.start()
        assert worker.complete(job, result=replay_done()).status == 200
    assert [row[0] for row in job_rows(ingest)] == ["failed"]
    assert "was deleted" in job_rows(ingest)[0][3]


def test_cancelling_a_queued_and_a_running_job(ingest: Process, ask: Requests) -> None:
    with HandWorker(ingest) as worker:
        running = ask.replay()
        job = worker.take()
        queued = ask.replay()
        waiting_id = worker.hint()
        for job_id in (waiting_id, job["job_id"]):
            answer = ingest.ask("DELETE", f"/v1/jobs/{job_id}")
            assert (answer.status, answer.json) == (200, {"job_id": job_id, "state": "cancelled"})
        for future in (running, queued):
            got = future.result(20)
            assert (got.status, got.json) == (409, {"detail": "The job was cancelled."})
        assert worker.claim(waiting_id).status == 409
        assert worker.renew(job).json == {"cancelled": True}
        assert worker.complete(job, result=replay_done()).status == 200
        assert state_of(ingest, job["job_id"]) == "cancelled"
        assert rows(ingest.home, "SELECT count(*) FROM replay_runs") == [(0,)]
    assert ingest.ask("DELETE", "/v1/jobs/none").status == 404


def test_a_job_that_is_over_is_not_cancelled(ingest: Process, ask: Requests) -> None:
    with HandWorker(ingest) as worker:
        answer = ask.replay()
        job = worker.take()
        worker.complete(job, result=replay_done())
        assert answer.result(20).status == 200
    assert ingest.ask("DELETE", f"/v1/jobs/{job['job_id']}").json["state"] == "done"


# ---------------------------------------------------------------- the same key, a full board, clients that leave


def test_the_same_key_is_the_same_job(ingest: Process, ask: Requests) -> None:
    with HandWorker(ingest) as worker:
        both = [ask.replay(key="k"), ask.replay(key="k")]
        worker.complete(worker.take(), result=replay_done())
        answers = [future.result(20) for future in both] + [ask.replay(key="k").result(20)]
        assert [a.status for a in answers] == [200] * 3
        assert len({a.body for a in answers}) == 1
        other = ask.replay(key="k", n=2).result(20)
        assert other.status == 409
        assert "Idempotency-Key" in other.json["detail"]
        assert ask.replay(key="x" * 201).result(20).status == 400
    assert len(job_rows(ingest)) == 1


def test_who_lost_a_stream_may_ask_for_the_whole_and_the_reverse(ingest: Process, ask: Requests) -> None:
    with HandWorker(ingest) as worker:
        streamed = ask.replay(key="k", stream=True)
        job = worker.take()
        whole = ask.replay(key="k", stream=False)
        worker.complete(job, result=replay_done("Hello"))
        late = ask.replay(key="k", stream=True).result(20)
        got = whole.result(20)
        assert (got.status, got.json["job_id"]) == (200, job["job_id"])
        for answer in (streamed.result(20), late):
            assert b"event: result\ndata: " + got.body in answer.body
        first = ask.replay(key="w", stream=False)
        job = worker.take()
        again = ask.replay(key="w", stream=True)
        worker.complete(job, result=replay_done("Hello"))
        assert b"event: result\ndata: " + first.result(20).body in again.result(20).body
    assert len(job_rows(ingest)) == 2


def test_a_client_that_leaves_does_not_end_the_job(ingest: Process, ask: Requests) -> None:
    body = json.dumps({"span_id": "call"}).encode()
    head = (
        f"POST /v1/replay HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nidempotency-key: gone\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with HandWorker(ingest) as worker:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(ingest.socket))
            client.sendall(head.encode() + body)
            job = worker.take()
        assert worker.renew(job).json == {"cancelled": False}
        assert worker.complete(job, result=replay_done()).status == 200
        assert ask.replay(key="gone").result(20).json["job_id"] == job["job_id"]
    assert rows(ingest.home, "SELECT count(*) FROM replay_runs") == [(1,)]


def test_a_full_board_is_a_503(ingest: Process) -> None:
    ingest.end()
    db = sqlite3.connect(ingest.home / "traces.db")
    now = time.time_ns()
    db.executemany(
        "INSERT INTO jobs (job_id, kind, state, label, payload, payload_bytes, deadline_s, created_ns) "
        "VALUES (?, 'replay', 'queued', 'full', '{}', 2, 60, ?)",
        [(f"job-{i}", now) for i in range(BOARD_MAX)],
    )
    db.commit()
    db.close()
    ingest.start()
    with HandWorker(ingest) as worker:
        answer = ingest.ask("POST", "/v1/replay", {"span_id": "call"})
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert f"{BOARD_MAX:,} jobs" in answer.json["detail"]
        assert ingest.ask("DELETE", "/v1/jobs/job-7").json["state"] == "cancelled"
        assert worker.hint() != "job-7"


def test_without_a_worker_it_is_a_503_after_a_while_and_nothing_runs_later(ingest: Process, ask: Requests) -> None:
    began = time.monotonic()
    answer = ask.replay().result(30)
    assert answer.status == 503
    assert "No replay worker" in answer.json["detail"]
    assert int(answer.headers["retry-after"]) >= 1
    assert 8 < time.monotonic() - began < 20
    with HandWorker(ingest) as worker:
        assert not worker.hinted(1.5)
    assert [row[0] for row in job_rows(ingest)] == ["cancelled"]


# ---------------------------------------------------------------- as it is written


class EventReader:
    """A streamed answer, read event by event."""

    def __init__(self, ingest: Process, path: str, body: Any) -> None:
        from beacon.unix_http import UnixConnection

        self.connection = UnixConnection(ingest.socket, 30)
        self.connection.request("POST", path, json.dumps(body).encode(), {"content-type": "application/json"})
        self._answer: Any = None

    @property
    def answer(self) -> Any:
        if self._answer is None:
            self._answer = self.connection.getresponse()
        return self._answer

    def next(self) -> tuple[str, Any]:
        """The next event, comments left out."""
        lines = []
        while (line := self.answer.readline()) not in (b"\n", b""):
            lines.append(line.decode().rstrip("\n"))
        if len(lines) == 1 and lines[0].startswith(":"):
            return self.next()
        assert lines[0].startswith("event: "), lines
        assert lines[1].startswith("data: "), lines
        return lines[0][7:], json.loads(lines[1][6:])


@contextmanager
def streaming(ingest: Process, path: str = "/v1/replay", **body: Any) -> Iterator[EventReader]:
    reader = EventReader(ingest, path, {"stream": True, **body})
    try:
        yield reader
    finally:
        reader.connection.close()


def test_a_stream_says_each_piece_as_it_comes_then_the_result(ingest: Process) -> None:
    with HandWorker(ingest) as worker, streaming(ingest, span_id="call") as client:
        job = worker.take()
        assert job["payload"]["stream"] is True
        assert client.answer.status == 200
        assert client.answer.headers["content-type"] == "text/event-stream"
        assert "no-cache" in client.answer.headers["cache-control"]
        worker.say(job, "never", token="not the token")
        worker.say_raw(b"\xc1 not msgpack")
        worker.say(job, "Hel")
        assert client.next() == ("delta", {"run": 0, "text": "Hel"})
        worker.say(job, "lo\n\u4e2d", run=1)
        assert client.next() == ("delta", {"run": 1, "text": "lo\n\u4e2d"})
        worker.complete(job, result=replay_done("Hello"))
        name, result = client.next()
        assert name == "result"
        assert result["new_output"]["llm.completion"] == "Hello"
        assert client.answer.read() == b""


def test_a_stream_ends_with_the_error(ingest: Process) -> None:
    with HandWorker(ingest) as worker, streaming(ingest, span_id="call") as client:
        job = worker.take()
        worker.say(job, "Hel")
        assert client.next()[0] == "delta"
        worker.complete(job, error={"status": 502, "detail": "cut off"})
        assert client.next() == ("error", {"status": 502, "detail": "cut off"})
        assert client.answer.read() == b""


def test_what_is_wrong_before_there_is_a_job_has_its_status_though_a_stream_was_asked_for(ingest: Process) -> None:
    with streaming(ingest, span_id="none") as client:
        assert client.answer.status == 400
        assert client.answer.headers["content-type"] == "application/json"


def test_a_stream_that_nobody_reads_costs_a_bound_and_not_the_others(ingest: Process, ask: Requests) -> None:
    psutil = pytest.importorskip("psutil")
    assert ingest.child is not None
    memory = psutil.Process(ingest.child.pid)
    with HandWorker(ingest) as worker, streaming(ingest, span_id="call") as deaf:
        job = worker.take()
        assert deaf.answer.status == 200
        before = memory.memory_info().rss
        piece = "x" * 100_000
        for _ in range(1_000):  # 100 MB
            worker.say(job, piece)
        assert worker.complete(job, result=replay_done("end")).status == 200
        other = ask.replay()
        worker.complete(worker.take(), result=replay_done())
        assert other.result(20).status == 200
        assert memory.memory_info().rss - before < 40 * 1024 * 1024


# ---------------------------------------------------------------- demo, playground


def test_a_demo_answers_at_once_with_its_root_span_stored(ingest: Process) -> None:
    with HandWorker(ingest) as worker:
        answer = ingest.ask("POST", "/v1/demo/run", {"scenario": "trip_planner"})
        assert answer.status == 200
        trace_id = answer.json["trace_id"]
        select = (
            "SELECT s.status, s.end_ns, s.error_message, s.span_id FROM spans s "
            "JOIN traces t USING (trace_row) WHERE t.trace_id = ?"
        )
        [(status, end_ns, error, span_id)] = rows(ingest.home, select, trace_id)
        assert (status, end_ns, error) == ("unset", None, None)
        job = worker.take()
        assert job["payload"] == {
            "trace_id": trace_id,
            "root_span_id": span_id,
            "scenario": "trip_planner",
            "recorded": True,
        }
        job_of = {"beacon.job_id": job["job_id"]}
        child = span("child", trace_id, parent_span_id=span_id, end_time=None, status="unset", attributes=job_of)
        done = span("done", trace_id, parent_span_id=span_id)
        post(ingest, child, done)
        assert worker.complete(job, error={"status": 502, "detail": "out of tune"}).status == 200
        ended = {row[3]: row[:3] for row in rows(ingest.home, select, trace_id)}
        for name in (span_id, "child"):
            status, end_ns, error = ended[name]
            assert (status, error) == ("error", "out of tune")
            assert end_ns is not None
        assert ended["done"][0] == "ok"
        assert rows(ingest.home, "SELECT running_count FROM traces WHERE trace_id = ?", trace_id) == [(0,)]
    assert ingest.ask("POST", "/v1/demo/run", {"scenario": "none"}).status == 400
    scenarios = ingest.ask("GET", "/v1/demo/scenarios").json
    assert {"research_assistant", "code_reviewer", "trip_planner"} <= {s["key"] for s in scenarios}
    assert not any(s["api_key_configured"] for s in scenarios)


def test_a_cancelled_chat_ends_its_own_spans_and_those_of_no_other_turn(ingest: Process, ask: Requests) -> None:
    body = {"model": "ollama/llama3.2", "messages": [{"role": "user", "content": "hi"}], "conversation_id": "c 1"}
    assert ask.post("/v1/playground/chat", body).result(20).status == 422
    body["conversation_id"] = "c1"

    with HandWorker(ingest) as worker:

        def turn(name: str) -> tuple[dict[str, Any], Future[Answer]]:
            answer = ask.post("/v1/playground/chat", body)
            job = worker.take()
            of_job = {"beacon.job_id": job["job_id"]}
            trace_id = job["payload"]["trace_id"]
            post(ingest, span(name, trace_id, end_time=None, status="unset", attributes=of_job))
            return job, answer

        job, first = turn("before")
        worker.complete(job, result={"conversation_id": "c1"})
        assert first.result(20).json == {"conversation_id": "c1"}
        cancelled, second = turn("cancelled")
        beside, third = turn("beside")
        assert cancelled["payload"]["trace_id"] == beside["payload"]["trace_id"], "one trace a conversation"
        post(ingest, span("users", beside["payload"]["trace_id"], end_time=None, status="unset"))
        ingest.ask("DELETE", f"/v1/jobs/{cancelled['job_id']}")
        assert second.result(20).status == 409
        found = dict(rows(ingest.home, "SELECT span_id, status FROM spans WHERE end_ns IS NULL OR status = 'error'"))
        assert found == {"before": "unset", "cancelled": "error", "beside": "unset", "users": "unset"}
        worker.complete(beside, result={"conversation_id": "c1"})
        assert third.result(20).status == 200


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("playground/compare", {"models": ["ollama/a"]}, "1 models"),
        ("playground/compare", {"models": ["ollama/a"] * 11}, "11 models"),
        ("playground/compare", {"models": ["ollama/a", "what"]}, "unknown"),
        ("playground/compare", {"models": ["ollama/a", "gpt-4o"]}, "API key"),
        ("playground/compare-prompts", {"model": "ollama/a", "prompts": ["one"]}, "1 prompts"),
        ("playground/compare-prompts", {"model": "gpt-4o", "prompts": ["one", "two"]}, "API key"),
        ("playground/chat", {"model": "claude-haiku-4-5"}, "API key"),
        ("playground/chat", {"model": "x", "provider": "nobody"}, "nobody"),
        ("analysis/summarize", {"trace_id": "t"}, "API key"),
        ("analysis/summarize", {"trace_id": "none"}, "Trace none is not stored"),
        ("analysis/compare", {"trace_id_a": "t", "trace_id_b": "none"}, "Trace none is not stored"),
        ("analysis/error-patterns", {"trace_ids": ["t", "none"]}, "Trace none is not stored"),
        ("analysis/prompt-suggestions", {"span_id": "none"}, "not stored"),
        ("analysis/prompt-suggestions", {"span_id": "tool"}, "only an llm_call"),
        ("settings/api-keys/openai/test", None, "API key"),
        ("settings/api-keys/nobody/test", None, "nobody"),
    ],
)
def test_what_cannot_be_asked_is_a_400_and_no_job(ingest: Process, path: str, body: Any, said: str) -> None:
    if body is not None and "playground" in path and "prompts" not in path:
        body = {"messages": [{"role": "user", "content": "hi"}], **body}
    answer = ingest.ask("POST", f"/v1/{path}", body)
    assert answer.status == 400, answer.body
    assert said in answer.json["detail"], answer.json
    assert job_rows(ingest) == []


def test_numbers_alone_need_no_key(ingest: Process, ask: Requests) -> None:
    with HandWorker(ingest) as worker:
        answer = ask.post("/v1/analysis/anomalies", {"trace_id": "t"})
        job = worker.take()
        assert job["payload"] == {"analysis": "anomalies", "request": {"trace_id": "t"}}
        worker.complete(job, result={"trace_id": "t", "anomalies": [], "narrative": None})
        assert answer.result(20).json == {"trace_id": "t", "anomalies": [], "narrative": None}


def test_the_models_without_a_worker_and_with_one_that_is_too_slow(ingest: Process, ask: Requests) -> None:
    assert ingest.ask("PUT", "/v1/settings/api-keys", {"provider": "ollama"}).status == 200
    alone = ingest.ask("GET", "/v1/models").json
    assert {"openai", "anthropic", "google"} <= {model["provider"] for model in alone["models"]}
    assert [u["provider"] for u in alone["unlisted"]] == ["ollama"]
    assert "no replay worker" in alone["unlisted"][0]["detail"]
    with HandWorker(ingest) as worker, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ingest.ask, "GET", "/v1/models", timeout=40)
        job = worker.take()
        assert job["payload"] == {"providers": ["ollama"]}
        wait_for(lambda: worker.renew(job).status == 200 and asked.done(), "the deadline", 30)
        slow = asked.result().json
        assert slow["models"] == alone["models"]
        assert "given up after 12 s" in slow["unlisted"][0]["detail"]
        assert worker.renew(job).json == {"cancelled": True}
        asked = pool.submit(ingest.ask, "GET", "/v1/models")
        worker.complete(worker.take(), result={"models": [], "unlisted": []})
        assert asked.result().json == {"models": [], "unlisted": []}


def test_a_key_is_tested_by_a_worker_and_stands_nowhere(ingest: Process, ask: Requests) -> None:
    secret = "sk-0123456789-very-secret"
    assert ingest.ask("PUT", "/v1/settings/api-keys", {"provider": "openai", "api_key": secret}).status == 200
    with HandWorker(ingest) as worker:
        answer = ask.post("/v1/settings/api-keys/openai/test", None)
        job = worker.take()
        assert job["payload"] == {"provider": "openai"}
        assert secret not in json.dumps(job)
        worker.complete(job, result={"provider": "openai", "ok": True})
        assert answer.result(20).json == {"provider": "openai", "ok": True}
    for path in ingest.home.rglob("*"):
        if path.is_file() and path.name != "config.json":
            assert secret.encode() not in path.read_bytes(), path
