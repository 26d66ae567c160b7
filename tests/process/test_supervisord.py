"""`python -m beacon.supervisord`: what it does that the original does not, with small programs in Beacon's place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from beacon.cli.liveness import alive
from beacon.supervision import ProcessState, SupervisorDown, answers, process_states
from tests.processes import REPOSITORY, short_home, wait_for

CONFIG = """\
[supervisord]
nodaemon=true
silent=true
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
{user}
[unix_http_server]
file={folder}/supervisor.sock

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[group:beacon]
programs=it

[program:it]
command={command}
startsecs=0
autorestart=unexpected
exitcodes=78
redirect_stderr=true
stdout_logfile={folder}/it.log
"""


class Supervisor:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "supervisor.sock"
        self.record = folder / "record"
        self.child: subprocess.Popen[str] | None = None
        self.pids: set[int] = set()

    def start(self, command: str, settled_s: float = 5.0, pause_s: float = 1.0) -> None:
        (self.folder / "conf").write_text(
            CONFIG.format(folder=self.folder, command=command, user="user=root\n" if os.getuid() == 0 else "")
        )
        self.record.touch()
        run = (
            "import sys, pathlib\n"
            "from beacon import supervisord as it\n"
            f"it.SETTLED_S, it.PAUSE_S = {settled_s}, {pause_s}\n"
            "sys.exit(it.main(pathlib.Path(sys.argv[1]), sys.argv[2:]))"
        )
        self.child = subprocess.Popen(
            [sys.executable, "-c", run, str(self.record), "-c", str(self.folder / "conf")],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        # connecting makes it start its processes at once
        wait_for(lambda: answers(self.socket), "supervisord")

    def state(self) -> ProcessState:
        try:
            (state,) = process_states(self.socket)
        except SupervisorDown:
            return ProcessState("it", "", 0, 0, 0, "", "")
        if state.pid:
            self.pids.add(state.pid)
        return state

    def pid(self, other_than: int = 0) -> int:
        found: int = wait_for(lambda: (pid := self.state().pid) != other_than and pid, "the process to run")
        return found

    def wait(self) -> tuple[int, str]:
        assert self.child is not None
        out, _ = self.child.communicate(timeout=20)
        return self.child.returncode, out

    def destroy(self) -> None:
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.communicate()
        for pid in self.pids:
            if alive(pid) and Path(f"/proc/{pid}/cwd").exists():
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    with short_home() as folder:
        supervisor = Supervisor(folder)
        yield supervisor
        supervisor.destroy()


def gaps(folder: Path) -> list[float]:
    """Seconds between each end of the program, and its next start, as it wrote them down itself."""
    times = [float(line) for line in (folder / "times").read_text().splitlines()]
    return [start - end for end, start in zip(times[1::2], times[2::2], strict=False)]


def program(folder: Path, lives_s: float) -> str:
    """A program that writes down when it starts and when it ends."""
    file = folder / "program.py"
    file.write_text(
        "import time\n"
        f"note = open({str(folder / 'times')!r}, 'a', buffering=1)\n"
        "print(time.time(), file=note)\n"
        f"time.sleep({lives_s})\n"
        "print(time.time(), file=note)\n"
    )
    return f"{sys.executable} -S {file}"


def test_a_process_that_worked_is_back_at_once(supervisor: Supervisor) -> None:
    supervisor.start("sleep 600", settled_s=0.0, pause_s=1_000.0)
    first = supervisor.pid()
    log = supervisor.folder / "supervisord.log"
    os.kill(first, signal.SIGKILL)
    assert supervisor.pid(other_than=first) != first
    # both in the log, with milliseconds; the original's main loop looks once a second
    ended, started = (_log_time(log, word) for word in ("exited: it", "spawned: 'it' with pid"))
    assert started - ended < 0.5


def test_a_process_that_keeps_failing_gets_a_pause(supervisor: Supervisor) -> None:
    supervisor.start(program(supervisor.folder, 0.0), settled_s=5.0, pause_s=0.7)
    times = supervisor.folder / "times"
    wait_for(lambda: times.exists() and len(times.read_text().splitlines()) >= 6, "three starts")
    assert all(gap >= 0.7 for gap in gaps(supervisor.folder))


def test_a_process_that_refused_stays_down_and_the_exit_status_tells(supervisor: Supervisor) -> None:
    supervisor.start(f"{sys.executable} -S -c 'raise SystemExit(78)'")
    state = wait_for(lambda: (s := supervisor.state()).state == "EXITED" and s, "the refusal")
    assert state.exit_status == 78
    assert supervisor.child is not None
    supervisor.child.send_signal(signal.SIGTERM)
    status, _ = supervisor.wait()
    assert status == 1
    assert (supervisor.folder / "supervisord.log").read_text().count("spawned: 'it'") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_way_to_stop_it(supervisor: Supervisor, number: signal.Signals) -> None:
    supervisor.start("sleep 600")
    pid = supervisor.pid()
    assert supervisor.child is not None
    began = time.monotonic()
    supervisor.child.send_signal(number)
    status, said = supervisor.wait()
    assert status == 0
    assert time.monotonic() - began < 5  # less than stopwaitsecs, which would end in SIGKILL
    assert "Beacon has stopped." in said
    assert not alive(pid)
    assert not supervisor.record.exists()


def test_signals_are_heard_at_once(supervisor: Supervisor) -> None:
    """The original hears of a signal when poll() returns, up to a second later: five in a row take four seconds."""
    supervisor.start("sleep 600")
    supervisor.pid()
    assert supervisor.child is not None
    log = supervisor.folder / "supervisord.log"

    def wait_heard(times: int) -> None:
        wait_for(lambda: log.read_text().count("received SIGUSR2") == times, "the signal")

    began = time.monotonic()
    for count in range(1, 6):
        supervisor.child.send_signal(signal.SIGUSR2)
        wait_heard(count)
    assert time.monotonic() - began < 2


def test_an_end_that_was_not_in_good_order_leaves_the_record(supervisor: Supervisor) -> None:
    supervisor.start("sleep 600")
    supervisor.pid()
    assert supervisor.child is not None
    supervisor.child.kill()
    supervisor.wait()
    assert supervisor.record.exists()


def _log_time(log: Path, words: str) -> float:
    """Epoch seconds of the last line of supervisord's log that has `words`."""
    line = [line for line in log.read_text().splitlines() if words in line][-1]
    stamp, _, milliseconds = line[:23].partition(",")
    return time.mktime(time.strptime(stamp, "%Y-%m-%d %H:%M:%S")) + int(milliseconds) / 1_000
