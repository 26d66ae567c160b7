"""`python -m query.index`: the process that keeps the search index, for as long as Beacon runs."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from beacon.config import Settings
from beacon.errors import StoreBusy, Unavailable
from beacon.process import run
from query.database import identity, open_database
from query.index.file import is_broken, open_writer, path_beside, remove
from query.index.keeper import LARGE, Keeper, Replaced
from query.index.pace import Pace

log = logging.getLogger("beacon.index")

POLL_S = 0.1
"""Seconds between looks at the database when there is nothing to do: a look is one row, 20 µs."""

AGAIN_S = 1.0
"""Seconds after which what failed is tried again."""

TELL_S = 5.0
"""Seconds between words in the log about a long way to go."""

NICE = 10
"""Ingest and reads go first, where there are not cores for all."""


async def main(settings: Settings) -> None:
    os.nice(NICE)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    index = path_beside(settings.db_path)
    with _alone(index) as lock:
        while not stop.is_set() and not _locked(lock):
            await _pause(stop, AGAIN_S)
        told = ""
        while not stop.is_set():
            try:
                await _keep(settings.db_path, index, stop)
                told = ""
            except (StoreBusy, Unavailable):
                pass  # ingest says what is the matter with the database
            except Replaced:
                log.info("another database stands here: making the search index anew")
                continue
            except (sqlite3.Error, OSError) as e:
                if isinstance(e, sqlite3.DatabaseError) and is_broken(index, e):
                    log.warning("the search index is broken and is made anew: %s", e)
                    remove(index)
                    continue
                if str(e) != told:
                    log.warning("the search index cannot be kept for now: %s", e)
                told = str(e)
            await _pause(stop, AGAIN_S)


async def _keep(database: Path, path: Path, stop: asyncio.Event) -> None:
    """Keep the index of the file that stands at `database` now, until another one does, or `stop`."""
    files = identity(database)
    source = open_database(database)
    try:
        (epoch,) = source.execute("SELECT epoch FROM counters").fetchone()
        index = open_writer(path, epoch)
        try:
            inode = path.stat().st_ino
            keeper = Keeper(source, index)
            progress, pace = Progress(), Pace()
            while not stop.is_set() and identity(database) == files and _inode(path) == inode:
                began = time.monotonic()
                worked = keeper.step()
                ended = time.monotonic()
                pace.saw(ended, keeper.last_row())
                if worked:
                    progress.tell(keeper)
                    await _pause(stop, pace.rest(ended - began))
                else:
                    await _pause(stop, POLL_S)
        finally:
            index.close()
    finally:
        source.close()


class Progress:
    """Words in the log while there is a long way to go."""

    def __init__(self) -> None:
        self._next = time.monotonic()
        self._far = False

    def tell(self, keeper: Keeper) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + TELL_S
        behind, done = keeper.behind()
        if behind >= LARGE:
            spans = done + behind
            log.info("search index: %d %% (%s of %s spans)", 100 * done // spans, f"{done:,}", f"{spans:,}")
            self._far = True
        elif self._far:
            log.info("search index: complete")
            self._far = False


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[int]:
    """The file whose lock says that a process keeps the index at `path`."""
    fd = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """So many seconds, or until `stop`; a signal is heard in any case."""
    await asyncio.sleep(0)
    if seconds > 0:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)


if __name__ == "__main__":
    run("indexer", main)
