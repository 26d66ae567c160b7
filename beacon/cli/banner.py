"""What `beacon up` says once Beacon answers."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from pathlib import Path

from beacon.cli.running import Running
from beacon.config import Settings
from beacon.version import VERSION


def banner(settings: Settings, command: str, *, detached: bool, now: float | None = None) -> str:
    """Where Beacon is, where its data lies, how to send a first span, how to stop. `command` is how the user calls
    `beacon` (see `invocation`), `now` epoch seconds for the example span."""
    stop = f"{_with_command(command, 'down')}" if detached else "Ctrl-C"
    return f"""\
Beacon {VERSION} is up.

  Address  {settings.base_url}   (API docs: {settings.base_url}/docs)
  Data     {settings.db_path}
  Logs     {_with_command(command, "logs -f")}   (files in {settings.log_dir})

Send a first span:

  {first_span(settings, time.time() if now is None else now)}

or a whole example trace:  {_with_command(command, "send-example")}

Stop with {stop}."""


def first_span(settings: Settings, now: float) -> str:
    """A curl command that can be pasted into a shell. Its content type is named: curl's own would be a form's."""
    end = int(now)
    span = (
        f'{{"spans": [{{"trace_id": "hello", "span_id": "hello-{end}", "span_type": "custom", '
        f'"name": "hello, Beacon", "status": "ok", "start_time": {end - 1}, "end_time": {end}}}]}}'
    )
    token = ' -H "authorization: Bearer $BEACON_TOKEN"' if settings.token else ""
    return f"curl {settings.base_url}/v1/spans -H 'content-type: application/json'{token} -d '{span}'"


def already_up(running: Running, command: str) -> str:
    return (
        f"Beacon is already up at {running.url} (home {running.home}, data {running.db_path}). "
        f"Stop it with: {_with_command(command, 'down')}"
    )


def invocation(home: Path | None, program: str | None = None) -> str:
    """How to call `beacon` again, as the user did: by name where that finds the same file, else by path; `{}` stands
    for the subcommand, and --home follows where it was given."""
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
    return f"{name} {{}}" + (f" --home {shlex.quote(str(home))}" if home else "")


def _with_command(invocation: str, command: str) -> str:
    return invocation.replace("{}", command, 1)
