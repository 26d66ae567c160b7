"""How a process gets its settings: read once, handed on.

Reading the environment and `.env` goes through pydantic-settings (beacon.environment), whose import costs 138 ms and
8 MB. So `beacon up` does it once and hands the result to its children as JSON in ``BEACON_RESOLVED``; a process started
without it (``supervisord -c supervisord.conf``) reads the environment itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from beacon.config import RESOLVED_NAME, Settings


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process. Raises `Refused` with what is wrong, in one message, when a value is not usable."""
    env = os.environ if environ is None else environ
    resolved = env.get(RESOLVED_NAME)
    if resolved:
        return msgspec.json.decode(resolved, type=Settings, dec_hook=lambda kind, text: kind(text))
    # 138 ms of pydantic: only where nobody has done it before
    from beacon.environment import read_environment

    return read_environment(env)


def resolved_environment(settings: Settings) -> dict[str, str]:
    """What a parent adds to its children's environment so that they need not read the settings again."""
    return {RESOLVED_NAME: msgspec.json.encode(settings, enc_hook=str).decode()}  # the hook is for paths
