"""Settings: every `BEACON_*` name, its default, and the paths that follow from them. How a process gets its own:
beacon.resolved."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Literal

import msgspec

from beacon.errors import Refused

RESOLVED_NAME = "BEACON_RESOLVED"
"""Holds the settings of a parent process, read already."""

UNIX_PATH_MAX = 103
"""Bytes a unix socket path may have: sun_path is 108 on Linux and 104 on macOS, its final NUL included."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the stack runs with. Paths are absolute; ports are TCP ports; lists are as the user gave them."""

    home: Path
    db_path: Path
    run_dir: Path
    host: str = "127.0.0.1"
    backend_port: int = 7474
    otlp_port: int | None = 4318
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    durability: Literal["normal", "full"] = "normal"
    replay_workers: int = 1
    analysis_model: str | None = None
    spend_cap_usd: float = 1.0
    demo_pace: float = 1.0
    stale_after: float = 3600.0
    retention_days: float | None = None
    max_db_size: int | None = None
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ("http://localhost:5173", "http://127.0.0.1:5173")
    token: str | None = None

    @property
    def log_dir(self) -> Path:
        return self.home / "logs"

    @property
    def lock_path(self) -> Path:
        """Taken by ingest for as long as it lives; beside the database's real path, so that two homes that
        point at one file exclude each other."""
        real = self.db_path.resolve()
        return real.with_name(real.name + ".lock")

    def socket_path(self, process: str) -> Path:
        """Where `process` (ingest, query) answers HTTP inside the stack."""
        return self.run_dir / f"{process}.sock"

    def bus_path(self, name: str) -> Path:
        """Where the ZeroMQ socket `name` (events, jobs) is bound."""
        return self.run_dir / f"{name}.zmq"

    @property
    def supervisor_socket(self) -> Path:
        return self.run_dir / "supervisor.sock"

    @property
    def base_url(self) -> str:
        host = self.host if self.host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.backend_port}"


def _make_private(folder: Path, mode: int) -> None:
    """Close an existing folder to others, unless it is plainly not Beacon's: BEACON_HOME=/tmp must not close /tmp.

    Such a folder keeps its mode: what Beacon makes in it is closed by itself. But nobody else may be able to put
    another database in the place of Beacon's.
    """
    strange = strangers(folder)
    if not strange:
        folder.chmod(0o700)
    elif mode & 0o022:
        raise Refused(
            f"Other users of this machine can write to {folder}, and it holds what is not Beacon's ({strange[0]}). "
            f"Choose a folder of its own, or close this one first: chmod 700 {folder}"
        )


_OWN_NAMES = ("traces.db", "run", "logs", "config.json", "prices.json", "stack.json", ".env", "lost+found", "up.log",
              "ingest.", "query.", "hub.", "replay_worker", "events.", "jobs.", "deltas.", "supervisor")  # fmt: skip
"""How the names of Beacon's own files begin, in its home, run and log folders."""


def strangers(folder: Path) -> list[str]:
    """The names in `folder` that are plainly not of Beacon's making."""
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith(_OWN_NAMES))


def close_database(path: Path) -> None:
    """Take the database at `path` from others, with its WAL and shared memory: SQLite makes those with the mode of the
    database, and one that was copied here may be open to everybody. Files of another user stay as they are."""
    for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        with contextlib.suppress(FileNotFoundError, PermissionError):
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)


def prepare_directories(settings: Settings) -> None:
    """Make home, run and log folders, mode 0700 whatever the umask, and check that socket paths fit.

    A home that others may read and that holds other things than Beacon's stays as it is.

    uvicorn makes its sockets 0666 (measured), so the folder is what keeps other users of the machine out.
    Raises `Refused` when a folder cannot be made or a socket path is too long.
    """
    # supervisord binds its socket as NAME.PID first, and renames it
    supervisor = settings.supervisor_socket.with_name(f"{settings.supervisor_socket.name}.4194304")
    longest = max(
        (settings.socket_path("ingest"), settings.bus_path("events"), supervisor),
        key=lambda p: len(os.fsencode(p)),
    )
    if len(os.fsencode(longest)) > UNIX_PATH_MAX:
        raise Refused(
            f"The path of the socket {longest} has {len(os.fsencode(longest))} bytes; a unix socket may have "
            f"{UNIX_PATH_MAX}. Set BEACON_RUN_DIR to a shorter folder."
        )
    for folder in (settings.home, settings.run_dir, settings.log_dir):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = folder.stat().st_mode
            if mode & 0o077:
                _make_private(folder, mode)
        except OSError as e:
            raise Refused(f"Beacon cannot use the folder {folder}: {e.strerror}. Set BEACON_HOME to another.") from e
    try:
        settings.db_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        close_database(settings.db_path)
    except OSError as e:
        raise Refused(
            f"Beacon cannot make the folder of BEACON_DB_PATH, {settings.db_path.parent}: {e.strerror}."
        ) from e
