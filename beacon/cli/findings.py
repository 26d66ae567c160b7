"""What `beacon doctor` finds: the checks, each a function that changes nothing and answers with findings."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Literal, NamedTuple

from beacon.cli.health import Health
from beacon.cli.invocation import Invocation
from beacon.cli.words import env_file, size, unknown_name
from beacon.config import UNIX_PATH_MAX, Settings
from beacon.ports import Holder
from beacon.supervision import ProcessState, answers

Level = Literal["ok", "warning", "problem"]

DISK_PROBLEM = 100 * 1000 * 1000
DISK_WARNING = 1000 * 1000 * 1000
"""Bytes free: below the first SQLite's next checkpoint may fail, the second is a day of busy agents."""

SUPERVISOR_TEMP_BYTES = len(".4194304")
"""supervisord binds its socket under a name with its pid first, and renames it."""


class Finding(NamedTuple):
    """One line of doctor: `what` was looked at and found, `advice` what to do about it (empty when all is well)."""

    level: Level
    check: str
    what: str
    advice: str = ""


def ok(check: str, what: str) -> Finding:
    return Finding("ok", check, what)


def check_names(unknown: Iterable[tuple[str, str | None]], environ: Mapping[str, str]) -> list[Finding]:
    """BEACON_ variables that mean nothing to Beacon: in `environ`, else in .env."""
    found = [
        Finding("warning", "settings", unknown_name(name, nearest), _correct(name, nearest, name in environ))
        for name, nearest in unknown
    ]
    return found or [ok("settings", "every BEACON_ variable is a known one")]


def _correct(name: str, nearest: str | None, exported: bool) -> str:
    if exported:
        instead = f", and set {nearest} if you meant that" if nearest else ""
        return f"It stands in the environment: unset {name}{instead}."
    change = f"write {nearest} there if you meant that, else delete the line" if nearest else "delete the line"
    return f"It stands in {env_file()}: {change}."


def check_disk(settings: Settings, free: int | None = None) -> list[Finding]:
    """Room on the database's disk; `free` bytes, by default what the system says."""
    folder = settings.db_path.parent
    while not folder.exists():
        folder = folder.parent
    left = shutil.disk_usage(folder).free if free is None else free
    what = f"{size(left)} free where the database lies ({folder})"
    if left < DISK_PROBLEM:
        return [Finding("problem", "disk", what, "Free some room: Beacon answers 503 to new spans on a full disk.")]
    if left < DISK_WARNING:
        return [Finding("warning", "disk", what, "Free some room, or delete old traces (DELETE /v1/traces).")]
    return [ok("disk", what)]


def check_port(
    port: int,
    up: bool,
    taken: str | None,
    by: Callable[[], Holder | None],
    other: Callable[[], int],
    beacon: Invocation,
) -> list[Finding]:
    """Who has the port: `taken` is the address somebody listens on, `by` finds out who, `other` a port that is free."""
    if up:
        return [
            ok("port", f"Beacon listens on port {port}")
            if taken
            else Finding("problem", "port", f"Beacon is up, but nobody listens on port {port}", beacon("logs hub"))
        ]
    if taken is None:
        return [ok("port", f"port {port} is free")]
    name = by()
    return [
        Finding(
            "problem",
            "port",
            f"port {port} is in use on {taken} by {name or 'a program the system does not name'}",
            f"Stop that program, or choose another port: {beacon(f'up --port {other()}')}",
        )
    ]


def check_sockets(settings: Settings, up: bool, beacon: Invocation) -> list[Finding]:
    """Socket paths that are too long, and sockets nobody is behind."""
    found = []
    paths = [
        (settings.socket_path("ingest"), 0),
        (settings.bus_path("events"), 0),
        (settings.supervisor_socket, SUPERVISOR_TEMP_BYTES),
    ]
    for path, more in paths:
        length = len(os.fsencode(path)) + more
        if length > UNIX_PATH_MAX:
            found.append(
                Finding(
                    "problem",
                    "sockets",
                    f"the socket path {path} needs {length} bytes; {UNIX_PATH_MAX} are the limit",
                    "Set BEACON_RUN_DIR to a shorter folder.",
                )
            )
    dead = [
        path.name
        for path in sorted(settings.run_dir.glob("*"))
        if stat.S_ISSOCK(path.lstat().st_mode) and not answers(path)
    ]
    if dead:
        what = f"nobody is behind {', '.join(dead)} in {settings.run_dir}"
        found.append(
            Finding("warning", "sockets", what, f"A process of Beacon is down: {beacon('status')}")
            if up
            # a process leaves its socket on purpose: removing it could hit that of its successor
            else ok("sockets", f"{what}; left from the last run, the next one replaces them")
        )
    return found or [ok("sockets", f"socket paths fit, and none is left over in {settings.run_dir}")]


def check_lock(settings: Settings, up: bool) -> list[Finding]:
    """Whether a Beacon that is not this home's writes the database."""
    if up or not settings.lock_path.exists():
        return []
    with contextlib.suppress(OSError), settings.lock_path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            writer = file.read(32).decode("ascii", "replace").strip()
            return [
                Finding(
                    "problem",
                    "database",
                    f"another Beacon (process {writer or 'unknown'}) writes {settings.db_path}",
                    "Stop it, or set BEACON_DB_PATH to another file.",
                )
            ]
    return []


def check_health(health: Health, up: bool, url: str, beacon: Invocation) -> list[Finding]:
    """What /health says, part by part."""
    if not up:
        return [ok("health", f"Beacon is not up; start it with: {beacon('up')}")]
    if not health.http_status:
        return [Finding("problem", "health", f"{url} does not answer", beacon("logs hub"))]
    if health.http_status == HTTPStatus.UNAUTHORIZED:
        what = f"{url} answers 401: it does not take BEACON_TOKEN as it is set here"
        return [Finding("problem", "health", what, "Set BEACON_TOKEN to what Beacon was started with.")]
    found = [
        Finding("problem", "health", f"{part} is {state}", beacon(f"logs {part}"))
        for part, state in health.parts.items()
        if state.startswith("down")
    ]
    if not found and health.status != "ok":
        parts = ", ".join(f"{part} {state}" for part, state in health.parts.items())
        level: Level = "warning" if health.http_status == 200 else "problem"
        found = [Finding(level, "health", f"health is {health.status} ({parts})", beacon("status"))]
    return found or [ok("health", f"{url} is healthy")]


def check_processes(states: Iterable[ProcessState] | None, up: bool, beacon: Invocation) -> list[Finding]:
    """Processes that do not run; `states` is None when supervisord does not answer."""
    if not up:
        return []
    if states is None:
        return [
            Finding(
                "problem",
                "processes",
                "supervisord does not answer",
                f"Restart Beacon: {beacon('down')} && {beacon('up')}",
            )
        ]
    found = [
        Finding(
            "problem",
            "processes",
            f"{state.name} is {state.state}{f' ({state.spawn_error})' if state.spawn_error else ''}",
            beacon(f"logs {state.name}"),
        )
        for state in states
        if state.state not in ("RUNNING", "STARTING", "STOPPING")  # the last: a worker finishing its calls
    ]
    return found or [ok("processes", "every process runs")]


def as_json(findings: Iterable[Finding]) -> list[Mapping[str, str]]:
    return [finding._asdict() for finding in findings]
