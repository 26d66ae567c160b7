"""A disk that fills up: a real small one where this user may mount it, else a limit that is one to the processes."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import psutil

from tests.stack import Stack

MIB = 1024 * 1024
SIZE = 40 * MIB
BALLAST = 24 * MIB
"""What lies on the disk beside the database, and is deleted to make room."""


class SmallDisk(Protocol):
    """`folder` is where the database goes; `attach` makes the disk small for a stack that is up; `fill` leaves no room
    for one that has yet to start; `free` makes room."""

    folder: Path

    def attach(self, stack: Stack) -> None: ...
    def fill(self, stack: Stack) -> None: ...
    def free(self, stack: Stack) -> None: ...


class MountedDisk:
    """A tmpfs of SIZE, BALLAST of it taken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def attach(self, stack: Stack) -> None:
        self._ballast.write_bytes(bytes(BALLAST))

    def fill(self, stack: Stack) -> None:
        with self._ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def free(self, stack: Stack) -> None:
        self._ballast.unlink()


class LimitedFiles:
    """No file of ingest, nor of any ingest that supervisord starts after it, grows beyond what the disk would leave
    free: write() fails as it does on a full disk, with EFBIG in place of ENOSPC."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def attach(self, stack: Stack) -> None:
        self._limit(stack, (SIZE - BALLAST) // 2)

    def fill(self, stack: Stack) -> None:
        # small enough for no database, large enough for the logs of a start
        stack.program = ("sh", "-c", 'ulimit -S -f 16; exec "$@"', "sh", *stack.program)

    def free(self, stack: Stack) -> None:
        self._limit(stack, psutil.RLIM_INFINITY)

    @staticmethod
    def _limit(stack: Stack, size: int) -> None:
        pids = stack.pids()
        for name in ("supervisord", "ingest"):  # an ingest that is started anew inherits supervisord's
            psutil.Process(pids[name]).rlimit(psutil.RLIMIT_FSIZE, (size, psutil.RLIM_INFINITY))


@contextmanager
def small_disk() -> Iterator[SmallDisk]:
    folder = Path(tempfile.mkdtemp(prefix="bd", dir="/tmp"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    mounted = shutil.which("mount") is not None and subprocess.run(mount, capture_output=True).returncode == 0
    try:
        yield MountedDisk(folder) if mounted else LimitedFiles(folder)
    finally:
        if mounted:
            # a process killed a moment ago may still hold the file
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        shutil.rmtree(folder)
