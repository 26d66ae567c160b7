"""`beacon restore FILE`: a backup in the place of the database, which is kept beside it."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from beacon.cli.progress import Bar
from beacon.cli.target import find
from beacon.cli.words import count
from beacon.errors import Refused
from beacon.store.copying import restore


def run(arguments: argparse.Namespace) -> int:
    target = find(arguments)
    file: Path = arguments.file
    database = target.settings.db_path
    if target.up:
        raise Refused(f"Beacon is up in {target.settings.home}. Stop it first: {target.beacon('down')}")
    if not file.is_file():
        raise Refused(f"There is no file {file}.")
    if database.exists() and file.samefile(database):
        raise Refused(f"{file} is the database itself.")
    if database.exists() and not arguments.yes and not _agreed(database, file):
        print("Nothing was changed.", file=sys.stderr)
        return 1
    target.settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = database.with_name(f"{database.name}.before-restore-{time.strftime('%Y%m%d-%H%M%S')}")
    replaced = database.exists()
    with _alone(target.settings.lock_path, database), Bar("Copying") as bar:
        contents = restore(file, database, kept, bar)
    held = f"{count(contents.traces, 'trace')} and {count(contents.spans, 'span')}"
    print(f"Restored {held} to {database}. Start Beacon with: {target.beacon('up')}")
    if replaced:
        print(f"What was there before is in {kept}; delete it when you do not need it any more.")
    return 0


def _agreed(database: Path, file: Path) -> bool:
    if not sys.stdin.isatty():
        raise Refused(f"This puts {file} in the place of {database}. Say --yes where nobody can be asked.")
    answer = input(f"Put {file} in the place of {database}? The present one is kept beside it. [y/N] ")
    return answer.strip().lower() in ("y", "yes")


@contextmanager
def _alone(lock: Path, database: Path) -> Iterator[None]:
    """The lock of whoever writes the database, as ingest takes it. Raises `Refused` while somebody has it."""
    fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Refused(f"A Beacon writes {database}. Stop it (`beacon down`), and restore again.") from None
    finally:
        os.close(fd)
