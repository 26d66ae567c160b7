"""A whole copy of the old file, made with SQLite's backup API, checked and on disk before it gets its name."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from ingest.legacy.files import (
    NotWhole,
    create_private,
    damaged,
    partial_backup,
    pending_backup,
    sync_file,
    sync_folder,
)
from ingest.legacy.progress import INSTRUCTIONS, Progress

PAGES = 2_000
"""Pages copied between two signs of life: 8 MB."""


def write_backup(old: sqlite3.Connection, path: Path, progress: Progress) -> None:
    """Copy `old`, the database at `path` with its WAL, into the partial backup: one file, in rollback mode."""
    partial = partial_backup(path)
    create_private(partial, path)
    progress.doing("backing up")
    with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
        copy.execute("PRAGMA synchronous=OFF")  # synced once, when it is whole
        old.backup(copy, pages=PAGES, progress=lambda _, left, pages: progress.share(pages - left, pages))
        # the header came along and may say WAL: then reading the backup would make files beside it
        copy.execute("PRAGMA journal_mode=DELETE")


@contextmanager
def checked_meanwhile(path: Path) -> Iterator[None]:
    """Check and sync the partial backup on a thread, which holds no lock of Python's while it does, beside whatever
    the block does with it. Leaving the block waits for it; leaving it by an exception stops it.

    Raises `Refused` when the copy is damaged, as the original then is.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(1, "backup-check") as thread:
        found = thread.submit(_check, path, stop)
        try:
            yield
        except NotWhole:
            found.result()  # a damaged index hides rows: then the file is to blame
            raise
        except BaseException:
            stop.set()
            raise
        found.result()


def keep_backup(path: Path) -> None:
    """The partial backup, checked and synced, is named pending: from now on it is whole."""
    partial_backup(path).rename(pending_backup(path))
    sync_folder(path.parent)


def _check(path: Path, stop: threading.Event) -> None:
    partial = partial_backup(path)
    with closing(sqlite3.connect(f"{partial.as_uri()}?mode=ro&immutable=1", uri=True)) as copy:
        copy.set_progress_handler(lambda: int(stop.is_set()), INSTRUCTIONS)
        found = [line for (line,) in copy.execute("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        raise damaged(path, "; ".join(found))
    sync_file(partial)
