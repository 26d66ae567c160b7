"""The replay worker tells ingest that it is there: at once when ingest comes, and without noise before."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from replay_worker.__main__ import FIRST_RETRY_S, RETRY_S, SILENT_S
from tests.processes import Process, short_home, wait_for


@contextmanager
def deaf(path: Path) -> Iterator[list[float]]:
    """A socket at `path` that hangs up on everybody; the times (monotonic) at which somebody came."""
    came: list[float] = []
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(64)

        def hang_up() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                came.append(time.monotonic())
                caller.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        try:
            yield came
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            path.unlink()


@contextmanager
def running_worker(home: Path) -> Iterator[Process]:
    worker = Process("replay_worker", home)
    worker.start(wait=False)  # it has no socket to be asked on
    try:
        yield worker
    finally:
        assert worker.end() == 0, worker.log.read_text()


def test_a_worker_tries_often_warns_late_and_is_there_when_ingest_is() -> None:
    with short_home() as home:
        ingest = Process("ingest", home)
        with running_worker(home) as worker:
            with deaf(ingest.socket) as came:
                wait_for(lambda: "WARNING" in worker.log.read_text(), "the warning")
                warned = time.monotonic()
            text = worker.log.read_text()
            assert text.count("WARNING") == 1
            assert "ingest cannot be reached" in text
            # seen from outside, half a second of slack for a busy machine; the first failure used to warn
            assert warned - came[0] > SILENT_S - 0.5
            assert min(later - sooner for sooner, later in pairwise(came)) < (FIRST_RETRY_S + RETRY_S) / 2
            with ingest:
                wait_for(lambda: ingest.ask("GET", "/internal/ingest/health").json["workers"] == 1, "the worker")
                wait_for(lambda: "ingest is back" in worker.log.read_text(), "word of it")


def test_a_start_before_ingest_is_nothing_to_warn_of() -> None:
    with short_home() as home:
        ingest = Process("ingest", home)
        with running_worker(home) as worker:
            with deaf(ingest.socket) as came:
                wait_for(lambda: len(came) >= 3, "three attempts")
                early = time.monotonic() - came[0] < SILENT_S - 0.5
            assert "WARNING" not in worker.log.read_text() or not early
            with ingest:
                wait_for(lambda: ingest.ask("GET", "/internal/ingest/health").json["workers"] == 1, "the worker")
