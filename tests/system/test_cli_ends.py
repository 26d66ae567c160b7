"""How a stack ends, and what brings it back: Ctrl-C, a closed terminal, kill -9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import REPOSITORY, wait_for
from tests.stack import PROCESSES, MakeStack, Stack, port_is_free
from tests.terminal import foreground


def test_in_the_foreground_ctrl_c_ends_everything(make_stack: MakeStack) -> None:
    stack = make_stack()
    with foreground(stack) as terminal:
        terminal.wait_for("Stop with Ctrl-C.")
        assert stack.ask("GET", "/health").status == 200
        pids = stack.pids()
        assert set(pids) == PROCESSES
        assert pids["supervisord"] == terminal.child.pid, "the command has become supervisord"
        assert _children(terminal.child.pid) == set(pids.values()) - {terminal.child.pid}
        terminal.type(b"\x03")
        assert terminal.wait() == 0
        assert "Beacon has stopped." in terminal.screen()
        stack.wait_gone(pids)
        assert port_is_free(stack.port)
        assert "Traceback" not in terminal.screen()


def test_ctrl_c_before_it_is_up_ends_everything_too(make_stack: MakeStack) -> None:
    stack = make_stack()
    with foreground(stack) as terminal:
        wait_for(lambda: set(stack.pids()) == PROCESSES, "the processes")
        terminal.type(b"\x03")
        assert terminal.wait() in (0, -signal.SIGINT, 130)
        wait_for(lambda: not stack.pids(), "supervisord to end")
        stack.wait_gone({str(pid): pid for pid in stack.seen})
        assert "Traceback" not in terminal.screen()


def test_a_closed_terminal_ends_everything(make_stack: MakeStack) -> None:
    stack = make_stack()
    with foreground(stack) as terminal:
        terminal.wait_for("Stop with Ctrl-C.")
        pids = stack.pids()
        terminal.child.send_signal(signal.SIGHUP)
        terminal.close()
        terminal.wait()
        stack.wait_gone(pids)


def test_dev_backend_shows_the_debug_log_and_ctrl_c_ends_it(make_stack: MakeStack) -> None:
    venv = Path(sys.prefix)
    if not (venv / "bin" / "beacon").exists():
        pytest.skip("beacon is not installed in this environment")
    stack = make_stack()
    with subprocess.Popen(
        ["make", f"VENV={venv}", "-o", f"{venv}/.installed", "dev-backend"],
        cwd=REPOSITORY,
        env=stack.env | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    ) as make:
        assert make.stdout is not None
        said = []
        try:
            for line in make.stdout:
                said.append(line)
                if " DEBUG hub " in line and "GET /health 200" in line:
                    break
            pids = stack.pids()
        finally:
            os.killpg(make.pid, signal.SIGINT)
        said += make.stdout
    shown = "".join(said)
    assert set(pids) == PROCESSES, shown
    assert "Stop with Ctrl-C.\n" in shown
    assert "Stop with" not in shown.replace("Stop with Ctrl-C.", "")
    assert "Beacon has stopped." in shown
    stack.wait_gone(pids)


def _children(parent: int) -> set[int]:
    done = subprocess.run(["ps", "-A", "-o", "ppid=,pid="], capture_output=True, text=True, check=True)
    return {int(pid) for ppid, pid in (line.split() for line in done.stdout.splitlines()) if int(ppid) == parent}


# ---------------------------------------------------------------- accidents


@pytest.mark.parametrize("name", sorted(PROCESSES - {"supervisord"}))
def test_a_killed_process_is_started_again(stack: Stack, name: str) -> None:
    old = stack.kill(name)
    stack.wait_replaced(name, old)
    stack.wait_healthy()


def test_a_killed_supervisor_leaves_no_orphan_and_up_works_at_once(stack: Stack) -> None:
    before = stack.pids()
    stack.kill("supervisord")
    # at once: its processes still hold the port, and its socket still lies there
    stack.start()
    stack.wait_healthy()
    stack.wait_gone(before)
    assert set(stack.pids()) == PROCESSES


def test_a_killed_supervisor_is_not_up(stack: Stack) -> None:
    pids = stack.pids()
    stack.kill("supervisord")
    wait_for(lambda: stack.beacon("status").returncode == 3, "status to say so")
    assert stack.beacon("down").returncode == 0
    stack.wait_gone(pids)
    doctor = stack.beacon("doctor")
    assert doctor.returncode == 0, doctor.stdout
    assert "nobody is behind" in doctor.stdout
