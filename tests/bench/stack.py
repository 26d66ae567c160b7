"""The stack under measurement: `beacon up` on a free port with a home of its own, as a user starts it."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil

from tests.bench.client import Connection, Hung

START_S = 30.0
STOP_S = 15.0
REPOSITORY = Path(__file__).parents[2]


class NotUp(Exception):
    """The program did not come up; the message ends with what it printed."""


def beacon_command() -> list[str]:
    """The `beacon` command of the environment this runs in."""
    script = Path(sys.executable).with_name("beacon")
    return [str(script)] if script.exists() else [sys.executable, "-m", "beacon.cli"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Program:
    """A program and every process it starts, in `folder`, until `stop`. Its output goes to a file outside of it."""

    def __init__(self, command: Sequence[str], folder: Path, port: int) -> None:
        self.command = command
        self.folder = folder
        self.port = port
        self._output = folder.with_name(folder.name + ".out")
        self._child: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        env = {k: v for k, v in os.environ.items() if not k.startswith("BEACON_")}
        env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(REPOSITORY), env.get("PYTHONPATH"))))
        with self._output.open("wb") as output:
            # a session of its own: Ctrl-C reaches the measuring program, which then stops this one
            self._child = subprocess.Popen(
                self.command, cwd=self.folder, env=env, stdout=output, stderr=output, start_new_session=True
            )
        atexit.register(self.stop)  # for a second Ctrl-C, while the first one's stop is under way

    async def answers(self, path: str) -> bytes:
        """Wait for the first 200 to GET `path`; its body. Raises `NotUp`."""
        assert self._child is not None
        deadline = time.monotonic() + START_S
        connection = Connection(self.port)
        seen = "nothing listened"
        try:
            while time.monotonic() < deadline:
                if self._child.poll() is not None:
                    raise NotUp(f"it ended with {self._child.returncode}:\n{self.tail()}")
                with suppress(OSError, Hung):
                    answer = await connection.get(path)
                    if answer.status == 200:
                        return answer.body
                    seen = f"{answer.status} {answer.body[:200].decode(errors='replace')}"
                await asyncio.sleep(0.004)
        finally:
            connection.close()
        raise NotUp(f"no 200 from {path} within {START_S:.0f} s; last: {seen}\n{self.tail()}")

    def tail(self) -> str:
        return self._output.read_text(errors="replace")[-1500:]

    def processes(self) -> list[psutil.Process]:
        if self._child is None:
            return []
        with suppress(psutil.NoSuchProcess):
            first = psutil.Process(self._child.pid)
            return [first, *first.children(recursive=True)]
        return []

    def memory_mb(self) -> float:
        """Memory of all processes: PSS, or where the system has none (macOS) what is each process's own."""
        total = 0
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                memory = process.memory_full_info()
                total += getattr(memory, "pss", memory.uss)
        return total / 2**20

    def cpu_s(self) -> dict[str, float]:
        """Seconds of processor time so far, by the module each process runs."""
        total: defaultdict[str, float] = defaultdict(float)
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                times, command = process.cpu_times(), process.cmdline()
                name = command[command.index("-m") + 1] if "-m" in command[:-1] else process.name()
                total[name] += times.user + times.system
        return total

    def disk_bytes(self) -> int:
        """Everything in the folder; files that go away meanwhile count as nothing."""
        total = 0
        for path in self.folder.rglob("*"):
            with suppress(FileNotFoundError):
                total += path.stat().st_size if path.is_file() else 0
        return total

    def stop(self) -> None:
        """End every process: SIGTERM to the first, which ends the others; SIGKILL to what is left."""
        if self._child is None:
            return
        processes = self.processes()
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
        _, left = psutil.wait_procs(processes, timeout=STOP_S)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=5)
        self._child.wait(5)
        self._child = None
        atexit.unregister(self.stop)


class Stack(Program):
    """Beacon itself; `folder` is its home."""

    def __init__(self, home: Path, port: int, *options: str) -> None:
        super().__init__([*beacon_command(), "up", "--port", str(port), "--home", str(home), *options], home, port)

    async def healthy(self) -> None:
        """Wait until every part is there, the replay worker included. Raises `NotUp`."""
        deadline = time.monotonic() + START_S
        while json.loads(body := await self.answers("/health"))["status"] != "ok":
            if time.monotonic() > deadline:
                raise NotUp(f"still not healthy after {START_S:.0f} s: {body.decode()}")
            await asyncio.sleep(0.01)

    def wal_bytes(self) -> int:
        with suppress(FileNotFoundError):
            return (self.folder / "traces.db-wal").stat().st_size
        return 0


@asynccontextmanager
async def folder_in(work: Path) -> AsyncIterator[Path]:
    """A folder with a short name, removed with everything beside it that has its name and a suffix."""
    folder = Path(tempfile.mkdtemp(prefix="b", dir=work))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_name(folder.name + ".out").unlink(missing_ok=True)


@asynccontextmanager
async def running_stack(work: Path, *options: str) -> AsyncIterator[Stack]:
    """A healthy stack with a fresh home, stopped and removed at the end; `options` of `beacon up`. Raises `NotUp`."""
    async with folder_in(work) as home:
        stack = Stack(home, free_port(), *options)
        try:
            stack.launch()
            await stack.healthy()
            yield stack
        finally:
            stack.stop()
