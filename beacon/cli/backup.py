"""`beacon backup [FILE]`: a copy of the database as it is now, while Beacon goes on."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from beacon.cli.progress import Bar
from beacon.cli.target import find
from beacon.cli.untouched import reading
from beacon.cli.words import count, size
from beacon.errors import Refused
from beacon.store.copying import back_up
from beacon.store.version import kind_of


def run(arguments: argparse.Namespace) -> int:
    target = find(arguments)
    database = target.database
    if not database.exists():
        raise Refused(f"There is no database at {database} yet: nothing to back up.")
    file: Path = arguments.file or Path(f"beacon-{time.strftime('%Y%m%d-%H%M%S')}.db")
    if file.is_dir():
        file = file / f"beacon-{time.strftime('%Y%m%d-%H%M%S')}.db"
    with reading(database) as db, Bar("Copying") as bar:
        if kind_of(db) != "beacon":
            raise Refused(
                f"{database} is not a database of this Beacon's; start Beacon once, which brings it up to date."
            )
        contents = back_up(db, file, bar)
    print(
        f"{file.absolute()}: {count(contents.traces, 'trace')}, {count(contents.spans, 'span')}, "
        f"{size(file.stat().st_size)}. Put it back with: {target.beacon(f'restore {file}')}"
    )
    return 0
