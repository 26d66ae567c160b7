"""Reading log files that supervisord rotates: NAME.log is the newest, NAME.log.1 the one before it, and so on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

BLOCK = 64 * 1024


def log_sizes(folder: Path) -> dict[Path, int]:
    """Bytes of each log file in `folder`: a mark to read on from later."""
    return {path: size_of(path) for path in folder.glob("*.log")}


def size_of(path: Path) -> int:
    """Bytes of `path`, 0 when there is no such file."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def read_from(path: Path, offset: int) -> list[str]:
    """The lines of `path` from byte `offset` on; from its start when it is shorter: it was rotated meanwhile."""
    try:
        with path.open("rb") as file:
            if size_of(path) >= offset:
                file.seek(offset)
            return file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def last_lines(path: Path, count: int) -> list[str]:
    """The last `count` lines of the log `path`, from its rotated predecessors too when it has fewer itself."""
    lines: list[str] = []
    for file in (path, *(path.with_name(f"{path.name}.{number}") for number in range(1, 10))):
        if len(lines) >= count or not file.exists():
            break
        lines = _last_lines_of(file, count - len(lines)) + lines
    return lines


def _last_lines_of(path: Path, count: int) -> list[str]:
    """Reads from the end backwards, so that the last lines of a large file cost no more than of a small one."""
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END)
        text = b""
        # one line end more than lines: the first line found may have lost its beginning
        while position and text.count(b"\n") <= count:
            step = min(BLOCK, position)
            position -= step
            file.seek(position)
            text = file.read(step) + text
    return text.decode("utf-8", "replace").splitlines()[-count:] if count else []


class Follower:
    """Reads what is added to the log `path`, through rotation: the old file to its end, then the new one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""
        self._open(at_end=True)

    def lines(self) -> Iterator[str]:
        """The whole lines added since the last call."""
        if self._file is None:
            self._open(at_end=False)
        while self._file is not None:
            yield from self._read(self._file)
            if not self._replaced(self._file):
                return
            yield from self._read(self._file)  # what was written between the first read and the rotation
            self._file.close()
            self._file = None
            self._open(at_end=False)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _open(self, *, at_end: bool) -> None:
        try:
            self._file = self._path.open("rb")
        except OSError:
            return
        if at_end:
            self._file.seek(0, os.SEEK_END)

    def _read(self, file: BinaryIO) -> Iterator[str]:
        self._rest += file.read()
        *whole, self._rest = self._rest.split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")

    def _replaced(self, file: BinaryIO) -> bool:
        try:
            now = self._path.stat()
        except OSError:
            return False  # between rename and the new file
        own = os.fstat(file.fileno())
        if (now.st_dev, now.st_ino) != (own.st_dev, own.st_ino):
            return True
        if now.st_size < file.tell():  # emptied by somebody: go on from its start
            file.seek(0)
        return False
