"""One process of the stack, run for real: `python -m NAME` with a home of its own, asked over its unix socket."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from beacon.catalog import PROVIDERS
from beacon.unix_http import UnixConnection

REPOSITORY = Path(__file__).parent.parent


def wait_for(condition: Callable[[], Any], what: str, timeout: float = 20.0) -> Any:
    """The first true value of `condition`, asked every 10 ms; fails with `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {timeout:.0f} s for {what}"
        time.sleep(0.01)


def clean_environment() -> dict[str, str]:
    """This process's environment without what Beacon reads of it. The developer's own API keys above all: a test must
    not make a call that somebody pays for."""
    providers = {name for known in PROVIDERS.values() for name in (*known.key_names, known.base_url_name)}
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BEACON_", "SUPERVISOR_")) and name not in providers
    }


@contextmanager
def short_home() -> Iterator[Path]:
    """A home with a short path: pytest's own folders are too long for unix sockets on some systems."""
    home = Path(tempfile.mkdtemp(prefix="b", dir="/tmp"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


class Answer:
    """Status, headers and body of one answer; `json` decodes it."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Process:
    """`python -m name` in `home`; use it as a context. `env` is added to a clean environment."""

    def __init__(self, name: str, home: Path, **env: str) -> None:
        self.name = name
        self.home = home
        self.socket = home / "run" / f"{name}.sock"
        self.log = home / f"{name}.log"
        self._env = clean_environment()
        self._env |= {"BEACON_HOME": str(home), "PYTHONPATH": str(REPOSITORY), **env}
        self.child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Process:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.child is not None and self.child.poll() is None:
            self.end(signal.SIGTERM)

    def start(self, wait: bool = True, file_size_blocks: int | None = None) -> None:
        """Start it; `file_size_blocks` is what a full disk is to a process: no file may grow beyond that many blocks of
        512 bytes."""
        command = [sys.executable, "-m", self.name]
        if file_size_blocks is not None:
            command = ["sh", "-c", f'ulimit -S -f {file_size_blocks}; exec "$@"', "sh", *command]
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(command, env=self._env, cwd=self.home, stdout=log, stderr=log)
        if wait:
            wait_for(lambda: self.answers() or self.ended(), f"{self.name} to answer")
            assert not self.ended(), self.log.read_text()

    def ended(self) -> bool:
        return self.child is not None and self.child.poll() is not None

    def answers(self) -> bool:
        """Whether its health operation answers 200."""
        try:
            return self.ask("GET", f"/internal/{self.name}/health").status == 200
        except OSError:
            return False

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; its exit code."""
        assert self.child is not None
        self.child.send_signal(number)
        try:
            return self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()  # else its end is told in the middle of another test
            self.child.wait()
            raise

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, timeout: float = 20
    ) -> Answer:
        """One request; `body` is bytes, or anything to send as JSON."""
        connection = UnixConnection(self.socket, timeout)
        try:
            sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            given = {"content-type": "application/json"} if body is not None else {}
            connection.request(method, path, sent, {**given, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()


def span(span_id: str = "s1", trace_id: str = "t1", **fields: Any) -> dict[str, Any]:
    """A valid span, ended, with what `fields` say."""
    return {
        "span_id": span_id,
        "trace_id": trace_id,
        "span_type": "custom",
        "name": "step",
        "status": "ok",
        "start_time": 1_790_000_000.25,
        "end_time": 1_790_000_001.5,
        "attributes": {},
        **fields,
    }
