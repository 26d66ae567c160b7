"""What `beacon doctor` finds: the checks, each a function that changes nothing and answers with findings."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Literal, NamedTuple

from beacon.cli.health import Health
from beacon.cli.words import size, unknown_name
from beacon.config import UNIX_PATH_MAX, Settings
from beacon.ports import Holder
from beacon.store.connect import connect_reader
from beacon.store.version import kind_of, newest_schema
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


def check_names(unknown: Iterable[tuple[str, str | None]]) -> list[Finding]:
    """BEACON_ variables that mean nothing to Beacon."""
    found = [
        Finding("warning", "settings", unknown_name(name, nearest).removeprefix("beacon: "), f"Unset {name}.")
        for name, nearest in unknown
    ]
    return found or [ok("settings", "every BEACON_ variable is a known one")]


def check_modes(settings: Settings) -> list[Finding]:
    """Folders must be 0700 and files 0600: traces hold prompts, files and commands."""
    folders = [settings.home, settings.run_dir, settings.log_dir]
    files = [
        settings.home / "config.json",
        settings.db_path,
        *(settings.db_path.with_name(settings.db_path.name + end) for end in ("-wal", "-shm")),
    ]
    found = []
    for path, mode in [(folder, 0o700) for folder in folders] + [(file, 0o600) for file in files]:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        except OSError as e:
            found.append(
                Finding("problem", "modes", f"{path} cannot be read: {e.strerror}", "Give it back to your user.")
            )
            continue
        actual = stat.S_IMODE(status.st_mode)
        if status.st_uid != os.getuid():
            found.append(
                Finding("problem", "modes", f"{path} belongs to user {status.st_uid}", f"chown -R $(id -u) {path}")
            )
        elif actual & 0o077:
            found.append(
                Finding(
                    "problem",
                    "modes",
                    f"{path} has mode {actual:04o}: other users of this machine can use it",
                    f"chmod {mode:o} {path}",
                )
            )
    if not settings.home.exists():
        return [ok("modes", f"{settings.home} is not there yet; `beacon up` makes it")]
    return found or [ok("modes", f"{settings.home} and what is in it belong to you alone")]


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


def check_port(port: int, up: bool, taken: str | None, by: Callable[[], Holder | None]) -> list[Finding]:
    """Who has the port: `taken` is the address somebody listens on, `by` finds out who."""
    if up:
        return [
            ok("port", f"Beacon listens on port {port}")
            if taken
            else Finding("problem", "port", f"Beacon is up, but nobody listens on port {port}", "beacon logs hub")
        ]
    if taken is None:
        return [ok("port", f"port {port} is free")]
    name = by()
    return [
        Finding(
            "problem",
            "port",
            f"port {port} is in use on {taken} by {name or 'a program the system does not name'}",
            "Stop that program, or choose another port: beacon up --port N.",
        )
    ]


def check_sockets(settings: Settings, up: bool) -> list[Finding]:
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
            Finding("warning", "sockets", what, "A process of Beacon is down: beacon status.")
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


def check_database(settings: Settings, written: bool) -> list[Finding]:
    """Whether the database can be read, is whole, and has a schema this Beacon knows; `written` says that an ingest
    runs that writes it."""
    path = settings.db_path
    if not path.exists():
        if written:
            return [
                Finding(
                    "problem",
                    "database",
                    f"{path} is gone, and ingest runs: the file was deleted or moved away",
                    "Stop Beacon (beacon down), put the file or a backup back if you have one, then: beacon up.",
                )
            ]
        return [ok("database", f"{path} is not there yet; Beacon makes it when it starts")]
    try:
        with contextlib.closing(connect_reader(path)) as db:
            kind = kind_of(db)
            version = db.execute("PRAGMA user_version").fetchone()[0]
            damage = [row[0] for row in db.execute("PRAGMA quick_check(5)") if row[0] != "ok"]
            # SQLite sees nothing wrong with that, but ingest refuses to guess the numbers that stood there
            known = kind == "beacon" and version <= newest_schema()
            if known and db.execute("SELECT 1 FROM counters").fetchone() is None:
                damage.append("its row of counters is gone")
    except sqlite3.DatabaseError as e:
        locked = "locked" in str(e)
        return [
            Finding(
                "warning" if locked else "problem",
                "database",
                f"{path} cannot be read: {e}",
                "Another program holds it; try again." if locked else _RESTORE,
            )
        ]
    if damage:
        return [Finding("problem", "database", f"{path} is damaged: {'; '.join(damage)}", _RESTORE)]
    return [ok("database", f"{path} is whole ({size(_bytes(path))})"), _schema(path, kind, version)]


def _bytes(path: Path) -> int:
    """Of the database with its WAL, in which the newest spans may lie."""
    return sum(file.stat().st_size for file in (path, path.with_name(f"{path.name}-wal")) if file.exists())


_RESTORE = "Stop Beacon, move the file away and put a backup in its place; `sqlite3 FILE .recover` saves what can be."


def _schema(path: Path, kind: str, version: int) -> Finding:
    newest = newest_schema()
    if kind == "foreign":
        return Finding("problem", "schema", f"{path} is not a Beacon database", "Set BEACON_DB_PATH to another file.")
    if kind == "legacy":
        return Finding(
            "warning",
            "schema",
            f"{path} has the original layout",
            "The next `beacon up` keeps a backup beside it and migrates it.",
        )
    if version > newest:
        return Finding(
            "problem",
            "schema",
            f"{path} has schema {version}; this Beacon knows up to {newest}",
            "Upgrade: pip install -U beacon-debugger.",
        )
    if kind == "beacon" and version < newest:
        return Finding(
            "warning", "schema", f"{path} has schema {version} of {newest}", "The next `beacon up` upgrades it."
        )
    return ok("schema", f"schema {version}, the newest this Beacon knows")


def check_health(health: Health, up: bool, url: str) -> list[Finding]:
    """What /health says, part by part."""
    if not up:
        return [ok("health", "Beacon is not up; start it with: beacon up")]
    if not health.http_status:
        return [Finding("problem", "health", f"{url} does not answer", "beacon logs hub")]
    if health.http_status == HTTPStatus.UNAUTHORIZED:
        what = f"{url} answers 401: it does not take BEACON_TOKEN as it is set here"
        return [Finding("problem", "health", what, "Set BEACON_TOKEN to what Beacon was started with.")]
    found = [
        Finding("problem", "health", f"{part} is {state}", f"beacon logs {part}")
        for part, state in health.parts.items()
        if state.startswith("down")
    ]
    if not found and health.status != "ok":
        parts = ", ".join(f"{part} {state}" for part, state in health.parts.items())
        level: Level = "warning" if health.http_status == 200 else "problem"
        found = [Finding(level, "health", f"health is {health.status} ({parts})", "beacon status")]
    return found or [ok("health", f"{url} is healthy")]


def check_processes(states: Iterable[ProcessState] | None, up: bool) -> list[Finding]:
    """Processes that do not run; `states` is None when supervisord does not answer."""
    if not up:
        return []
    if states is None:
        return [
            Finding("problem", "processes", "supervisord does not answer", "Restart Beacon: beacon down, beacon up.")
        ]
    found = [
        Finding(
            "problem",
            "processes",
            f"{state.name} is {state.state}{f' ({state.spawn_error})' if state.spawn_error else ''}",
            f"beacon logs {state.name}",
        )
        for state in states
        if state.state not in ("RUNNING", "STARTING")
    ]
    return found or [ok("processes", "every process runs")]


def as_json(findings: Iterable[Finding]) -> list[Mapping[str, str]]:
    return [finding._asdict() for finding in findings]
