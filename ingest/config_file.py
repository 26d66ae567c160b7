"""Writes config.json, which holds the API keys: whole or not at all, for its owner's eyes alone from the first byte."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from beacon.errors import StoreBusy
from beacon.keys import CONFIG_NAME, read_config

Config = dict[str, Any]


class ConfigFile:
    """config.json in `home`. `change` is for threads; changes come one after the other, however many are asked for at
    once. A lock of threads and not of tasks: a request that is given up leaves its thread at work."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._path = home / CONFIG_NAME
        self._changing = threading.Lock()

    def change(self, change: Callable[[Config], Config | None]) -> None:
        """Write what `change` makes of the file as it stands (None: leave it). What it does not know of stays as it is.

        Raises `Unavailable` for a file that cannot be read, which is then left alone; `StoreBusy` when it cannot be
        written; and what `change` raises.
        """
        with self._changing:
            config = change(read_config(self.home))
            if config is None:
                return
            try:
                write_private(self._path, msgspec.json.format(msgspec.json.encode(config), indent=2) + b"\n")
            except OSError as e:
                raise StoreBusy(
                    f"{self._path} cannot be written: {e.strerror}. It is as it was; nothing was saved."
                ) from e


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` by `content`; after the return it outlives a power cut. A crash at any moment leaves the old file.

    The fresh one is made with O_EXCL at 0600, so that no umask and no file that lay there before opens it to others,
    even for a moment. One that a crash left behind (it may hold a key) goes first. Raises OSError.
    """
    fresh = path.with_name(f"{path.name}.tmp")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fresh.unlink(missing_ok=True)
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                os.fchmod(file.fileno(), 0o600)  # a umask can take bits from the owner too
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise
        os.fsync(folder)
    finally:
        os.close(folder)
