"""One ingest a database: a lock on the file's real path, held for as long as the process lives.

ZeroMQ's and unix sockets' paths protect nothing: a second bind takes them over silently (measured). The lock is taken
before anything is bound or opened; the kernel releases it when the process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from beacon.errors import Refused

PREDECESSOR_S = 10.0
"""Seconds to wait for a holder that is stopping: after a crash of the supervisor, its orphan needs up to 8."""

POLL_S = 0.05

HOLDER_BYTES = 32
"""Length of the holder's process id in the file, padded, so that each overwrites the last one's."""


class DatabaseLock:
    """A context that holds the lock. Raises `Refused`, naming the holder, when another live process keeps it."""

    def __init__(
        self, path: Path, wait_s: float = PREDECESSOR_S, is_leaving: Callable[[int], bool] | None = None
    ) -> None:
        self._path = path
        self._wait_s = wait_s
        self._is_leaving = is_leaving or orphaned
        self._fd = -1

    def __enter__(self) -> DatabaseLock:
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + self._wait_s
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = self._holder()
                # only a holder that is on its way out is worth waiting for
                if time.monotonic() > deadline or (holder and not self._is_leaving(holder)):
                    os.close(self._fd)
                    raise Refused(
                        f"Another Beacon{f' (process {holder})' if holder else ''} already writes the database "
                        f"{self._path.with_suffix('')}. Stop it (`beacon down`), or set BEACON_DB_PATH to another file."
                    ) from None
                time.sleep(POLL_S)
        with contextlib.suppress(OSError):
            # over the last holder's, in the block the file has: on a full disk there is no other, and where there is
            # none at all the lock holds as well, its holder unnamed
            os.pwrite(self._fd, f"{os.getpid():<{HOLDER_BYTES - 1}}\n".encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def _holder(self) -> int | None:
        text = os.pread(self._fd, HOLDER_BYTES, 0).strip()
        return int(text) if text.isdigit() else None


def orphaned(pid: int) -> bool:
    """Whether `pid` has lost its supervisor (its parent is init), so that it is stopping; also true once it is gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return not _alive(pid)
    return int(status.rpartition(")")[2].split()[1]) == 1


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
