"""The commands that tell or show something, on the real stack."""

from __future__ import annotations

import http.server
import json
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import psutil

from beacon.config import strangers
from beacon.supervision import call
from beacon.version import VERSION
from tests.processes import wait_for
from tests.stack import PROCESSES, MakeStack, Stack


def test_status_has_a_line_a_process(stack: Stack) -> None:
    done = stack.beacon("status")
    assert done.returncode == 0
    head, titles, *rows = done.stdout.splitlines()
    assert stack.url in head
    assert "health ok" in head
    assert "MEMORY (PSS)" in titles or "MEMORY (RSS)" in titles
    shown = {row.split()[0]: row for row in rows}
    assert set(shown) == PROCESSES | {"total"}
    for name, pid in stack.pids().items():
        assert "RUNNING" in shown[name]
        assert str(pid) in shown[name].split()
        assert shown[name].endswith("MB")


def test_status_tells_of_a_process_that_does_not_run(stack: Stack) -> None:
    call(stack.settings.supervisor_socket, "supervisor.stopProcess", "beacon:query")
    done = stack.beacon("status")
    assert done.returncode == 1
    assert "degraded" in done.stdout
    assert "STOPPED" in next(row for row in done.stdout.splitlines() if row.startswith("query"))
    doctor = stack.beacon("doctor")
    assert doctor.returncode == 1
    assert "query is STOPPED" in doctor.stdout


def test_logs_of_one_and_of_all(make_stack: MakeStack) -> None:
    stack = make_stack(BEACON_LOG_LEVEL="DEBUG")
    assert stack.beacon("logs").returncode == 1, "no log yet"
    stack.start()
    hub = stack.beacon("logs", "hub", "-n", "1000").stdout.splitlines()
    assert hub == stack.log("hub").splitlines()[: len(hub)]
    assert any("listening" in line for line in hub)
    assert len(stack.beacon("logs", "-n", "2").stdout.splitlines()) == 2
    assert "spawned: 'hub'" in stack.beacon("logs", "supervisord").stdout
    unknown = stack.beacon("logs", "hubb")
    assert unknown.returncode == 1
    assert "replay_worker" in unknown.stderr


def test_logs_follow(stack: Stack) -> None:
    with subprocess.Popen(
        [*stack.program, "logs", "hub", "-n", "0", "-f"],
        env={**stack.env, "PYTHONUNBUFFERED": "1"},
        cwd=stack.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as follower:
        assert follower.stdout is not None
        log = stack.home / "logs" / "hub.log"
        wait_for(lambda: _has_open(follower.pid, log), "the log to be followed")
        with log.open("a") as file:
            file.write("2026-01-31T14:00:00.100Z INFO hub test: a new line\n")
        assert "a new line" in follower.stdout.readline()
        follower.send_signal(signal.SIGINT)
        assert follower.wait(10) == 0
        assert follower.stdout.read() == ""


def _has_open(pid: int, path: Path) -> bool:
    return str(path) in {file.path for file in psutil.Process(pid).open_files()}


def test_doctor_finds_a_healthy_stack_healthy(stack: Stack) -> None:
    done = stack.beacon("doctor", "--json")
    findings = json.loads(done.stdout)["findings"]
    assert done.returncode == 0, done.stdout
    assert [finding for finding in findings if finding["level"] == "problem"] == []
    assert {"settings", "modes", "disk", "port", "sockets", "database", "schema", "processes", "health"} <= {
        finding["check"] for finding in findings
    }


def test_beacon_knows_its_own_files(stack: Stack) -> None:
    """Else a home that others can look into would not be closed, as one that holds somebody else's files is not."""
    for folder in (stack.home, stack.home / "run", stack.home / "logs"):
        assert strangers(folder) == []


def test_doctor_finds_what_was_broken(stack: Stack) -> None:
    stack.stop()
    stack.home.chmod(0o755)
    with closing(sqlite3.connect(stack.home / "traces.db")) as db:
        db.execute("PRAGMA user_version=999")
    done = stack.beacon("doctor")
    assert done.returncode == 1
    assert f"chmod 700 {stack.home}" in done.stdout
    assert "schema 999" in done.stdout


def test_doctor_finds_a_database_that_is_gone(stack: Stack, tmp_path: Path) -> None:
    stack.kill("ingest", signal.SIGSTOP)  # it makes a new file as soon as it notices
    try:
        (stack.home / "traces.db").unlink()
        done = stack.beacon("doctor")
        # another file, that this Beacon does not write, may well not be there
        other = stack.beacon("doctor", BEACON_DB_PATH=str(tmp_path / "other.db"))
    finally:
        stack.kill("ingest", signal.SIGCONT)
    assert done.returncode == 1
    assert f"{stack.home / 'traces.db'} is gone, and ingest runs" in done.stdout
    assert "is not there yet" in other.stdout
    assert "is gone" not in other.stdout


def test_the_example_can_be_looked_at(stack: Stack) -> None:
    done = stack.beacon("send-example")
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.strip().startswith("curl "))
    read = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, env=stack.env)
    trace = json.loads(read.stdout)
    assert trace["name"] == "plan a day trip"
    assert trace["span_count"] == 5
    assert trace["status"] == "error"
    assert trace["error_count"] == 1
    assert trace["total_tokens"] == 587
    assert trace["total_cost_usd"] > 0
    found = stack.ask("GET", "/v1/search?q=annecy").json
    assert found["total"] >= 1


def test_the_example_needs_beacon(make_stack: MakeStack) -> None:
    stack = make_stack()
    done = stack.beacon("send-example", "--home", str(stack.home))
    assert done.returncode == 1
    assert f"beacon.cli up --home {stack.home}" in done.stderr


def test_the_example_does_not_go_to_another_home(stack: Stack, make_stack: MakeStack) -> None:
    other = make_stack(BEACON_BACKEND_PORT=str(stack.port))
    for command in ("send-example", "open"):
        done = other.beacon(command)
        assert done.returncode == 1
        for home in (stack.home, other.home):
            assert str(home) in done.stderr
    assert stack.ask("GET", "/v1/traces").json["total"] == 0
    status = other.beacon("status")
    assert status.returncode == 3
    assert f"of another home answers at {stack.url}" in status.stdout


def test_another_program_on_the_port_is_not_taken_for_beacon(make_stack: MakeStack) -> None:
    stack = make_stack()
    with http.server.ThreadingHTTPServer(("127.0.0.1", stack.port), http.server.SimpleHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            said = {command: stack.beacon(command) for command in ("send-example", "open", "status")}
        finally:
            server.shutdown()
            thread.join()
    for done in said.values():
        assert done.returncode != 0
        assert f"Port {stack.port} is not Beacon" in done.stdout + done.stderr
        assert "<" not in done.stdout + done.stderr


def test_open_starts_the_browser(stack: Stack) -> None:
    browser = stack.folder / "browser"
    opened = stack.folder / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    done = stack.beacon("open", BROWSER=str(browser))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == stack.url
    wait_for(lambda: opened.exists() and opened.read_text(), "the browser")
    assert opened.read_text().strip() == stack.url


def test_open_says_that_a_browser_has_no_token(make_stack: MakeStack) -> None:
    stack = make_stack(BEACON_TOKEN="s3cret-of-the-test").start()
    done = stack.beacon("open", BROWSER="/bin/false")
    assert done.returncode == 1
    assert "s3cret-of-the-test" not in done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.strip().startswith("curl "))
    read = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, env=stack.env)
    assert json.loads(read.stdout)["traces"] == []


def test_version() -> None:
    done = subprocess.run([sys.executable, "-m", "beacon.cli", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"beacon {VERSION}"


def test_nothing_is_written_to_the_folder_it_is_started_in(stack: Stack) -> None:
    stack.beacon("send-example")
    stack.stop()
    assert [path.name for path in stack.folder.iterdir()] == ["home"]
