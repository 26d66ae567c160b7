"""Which Beacon is up in a run folder: a lock that supervisord holds for as long as it lives, and a record of where."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import msgspec

from beacon.config import Settings


class Running(msgspec.Struct, frozen=True):
    """What `beacon up` started: `pid` is supervisord's. Says nothing about whether it still runs: the lock does."""

    pid: int
    url: str
    home: str
    db_path: str
    version: str


def record_path(run_dir: Path) -> Path:
    return run_dir / "stack.json"


PROBE_S = 0.2
"""Seconds to try for the lock: `is_up` in another command holds it for a moment too."""


def take_lock(run_dir: Path, wait_s: float = PROBE_S) -> int | None:
    """The descriptor of this run folder's lock, or None while another `beacon up` or its supervisord holds it.

    It is kept across exec, so that supervisord goes on holding it; the kernel frees it however that ends. supervisord
    closes it in its children.
    """
    fd = os.open(run_dir / "supervisord.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(fd)
                return None
            time.sleep(0.01)
        else:
            return fd


def is_up(run_dir: Path) -> bool:
    """Whether a supervisord that `beacon up` started holds this run folder."""
    try:
        fd = take_lock(run_dir, 0)
    except FileNotFoundError:
        return False
    if fd is None:
        return True
    os.close(fd)
    return False


def read_record(run_dir: Path) -> Running | None:
    """The record in this run folder, or None when there is none that can be read."""
    try:
        return msgspec.json.decode(record_path(run_dir).read_bytes(), type=Running)
    except (OSError, msgspec.MsgspecError):
        return None


def write_record(settings: Settings, pid: int, version: str) -> None:
    """Leave word of the Beacon that is about to run as `pid`; without the token, which is nobody's to read."""
    record = Running(pid, settings.base_url, str(settings.home), str(settings.db_path), version)
    write_private(record_path(settings.run_dir), msgspec.json.encode(record))


def write_private(path: Path, content: bytes) -> None:
    """Write `path` whole or not at all, readable by its owner only from the first byte."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
    fresh.replace(path)
