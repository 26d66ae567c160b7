"""The whole stack, run for real: `beacon up --detach` on a free port with a home of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from beacon.cli.liveness import alive
from beacon.config import Settings
from beacon.environment import read_environment
from beacon.errors import Refused
from beacon.supervision import ProcessState, SupervisorDown, process_states, supervisor_pid
from beacon.supervisord import SETTLED_S
from tests.processes import REPOSITORY, Answer, clean_environment, wait_for

COMMAND = (sys.executable, "-m", "beacon.cli")
"""`beacon`, run by this interpreter from this checkout, installed or not."""

PROCESSES = {"supervisord", "ingest", "query", "replay_worker", "hub"}
"""The names of `Stack.pids()` of a whole stack with one worker."""

START_S = 30.0


def free_port() -> int:
    """A TCP port that was free on both loopback addresses a moment ago."""
    for _ in range(100):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port: int = probe.getsockname()[1]
        try:
            with socket.create_server(("::1", port), family=socket.AF_INET6):
                return port
        except OSError as e:
            if not socket.has_ipv6 or "assign requested address" in str(e):
                return port
    raise AssertionError("no port is free on both loopback addresses")


def port_is_free(port: int) -> bool:
    """Whether nobody listens on 127.0.0.1."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


class Stack:
    """A stack of its own: `url`, `home`, `port`. `env` is added to a clean environment (no BEACON_ name, no `.env`).

    `program` replaces the command for `beacon`, so that an installed wheel can be run. Whatever a test leaves running
    is killed by `destroy`; `seen` has every pid that was ever found, with its name.
    """

    def __init__(self, program: tuple[str, ...] = COMMAND, /, **env: str) -> None:
        # short, for the sockets' sake: pytest's own temporary folders are longer than some systems allow
        self.folder = Path(tempfile.mkdtemp(prefix="bs", dir="/tmp"))
        self.home = self.folder / "home"
        self.port = free_port()
        self.program = program
        self.env = clean_environment()
        self.env |= {
            "BEACON_HOME": str(self.home),
            "BEACON_BACKEND_PORT": str(self.port),
            "BEACON_OTLP_PORT": "off",
            "PYTHONPATH": str(REPOSITORY),
        }
        self.env |= env
        self.seen: dict[int, str] = {}

    # ------------------------------------------------------------ what it is

    @property
    def settings(self) -> Settings:
        return read_environment(self.env)

    @property
    def url(self) -> str:
        return self.settings.base_url

    def states(self) -> list[ProcessState]:
        """What supervisord says of each process. Raises `SupervisorDown`."""
        return process_states(self.settings.supervisor_socket)

    def pids(self) -> dict[str, int]:
        """The pid of every process that runs, by its name; supervisord's own too. Empty when nothing is up."""
        try:
            path = self.settings.supervisor_socket
            found = {"supervisord": supervisor_pid(path)}
            found |= {state.name: state.pid for state in process_states(path) if state.pid}
        except (SupervisorDown, Refused):  # Refused: a test of settings that cannot be used
            return {}
        self.seen |= {pid: name for name, pid in found.items()}
        return found

    def log(self, process: str) -> str:
        """What `process` has logged so far."""
        return (self.home / "logs" / f"{process}.log").read_text("utf-8")

    # ------------------------------------------------------------ doing things

    def beacon(self, *arguments: str, timeout: float = 90.0, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `beacon` with `arguments`; `env` is added. Its output is in `stdout` and `stderr`."""
        return subprocess.run(
            [*self.program, *arguments],
            env={**self.env, **env},
            cwd=self.folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
        )

    def start(self, *arguments: str) -> Stack:
        """`beacon up --detach`; returns when it is healthy, and fails with what it said otherwise."""
        done = self.beacon("up", "--detach", *arguments)
        assert done.returncode == 0, f"beacon up failed ({done.returncode}):\n{done.stdout}\n{done.stderr}"
        self.pids()
        return self

    def stop(self) -> None:
        """`beacon down`; returns when every process has ended."""
        self.pids()
        done = self.beacon("down")
        assert done.returncode == 0, f"beacon down failed:\n{done.stdout}\n{done.stderr}"

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to the process `name` (or `supervisord`); the pid it had."""
        pid = self.pids()[name]
        os.kill(pid, number)
        return pid

    def wait_healthy(self, timeout: float = START_S) -> None:
        """Wait until /health answers 200 with status ok: workers are there too."""
        wait_for(lambda: self._health().get("status") == "ok", "the stack to be healthy", timeout)

    @contextmanager
    def without(self, name: str) -> Iterator[dict[str, int]]:
        """A context in which the process `name` has been killed and is not started again: supervisord stands still
        meanwhile. Gives the pids of before."""
        pids = self.pids()
        os.kill(pids["supervisord"], signal.SIGSTOP)
        try:
            os.kill(pids[name], signal.SIGKILL)
            wait_for(lambda: not alive(pids[name]), f"{name} to end")
            yield pids
        finally:
            os.kill(pids["supervisord"], signal.SIGCONT)

    def wait_replaced(self, name: str, old: int, timeout: float = START_S) -> int:
        """Wait until the process `name` runs under another pid than `old`; the new pid."""
        pid: int = wait_for(
            lambda: (new := self.pids().get(name, old)) != old and new, f"{name} to be replaced", timeout
        )
        return pid

    def wait_settled(self, name: str, timeout: float = START_S) -> None:
        """Wait until supervisord counts `name` as one that works, which is started again at once when it ends, and not
        after a pause."""

        def settled() -> bool:
            return next(state.uptime for state in self.states() if state.name == name) > SETTLED_S

        wait_for(settled, f"{name} to settle", timeout)

    def wait_gone(self, pids: Mapping[str, int], timeout: float = START_S) -> None:
        """Wait until none of `pids` runs any more."""
        wait_for(lambda: not [name for name, pid in pids.items() if alive(pid)], f"{list(pids)} to end", timeout)

    def destroy(self) -> None:
        """Kill whatever is left, and delete the home."""
        self.pids()
        for _ in range(3):  # supervisord goes first, so that it starts nothing anew
            for pid in sorted(self.seen, key=lambda pid: self.seen[pid] != "supervisord"):
                if alive(pid) and self._is_ours(pid):
                    os.kill(pid, signal.SIGKILL)
            if not self.pids():
                break
        deadline = time.monotonic() + 10
        while any(alive(pid) for pid in self.seen if self._is_ours(pid)) and time.monotonic() < deadline:
            time.sleep(0.01)
        shutil.rmtree(self.folder, ignore_errors=True)

    # ------------------------------------------------------------ asking it

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 20.0,
    ) -> Answer:
        """One request through the port; `body` is bytes, or anything to send as JSON. Raises OSError."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        given = {"content-type": "application/json"} if body is not None else {}
        if self.env.get("BEACON_TOKEN"):
            given["authorization"] = f"Bearer {self.env['BEACON_TOKEN']}"
        request = urllib.request.Request(self.url + path, data, {**given, **(headers or {})}, method=method)
        try:
            with _DIRECT.open(request, timeout=timeout) as answer:
                return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
        except urllib.error.HTTPError as e:
            with e:
                return Answer(e.code, {k.lower(): v for k, v in e.headers.items()}, e.read())

    def post_spans(self, spans: list[dict[str, Any]]) -> None:
        """Store `spans`; fails unless all were accepted."""
        answer = self.ask("POST", "/v1/spans", {"spans": spans})
        assert answer.status == 200, answer.body
        assert answer.json["accepted"] == len(spans), answer.json

    def _health(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self.ask("GET", "/health", timeout=3).json
        except (OSError, ValueError):
            return {}
        return found

    def _is_ours(self, pid: int) -> bool:
        """Whether `pid` still is a process of this stack: the system gives numbers again."""
        try:
            return str(self.home).encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return not Path("/proc/self").exists()


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""No proxy, whatever the environment says: this is loopback."""

MakeStack = Callable[..., Stack]
