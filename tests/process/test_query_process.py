"""query as a process: what it does while the file is missing, foreign or replaced, and how long work is kept apart
from short."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import Answer, Process, short_home, wait_for
from tests.store_fixture import Store, stored_span


@contextlib.contextmanager
def started(home: Path) -> Iterator[Process]:
    """query in `home`, which may have no database yet."""
    process = Process("query", home)
    process.start(wait=False)
    try:
        wait_for(lambda: listens(process), "query to listen")
        yield process
    finally:
        process.end(signal.SIGTERM)


def listens(process: Process) -> bool:
    with contextlib.suppress(OSError):
        return process.ask("GET", "/internal/query/health").status in (200, 503)
    return False


def test_without_a_database_it_says_so_and_makes_none() -> None:
    with short_home() as home, started(home) as query:
        for path in ("/internal/query/health", "/v1/traces", "/v1/search?q=x", "/v1/traces/t/export", "/v1/stats"):
            answer = query.ask("GET", path)
            assert answer.status == 503
            assert answer.headers["retry-after"] == "1"
            assert "no database yet" in answer.json["detail"]
        assert not (home / "traces.db").exists()
        with Store(home / "traces.db") as store:
            store.put(stored_span("s", "t"))
            assert query.ask("GET", "/internal/query/health").status == 200
            assert query.ask("GET", "/v1/traces").json["total"] == 1


def test_a_file_of_the_original_layout_is_left_alone_until_it_is_migrated() -> None:
    with short_home() as home:
        path = home / "traces.db"
        with contextlib.closing(sqlite3.connect(path)) as legacy:
            legacy.execute("CREATE TABLE traces (trace_id TEXT PRIMARY KEY, name TEXT)")
            legacy.execute("CREATE TABLE spans (span_id TEXT PRIMARY KEY, trace_id TEXT)")
            legacy.commit()
        before = path.read_bytes()
        with started(home) as query:
            for path_asked in ("/internal/query/health", "/v1/traces", "/v1/traces/t"):
                answer = query.ask("GET", path_asked)
                assert answer.status == 503
                assert "not ready" in answer.json["detail"]
            assert path.read_bytes() == before
            with Store(home / "new.db") as migrated:
                migrated.put(stored_span("s", "t"))
            (home / "new.db").rename(path)
            assert query.ask("GET", "/v1/traces/t").status == 200


def test_a_replaced_file_is_read_by_every_lane() -> None:
    with short_home() as home:
        with Store(home / "traces.db") as store:
            store.put(stored_span("old", "t", name="old"))
        with Process("query", home) as query:
            assert found(query.ask("GET", "/v1/search?q=old")) == 1
            assert query.ask("GET", "/v1/spans/old").status == 200
            with Store(home / "new.db") as newer:
                newer.put(stored_span("new", "t", name="new"), stored_span("two", "t", name="new"))
            (home / "new.db").rename(home / "traces.db")
            assert found(query.ask("GET", "/v1/search?q=new")) == 2
            assert query.ask("GET", "/v1/spans/old").status == 404
            assert query.ask("GET", "/v1/stats").json["total_spans"] == 2
            assert len(query.ask("GET", "/v1/traces/t/export").json["spans"]) == 2


def found(answer: Answer) -> int:
    total: int = answer.json["total"]
    return total


# ---------------------------------------------------------------- long work and short

SLOW_SPANS = 24


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that a search for ABSENT has to decode whole: some seconds of work."""
    path: Path = tmp_path_factory.mktemp("large") / "traces.db"
    text = "İ" * 600_000  # folds to more characters than it has: nothing is spared
    with Store(path) as store:
        for i in range(SLOW_SPANS):
            store.put(stored_span(f"s{i}", f"t{i}", attributes={"text": text}))
    return path


SLOW_SEARCH = "/v1/search?q=absent"
EXPORT_OF_ALL = "/v1/traces/export?trace_ids=" + ",".join(f"t{i}" for i in range(SLOW_SPANS))


def test_first_pages_do_not_wait_behind_searches(large: Path) -> None:
    with short_home() as home:
        shutil.copy(large, home / "traces.db")
        with Process("query", home) as query:
            one_search = seconds(query, SLOW_SEARCH)
            searches = [threading.Thread(target=query.ask, args=("GET", SLOW_SEARCH)) for _ in range(6)]
            for search in searches:
                search.start()
            pages = []
            while any(search.is_alive() for search in searches):
                pages.append(seconds(query, "/v1/traces?limit=5"))
            for search in searches:
                search.join()
            assert len(pages) > 10
            assert max(pages) < one_search / 2


def seconds(query: Process, path: str) -> float:
    began = time.monotonic()
    assert query.ask("GET", path, timeout=60).status == 200
    return time.monotonic() - began


def test_a_search_nobody_waits_for_is_stopped(large: Path) -> None:
    with short_home() as home:
        shutil.copy(large, home / "traces.db")
        with Process("query", home) as query:
            one_search = seconds(query, SLOW_SEARCH)
            # twice as many as there are readers for them: left running, they would take twice as long as one at least
            left = [ask_without_waiting(query, SLOW_SEARCH) for _ in range(8)]
            for connection in left:
                connection.close()
            # read by the same readers
            assert seconds(query, "/v1/stats/trends") < one_search


def ask_without_waiting(query: Process, path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(query.socket))
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    return connection


def test_it_stops_soon_whatever_it_is_doing(large: Path) -> None:
    with short_home() as home:
        shutil.copy(large, home / "traces.db")
        with (
            Process("query", home) as query,
            ask_without_waiting(query, SLOW_SEARCH),
            ask_without_waiting(query, EXPORT_OF_ALL) as exporting,
        ):
            assert exporting.recv(12) == b"HTTP/1.1 200"
            began = time.monotonic()
            assert query.end(signal.SIGTERM) == 0
            assert time.monotonic() - began < 10


def test_a_client_that_does_not_read_does_not_hold_a_snapshot(large: Path) -> None:
    with short_home() as home:
        shutil.copy(large, home / "traces.db")
        with Process("query", home) as query, Store(home / "traces.db") as store, contextlib.ExitStack() as opened:
            lazy = opened.enter_context(ask_without_waiting(query, EXPORT_OF_ALL))
            assert lazy.recv(12) == b"HTTP/1.1 200"
            store.put(stored_span("s", "new", attributes={"text": "x" * 100_000}))
            # truncating the log succeeds only when no reader holds a snapshot of it
            wait_for(
                lambda: store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0, "the WAL to shrink"
            )
            read_to_the_end(lazy)


def read_to_the_end(connection: socket.socket) -> None:
    """Take the rest of a chunked answer; fails when it breaks off."""
    tail = b""
    while not tail.endswith(b"\r\n0\r\n\r\n"):
        part = connection.recv(1 << 20)
        assert part, "the answer broke off"
        tail = (tail + part)[-16:]


def test_answers_are_json_on_every_status() -> None:
    with short_home() as home, started(home) as query:
        for path in ("/v1/none", "/v1/traces/x/y/z", "/v1/traces", "/v1/search"):
            answer = query.ask("GET", path)
            assert answer.status >= 400
            assert set(json.loads(answer.body)) <= {"detail", "errors"}
