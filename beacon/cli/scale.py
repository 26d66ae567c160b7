"""`beacon scale N`: change the number of replay workers of a Beacon that is up."""

from __future__ import annotations

import argparse
import sys
import xmlrpc.client

from beacon.cli.target import find
from beacon.cli.words import count
from beacon.supervision import SupervisorDown, call


def run(arguments: argparse.Namespace) -> int:
    target = find(arguments)
    if not target.up:
        print(
            f"No Beacon is up in {target.settings.home}. "
            f"Start it with: {target.beacon(f'up --replay-workers {arguments.workers}')}",
            file=sys.stderr,
        )
        return 1
    try:
        done = call(target.settings.supervisor_socket, "beacon.scale", arguments.workers)
    except SupervisorDown as e:
        print(f"Beacon's supervisor runs, but does not answer ({e}). Try again.", file=sys.stderr)
        return 1
    except xmlrpc.client.Fault as e:
        print(f"Beacon's supervisor refused: {e.faultString}", file=sys.stderr)
        return 1
    print(told(arguments.workers, done["started"], done["stopped"]))
    return 0


def told(wanted: int, started: list[str], stopped: list[str]) -> str:
    """What was done, in a sentence or two."""
    there = f"{count(wanted, 'replay worker')} from now on"
    if started:
        return f"{there}; started {', '.join(started)}."
    if stopped:
        return f"{there}; {', '.join(stopped)} will end after finishing what is under way."
    return f"{count(wanted, 'replay worker')} already: nothing to do."
