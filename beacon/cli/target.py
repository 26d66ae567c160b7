"""Which Beacon a command means: the one that runs in the home, where it really is; else what the settings say."""

from __future__ import annotations

import argparse
import os
from typing import NamedTuple

from beacon.cli.running import Running, is_up, read_record
from beacon.config import Settings
from beacon.environment import read_environment


class Target(NamedTuple):
    """`url` and `db_path` are those of the running Beacon; `up` says that `beacon up` started it."""

    settings: Settings
    up: bool
    record: Running | None
    url: str


def find(arguments: argparse.Namespace) -> Target:
    """The Beacon of this command's home. Raises `Refused` for settings that cannot be used."""
    settings = read_environment(os.environ, {"home": arguments.home})
    up = is_up(settings.run_dir)
    record = read_record(settings.run_dir) if up else None
    return Target(settings, up, record, record.url if record else settings.base_url)
