"""The files of a migration and the steps on them: each leaves the old file or the new one, whole, if it is the last.

traces.db                     the database
traces.db.backup-partial      a backup being written
traces.db.backup-pending      a whole backup of the file that is being migrated
traces.db.backup-<UTC time>   the backup, named so once the new file is in place
traces.db.migrating           the new file being written
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from beacon.errors import Refused, StoreBusy
from beacon.store.connect import reader_uri
from beacon.store.version import Kind, kind_of, newest_schema, upgrade
from ingest.legacy.layout import read_layout

SIDECARS = ("-wal", "-shm", "-journal")

JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
"""How a rollback journal begins that the next program to open the database would play back."""

ROOM_FACTOR = 2.2
"""Free bytes needed for each byte of the old file and its WAL: one for the backup, up to 1.2 for the new file."""

ROOM_FLOOR = 1 << 20
"""Bytes needed whatever the size: each table and index begins with a page of its own."""


class NotWhole(Exception):
    """A check of our own failed: going on could lose something."""


def partial_backup(path: Path) -> Path:
    return path.with_name(f"{path.name}.backup-partial")


def pending_backup(path: Path) -> Path:
    return path.with_name(f"{path.name}.backup-pending")


def new_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.migrating")


def look(path: Path) -> Kind:
    """What is at `path`, found without changing a byte of it; "empty" when there is nothing.

    Raises `Refused`, naming `path`, for what Beacon cannot use: no SQLite database, another program's, damaged, of a
    newer schema, or with tables of the original's names and other columns. Raises `StoreBusy` when it is locked.
    """
    with plain_errors(path):
        if not path.exists():
            return "empty"
        if not path.is_file():
            raise Refused(f"{path} is not a file. Set BEACON_DB_PATH to the path of one.")
        with closing(_open_unchanged(path)) as db:
            kind = kind_of(db)
            newer = kind == "beacon" and db.execute("PRAGMA user_version").fetchone()[0] > newest_schema()
            if kind == "foreign" or newer:
                upgrade(db, path)  # refuses both before it writes; the sentences stand there
            if kind == "legacy":
                read_layout(db, path)
    return kind


def room_needed(path: Path) -> int:
    """Bytes that must be free in the folder of `path` to migrate it."""
    sizes = (p.stat().st_size for p in (path, _beside(path, "-wal")) if p.exists())
    return int(sum(sizes) * ROOM_FACTOR) + ROOM_FLOOR


def free_bytes_of(folder: Path) -> int:
    """Bytes this user may still write to the file system of `folder`."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def no_room(path: Path, needed: int, free: int) -> Refused:
    return Refused(
        f"{path} has Beacon's original layout. Migrating it needs {needed / 1e6:,.1f} MB free in {path.parent}, for a "
        f"backup and the new file; {free / 1e6:,.1f} MB are free. Make room there, or move the file to a larger disk "
        "and set BEACON_DB_PATH to it. The file is left untouched."
    )


@contextmanager
def hold(path: Path, busy_s: float) -> Iterator[sqlite3.Connection]:
    """The old file, with every other program kept out until the end, for `busy_s` seconds of trying.

    The original's server, if it still has the file open in WAL mode, is found here: what it would write later would go
    to a file that no longer has a name. Nothing else in this process may open and close the file meanwhile: POSIX
    locks of a file end with the first descriptor of it that is closed.
    """
    db = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=busy_s, check_same_thread=False
    )
    try:
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        db.execute("COMMIT")  # writes nothing; in this mode the lock stays
        yield db
    finally:
        db.close()


def create_private(path: Path, like: Path) -> None:
    """An empty file of mode 0600 that belongs to whom `like` belongs to."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        owner = like.stat()
        if owner.st_uid != os.geteuid() and os.geteuid() == 0:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    finally:
        os.close(descriptor)


def drop_wal(db: sqlite3.Connection, path: Path) -> None:
    """Make the old file, held by `db`, one file again.

    SQLite plays back any whole WAL it finds beside a database, whichever file it was written for. So none of the old
    file's may be there when the new one takes its name, and the folder must have forgotten it on disk too.
    """
    mode = db.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
    if mode != "delete":
        raise StoreBusy(f"{path} is in use by another program: stop it, and Beacon goes on with the migration.")
    if _beside(path, "-wal").exists():
        raise NotWhole(f"{path} still has a WAL after journal_mode=DELETE")
    journal = _beside(path, "-journal")
    if journal.exists():
        # a held file keeps its journal, header blanked, instead of deleting it at each commit
        with journal.open("rb") as file:
            if file.read(8) == JOURNAL_MAGIC:
                raise NotWhole(f"{path} still has a journal to play back after journal_mode=DELETE")
        journal.unlink()
    _beside(path, "-shm").unlink(missing_ok=True)
    sync_folder(path.parent)


def replace(new: Path, old: Path) -> None:
    """`new`, synced, takes the name of `old`."""
    os.replace(new, old)
    sync_folder(old.parent)


def name_backup(path: Path) -> Path | None:
    """Give a pending backup its final name, with the time it was made at. None when there is none."""
    pending = pending_backup(path)
    if not pending.exists():
        return None
    made = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(pending.stat().st_mtime))
    final, again = path.with_name(f"{path.name}.backup-{made}"), 1
    while final.exists():
        again += 1
        final = path.with_name(f"{path.name}.backup-{made}-{again}")
    pending.rename(final)
    sync_folder(path.parent)
    return final


def remove_unfinished(path: Path) -> None:
    """Remove what a run that was killed left half-written."""
    for leftover in (partial_backup(path), new_file(path)):
        _remove(leftover)


def remove_pending_backup(path: Path) -> None:
    """Only while the file it is a copy of is still in its place."""
    _remove(pending_backup(path))


def sync_file(path: Path) -> None:
    """Wait until the content of `path` is on disk. Not for a file that SQLite has open: see `hold`."""
    with path.open("rb+") as file:
        full = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync stops at the drive's cache
        if full is not None:
            fcntl.fcntl(file.fileno(), full)
        else:
            os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until names made, changed and removed in `folder` are on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """SQLite's and the system's errors as sentences: `StoreBusy` where waiting helps, else `Refused`."""
    try:
        yield
    except sqlite3.Error as e:
        code = getattr(e, "sqlite_errorcode", -1) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreBusy(
                f"{path} is in use by another program, perhaps the server that wrote it: stop it, and Beacon goes on "
                "with the migration."
            ) from e
        if code == sqlite3.SQLITE_IOERR:
            raise StoreBusy(f"{path} cannot be read or written: {e}.") from e
        if code == sqlite3.SQLITE_FULL:
            raise no_room(path, room_needed(path), free_bytes_of(path.parent)) from e
        if code == sqlite3.SQLITE_NOTADB:
            raise Refused(
                f"{path} is not an SQLite database. Set BEACON_DB_PATH to another file; this one is left untouched."
            ) from e
        if code == sqlite3.SQLITE_CORRUPT:
            raise damaged(path, str(e)) from e
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
            raise Refused(
                f"Beacon cannot open {path}: {e}. Check who owns the file and its folder, or set BEACON_DB_PATH to "
                "another file."
            ) from e
        raise
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_room(path, room_needed(path), free_bytes_of(path.parent)) from e
        raise Refused(f"Beacon cannot use {path}: {e.strerror} ({e.filename}). The database is left as it is.") from e
    except NotWhole as e:
        raise Refused(
            f"Beacon did not migrate {path}, because the result would not have been whole: {e}. This is a bug of "
            "Beacon's. The database is left as it is; set BEACON_DB_PATH to another file meanwhile."
        ) from e


def damaged(path: Path, what: str) -> Refused:
    return Refused(
        f"{path} is damaged ({what}). It is left untouched. Try `sqlite3 {path} .recover | sqlite3 new.db` and set "
        "BEACON_DB_PATH to new.db, or set it to a file that does not exist yet to start anew."
    )


def _open_unchanged(path: Path) -> sqlite3.Connection:
    """A connection for a look. With no WAL and no journal the file is all there is: opened as immutable, nothing is
    made beside it (a plain read-only one makes a -wal and an -shm). A journal to play back needs a writer."""
    has = {suffix for suffix in SIDECARS if _size(_beside(path, suffix))}
    if "-journal" in has:
        uri = f"{path.as_uri()}?mode=rw"
    elif "-wal" in has:
        uri = reader_uri(path)
    else:
        uri = f"{reader_uri(path)}&immutable=1"
    return sqlite3.connect(uri, uri=True, isolation_level=None)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _remove(path: Path) -> None:
    for name in (path, *(_beside(path, suffix) for suffix in SIDECARS)):
        with suppress(FileNotFoundError):
            name.unlink()


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
