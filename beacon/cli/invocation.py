"""How the user calls `beacon`, so that every hint can be pasted as it stands."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import NamedTuple


class Invocation(NamedTuple):
    """Called with a subcommand and its flags, gives the whole command line; `options` follow the flags."""

    program: str
    options: str = ""

    def __call__(self, command: str) -> str:
        return f"{self.program} {command}{self.options}"


def invocation(home: Path | None, program: str | None = None) -> Invocation:
    """How to call `beacon` again, as the user did: by name where that finds the same file, else by path; with --home
    where it was given."""
    called = program or sys.argv[0]
    if Path(called).name == "__main__.py":
        name = f"{shlex.quote(sys.executable)} -m beacon.cli"
    else:
        found = shutil.which("beacon")
        path = os.path.realpath(called)
        if found and os.path.realpath(found) == path:
            name = "beacon"
        else:
            short = os.path.relpath(called)
            name = shlex.quote(short if not short.startswith("..") else called)
    return Invocation(name, f" --home {shlex.quote(str(home))}" if home else "")
