"""`beacon up`: check, write supervisord's configuration, and become supervisord.

The command replaces itself by supervisord (exec), so that no extra process stays. Whoever watches the start is a child
that ends with the banner; with --detach it is the other way round: the child becomes supervisord, the command watches.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from beacon.cli import running
from beacon.cli.banner import already_up, banner
from beacon.cli.invocation import Invocation, invocation
from beacon.cli.liveness import alive
from beacon.cli.tail import log_sizes
from beacon.cli.target import read_settings
from beacon.cli.words import warn_unknown_names
from beacon.config import Settings, prepare_directories
from beacon.errors import Refused
from beacon.ports import holder, next_free, taken_address
from beacon.resolved import resolved_environment
from beacon.supervision import answers, render_home
from beacon.version import VERSION

if TYPE_CHECKING:
    from beacon.cli.health import Start

LEFTOVER_S = 12.0
"""Seconds to wait for a killed supervisor's processes to free the port: they notice within 0.5 s and stop within 8."""

STARTING_S = 5.0
"""Seconds to wait for a Beacon that another `beacon up` is just starting."""


def run(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments, backend_port=arguments.port, replay_workers=arguments.replay_workers)
    beacon = invocation(arguments.home)
    warn_unknown_names(os.environ)
    configuration = render_home(settings).encode()
    elsewhere = None if settings.run_dir.exists() else _before_the_first_start(settings, beacon)
    if elsewhere:
        print(elsewhere)
        return 0
    prepare_directories(settings)
    lock = running.take_lock(settings.run_dir)
    if lock is None:
        print(already_up(_where(settings, beacon), beacon, arguments))
        return 0
    elsewhere = _require_free_port(settings, beacon)
    if elsewhere:
        print(elsewhere)
        return 0
    running.write_private(conf_path(settings), configuration)
    return _detach(settings, beacon, lock) if arguments.detach else _foreground(settings, beacon, lock)


def conf_path(settings: Settings) -> Path:
    return settings.run_dir / "supervisord.conf"


def _where(settings: Settings, beacon: Invocation) -> running.Running:
    """Where the Beacon that holds this run folder is."""
    deadline = time.monotonic() + STARTING_S
    while not answers(settings.supervisor_socket) and time.monotonic() < deadline:
        time.sleep(0.02)  # another `beacon up` holds the lock, and its supervisord is not there yet
    record = running.read_record(settings.run_dir)
    if record is None:
        raise Refused(
            f"A Beacon is up that uses {settings.run_dir}, but its record stack.json there cannot be read. "
            f"Stop it with: {beacon('down')}"
        )
    return record


def _before_the_first_start(settings: Settings, beacon: Invocation) -> str | None:
    """As `_require_free_port`, for a home that has no run folder yet: a start that fails must not leave folders in it.
    None too when another `beacon up` is making one at this moment; its lock will tell."""
    try:
        elsewhere = _require_free_port(settings, beacon)
    except Refused:
        if settings.run_dir.exists():
            return None
        raise
    return None if settings.run_dir.exists() else elsewhere


def _require_free_port(settings: Settings, beacon: Invocation) -> str | None:
    """None when the port is free; a sentence when this very database is served there already. Raises `Refused` when
    somebody else has the port."""
    port = settings.backend_port
    # a record that was left behind: the supervisor was killed, and its processes are just ending
    leftover = running.record_path(settings.run_dir).exists()
    deadline = time.monotonic() + (LEFTOVER_S if leftover else 0.0)
    while True:
        try:
            address = taken_address(settings.host, port)
        except PermissionError:
            raise Refused(
                f"This user may not listen on port {port}; ports below 1024 are the system's. "
                f"Choose another: {beacon('up --port 7474')}"
            ) from None
        if address is None:
            return None
        if time.monotonic() >= deadline:
            break
        time.sleep(0.05)
    return _who(settings, address, beacon)


def _who(settings: Settings, address: str, beacon: Invocation) -> str:
    """What to say of an occupied port."""
    from beacon.cli.health import read_health  # only here: it costs 25 ms, and most ports are free

    port = settings.backend_port
    health = read_health(settings.base_url, settings.token)
    if health.db_path == str(settings.db_path):
        return (
            f"Beacon is already up at {settings.base_url}, with this database ({settings.db_path}), but another "
            "program than `beacon up` started it. Stop it where it was started."
        )
    by = holder(port)
    named = f"by {by}" if by else "by another program (the system does not tell which)"
    what = f", a Beacon with the database {health.db_path}" if health.db_path else ""
    raise Refused(
        f"Port {port} is in use on {address} {named}{what}. Stop it, or choose another port: "
        f"{beacon(f'up --port {next_free(settings.host, port)}')} (or set BEACON_BACKEND_PORT)"
    )


def _foreground(settings: Settings, beacon: Invocation, lock: int) -> int:
    """Leave a watcher behind, and become supervisord."""
    supervisor = os.getpid()
    running.write_record(settings, supervisor, VERSION)
    marks = log_sizes(settings.log_dir)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        # forked twice: the watcher is nobody's child that supervisord would have to reap
        if os.fork():
            os._exit(0)
        os.close(lock)
        _watch_foreground(settings, beacon, supervisor, marks)
    os.waitpid(child, 0)
    _become_supervisord(settings, lock)


def _watch_foreground(settings: Settings, beacon: Invocation, supervisor: int, marks: dict[Path, int]) -> NoReturn:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    status = 1
    try:
        from beacon.cli.health import Start

        start = Start(settings, lambda: not alive(supervisor), marks, beacon)
        outcome = start.wait()
        if outcome == "healthy":
            _say_up(settings, beacon, start, detached=False)
        elif outcome != "ended":
            print(start.report(outcome), file=sys.stderr, flush=True)
            if outcome in ("refused", "denied"):
                os.kill(supervisor, signal.SIGTERM)
            else:
                print("Beacon goes on trying; Ctrl-C stops it.", file=sys.stderr, flush=True)
        status = 0
    finally:
        os._exit(status)  # never back into the command's own frames: they are supervisord's parent by now


def _detach(settings: Settings, beacon: Invocation, lock: int) -> int:
    """Start supervisord in a session of its own; return when Beacon answers, or cannot."""
    log = settings.log_dir / "up.log"
    marks = log_sizes(settings.log_dir)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            null = os.open(os.devnull, os.O_RDONLY)
            out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(null, 0)
            os.dup2(out, 1)
            os.dup2(out, 2)
            os.close(null)
            os.close(out)
            running.write_record(settings, os.getpid(), VERSION)
            _become_supervisord(settings, lock)
        except BaseException:
            traceback.print_exc()  # into up.log; what comes after must not run in this process
        finally:
            os._exit(1)
    os.close(lock)
    from beacon.cli.down import stop
    from beacon.cli.health import Start

    start = Start(settings, lambda: not alive(child), marks, beacon)
    try:
        outcome = start.wait()
    except KeyboardInterrupt:
        stop(settings, quiet=True)
        raise
    if outcome == "healthy":
        _say_up(settings, beacon, start, detached=True)
        return 0
    print(start.report(outcome), file=sys.stderr)
    if outcome == "ended":
        print(log.read_text("utf-8", "replace").rstrip(), file=sys.stderr)
    else:
        stop(settings, quiet=True)
        print("Beacon was stopped again.", file=sys.stderr)
    return 1


def _say_up(settings: Settings, beacon: Invocation, start: Start, *, detached: bool) -> None:
    print(banner(settings, beacon, detached=detached, otlp_port=start.otlp_port), flush=True)
    missing = start.missing()
    if missing:
        print(missing, file=sys.stderr, flush=True)


def _become_supervisord(settings: Settings, lock: int) -> NoReturn:
    os.set_inheritable(lock, True)
    os.environ.update(resolved_environment(settings))
    os.umask(0o077)  # supervisord's own log files
    os.chdir(settings.home)  # whatever folder this was called in can go away
    os.execv(  # noqa: S606 - no shell is wanted
        sys.executable,
        [
            sys.executable,
            "-P",
            "-m",
            "beacon.supervisord",
            str(running.record_path(settings.run_dir)),
            "-c",
            str(conf_path(settings)),
        ],
    )
