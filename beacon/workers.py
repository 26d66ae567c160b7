"""How many replay workers there should be: what Beacon was started with, or what `beacon scale` has asked for since."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from beacon.config import Settings

WORKERS_MAX = 64


class Scaled(msgspec.Struct, frozen=True):
    """Word of `beacon scale`; good for as long as the supervisord with the pid `supervisor` runs."""

    wanted: int
    supervisor: int


def scaled_path(run_dir: Path) -> Path:
    return run_dir / "replay_worker.json"


def wanted_workers(settings: Settings, supervisor: int) -> int:
    """Workers there should be in the stack that `supervisor` (a pid) runs."""
    try:
        scaled = msgspec.json.decode(scaled_path(settings.run_dir).read_bytes(), type=Scaled)
    except (OSError, msgspec.MsgspecError):
        return settings.replay_workers
    return scaled.wanted if scaled.supervisor == supervisor else settings.replay_workers


def write_wanted(run_dir: Path, wanted: int) -> None:
    """Leave word that the calling process, a supervisord, runs `wanted` workers from now on."""
    path = scaled_path(run_dir)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(msgspec.json.encode(Scaled(wanted, os.getpid())))
    fresh.replace(path)
