"""Copies of a database file, each there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from beacon.errors import Refused
from beacon.store.version import kind_of, newest_schema

PAGES_A_STEP = 256
"""Pages copied at a time: 4 MiB, between which a bar moves and Ctrl-C is heard."""

CHUNK_BYTES = 4 * 1024 * 1024

Told = Callable[[int, int], None]
"""Told of (bytes done, bytes in all) as a copy goes on."""


class Contents(NamedTuple):
    """What a database holds."""

    traces: int
    spans: int


def back_up(source: sqlite3.Connection, target: Path, told: Told) -> Contents:
    """Copy the database that `source` reads into the new file `target`, as it is at one moment, whatever is written to
    it meanwhile; readable by its owner only, and one file, with no WAL beside it. Raises `Refused` when `target`
    exists, or has no room; then nothing is left.
    """
    with fresh(target) as partial:
        # one snapshot for all steps: without it SQLite begins anew whenever another process has written
        source.execute("BEGIN")
        try:
            contents = _contents(source)
            page_bytes = int(source.execute("PRAGMA page_size").fetchone()[0])
            with closing(sqlite3.connect(partial)) as copy:
                source.backup(
                    copy,
                    pages=PAGES_A_STEP,
                    progress=lambda _, left, pages: told((pages - left) * page_bytes, pages * page_bytes),
                )
                copy.execute("PRAGMA journal_mode=DELETE")
        finally:
            source.execute("ROLLBACK")
    return contents


def restore(source: Path, database: Path, kept: Path, told: Told) -> Contents:
    """Put a copy of `source` in the place of `database`, which lives on as `kept` (a new name in its folder). Whoever
    calls holds the database's lock. At every moment `database` is the old file or the new one, whole.

    Raises `Refused` for a file that is not a whole Beacon database of a schema this program knows, when there is no
    room, or when the old file's last writes cannot be brought into it; then nothing has changed.
    """
    contents = _checked(source)
    with fresh(database.with_name(f"{database.name}.restoring")) as partial:
        _copy(source, partial, told)
        with closing(sqlite3.connect(partial)) as copy:
            # whoever remembers answers of the old file (ETags, change numbers) asks anew
            copy.execute("UPDATE counters SET epoch = lower(hex(randomblob(8)))")
            copy.commit()
        if database.exists():
            _settle(database)
            _keep(database, kept)
        partial.replace(database)
        _sync_folder(database.parent)
    return contents


def _keep(database: Path, kept: Path) -> None:
    try:
        os.link(database, kept)
    except FileExistsError:
        raise Refused(f"{kept} exists already; restore again in a second.") from None
    except OSError:  # a file system without links
        shutil.copy2(database, kept)
        _sync(kept)


def _checked(path: Path) -> Contents:
    """Raises `Refused` unless `path` can take the place of a database."""
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as db:
            if kind_of(db) != "beacon":
                raise Refused(f"{path} is not a database of Beacon's; nothing was changed.")
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            if version > newest_schema():
                raise Refused(
                    f"{path} has schema {version}, and this Beacon knows up to {newest_schema()}; upgrade it first."
                )
            damage = [row[0] for row in db.execute("PRAGMA quick_check(3)") if row[0] != "ok"]
            if damage:
                raise Refused(f"{path} is damaged ({'; '.join(damage)}); nothing was changed.")
            return _contents(db)
    except sqlite3.DatabaseError as e:
        raise Refused(f"{path} cannot be read as a database: {e}. Nothing was changed.") from e


def _contents(db: sqlite3.Connection) -> Contents:
    row = db.execute("SELECT trace_count, span_count FROM counters").fetchone()
    if row is None:
        raise Refused("The database has lost its row of counters; `beacon doctor` says more.")
    return Contents(*row)


def _settle(database: Path) -> None:
    """Bring what lies in the WAL into the file, and leave none: beside another file it would be taken for its own."""
    wal = database.with_name(f"{database.name}-wal")
    try:
        with closing(sqlite3.connect(database, isolation_level=None, timeout=5)) as db:
            busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.DatabaseError as e:
        raise Refused(
            f"{database} cannot be read ({e}), so that its last writes cannot be kept with it. Move it away with its "
            "-wal and -shm files, and restore again."
        ) from e
    if busy or (wal.exists() and wal.stat().st_size > 0):
        raise Refused(f"Another program has {database} open. Close it, and restore again.")


@contextmanager
def fresh(target: Path) -> Iterator[Path]:
    """A name to write `target` under, which becomes it, whole and on disk, when the block ends well. It may have been
    moved away in the block. Raises `Refused` when `target` exists, or the disk is full."""
    if target.exists():
        raise Refused(f"{target} exists already; name another file, or move it away.")
    partial = target.with_name(f"{target.name}.partial")
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        yield partial
        if not partial.exists():
            return
        _sync(partial)
        try:
            os.link(partial, target)  # unlike a rename, never over a file that has come meanwhile
            partial.unlink()
        except FileExistsError:
            raise Refused(f"{target} exists already; name another file, or move it away.") from None
        except OSError:  # a file system without links
            partial.rename(target)
        _sync_folder(target.parent)
    except (OSError, sqlite3.OperationalError) as e:
        full = getattr(e, "errno", None) == errno.ENOSPC or "full" in str(e)
        why = "the disk is full" if full else (getattr(e, "strerror", None) or str(e))
        raise Refused(f"{target} cannot be written: {why}. Nothing of it is left.") from e
    finally:
        for left in (partial, partial.with_name(f"{partial.name}-journal")):
            with contextlib.suppress(OSError):
                left.unlink()


def _copy(source: Path, target: Path, told: Told) -> None:
    size = source.stat().st_size
    with source.open("rb") as read, target.open("r+b") as written:
        done = 0
        while chunk := read.read(CHUNK_BYTES):
            written.write(chunk)
            done += len(chunk)
            told(done, size)
        written.flush()
        os.fsync(written.fileno())


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_folder(path: Path) -> None:
    _sync(path)
