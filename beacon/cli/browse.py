"""`beacon open`: Beacon in the browser."""

from __future__ import annotations

import argparse
import sys
import webbrowser

from beacon.cli.health import read_health
from beacon.cli.target import find


def run(arguments: argparse.Namespace) -> int:
    target = find(arguments)
    if not read_health(target.url, target.settings.token).http_status:
        print(f"Beacon does not answer at {target.url}. Start it with: beacon up", file=sys.stderr)
        return 1
    print(target.url)
    if not webbrowser.open(target.url):
        print("No browser could be started here; open this address in yours.", file=sys.stderr)
    return 0
