"""`beacon vacuum`: what deleted traces have left in the database, given back to the disk."""

from __future__ import annotations

import argparse
import http.client
from pathlib import Path

import msgspec

from beacon.cli.alone import alone
from beacon.cli.own_ingest import ingest_of
from beacon.cli.progress import Bar
from beacon.cli.target import Target, find
from beacon.cli.words import size
from beacon.contract.records import ErrorBody, GivenBack
from beacon.errors import Refused
from beacon.store.copying import rewrite
from beacon.unix_http import ask

ANSWER_S = 60.0
"""Seconds a step may take: it waits for what is written meanwhile."""


def run(arguments: argparse.Namespace) -> int:
    target = find(arguments)
    if not target.database.exists():
        raise Refused(f"There is no database at {target.database} yet: nothing to give back.")
    if arguments.full:
        _full(target)
    else:
        with ingest_of(target) as socket:
            given_back = _in_steps(socket)
        said = f"{size(given_back)} given back" if given_back else "There is nothing to give back"
        print(f"{said}; {target.database} has {size(target.database.stat().st_size)}.")
    return 0


def _in_steps(socket: Path) -> int:
    """Bytes given back."""
    done = 0
    with Bar("Giving back") as bar:
        while True:
            step = _step(socket)
            done += step.given_back
            bar(done, done + step.left)
            # what is deleted meanwhile is free, too; where nothing moves, it is enough
            if not step.left or not step.given_back:
                return done


def _step(socket: Path) -> GivenBack:
    try:
        status, body = ask(socket, "POST", "/internal/vacuum", ANSWER_S)
    except (OSError, http.client.HTTPException) as e:
        raise Refused(f"Beacon went away; what it had given back stays so ({e}).") from e
    if status != 200:
        raise Refused(msgspec.json.decode(body, type=ErrorBody).detail)
    return msgspec.json.decode(body, type=GivenBack)


def _full(target: Target) -> None:
    database = target.settings.db_path
    if target.up:
        raise Refused(
            f"Beacon is up in {target.settings.home}. Stop it first: {target.beacon('down')}. "
            "Without --full it may stay up."
        )
    before = database.stat().st_size
    with alone(target.settings.lock_path, database), Bar("Writing anew") as bar:
        rewrite(database, bar)
    after = database.stat().st_size
    print(f"{database} has {size(after)} now; it had {size(before)}.")
