"""What `beacon up` says once Beacon answers."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from beacon.cli.invocation import Invocation
from beacon.cli.running import Running
from beacon.config import Settings
from beacon.version import VERSION


def banner(
    settings: Settings, beacon: Invocation, *, detached: bool, otlp_port: int | None = None, now: float | None = None
) -> str:
    """Where Beacon is, where its data lies, how to send a first span, how to stop. `otlp_port` is the second port while
    it is served; `now`: epoch seconds for the example span."""
    stop = beacon("down") if detached else "Ctrl-C"
    return f"""\
Beacon {VERSION} is up.

  Address  {settings.base_url}   (API docs: {settings.base_url}/docs)
  OTLP     {otlp_line(settings, otlp_port)}
  Data     {settings.db_path}
  Logs     {beacon("logs -f")}   (files in {settings.log_dir})

Send a first span:

  {first_span(settings, time.time() if now is None else now)}
{token_hint(settings, os.environ)}
or a whole example trace:  {beacon("send-example")}

Stop with {stop}."""


def otlp_line(settings: Settings, served: int | None) -> str:
    """Where exporters may send to; `served` is the second port while it is served, as /health says."""
    if served is not None:
        return f"{settings.base_url}, and port {served}, where exporters send to by default"
    if settings.otlp_port in (None, settings.backend_port):
        return settings.base_url
    return f"{settings.base_url} (port {settings.otlp_port} is taken by another program)"


def first_span(settings: Settings, now: float) -> str:
    """A curl command that can be pasted into a shell. Its content type is named: curl's own would be a form's. A trace
    of its own each time: one trace of two runs would last from the first to the second."""
    end = int(now)
    span = (
        f'{{"spans": [{{"trace_id": "hello-{end}", "span_id": "hello-{end}-1", "span_type": "custom", '
        f'"name": "hello, Beacon", "status": "ok", "start_time": {end - 1}, "end_time": {end}}}]}}'
    )
    return f"curl {settings.base_url}/v1/spans -H 'content-type: application/json'{_bearer(settings)} -d '{span}'"


def reading(settings: Settings, url: str, path: str) -> str:
    """A curl command that reads `path` of the Beacon at `url`."""
    return f"curl {url}{path}{_bearer(settings)}"


def _bearer(settings: Settings) -> str:
    return ' -H "authorization: Bearer $BEACON_TOKEN"' if settings.token else ""


def token_hint(settings: Settings, environ: Mapping[str, str]) -> str:
    """What to do first where the token of the curl lines stands in .env alone, in a paragraph; else empty."""
    if not settings.token or environ.get("BEACON_TOKEN") == settings.token:
        return ""
    return """
BEACON_TOKEN stands in .env, not in this shell; load it first:

  set -a; . ./.env; set +a
"""


def already_up(running: Running, beacon: Invocation, arguments: argparse.Namespace) -> str:
    """Where the Beacon of this home is, and which of the flags of this `up` had no effect therefore."""
    said = f"Beacon is already up at {running.url} (home {running.home}, data {running.db_path})."
    if arguments.port is not None and arguments.port != urlsplit(running.url).port:
        said += f" --port {arguments.port} had no effect: to move it, stop it first."
    if arguments.replay_workers is not None:
        said += f" --replay-workers had no effect; instead: {beacon(f'scale {arguments.replay_workers}')}."
    return f"{said} Stop it with: {beacon('down')}"
