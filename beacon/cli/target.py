"""Which Beacon a command means: the one that runs in the home, where it really is; else what the settings say."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from beacon.cli.invocation import Invocation, invocation
from beacon.cli.running import Running, is_up, read_record
from beacon.config import Settings
from beacon.environment import read_environment
from beacon.errors import Refused


class Target(NamedTuple):
    """`url` is that of the running Beacon; `up` says that `beacon up` started it; `beacon` is how to call the command
    again."""

    settings: Settings
    up: bool
    record: Running | None
    url: str
    beacon: Invocation

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or self.settings.backend_port

    @property
    def database(self) -> Path:
        """What the running Beacon of this home writes, whatever the settings say now."""
        return Path(self.record.db_path) if self.record else self.settings.db_path


def read_settings(arguments: argparse.Namespace, **flags: Any) -> Settings:
    """The settings of this command; `flags` (None: not given) win, by field name. Raises `Refused` for settings that
    cannot be used."""
    settings = read_environment(os.environ, {"home": arguments.home, **flags})
    home = "another home: --home DIR, or BEACON_HOME"
    for folder, other in ((settings.home, home), (settings.run_dir, "another BEACON_RUN_DIR")):
        for part in (folder, *folder.parents):
            if os.path.exists(part) and not os.path.isdir(part):
                raise Refused(f"{part} is a file, not a folder. Choose {other}.")
    return settings


def find(arguments: argparse.Namespace) -> Target:
    """The Beacon of this command's home. Raises `Refused` for settings that cannot be used."""
    settings = read_settings(arguments)
    try:
        up = is_up(settings.run_dir)
    except OSError as e:
        raise Refused(f"Beacon cannot use the folder {settings.run_dir}: {e.strerror}. Choose another home.") from e
    record = read_record(settings.run_dir) if up else None
    return Target(settings, up, record, record.url if record else settings.base_url, invocation(arguments.home))
