"""Degrades in parts: with any one process down the others answer, what is missing is a 503 with Retry-After, and the
stack heals by itself."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from contextlib import ExitStack
from typing import Any

import pytest

from beacon.cli.liveness import alive
from beacon.unix_http import UnixConnection
from tests.edge import Hub
from tests.processes import Answer, Process, short_home, span, wait_for
from tests.stack import MakeStack, Stack
from tests.system.live import Live
from tests.system.traffic import rows

HOLD_S = 2.0
"""Seconds a POST of spans is held while ingest is away."""


def check_missing(answer: Answer, process: str) -> None:
    assert answer.status == 503, answer.body
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["content-type"] == "application/json"
    assert process in answer.json["detail"]


def wait_degraded(stack: Stack) -> Answer:
    """The first answer of /health that says so; a good one is given again for half a second."""

    def look() -> Answer | None:
        answer = stack.ask("GET", "/health")
        return answer if answer.json["status"] == "degraded" else None

    found: Answer = wait_for(look, "/health to tell of it")
    return found


def check_others_stayed(stack: Stack, before: dict[str, int], name: str) -> None:
    after = stack.pids()
    assert {n: pid for n, pid in after.items() if n != name} == {n: pid for n, pid in before.items() if n != name}


READS = (
    "/v1/spans/s1", "/v1/traces", "/v1/traces/t1", "/v1/traces/t1/graph", "/v1/traces/t1/export", "/v1/stats",
    "/v1/stats/trends", "/v1/stats/top-costs", "/v1/stats/top-duration", "/v1/search?q=step", "/v1/traces/baseline",
)  # fmt: skip


def test_without_ingest_everything_can_still_be_read(stack: Stack) -> None:
    stack.post_spans([span("s1")])
    with Live(stack) as live:
        with stack.without("ingest") as pids:
            for path in READS:
                assert stack.ask("GET", path).status == 200, path
            assert stack.ask("GET", "/docs").status == 200
            health = wait_degraded(stack)
            check_missing(health, "ingest")
            assert health.json["status"] == "degraded"
            assert health.json["parts"]["query"] == "up"
            assert health.json["parts"]["ingest"].startswith("down")
            check_missing(stack.ask("PUT", "/v1/traces/t1/tags", {"tags": {}}), "ingest")
            check_missing(stack.ask("DELETE", "/v1/traces/t1"), "ingest")
            began = time.monotonic()
            check_missing(stack.ask("POST", "/v1/spans", {"spans": [span("s2")]}), "ingest")
            assert HOLD_S - 0.2 < time.monotonic() - began < HOLD_S + 2, "held, and then answered"
        stack.wait_healthy()
        check_others_stayed(stack, pids, "ingest")
        stack.post_spans([span("s3")])
        live.wait(lambda: "s3" in live.created, "the live stream to go on")
        assert live.resyncs == 0, "it goes on where it was"
        assert stack.ask("DELETE", "/v1/traces/t1").json == {"deleted_count": 1}


def test_without_query_spans_are_stored_and_seen_live(stack: Stack) -> None:
    with Live(stack) as live:
        stack.post_spans([span("s1")])
        live.wait(lambda: "s1" in live.created, "the first event: from here on nothing has to be healed")
        with stack.without("query") as pids:
            for path in READS:
                check_missing(stack.ask("GET", path), "query")
            health = wait_degraded(stack)
            check_missing(health, "query")
            assert health.json["parts"]["ingest"] == "up"
            stack.post_spans([span("s2"), span("s3", "t2")])
            live.wait(lambda: "s3" in live.created, "events, which need no query")
            assert stack.ask("PUT", "/v1/traces/t1/tags", {"tags": {"k": "v"}}).status == 200
            assert stack.ask("DELETE", "/v1/traces/t2").json == {"deleted_count": 1}
            live.wait(lambda: live.of("traces_deleted"), "the event of the delete")
        stack.wait_healthy()
        check_others_stayed(stack, pids, "query")
        assert live.resyncs == 0
    assert stack.ask("GET", "/v1/traces/t1").json["span_count"] == 2


def test_without_the_hub_the_others_work_on(stack: Stack) -> None:
    stack.post_spans([span("s1")])
    with stack.without("hub") as pids:
        with pytest.raises(ConnectionError):  # refused, or reset while its last thread goes
            _raise_reason(lambda: stack.ask("GET", "/health"))
        assert ask_at(stack, "ingest", "/internal/ingest/health")["status"] == "ok"
        assert ask_at(stack, "query", "/v1/traces/t1")["span_count"] == 1
    stack.wait_healthy()
    check_others_stayed(stack, pids, "hub")
    stack.post_spans([span("s2")])
    assert stack.ask("GET", "/v1/traces/t1").json["span_count"] == 2


def test_without_workers_all_but_their_work_goes_on(stack: Stack) -> None:
    with stack.without("replay_worker") as pids:
        health = wait_degraded(stack)
        assert health.status == 200, "it is ingest and query that a 503 speaks of"
        assert health.json["parts"] == {"ingest": "up", "query": "up", "replay_worker": "down"}
        stack.post_spans([span("s1")])
        for path in READS:
            assert stack.ask("GET", path).status == 200, path
    stack.wait_healthy()
    check_others_stayed(stack, pids, "replay_worker")


def ask_at(stack: Stack, process: str, path: str) -> Any:
    """The answer of one process at its own socket."""
    with ExitStack() as closing:
        connection = UnixConnection(stack.settings.socket_path(process), 10)
        closing.callback(connection.close)
        connection.request("GET", path)
        answer = connection.getresponse()
        return Answer(answer.status, {}, answer.read()).json


def _raise_reason(ask: Any) -> None:
    try:
        ask()
    except OSError as e:
        raise getattr(e, "reason", e) from e


def test_spans_posted_while_ingest_restarts_are_held_and_stored(stack: Stack) -> None:
    """A client such as beacon-sdk never sends anything twice: what it posts in that second must not be lost."""
    stack.wait_settled("ingest")
    answers: dict[str, Answer] = {}
    waiting = threading.Barrier(9)

    def post(name: str) -> None:
        waiting.wait()
        answers[name] = stack.ask("POST", "/v1/spans", {"spans": [span(name)]})

    threads = [threading.Thread(target=post, args=(f"s{i}",)) for i in range(8)]
    with stack.without("ingest"):
        for thread in threads:
            thread.start()
        waiting.wait()
    for thread in threads:
        thread.join()
    refused = {name: answer.body for name, answer in answers.items() if answer.status != 200}
    assert not refused
    assert stack.ask("GET", "/v1/traces/t1").json["span_count"] == 8


def test_a_stopped_ingest_is_a_503_and_not_a_hang(stack: Stack) -> None:
    """Stopped, not dead: it accepts connections and says nothing. /health must tell, and reads must go on."""
    stack.post_spans([span("s1")])
    pid = stack.pids()["ingest"]
    os.kill(pid, signal.SIGSTOP)
    try:
        check_missing(wait_degraded(stack), "ingest")
        assert stack.ask("GET", "/v1/traces/t1", timeout=5).status == 200
    finally:
        os.kill(pid, signal.SIGCONT)
    stack.wait_healthy()
    assert stack.pids()["ingest"] == pid


def test_a_killed_supervisor_leaves_neither_port_nor_lock_behind(stack: Stack) -> None:
    """Its processes are orphans then; they see it and go, and another stack has port and database at once."""
    stack.post_spans([span("s1")])
    pids = stack.pids()
    stack.kill("supervisord")
    stack.wait_gone(pids, timeout=10)
    # another port and home, the same database: nobody holds it
    other = Stack(BEACON_DB_PATH=str(stack.settings.db_path))
    try:
        other.start()
        assert other.ask("GET", "/v1/spans/s1").status == 200
    finally:
        other.destroy()
    stack.start()
    stack.post_spans([span("s2")])
    assert stack.ask("GET", "/v1/traces/t1").json["span_count"] == 2


def test_the_second_stack_on_one_database_refuses_clearly(stack: Stack, make_stack: MakeStack) -> None:
    stack.post_spans([span("s1")])
    ingest = stack.pids()["ingest"]
    second = make_stack(BEACON_DB_PATH=str(stack.settings.db_path))
    done = second.beacon("up", "--detach")
    assert done.returncode == 1
    assert "refused to start" in done.stderr
    assert f"process {ingest}" in done.stderr
    assert str(stack.settings.db_path) in done.stderr
    assert "beacon down" in done.stderr
    assert second.pids() == {}, "and nothing of it stays"
    assert not [pid for pid in second.seen if alive(pid)]
    # the first has not even noticed
    assert stack.pids()["ingest"] == ingest
    stack.post_spans([span("s2")])
    assert rows(stack, "SELECT count(*) FROM spans") == [(2,)]


@pytest.mark.parametrize("order", list(itertools.permutations(("ingest", "query", "hub"))), ids="-".join)
def test_start_order_does_not_matter(order: tuple[str, ...]) -> None:
    """Each is started only when the one before has bound its socket, the last with both others long there."""
    with short_home() as home, ExitStack() as running:
        hub = Hub(home, BEACON_REPLAY_WORKERS="0")
        port = {"BEACON_BACKEND_PORT": str(hub.port), "BEACON_REPLAY_WORKERS": "0"}
        made: dict[str, Process] = {
            "hub": hub, "ingest": Process("ingest", home, **port), "query": Process("query", home, **port)
        }  # fmt: skip
        for name in order:
            process = made[name]
            running.callback(process.__exit__, None, None, None)
            process.start(wait=name != "query")  # query answers 503 until ingest has made the database
            if name == "query":
                wait_for(process.socket.exists, "query to be bound")
        wait_for(lambda: hub.ask("GET", "/health").json["status"] == "ok", "the parts to find each other")
        assert hub.ask("POST", "/v1/spans", {"spans": [span("s1")]}).status == 200
        assert hub.ask("GET", "/v1/traces/t1").json["span_count"] == 1
        assert not any(process.ended() for process in made.values())
