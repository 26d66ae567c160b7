"""Watching a start, with small servers in the place of supervisord and the hub."""

from __future__ import annotations

import http.server
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from beacon.cli import health as watch
from beacon.cli.health import Start, read_health
from beacon.cli.invocation import Invocation
from beacon.config import Settings, prepare_directories
from beacon.supervision import ProcessState
from tests.processes import short_home
from tests.stack import free_port

BEACON = Invocation("bin/beacon", " --home h")


@pytest.fixture
def settings() -> Iterator[Settings]:
    with short_home() as home:
        settings = Settings(home=home, db_path=home / "traces.db", run_dir=home / "run", backend_port=free_port())
        prepare_directories(settings)
        yield settings


@contextmanager
def edge(settings: Settings, answer: Callable[[], tuple[int, Any]]) -> Iterator[None]:
    """Beacon's port: each request gets what `answer` says next."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer()
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", settings.backend_port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def supervisor(settings: Settings) -> Iterator[None]:
    """A socket that somebody listens on."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(settings.supervisor_socket))
        server.listen(512)
        yield


def states(*found: ProcessState) -> Callable[[Path], list[ProcessState]]:
    return lambda _: list(found)


def state(name: str, word: str = "RUNNING", pid: int = 1, exit_status: int = 0, log: str = "") -> ProcessState:
    return ProcessState(name, word, pid, 0.0, exit_status, "", log)


def part(text: str) -> dict[str, Any]:
    return {"status": "degraded", "version": "1", "db_path": "/x", "parts": {"ingest": text}, "detail": "x"}


def waiting(workers: str) -> dict[str, Any]:
    """A 200 while replay workers are missing."""
    return part("up") | {"parts": {"ingest": "up", "query": "up", "replay_worker": workers}}


WHOLE = waiting("2 up") | {"status": "ok"}


def test_what_is_not_beacon_is_not_healthy(settings: Settings) -> None:
    assert read_health(settings.base_url, None).http_status == 0
    assert not read_health(settings.base_url, None).stranger, "nobody at all"
    for body in (["something", "else"], {"status": "ok"}):
        with edge(settings, lambda body=body: (200, body)):  # type: ignore[misc]
            health = read_health(settings.base_url, None)
        assert (health.http_status, health.stranger) == (0, True)
    with edge(settings, lambda: (503, part("down: x"))):
        assert read_health(settings.base_url, None).http_status == 503


def test_a_start_is_healthy_once_health_is_200(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "process_states", states(state("hub")))
    answers = iter([(503, part("down: x")), (503, part("down: x")), (200, WHOLE)])
    with supervisor(settings), edge(settings, lambda: next(answers)):
        start = Start(settings, lambda: False, {}, BEACON)
        assert start.wait() == "healthy"
    assert start.missing() == ""


def test_a_start_waits_for_the_workers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "process_states", states(state("hub")))
    answers = iter([(200, waiting("down")), (200, waiting("down")), (200, waiting("1 of 2 up")), (200, WHOLE)])
    with supervisor(settings), edge(settings, lambda: next(answers)):
        start = Start(settings, lambda: False, {}, BEACON)
        assert start.wait() == "healthy"
    assert next(answers, None) is None, "every answer was waited for"
    assert start.missing() == ""


@pytest.mark.parametrize("workers", ["down", "1 of 2 up"])
def test_a_start_waits_for_the_workers_only_so_long_and_names_what_is_missing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setattr(watch, "process_states", states(state("hub")))
    monkeypatch.setattr(watch, "SETTLE_S", 0.5)
    with supervisor(settings), edge(settings, lambda: (200, waiting(workers))):
        # the limit is for no answer at all: it must not end a wait for the workers
        start = Start(settings, lambda: False, {}, BEACON, limit_s=0.2)
        began = time.monotonic()
        assert start.wait() == "healthy"
        assert time.monotonic() - began >= 0.5
    assert f"replay_worker is {workers}" in start.missing()
    assert "ingest" not in start.missing()
    assert start.missing().endswith("bin/beacon doctor --home h")


def test_a_401_is_told_as_such(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "process_states", states(state("hub")))
    with supervisor(settings), edge(settings, lambda: (401, {"detail": "Beacon asks for a token here"})):
        start = Start(settings, lambda: False, {}, BEACON)
        outcome = start.wait()
    assert outcome == "denied"
    assert "401" in start.report(outcome)
    assert "BEACON_TOKEN" in start.report(outcome)
    assert "does not answer" not in start.report(outcome)
    (port,) = re.findall(r"bin/beacon up --port (\d+) --home h", start.report(outcome))
    assert int(port) != settings.backend_port


def test_a_hub_that_refuses_says_more_than_the_401_of_another_program(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "process_states", states(state("hub", "EXITED", 0, 78)))
    with supervisor(settings), edge(settings, lambda: (401, {"detail": "no"})):
        assert Start(settings, lambda: False, {}, BEACON).wait() == "refused"


def test_a_supervisor_that_ends_is_noticed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Start(settings, lambda: True, {}, BEACON).wait() == "ended"
    monkeypatch.setattr(watch, "process_states", states())
    with supervisor(settings):
        assert Start(settings, lambda: True, {}, BEACON).wait() == "ended"


def test_a_refusal_is_reported_with_its_reason(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    log = settings.log_dir / "ingest.log"
    log.write_text("an old line\n")
    marks = {log: log.stat().st_size}
    log.write_text("an old line\nCRITICAL ingest beacon: no.\n")
    refused = state("ingest", "EXITED", 0, 78, str(log))
    monkeypatch.setattr(watch, "process_states", states(refused, state("hub")))
    with supervisor(settings):
        start = Start(settings, lambda: False, marks, BEACON)
        outcome = start.wait()
    assert outcome == "refused"
    report = start.report(outcome)
    assert "ingest: refused to start" in report
    assert "CRITICAL ingest beacon: no." in report
    assert "an old line" not in report
    assert "hub" not in report


def test_a_start_that_takes_too_long_is_late_and_says_what_fails(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = iter(range(2, 10_000))
    monkeypatch.setattr(watch, "process_states", lambda _: [state("query", pid=next(pids)), state("hub")])
    with supervisor(settings):
        start = Start(settings, lambda: False, {}, BEACON, limit_s=1.0)
        outcome = start.wait()
    assert outcome == "late"
    assert "query: RUNNING, started" in start.report(outcome)
    assert "keeps failing" in start.report(outcome)
    assert "hub: RUNNING\n" in start.report(outcome)


def test_no_supervisor_at_all_is_late_too(settings: Settings) -> None:
    assert Start(settings, lambda: False, {}, BEACON, limit_s=0.1).wait() == "late"


def test_a_migration_is_shown_and_may_take_its_time(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "process_states", states(state("ingest")))
    shown: list[str] = []

    def answer() -> tuple[int, Any]:
        if len(shown) >= 3:
            return 200, WHOLE
        return 503, part(f"down: Beacon is migrating its database: {len(shown)} of 3 spans.")

    with supervisor(settings), edge(settings, answer):
        # looked at every 0.3 s: three looks take longer than the limit
        start = Start(settings, lambda: False, {}, BEACON, limit_s=0.6, show=shown.append)
        assert start.wait() == "healthy"
    assert shown == [f"Beacon is migrating its database: {count} of 3 spans." for count in range(3)]
