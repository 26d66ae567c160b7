"""`beacon up` and `beacon down` on the real stack: starts that work, and starts that cannot."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from beacon.cli.liveness import alive
from beacon.config import UNIX_PATH_MAX
from tests.stack import PROCESSES, MakeStack, Stack, port_is_free
from tests.terminal import foreground

# ---------------------------------------------------------------- up and down


def test_up_down_and_everything_between(make_stack: MakeStack) -> None:
    stack = make_stack()
    up = stack.beacon("up", "--detach")
    assert up.returncode == 0, up.stderr
    assert up.stderr == ""
    for part in (stack.url, str(stack.home / "traces.db"), f"curl {stack.url}/v1/spans", "send-example", "Stop with"):
        assert part in up.stdout

    # everything was there when it returned, the worker too; a first span can be stored at once
    assert stack.ask("GET", "/health").json["status"] == "ok"
    stack.post_spans(
        [{"trace_id": "t", "span_id": "s", "span_type": "custom", "name": "n", "start_time": 1.0, "end_time": 2.0}]
    )
    pids = stack.pids()
    assert set(pids) == PROCESSES

    again = stack.beacon("up", "--detach")
    assert again.returncode == 0
    assert "already up" in again.stdout
    assert stack.url in again.stdout
    assert str(stack.home) in again.stdout
    assert stack.pids() == pids

    down = stack.beacon("down")
    assert down.returncode == 0
    assert "stopped" in down.stdout
    assert not [name for name, pid in pids.items() if alive(pid)], "down returns when every process has ended"
    assert port_is_free(stack.port)

    down = stack.beacon("down")
    assert down.returncode == 0
    assert "Nothing to stop" in down.stdout
    assert stack.beacon("status").returncode == 3

    stack.start()
    assert stack.ask("GET", "/v1/spans/s").json["name"] == "n"


def test_the_curl_line_of_the_banner_works_as_it_stands(make_stack: MakeStack) -> None:
    stack = make_stack()
    up = stack.beacon("up", "--detach")
    (line,) = (line for line in up.stdout.splitlines() if line.strip().startswith("curl "))
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, env=stack.env)
    assert json.loads(done.stdout) == {"accepted": 1, "rejected": 0}
    (trace,) = stack.ask("GET", "/v1/traces").json["traces"]
    assert trace["trace_id"].startswith("hello-")


def test_the_lines_for_a_token_from_the_env_file_work_one_after_the_other(make_stack: MakeStack) -> None:
    stack = make_stack()
    (stack.folder / ".env").write_text("BEACON_TOKEN=s3cret-of-the-test\n")
    up = stack.beacon("up", "--detach")
    lines = [line.strip() for line in up.stdout.splitlines()]
    load, curl = (next(line for line in lines if line.startswith(begin)) for begin in ("set -a", "curl "))
    done = subprocess.run(
        ["sh", "-c", f"{load}\n{curl}"], capture_output=True, text=True, check=True, env=stack.env, cwd=stack.folder
    )
    assert json.loads(done.stdout) == {"accepted": 1, "rejected": 0}


def test_flags_win_over_the_environment(make_stack: MakeStack, tmp_path: Path) -> None:
    stack = make_stack()
    port, home = stack.port, stack.home
    stack.env |= {"BEACON_BACKEND_PORT": "1", "BEACON_HOME": "/nowhere/at/all"}
    done = stack.beacon("up", "--detach", "--port", str(port), "--home", str(home), "--replay-workers", "2")
    assert done.returncode == 0, done.stderr
    assert f"--home {home}" in done.stdout, "the hints name the home that was named"
    stack.env["BEACON_HOME"] = str(home)
    assert {"replay_worker_1", "replay_worker_2"} < set(stack.pids())
    # without --port: where it is stands in the record, whatever the settings say
    status = stack.beacon("status")
    assert f"http://127.0.0.1:{port}" in status.stdout
    again = stack.beacon("up", "--detach", "--port", str(port - 1))
    assert again.returncode == 0
    assert f"--port {port - 1} had no effect" in again.stdout
    assert stack.beacon("logs", "replay_worker_2").returncode == 0
    assert stack.beacon("down").returncode == 0


def test_two_at_the_same_time_give_one_stack(make_stack: MakeStack) -> None:
    stack = make_stack()
    both = [
        subprocess.Popen(
            [*stack.program, "up", "--detach"],
            env=stack.env,
            cwd=stack.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted("already up" in out for out, _ in said) == [False, True]
    stack.wait_healthy()
    assert set(stack.pids()) == PROCESSES


def test_what_lies_in_the_users_folder_is_not_run(make_stack: MakeStack) -> None:
    """A project with a query.py or a hub/ of its own is the place people start Beacon from, or keep its home in."""
    stack = make_stack()
    stack.home.mkdir()
    for folder in (stack.folder, stack.home):
        for name in ("ingest.py", "query.py", "supervisor.py"):
            (folder / name).write_text("raise SystemExit('not Beacon')")
    program = Path(sys.executable).with_name("beacon")
    if not program.exists():
        # `python -m` puts the folder first itself; -P is what the installed command amounts to
        stack.program = (sys.executable, "-P", "-m", "beacon.cli")
    stack.start()
    stack.wait_healthy()


def test_up_says_what_is_missing(make_stack: MakeStack) -> None:
    stack = make_stack()
    # python runs this first of all: a worker that ends before it can do anything
    (stack.folder / "sitecustomize.py").write_text(
        "import os, sys\nif 'replay_worker' in sys.orig_argv:\n    os._exit(1)\n"
    )
    stack.env["PYTHONPATH"] += os.pathsep + str(stack.folder)
    up = stack.beacon("up", "--detach")
    assert up.returncode == 0, up.stderr
    assert "is up." in up.stdout
    assert "Not all of Beacon is there yet: replay_worker is down." in up.stderr
    assert f"{sys.executable} -m beacon.cli doctor" in up.stderr


def test_a_token_is_honoured_by_the_command_itself(make_stack: MakeStack) -> None:
    stack = make_stack(BEACON_TOKEN="s3cret-of-the-test").start()
    assert stack.beacon("send-example").returncode == 0
    assert stack.beacon("status").returncode == 0
    denied = stack.beacon("send-example", BEACON_TOKEN="")
    assert denied.returncode == 1
    assert "401" in denied.stderr
    for command in ("status", "doctor"):
        denied = stack.beacon(command, BEACON_TOKEN="another")
        assert denied.returncode == 1
        assert "answers 401" in denied.stdout
    for file in (stack.home / "run").iterdir():
        if file.is_file():
            assert "s3cret-of-the-test" not in file.read_text("utf-8")


def test_the_longest_run_folder_that_is_accepted_works(make_stack: MakeStack) -> None:
    """supervisord needs room for its pid behind the socket's name; what passes the check must start."""
    stack = make_stack()
    longest = str(stack.folder) + "/" + "r" * (UNIX_PATH_MAX - len(f"{stack.folder}//supervisor.sock.4194304"))
    stack.env["BEACON_RUN_DIR"] = longest + "r"
    done = stack.beacon("up", "--detach")
    assert done.returncode == 1
    assert "Set BEACON_RUN_DIR to a shorter folder" in done.stderr
    stack.env["BEACON_RUN_DIR"] = longest
    stack.start()
    stack.wait_healthy()


# ---------------------------------------------------------------- starts that fail


@contextmanager
def listener(port: int) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", port)):
        yield


def test_a_port_in_use_names_its_holder(make_stack: MakeStack) -> None:
    stack = make_stack()
    with listener(stack.port):
        done = stack.beacon("up", "--detach")
        assert done.returncode == 1
        assert f"Port {stack.port} is in use" in done.stderr
        assert f"(pid {os.getpid()})" in done.stderr
        assert "BEACON_BACKEND_PORT" in done.stderr
        assert not stack.home.exists(), "what cannot start leaves nothing behind"
        doctor = stack.beacon("doctor")
        assert doctor.returncode == 1
        assert f"(pid {os.getpid()})" in doctor.stdout
        for said in (done.stderr, doctor.stdout):
            (other,) = re.findall(rf"{re.escape(sys.executable)} -m beacon.cli up --port (\d+)", said)
            assert port_is_free(int(other))
    assert stack.pids() == {}
    stack.start()


def test_another_home_on_the_same_port_is_told_apart(stack: Stack, make_stack: MakeStack) -> None:
    other = make_stack(BEACON_BACKEND_PORT=str(stack.port))
    done = other.beacon("up", "--detach")
    assert done.returncode == 1
    assert f"a Beacon with the database {stack.home / 'traces.db'}" in done.stderr


def test_a_database_that_is_not_ours_is_refused_and_nothing_stays(make_stack: MakeStack) -> None:
    stack = make_stack()
    stack.home.mkdir()
    with closing(sqlite3.connect(stack.home / "traces.db")) as db:
        db.execute("CREATE TABLE somebody_elses (a)")
        db.commit()
    before = (stack.home / "traces.db").read_bytes()
    done = stack.beacon("up", "--detach")
    assert done.returncode == 1
    assert "ingest: refused to start" in done.stderr
    assert "is not a Beacon database" in done.stderr
    assert stack.pids() == {}
    assert port_is_free(stack.port)
    assert (stack.home / "traces.db").read_bytes() == before
    # in the foreground too: the reason, and the end
    with foreground(stack) as terminal:
        assert terminal.wait() == 1
        assert "is not a Beacon database" in terminal.screen()


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"BEACON_BACKEND_PORT": "99999"}, "BEACON_BACKEND_PORT"),
        ({"BEACON_HOST": "0.0.0.0"}, "BEACON_TOKEN"),
        ({"BEACON_TOKEN": "schlüssel"}, "openssl rand -hex 32"),
        ({"BEACON_RUN_DIR": "/tmp/" + "x" * 100}, "BEACON_RUN_DIR"),
        ({"BEACON_HOME": "/proc/nothing/here"}, "BEACON_HOME"),
    ],
)
def test_settings_that_cannot_be_used(make_stack: MakeStack, env: dict[str, str], says: str) -> None:
    stack = make_stack(**env)
    done = stack.beacon("up", "--detach")
    assert done.returncode == 1
    assert done.stderr.startswith("beacon: ")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", ["up", "down", "status", "logs", "doctor", "open", "send-example", ("scale", "2")], ids=str
)
def test_a_home_that_is_a_file(make_stack: MakeStack, command: str | tuple[str, ...]) -> None:
    stack = make_stack()
    stack.home.write_text("not a folder")
    for home in (stack.home, stack.home / "below"):
        done = stack.beacon(*((command,) if isinstance(command, str) else command), "--home", str(home))
        assert done.returncode == 1
        assert f"{stack.home} is a file, not a folder" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_a_home_that_cannot_be_looked_into(make_stack: MakeStack) -> None:
    stack = make_stack()
    stack.home.symlink_to(stack.home)
    done = stack.beacon("status")
    assert done.returncode == 1
    assert f"cannot use the folder {stack.home / 'run'}: Too many levels of symbolic links" in done.stderr


def test_a_misspelt_setting_is_warned_about(make_stack: MakeStack) -> None:
    stack = make_stack(BEACON_LOGLEVEL="DEBUG")
    done = stack.beacon("up", "--detach")
    assert done.returncode == 0
    assert "BEACON_LOGLEVEL is not a setting of Beacon; did you mean BEACON_LOG_LEVEL?" in done.stderr
