"""Which schema a file has, and bringing an empty or older file of ours up to date."""

from __future__ import annotations

import importlib.resources
import re
import sqlite3
from pathlib import Path
from typing import Literal

from beacon.errors import Refused
from beacon.store.connect import APPLICATION_ID

Kind = Literal["empty", "beacon", "legacy", "foreign"]


def schema_files() -> list[tuple[int, str]]:
    """(number, SQL) of every numbered schema file, in order."""
    found = []
    for file in importlib.resources.files("beacon.store").joinpath("schema").iterdir():
        number = re.match(r"(\d{4})_.*\.sql$", file.name)
        if number:
            found.append((int(number[1]), file.read_text("utf-8")))
    return sorted(found)


def newest_schema() -> int:
    return schema_files()[-1][0]


def kind_of(db: sqlite3.Connection) -> Kind:
    """What the open file is: nothing yet, a file of ours, one of the original layout (tables `traces`, `spans`,
    `replay_runs`, user_version 0), or somebody else's."""
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return "empty"
    if db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
        return "beacon"
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0 and {"traces", "spans"} <= tables and "counters" not in tables:
        return "legacy"
    return "foreign"


def _not_ours(path: Path) -> str:
    return f"{path} is not a Beacon database. Set BEACON_DB_PATH to another file; this one is left untouched."


def check_version(db: sqlite3.Connection, path: Path) -> int:
    """The schema's number. Raises `Refused` when it is newer than this program knows."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > newest_schema():
        raise Refused(
            f"{path} has schema {version}; this Beacon knows up to {newest_schema()}. A newer Beacon wrote it: "
            "upgrade (pip install -U beacon-debugger), or set BEACON_DB_PATH to another file."
        )
    return version


def upgrade(db: sqlite3.Connection, path: Path) -> None:
    """Apply every schema file newer than the file's user_version, each in a transaction of its own, so that a crash
    leaves a whole older or a whole newer schema. Raises `Refused` for a file that is newer, or not ours."""
    if kind_of(db) in ("foreign", "legacy"):
        raise Refused(_not_ours(path))
    version = check_version(db, path)
    for number, sql in schema_files():
        if number > version:
            # executescript commits what is open first, so each file brings its own BEGIN and COMMIT
            db.executescript(
                f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA application_id={APPLICATION_ID};\n"
                f"PRAGMA user_version={number};\nCOMMIT;"
            )
