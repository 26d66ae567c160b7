"""`beacon run`: a program with the environment that sends its spans to Beacon; Beacon is started first if it is not up.

Standard output belongs to the program; whatever Beacon has to say goes to standard error.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import uuid
from http import HTTPStatus
from pathlib import Path

from beacon.cli.run_ended import RunEnd, end_run
from beacon.cli.run_environment import lost_by, run_environment, service_name
from beacon.cli.run_program import CannotRun, locate, run_program
from beacon.cli.target import Target, find
from beacon.errors import Refused

OWN_FAILURE = 125
"""Exit status when Beacon itself fails, before the program has run: no status of a usual program, as with env(1)."""

ANSWER_S = 20.0
"""Seconds for a Beacon that is up to answer: another command may be starting it at this moment."""


def run(arguments: argparse.Namespace) -> int:
    command: list[str] = arguments.program
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        arguments.parser.error("which program? For example: beacon run -- python agent.py")
    try:
        path = locate(command[0], os.environ)
        target = _up(arguments)
        run_id = uuid.uuid4().hex
        for sentence in lost_by(os.environ):
            _say(sentence)
        environ = run_environment(
            os.environ,
            url=target.url,
            token=target.settings.token,
            run_id=run_id,
            service=service_name(command),
        )
        status = run_program(path, command, environ)
    except CannotRun as e:
        _say(str(e))
        return e.status
    except Refused as e:
        _say(e.detail)
        return OWN_FAILURE
    ended = end_run(target.settings, run_id)
    if not arguments.quiet:
        _say(summary(ended, target.url))
    return status


def summary(ended: RunEnd | None, url: str) -> str:
    """What came of the run, in one line."""
    if ended is None:
        return f"Beacon went away meanwhile; what it has stored is at {url} when it is up again."
    if not ended.trace_ids:
        return f"no span of this program came to {url}. Is it instrumented? See docs/integrations.md."
    newest = f"{url}/v1/traces/{ended.trace_ids[0]}"
    said = newest if ended.trace_count == 1 else f"{ended.trace_count} traces, the newest {newest}"
    return f"{said} ({ended.interrupted} of its spans had not ended)" if ended.interrupted else said


def _up(arguments: argparse.Namespace) -> Target:
    """The Beacon of this home, up and answering. Raises `Refused`."""
    target = find(arguments)
    if not target.up and not _answers(target):
        _start(arguments)
        target = find(arguments)
        _say(f"Beacon was not up; it is now, at {target.url}, and stays up. Stop it with: {target.beacon('down')}")
    deadline = time.monotonic() + ANSWER_S
    while not _answers(target):
        if time.monotonic() >= deadline:
            raise Refused(f"Beacon is up, but does not answer at {target.url}. Look: {target.beacon('doctor')}")
        time.sleep(0.02)
        target = find(arguments)  # a start that was under way may only now have said where
    return target


def _answers(target: Target) -> bool:
    """Whether this home's Beacon answers, started by `beacon up` or not. Raises `Refused` when it wants another
    token."""
    from beacon.cli.health import read_health

    health = read_health(target.url, target.settings.token)
    if target.up and health.http_status == HTTPStatus.UNAUTHORIZED:
        raise Refused(f"The Beacon at {target.url} does not take this BEACON_TOKEN. Set the one it was started with.")
    return health.http_status == HTTPStatus.OK and health.db_path == str(target.database)


def _start(arguments: argparse.Namespace) -> None:
    """`beacon up --detach` in a process of its own, so that supervisord is not our child. -P: a folder `beacon` where
    this was called is not this package."""
    home = ["--home", str(arguments.home)] if arguments.home else []
    called = Path(sys.argv[0])
    by_name = called.name != "__main__.py" and os.access(called, os.X_OK)
    beacon = [str(called)] if by_name else [sys.executable, "-P", "-m", "beacon.cli"]
    up = [*beacon, "up", "--detach", *home]
    with subprocess.Popen(up, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as starting:
        try:
            starting.communicate()
        except KeyboardInterrupt:
            starting.wait()  # it was told too, and stops what it has started
            raise
    if starting.returncode:
        raise Refused("Beacon could not be started, so the program was not run.")


def _say(sentence: str) -> None:
    print(f"beacon: {sentence}", file=sys.stderr, flush=True)
