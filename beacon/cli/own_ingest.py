"""Whoever writes the database, for a command that has something to write: the ingest that runs, or one of the command's
own for as long as it takes."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from beacon.cli.target import Target
from beacon.config import Settings
from beacon.errors import Refused
from beacon.resolved import resolved_environment
from beacon.unix_http import ask

START_S = 120.0
"""Seconds an ingest may take to open its database; an upgrade of a large one takes some."""

STOP_S = 30.0
POLL_S = 0.02

HEALTH = "/internal/ingest/health"


@contextmanager
def ingest_of(target: Target) -> Iterator[Path]:
    """The socket of the ingest that writes the target's database. Where none runs, one is started, which holds the
    database's lock meanwhile, and ends with the command, however that ends. Raises `Refused`."""
    settings = target.settings
    running = settings.socket_path("ingest")
    if _answers(running):
        yield running
        return
    if target.up:
        raise Refused(f"Beacon is up, but its ingest does not answer. See {target.beacon('doctor')}.")
    folder = Path(tempfile.mkdtemp(prefix="beacon-"))
    try:
        own = msgspec.structs.replace(settings, run_dir=folder)
        with _started(own, folder) as socket:
            yield socket
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(settings: Settings, folder: Path) -> Iterator[Path]:
    log = folder / "ingest.log"
    # it watches its parent, as under a supervisor: a command that is killed takes it with it
    environment = {**os.environ, **resolved_environment(settings), "SUPERVISOR_ENABLED": "1"}
    with log.open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "ingest"], env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        socket = settings.socket_path("ingest")
        until = time.monotonic() + START_S
        while not _answers(socket):
            if child.poll() is not None or time.monotonic() > until:
                raise Refused(f"Nothing could be written to {settings.db_path}: {_last_words(log)}")
            time.sleep(POLL_S)
        yield socket
    finally:
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _answers(socket: Path) -> bool:
    """Whether an ingest is there whose database takes writes."""
    try:
        return ask(socket, "GET", HEALTH)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def _last_words(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    if not lines:
        return "ingest did not start."
    # as beacon.log writes it: time, process, level, name, message
    return lines[-1].rpartition("CRITICAL")[2].strip() or lines[-1]
