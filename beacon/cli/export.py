"""`beacon export [FILE]`: traces as JSON Lines, to keep or to take elsewhere; Beacon may be up or down."""

from __future__ import annotations

import argparse
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from beacon.cli.progress import Bar
from beacon.cli.target import Target, find
from beacon.cli.untouched import slices
from beacon.cli.words import count, size
from beacon.errors import Refused
from beacon.moments import read_moment
from beacon.store.archive import Archive, Choice, Read, header
from beacon.store.copying import fresh
from beacon.store.version import kind_of, newest_schema


def run(arguments: argparse.Namespace) -> int:
    target = find(arguments)
    now = time.time()
    choice = Choice(
        _moment("--since", arguments.since, now), _moment("--until", arguments.until, now), arguments.session
    )
    if not target.database.exists():
        raise Refused(f"There is no database at {target.database} yet: nothing to export.")
    file: Path | None = None if arguments.file in (None, "-") else Path(arguments.file)
    with slices(target.database) as slice:
        read = _or_refuse(target, slice)
        _check(target, read)
        archive = Archive(read, choice)
        if file is None:
            traces, spans = _write(archive, sys.stdout.buffer, now)
            sys.stdout.buffer.flush()
        else:
            with _beside(file) as out:
                traces, spans = _write(archive, out, now)
    held = f"{count(traces, 'trace')}, {count(spans, 'span')}"
    if file is None:
        print(f"Exported {held}.", file=sys.stderr)
    else:
        print(f"{file.absolute()}: {held}, {size(file.stat().st_size)}. Take it in with: beacon import {file}")
    return 0


def _or_refuse(target: Target, read: Read) -> Read:
    """`read`, its errors in words."""

    def reading(fn: Callable[[sqlite3.Connection], Any]) -> Any:
        try:
            return read(fn)
        except sqlite3.Error as e:
            raise Refused(f"{target.database} cannot be read: {e}. See {target.beacon('doctor')}.") from e

    return reading


def _moment(flag: str, said: str | None, now: float) -> int | None:
    if said is None:
        return None
    try:
        return read_moment(said, round(now * 1e9))
    except ValueError as e:
        raise Refused(f"{flag}: {e}.") from None


def _check(target: Target, read: Read) -> None:
    """Raises `Refused` for a file that this program cannot read traces of."""

    def schema(db: sqlite3.Connection) -> int | None:
        return int(db.execute("PRAGMA user_version").fetchone()[0]) if kind_of(db) == "beacon" else None

    found = read(schema)
    if found == newest_schema():
        return
    if found is not None and found > newest_schema():
        raise Refused(f"A newer Beacon wrote {target.database} (schema {found}); upgrade this one first.")
    raise Refused(
        f"{target.database} is not a database of this Beacon's; start Beacon once, which brings it up to date: "
        f"{target.beacon('up')}"
    )


@contextmanager
def _beside(file: Path) -> Iterator[BinaryIO]:
    """A new file that is there, whole, when the block has ended well."""
    with fresh(file) as partial, partial.open("wb") as out:
        yield out


def _write(archive: Archive, out: BinaryIO, now: float) -> tuple[int, int]:
    """(traces, spans) written."""
    traces = spans = 0
    with Bar("Exporting", _spans) as bar:
        out.write(header(now))
        for line in archive.lines():
            for piece in line.pieces:
                out.write(piece)
            traces += 1
            spans += line.spans
            bar(spans, archive.spans)
    return traces, spans


def _spans(number: float) -> str:
    return f"{number:,.0f} spans"
