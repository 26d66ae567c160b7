"""supervisord from the outside: its configuration, rendered from one template, and calls over its unix socket."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from beacon.config import Settings
from beacon.errors import Refused

PROGRAMS = ("ingest", "query", "replay_worker", "hub")

TEMPLATE = Path(__file__).with_name("supervisor.conf.template")

CALL_TIMEOUT_S = 5.0
"""Seconds one call may take; supervisord answers within a millisecond unless it is stopped or swapped out."""


class SupervisorDown(Exception):
    """Nobody answers on supervisord's socket."""


class ProcessState(NamedTuple):
    """One process as supervisord sees it: `pid` is 0 when it does not run, `uptime` in seconds, `log` its log file."""

    name: str
    state: str
    pid: int
    uptime: float
    exit_status: int
    spawn_error: str
    log: str


# ---------------------------------------------------------------- the configuration


def render_home(settings: Settings, python: str = sys.executable, *, root: bool | None = None) -> str:
    """The configuration `beacon up` runs `settings` with. Raises `Refused` for a path supervisord cannot read.

    `root` says that the user is root (default: asks the system); supervisord wants that said, or it warns.
    """
    as_root = os.getuid() == 0 if root is None else root
    workers = settings.replay_workers
    # one file must not be rotated by two processes' loggers, so with several workers each has its own name and log
    replay_name = "%(program_name)s" if workers <= 1 else "%(program_name)s_%(process_num)s"
    logs = _value(settings.log_dir)
    # supervisord expands `%` in a process's log file twice (4.3), elsewhere once
    process_logs = logs.replace("%", "%%")
    return _render(
        {
            # -P: else `python -m query` would run a query.py that happens to lie where the user stands
            program: _value(f"{shlex.quote(python)} -P -m {program}")
            for program in PROGRAMS
        }
        | {f"{program}_log": f"{process_logs}/{program}.log" for program in ("ingest", "query", "hub")}
        | {
            "directory": _value(settings.home),
            "run_dir": _value(settings.run_dir),
            "dot": "",
            "silent": "true",
            "user": "user=root\n" if as_root else "",
            "supervisor_log": f"{logs}/supervisord.log",
            "supervisor_log_maxbytes": "1MB",
            "replay_name": replay_name,
            "replay_log": f"{process_logs}/{'replay_worker' if workers <= 1 else 'replay_worker_%(process_num)s'}.log",
            "replay_workers": str(workers),
            "log_maxbytes": "5MB",
            "log_backups": "3",
        }
    )


def render_tree() -> str:
    """supervisord.conf at the top of a checkout: no variable needed, logs to stdout, sockets in the checkout itself."""
    # the active virtual environment, else the checkout's own, else what python3 is; exec, so that signals arrive
    command = """sh -c 'p="${VIRTUAL_ENV:-.venv}/bin/python"; [ -x "$p" ] || p=python3; exec "$p" -m %s'"""
    return _render(
        {program: command % program for program in PROGRAMS}
        | {f"{program}_log": "/dev/stdout" for program in ("ingest", "query", "hub")}
        | {
            "directory": "%(here)s",
            "run_dir": "%(here)s",
            "dot": ".",
            # both loggers open /dev/stdout to append: where stdout is a file, supervisord's own handler would overwrite
            "silent": "true",
            "user": "",
            "supervisor_log": "/dev/stdout",
            "supervisor_log_maxbytes": "0",
            "replay_name": "%(program_name)s",
            "replay_log": "/dev/stdout",
            "replay_workers": "1",
            "log_maxbytes": "0",
            "log_backups": "0",
        }
    )


def _render(values: Mapping[str, str]) -> str:
    return Template(TEMPLATE.read_text("utf-8")).substitute(values)


def _value(text: str | Path) -> str:
    """`text` as a value supervisord reads back unchanged: it expands `%` and cuts at ` ;` and ` #`."""
    value = str(text)
    if not value.isprintable() or any(mark in value for mark in (" ;", " #")):
        raise Refused(
            f"Beacon's supervisor cannot use the path {value!r}: it holds a line break, ' ;' or ' #'. "
            "Set BEACON_HOME to another folder."
        )
    return value.replace("%", "%%")


# ---------------------------------------------------------------- calls


def answers(path: Path) -> bool:
    """Whether somebody accepts connections on the unix socket `path`. A socket whose owner has died refuses."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(CALL_TIMEOUT_S)
            client.connect(os.fspath(path))
    except OSError:
        return False
    return True


def call(path: Path, method: str, *arguments: Any) -> Any:
    """The result of XML-RPC `method` of the supervisord behind the unix socket `path`.

    Raises `SupervisorDown` when nobody answers, and `xmlrpc.client.Fault` when supervisord refuses.
    """
    import xmlrpc.client  # 40 ms, and `beacon up` on a free home never needs it before supervisord runs
    from http.client import HTTPException

    from beacon.unix_http import UnixConnection

    connection = UnixConnection(path, CALL_TIMEOUT_S)
    try:
        body = xmlrpc.client.dumps(arguments, method).encode()
        connection.request("POST", "/RPC2", body, {"Content-Type": "text/xml"})
        answer = connection.getresponse().read()
    except (OSError, HTTPException) as e:
        raise SupervisorDown(f"supervisord does not answer on {path}: {e}") from e
    finally:
        connection.close()
    (result,), _ = xmlrpc.client.loads(answer)
    return result


def supervisor_pid(path: Path) -> int:
    """The pid of the supervisord behind `path`. Raises `SupervisorDown`."""
    return int(call(path, "supervisor.getPID"))


def process_states(path: Path) -> list[ProcessState]:
    """Every process of the stack. Raises `SupervisorDown`."""
    return [
        ProcessState(
            name=info["name"],
            state=info["statename"],
            pid=info["pid"],
            uptime=max(0.0, info["now"] - info["start"]) if info["pid"] else 0.0,
            exit_status=info["exitstatus"],
            spawn_error=info["spawnerr"],
            log=info["stdout_logfile"],
        )
        for info in call(path, "supervisor.getAllProcessInfo")
    ]


def shut_down(path: Path) -> None:
    """Ask supervisord to stop every process, then itself; returns before that is done. Raises `SupervisorDown`."""
    call(path, "supervisor.shutdown")
