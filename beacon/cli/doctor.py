"""`beacon doctor`: looks at everything Beacon needs, says what is wrong and what to do; changes nothing."""

from __future__ import annotations

import argparse
import json
import os

from beacon.cli import findings as look
from beacon.cli.database_findings import check_database
from beacon.cli.findings import Finding
from beacon.cli.health import Health, read_health
from beacon.cli.invocation import invocation
from beacon.cli.key_findings import check_keys, check_prices
from beacon.cli.mode_findings import check_modes
from beacon.cli.otlp_findings import check_otlp_port
from beacon.cli.target import Target, find
from beacon.environment import unknown_names
from beacon.errors import Refused
from beacon.ports import holder, next_free, taken_address
from beacon.supervision import ProcessState, SupervisorDown, answers, process_states


def run(arguments: argparse.Namespace) -> int:
    try:
        found = examine(find(arguments))
    except Refused as e:
        again = invocation(arguments.home)("doctor")
        found = [Finding("problem", "settings", e.detail, f"Correct that, then look again: {again}")]
    if arguments.json:
        print(json.dumps({"findings": look.as_json(found)}, indent=2))
    else:
        print(render(found))
    return 1 if any(finding.level == "problem" for finding in found) else 0


def examine(target: Target) -> list[Finding]:
    """Every check on the Beacon `target`."""
    settings, up, beacon = target.settings, target.up, target.beacon
    health = read_health(target.url, settings.token)
    # started by another supervisord: it is this home's Beacon all the same
    serves = up or (health.http_status != 0 and health.db_path == str(settings.db_path))
    return [
        *look.check_names(unknown_names(os.environ), os.environ),
        *check_modes(settings, beacon),
        *check_keys(settings.home, os.environ),
        *check_prices(settings.home),
        *look.check_disk(settings),
        *_port(target, serves),
        *_otlp_port(target, health, serves),
        *look.check_sockets(settings, serves, beacon),
        *look.check_lock(settings, serves),
        *check_database(settings, _written(target), beacon),
        *look.check_processes(_states(target), up, beacon),
        *look.check_health(health, serves, target.url, beacon),
    ]


def _port(target: Target, up: bool) -> list[Finding]:
    settings, beacon = target.settings, target.beacon
    port = target.port  # a running Beacon's own, whatever the settings say now
    try:
        taken = taken_address(settings.host, port)
    except PermissionError:
        what, advice = f"this user may not listen on port {port}", f"Choose another: {beacon('up --port 7474')}"
        return [Finding("problem", "port", what, advice)]
    return look.check_port(port, up, taken, lambda: holder(port), lambda: next_free(settings.host, port), beacon)


def _otlp_port(target: Target, health: Health, up: bool) -> list[Finding]:
    settings = target.settings
    port = settings.otlp_port or 0
    try:
        taken = port > 0 and taken_address("127.0.0.1", port) is not None
    except PermissionError:
        what, advice = f"this user may not listen on port {port}", "Set BEACON_OTLP_PORT to one above 1023, or off."
        return [Finding("warning", "otlp", what, advice)]
    return check_otlp_port(settings, health, up, taken, lambda: holder(port), target.beacon)


def _written(target: Target) -> bool:
    """Whether an ingest runs that writes the database these settings name."""
    settings, record = target.settings, target.record
    other = record is not None and record.db_path != str(settings.db_path)
    return not other and answers(settings.socket_path("ingest"))


def _states(target: Target) -> list[ProcessState] | None:
    if not target.up:
        return None
    try:
        return process_states(target.settings.supervisor_socket)
    except SupervisorDown:
        return None


def render(found: list[Finding]) -> str:
    """A line a finding, with what to do below it; the count of problems last."""
    lines = []
    for finding in found:
        lines.append(f"{finding.level:<8} {finding.check:<10} {finding.what}")
        if finding.advice:
            lines.append(f"{'':<19} -> {finding.advice}")
    problems = sum(finding.level == "problem" for finding in found)
    warnings = sum(finding.level == "warning" for finding in found)
    if not problems and not warnings:
        lines.append("All is well.")
    else:
        lines.append(f"{problems} problem{'s' * (problems != 1)}, {warnings} warning{'s' * (warnings != 1)}.")
    return "\n".join(lines)
