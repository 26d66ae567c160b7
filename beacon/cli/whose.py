"""Whether what answers at the port is the Beacon that a command means."""

from __future__ import annotations

from pathlib import Path

from beacon.cli.health import Health, read_health
from beacon.cli.target import Target
from beacon.errors import Refused
from beacon.ports import next_free


def require_own(target: Target) -> None:
    """Raises `Refused` unless the Beacon of this home answers: nothing does, another program, another home's Beacon. A
    401 does not tell whose it is, and passes."""
    health = read_health(target.url, target.settings.token)
    if health.stranger:
        other = next_free(target.settings.host, target.port)
        raise Refused(f"{not_beacon(target)} Start Beacon at another: {target.beacon(f'up --port {other}')}")
    if not health.http_status:
        then = f"See what is wrong: {target.beacon('doctor')}" if target.up else f"Start it with: {target.beacon('up')}"
        raise Refused(f"Beacon does not answer at {target.url}. {then}")
    if is_foreign(target, health):
        raise Refused(
            f"The Beacon at {target.url} is that of another home: it stores in {health.db_path}, and the database of "
            f"{target.settings.home} is {target.database}. Name the home you mean (--home DIR), or start this one at a "
            f"port of its own: {target.beacon(f'up --port {next_free(target.settings.host, target.port)}')}"
        )


def is_foreign(target: Target, health: Health) -> bool:
    """Whether the Beacon that gave `health` writes another database than this home's."""
    return bool(health.db_path) and Path(health.db_path) != target.database


def not_beacon(target: Target) -> str:
    return f"Port {target.port} is not Beacon: another program answers at {target.url}."
