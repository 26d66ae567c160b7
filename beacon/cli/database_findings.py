"""What `beacon doctor` finds in the database: whether it can be read, is whole, and is of a kind this Beacon knows."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from beacon.cli.findings import Finding, ok
from beacon.cli.invocation import Invocation
from beacon.cli.untouched import reading
from beacon.cli.words import size
from beacon.config import Settings
from beacon.store.version import kind_of, newest_schema


def check_database(settings: Settings, written: bool, beacon: Invocation) -> list[Finding]:
    """Whether the database can be read, is whole, and has a schema this Beacon knows; `written` says that an ingest
    runs that writes it."""
    path = settings.db_path
    if not path.exists():
        if written:
            return [
                Finding(
                    "problem",
                    "database",
                    f"{path} is gone, and ingest runs: the file was deleted or moved away",
                    f"Put the file or a backup back, between `{beacon('down')}` and `{beacon('up')}`.",
                )
            ]
        return [ok("database", f"{path} is not there yet; Beacon makes it when it starts")]
    try:
        with reading(path) as db:
            kind = kind_of(db)
            version = db.execute("PRAGMA user_version").fetchone()[0]
            damage = [row[0] for row in db.execute("PRAGMA quick_check(5)") if row[0] != "ok"]
            # SQLite sees nothing wrong with that, but ingest refuses to guess the numbers that stood there
            known = kind == "beacon" and version <= newest_schema()
            if known and db.execute("SELECT 1 FROM counters").fetchone() is None:
                damage.append("its row of counters is gone")
    except sqlite3.DatabaseError as e:
        locked = "locked" in str(e)
        return [
            Finding(
                "warning" if locked else "problem",
                "database",
                f"{path} cannot be read: {e}",
                "Another program holds it; try again." if locked else _RESTORE,
            )
        ]
    if damage:
        return [Finding("problem", "database", f"{path} is damaged: {'; '.join(damage)}", _RESTORE)]
    return [ok("database", f"{path} is whole ({size(_bytes(path))})"), _schema(path, kind, version, beacon)]


def _bytes(path: Path) -> int:
    """Of the database with its WAL, in which the newest spans may lie."""
    return sum(file.stat().st_size for file in (path, path.with_name(f"{path.name}-wal")) if file.exists())


_RESTORE = "Stop Beacon, move the file away and put a backup in its place; `sqlite3 FILE .recover` saves what can be."


def _schema(path: Path, kind: str, version: int, beacon: Invocation) -> Finding:
    newest = newest_schema()
    if kind == "foreign":
        return Finding("problem", "schema", f"{path} is not a Beacon database", "Set BEACON_DB_PATH to another file.")
    if kind == "legacy":
        return Finding(
            "warning",
            "schema",
            f"{path} has the original layout",
            f"The next `{beacon('up')}` keeps a backup beside it and migrates it.",
        )
    if version > newest:
        return Finding(
            "problem",
            "schema",
            f"{path} has schema {version}; this Beacon knows up to {newest}",
            "Upgrade: pip install -U beacon-debugger.",
        )
    if kind == "beacon" and version < newest:
        return Finding(
            "warning", "schema", f"{path} has schema {version} of {newest}", f"The next `{beacon('up')}` upgrades it."
        )
    return ok("schema", f"schema {version}, the newest this Beacon knows")
