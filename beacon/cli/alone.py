"""The lock of whoever writes a database, for commands that put another file in its place."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from beacon.errors import Refused


@contextmanager
def alone(lock: Path, database: Path) -> Iterator[None]:
    """The lock of whoever writes the database, as ingest takes it. Raises `Refused` while somebody has it."""
    fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Refused(f"A Beacon writes {database}. Stop it (`beacon down`), and try again.") from None
    finally:
        os.close(fd)
