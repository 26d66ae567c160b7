"""`beacon open`: Beacon in the browser."""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser

from beacon.cli.banner import reading, token_hint
from beacon.cli.target import find
from beacon.cli.whose import require_own


def run(arguments: argparse.Namespace) -> int:
    target = find(arguments)
    require_own(target)
    print(target.url)
    if target.settings.token:
        print(
            "A browser cannot send BEACON_TOKEN by itself, and Beacon answers 401 without it. Read it like this:\n\n"
            f"  {reading(target.settings, target.url, '/v1/traces')}\n{token_hint(target.settings, os.environ)}",
            file=sys.stderr,
        )
        return 1
    if not webbrowser.open(target.url):
        print("No browser could be started here; open this address in yours.", file=sys.stderr)
    return 0
