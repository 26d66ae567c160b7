"""`beacon run`: the program's own input, output, signals and exit status; its spans in a Beacon that is up by then."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.processes import wait_for
from tests.stack import MakeStack, Stack
from tests.terminal import Terminal, in_terminal

PROGRAM = str(Path(__file__).parent / "programs" / "otlp_agent.py")
PYTHON = sys.executable

WAIT_S = 30.0
"""Seconds for a program to say what a signal did."""


def environment(stack: Stack, *options: str, **env: str) -> dict[str, str]:
    """What a program sees."""
    done = stack.beacon("run", *options, "--", PYTHON, PROGRAM, "environment", timeout=60, **env)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def spans_of(stack: Stack) -> list[dict[str, Any]]:
    traces = stack.ask("GET", "/v1/traces").json["traces"]
    return [s for trace in traces for s in stack.ask("GET", f"/v1/traces/{trace['trace_id']}").json["spans"]]


@contextmanager
def waiting(stack: Stack) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`beacon run` of a program that waits for signals, without a terminal, and the program's pid."""
    command = [*stack.program, "run", "--quiet", "--", PYTHON, PROGRAM, "wait"]
    with subprocess.Popen(
        command,
        env=stack.env,
        cwd=stack.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        overdue = threading.Timer(WAIT_S, os.killpg, (child.pid, signal.SIGKILL))  # then reading what it says ends
        overdue.start()
        try:
            assert child.stdout is not None
            yield child, int(child.stdout.readline())
        finally:
            overdue.cancel()
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)


# ---------------------------------------------------------------- the stack


def test_beacon_is_started_for_the_program_and_stays_up(make_stack: MakeStack) -> None:
    stack = make_stack()
    done = stack.beacon("run", "--", PYTHON, PROGRAM, "end")
    stack.pids()  # so that they are ended with the test
    assert done.returncode == 0, done.stderr
    assert done.stdout == "", "standard output is the program's"
    [span] = spans_of(stack)
    assert (span["name"], span["span_type"], span["status"]) == ("end", "agent_step", "ok")
    first, last = done.stderr.splitlines()
    assert f"it is now, at {stack.url}" in first
    assert "down" in first
    assert last == f"beacon: {stack.url}/v1/traces/{span['trace_id']}"
    again = stack.beacon("run", "--", PYTHON, PROGRAM, "end")
    assert again.stderr.count("\n") == 1, "it is up, so nothing is said of starting"


def test_two_that_start_it_at_once_both_run(make_stack: MakeStack) -> None:
    stack = make_stack()
    command = [*stack.program, "run", "--", PYTHON, PROGRAM, "end"]
    both = [
        subprocess.Popen(command, env=stack.env, cwd=stack.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [child.communicate(timeout=60) for child in both]
    stack.pids()
    assert [child.returncode for child in both] == [0, 0], said
    assert len(spans_of(stack)) == 2


def test_when_beacon_cannot_start_the_program_is_not_run(make_stack: MakeStack) -> None:
    stack = make_stack(BEACON_HOST="0.0.0.0")  # without a token
    mark = stack.folder / "ran"
    done = stack.beacon("run", "--", "touch", str(mark))
    assert done.returncode == 125
    assert "BEACON_TOKEN" in done.stderr
    assert not mark.exists()


def test_a_taken_port_is_told_as_beacon_up_tells_it(make_stack: MakeStack, stack: Stack) -> None:
    other = make_stack(BEACON_BACKEND_PORT=str(stack.port))
    done = other.beacon("run", "--", "true")
    assert done.returncode == 125
    assert f"Port {stack.port} is in use" in done.stderr
    assert "the program was not run" in done.stderr


def test_with_a_token_spans_come_through(make_stack: MakeStack) -> None:
    stack = make_stack(BEACON_TOKEN="hush-1")
    done = stack.beacon("run", "--", PYTHON, PROGRAM, "end")
    stack.pids()
    assert done.returncode == 0, done.stderr
    assert len(spans_of(stack)) == 1
    wrong = stack.beacon("run", "--", "true", BEACON_TOKEN="hush-2")
    assert wrong.returncode == 125
    assert "does not take this BEACON_TOKEN" in wrong.stderr


# ---------------------------------------------------------------- its environment


def test_the_program_gets_the_address_and_keeps_what_is_its_own(shared: Stack) -> None:
    env = environment(shared, OTEL_RESOURCE_ATTRIBUTES="team=blue", OTEL_BSP_SCHEDULE_DELAY="900", MINE="yes")
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://127.0.0.1:{shared.port}"
    assert env["OTEL_SERVICE_NAME"] == "otlp_agent"
    assert env["OTEL_RESOURCE_ATTRIBUTES"].startswith("team=blue,beacon.run_id=")
    assert (env["OTEL_BSP_SCHEDULE_DELAY"], env["MINE"]) == ("900", "yes")
    other = environment(shared)["OTEL_RESOURCE_ATTRIBUTES"]
    assert other.partition("run_id=")[2] != env["OTEL_RESOURCE_ATTRIBUTES"].partition("run_id=")[2]


def test_what_keeps_spans_away_is_said_before_the_program_runs(shared: Stack) -> None:
    done = shared.beacon("run", "--", "true", OTEL_SDK_DISABLED="true")
    assert done.stderr.startswith("beacon: OTEL_SDK_DISABLED=true is set")
    assert "no span of this program came" in done.stderr.splitlines()[-1]


def test_quiet_says_nothing_at_the_end(shared: Stack) -> None:
    assert shared.beacon("run", "--quiet", "--", PYTHON, PROGRAM, "end").stderr == ""


def test_options_behind_the_program_are_its_own(shared: Stack) -> None:
    for command in (("run", "-q", "--"), ("run", "--quiet")):
        done = shared.beacon(*command, "echo", "--home", "x", "--", "-q")
        assert done.stdout == "--home x -- -q\n"


# ---------------------------------------------------------------- input, output, end


def test_input_and_output_are_the_programs(shared: Stack) -> None:
    copy = "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data[::-1]); sys.stderr.write('err')"
    done = subprocess.run(
        [*shared.program, "run", "-q", "--", PYTHON, "-c", copy],
        env=shared.env,
        cwd=shared.folder,
        input=b"\x00abc\xff" * 50_000,
        capture_output=True,
        timeout=60,
    )
    assert done.stdout == (b"\x00abc\xff" * 50_000)[::-1]
    assert done.stderr == b"err"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise SystemExit(0)", 0),
        ("raise SystemExit(7)", 7),
        ("raise SystemExit(255)", 255),
        ("import os; os.abort()", 134),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 143),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
        ("import signal; assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN", 0),  # Python's own doing
    ],
)
def test_the_exit_status_is_the_programs(shared: Stack, code: str, status: int) -> None:
    assert shared.beacon("run", "-q", "--", PYTHON, "-c", code).returncode == status


def test_a_pipe_that_closes_ends_the_program(shared: Stack) -> None:
    # were SIGPIPE left ignored, as Python has it, `yes` would print an error instead
    line = f"{' '.join(shared.program)} run -q -- yes | head -n 1"
    done = subprocess.run(
        ["sh", "-c", line], env=shared.env, cwd=shared.folder, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("y\n", "")


def test_a_command_that_cannot_run_is_told_as_a_shell_would(shared: Stack) -> None:
    script = shared.folder / "agent.py"
    script.write_text("print(1)\n")
    lost = shared.folder / "lost"
    lost.write_text("#!/no/such/python\n")
    lost.chmod(0o755)
    bare = shared.folder / "bare"
    bare.write_text("print(1)\n")
    bare.chmod(0o755)
    for command, status, word in (
        ("no-such-program", 127, "no command 'no-such-program'"),
        ("agent.py", 127, "Did you mean: python agent.py"),
        ("./no/such", 127, "There is no file"),
        (str(script), 126, f"Did you mean: python {script}"),
        (str(shared.folder), 126, "is a folder"),
        (str(lost), 126, "names an interpreter"),
        (str(bare), 126, "#!/usr/bin/env python3"),
    ):
        done = shared.beacon("run", "--", command)
        assert (done.returncode, done.stdout) == (status, ""), command
        assert word in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1, done.stderr


def test_no_program_is_a_wrong_command_line(shared: Stack) -> None:
    for command in (("run",), ("run", "--")):
        done = shared.beacon(*command)
        assert done.returncode == 2
        assert "beacon run -- python agent.py" in done.stderr


# ---------------------------------------------------------------- signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_sent_to_beacon_run_reaches_the_program_once(shared: Stack, number: signal.Signals) -> None:
    with waiting(shared) as (child, pid):
        child.send_signal(number)
        assert child.stdout is not None
        assert child.stdout.readline() == f"{number.name}\n"
        os.kill(pid, signal.SIGUSR1)
        out, err = child.communicate(timeout=30)
        assert (child.returncode, out, err) == (0, "", "")


def test_a_signal_that_ends_the_program_ends_beacon_run(shared: Stack) -> None:
    with waiting(shared) as (child, _):
        child.send_signal(signal.SIGQUIT)
        out, _ = child.communicate(timeout=30)
        assert child.returncode == 128 + signal.SIGQUIT
        assert out == ""


def test_ctrl_c_at_a_terminal_reaches_the_program_once(shared: Stack) -> None:
    with in_terminal(shared, *shared.program, "run", "-q", "--", PYTHON, PROGRAM, "wait") as terminal:
        pid = _pid(terminal)
        terminal.type(b"\x03")
        wait_for(lambda: "SIGINT" in terminal.screen(), "the program to be told")
        os.kill(pid, signal.SIGUSR1)
        assert terminal.wait() == 0
        assert terminal.screen().count("SIGINT") == 1
        assert "Traceback" not in terminal.screen()


def test_ctrl_z_stops_it_and_fg_goes_on(shared: Stack) -> None:
    run = f"{' '.join(shared.program)} run -q -- {PYTHON} {PROGRAM} wait"
    with in_terminal(
        shared, "sh", "-m", "-c", f"{run}; echo put away; fg >/dev/null; echo came back with $?"
    ) as terminal:
        pid = _pid(terminal)
        terminal.type(b"\x1a")
        terminal.wait_for("put away")
        os.kill(pid, signal.SIGUSR1)
        terminal.wait_for("came back with 0")
        assert terminal.wait() == 0


def _pid(terminal: Terminal) -> int:
    found: int = wait_for(lambda: next((int(w) for w in terminal.screen().split() if w.isdigit()), 0), "its pid")
    return found


# ---------------------------------------------------------------- after the end


def test_what_a_crash_left_open_reads_interrupted(stack: Stack) -> None:
    done = stack.beacon("run", "--", PYTHON, PROGRAM, "crash")
    assert done.returncode == 128 + signal.SIGABRT
    assert done.stderr.splitlines()[-1].endswith("(1 of its spans had not ended)")
    [trace] = stack.ask("GET", "/v1/traces").json["traces"]
    detail = stack.ask("GET", f"/v1/traces/{trace['trace_id']}").json
    [span] = detail["spans"]
    assert span["end_time"] is None
    assert span["interrupted"] is True


def test_spans_of_another_run_stay_open(stack: Stack) -> None:
    open_span = {
        "trace_id": "other", "span_id": "other-1", "span_type": "custom", "name": "still at it", "status": "unset",
        "start_time": 1_790_000_000, "attributes": {},
    }  # fmt: skip
    stack.post_spans([open_span])
    assert stack.beacon("run", "-q", "--", PYTHON, PROGRAM, "crash").returncode == 128 + signal.SIGABRT
    [span] = stack.ask("GET", "/v1/traces/other").json["spans"]
    assert not span.get("interrupted")


def test_when_beacon_is_gone_by_then_the_exit_status_is_the_programs_all_the_same(make_stack: MakeStack) -> None:
    stack = make_stack().start()
    down = [*stack.program, "down"]
    done = stack.beacon("run", "--", *down)
    assert done.returncode == 0, done.stderr
    assert "Beacon went away meanwhile" in done.stderr.splitlines()[-1]
