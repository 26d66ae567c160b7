"""Bounded: every queue has an end, and what is beyond it is told 503 with Retry-After; nobody hangs, nothing swells."""

from __future__ import annotations

import json
import resource
import socket
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager

import psutil
import pytest

from tests.processes import Answer, span, wait_for
from tests.stack import COMMAND, MakeStack, Stack
from tests.system.live import Live
from tests.system.traffic import Client, batch_spans, check_rollups, rows

MB = 1024 * 1024
IDLE_CONNECTIONS = 1_000
QUEUE_SPANS = 60_000
"""Spans that may wait for the writer."""


@contextmanager
def locked(stack: Stack) -> Iterator[None]:
    """The database held by another program, as the sqlite3 shell or a backup would, so that nothing can be written."""
    with closing(sqlite3.connect(stack.settings.db_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


@pytest.mark.slow
def test_a_full_write_queue_is_a_503_and_what_was_taken_is_stored(stack: Stack) -> None:
    """Ten requests of 8,000 spans while the file is locked: the queue takes 60,000 spans, and the rest is told so at
    once, not after the lock."""
    requests, each = 10, 8_000
    bodies = [json.dumps({"spans": batch_spans(f"r{i}", each)}).encode() for i in range(requests)]
    answers: dict[int, Answer] = {}

    def post(number: int) -> None:
        with Client(stack) as client:
            answers[number] = client.ask("POST", "/v1/spans", bodies[number])

    stack.post_spans([span("before", "mine")])
    with ThreadPoolExecutor(requests) as pool:
        with locked(stack):
            posting = [pool.submit(post, number) for number in range(requests)]
            wait_for(lambda: len(answers) >= requests - QUEUE_SPANS // each, "the queue to be full")
            early = dict(answers)
            assert stack.ask("GET", "/v1/spans/before").status == 200, "reads go on"
        for done in posting:
            done.result()
    assert Counter(answer.status for answer in early.values()) == {503: requests - QUEUE_SPANS // each}
    for answer in early.values():
        assert int(answer.headers["retry-after"]) >= 1
        assert "faster than the disk" in answer.json["detail"]
    stored = [number for number, answer in answers.items() if answer.status == 200]
    assert len(stored) == QUEUE_SPANS // each
    assert rows(stack, "SELECT count(*) FROM spans") == [(len(stored) * each + 1,)]
    check_rollups(stack)
    # and it is over: those that were refused are taken now
    for number in early:
        post(number)
        assert answers[number].status == 200
    assert rows(stack, "SELECT count(*) FROM spans") == [(requests * each + 1,)]


@pytest.mark.slow
def test_a_queue_full_of_large_bodies_is_bounded_in_bytes_too(stack: Stack) -> None:
    """A few spans of megabytes are far from 60,000; it is their bytes that count."""
    requests, each = 12, 20 * MB
    answers: list[Answer] = []
    hub, ingest = (psutil.Process(stack.pids()[name]) for name in ("hub", "ingest"))
    before = hub.memory_info().rss + ingest.memory_info().rss
    most = before

    def post(number: int) -> None:
        body = json.dumps({"spans": [span(f"s{number}", attributes={"text": "x" * each})]}).encode()
        with Client(stack) as client:
            answers.append(client.ask("POST", "/v1/spans", body))

    with ThreadPoolExecutor(requests) as pool:
        with locked(stack):
            posting = [pool.submit(post, number) for number in range(requests)]

            def refused() -> bool:
                nonlocal most
                most = max(most, hub.memory_info().rss + ingest.memory_info().rss)
                return len(answers) >= 3

            wait_for(refused, "the queue to be full")
            for answer in answers:
                assert (answer.status, "faster than the disk" in answer.json["detail"]) == (503, True)
        for done in posting:
            done.result()
    assert most - before < 600 * MB, f"{(most - before) / MB:.0f} MB: at most 256 of bodies, and 128 of spans twice"
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) == {200, 503}
    for answer in answers:
        assert answer.status == 200 or int(answer.headers["retry-after"]) >= 1
    assert rows(stack, "SELECT count(*) FROM spans") == [(statuses[200],)]


@contextmanager
def open_files(count: int) -> Iterator[None]:
    """Room for `count` descriptors in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.fail(f"this test needs {count} descriptors; the system allows {hard} (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_idle_connections_are_in_nobodys_way(make_stack: MakeStack) -> None:
    """Half of them have asked something, half never say a word; and 1,024 open files are all a process gets at first,
    as on most systems."""
    stack = make_stack(("sh", "-c", 'ulimit -S -n 1024; exec "$@"', "sh", *COMMAND)).start()
    stack.wait_healthy()
    pids = stack.pids()
    hub = psutil.Process(pids["hub"])
    before = hub.memory_info().rss
    with open_files(IDLE_CONNECTIONS + 500), ExitStack() as connections:
        for i in range(IDLE_CONNECTIONS):
            idle = connections.enter_context(socket.create_connection(("127.0.0.1", stack.port), timeout=10))
            if i % 2:
                idle.sendall(b"GET /v1/stats HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert idle.recv(4096).startswith(b"HTTP/1.1 200")
        wait_for(lambda: len(hub.net_connections("tcp")) >= IDLE_CONNECTIONS, "the connections to be taken")
        with Client(stack) as client, Live(stack) as live:
            for i in range(50):
                assert client.post(span(f"s{i}")).status == 200
                assert client.ask("GET", f"/v1/spans/s{i}").status == 200
            live.wait_created(50)
        assert hub.memory_info().rss - before < 60 * MB
    assert stack.pids() == pids


@pytest.mark.slow
def test_64_connections_of_10_spans_each_and_nobody_is_refused(stack: Stack) -> None:
    connections, requests, each = 64, 30, 10
    pids = stack.pids()
    starting = threading.Barrier(connections)

    def post(number: int) -> Counter[int]:
        with Client(stack) as client:
            starting.wait()
            return Counter(client.post(*batch_spans(f"c{number}-r{i}", each, 2_500)).status for i in range(requests))

    with ThreadPoolExecutor(connections) as pool, Live(stack) as live:
        answered: Counter[int] = sum(pool.map(post, range(connections)), Counter())
        live.wait_created(connections * requests * each)
    assert answered == {200: connections * requests}
    assert live.resyncs == 0
    assert rows(stack, "SELECT count(*) FROM spans") == [(connections * requests * each,)]
    check_rollups(stack)
    assert stack.pids() == pids


def test_too_many_live_clients_are_turned_away_politely(stack: Stack) -> None:
    """The thousandth and first is told to try again later; the others stay."""
    head = (
        b"GET /ws/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    with open_files(2_000), ExitStack() as connections, Live(stack) as live:
        last = None
        for _ in range(1_000):
            last = connections.enter_context(socket.create_connection(("127.0.0.1", stack.port), timeout=10))
            last.sendall(head)
            said = b""
            while b"\r\n\r\n" not in said:
                said += last.recv(4096)
            assert b" 101 " in said
        assert last is not None
        rest = said.partition(b"\r\n\r\n")[2]
        while len(rest) < 4:
            rest += last.recv(4096)
        assert (rest[0] & 0x0F, int.from_bytes(rest[2:4], "big")) == (8, 1013), "closed: try again later"
        stack.post_spans([span("s1")])
        live.wait_created(1)
