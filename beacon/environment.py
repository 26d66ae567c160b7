"""Reads `BEACON_*` names from the environment and `.env` into Settings, with pydantic-settings.

Apart from beacon.config because importing pydantic costs 138 ms: only `beacon` the command, and a process that
was started without `beacon up`, pay for it.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from beacon.config import RESOLVED_NAME, Settings
from beacon.errors import Refused
from beacon.loopback import is_loopback

SDK_NAMES = frozenset({"BEACON_BACKEND_URL", "BEACON_ENABLED", "BEACON_AUTO_PATCH", "BEACON_PATCH_FILE_OPS"})
"""Read by beacon-sdk in the user's own program; nothing to do with the server, so never warned about."""

ENV_FILE = ".env"

ALIKE = 0.6
"""difflib's ratio from which one name may be meant as the other: PROT is 0.75 like PORT, FOO 0.33 like LOG."""

TOKEN = re.compile(r"[A-Za-z0-9._~-]+")
"""What needs no escape in any place a token travels: a header, and a websocket's subprotocol, where `=` and `/` may
not stand."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)", re.IGNORECASE)
_UNITS = {"b": 1, **{f"{p}b": 1000 ** (i + 1) for i, p in enumerate("kmgt")}}
_UNITS |= {f"{p}ib": 1024 ** (i + 1) for i, p in enumerate("kmgt")}

MAX_DB_SIZE_LEAST = 16_000_000
"""Bytes: less would delete a trace while it is looked at."""

_PREFIX = "BEACON_"


class Environment(BaseSettings):
    """The settings as a user writes them; field names in upper case behind ``BEACON_`` are the variables."""

    model_config = SettingsConfigDict(env_prefix="BEACON_", env_file=ENV_FILE, extra="ignore", env_ignore_empty=True)

    home: Path = Path("~/.beacon")
    db_path: Path | None = None
    run_dir: Path | None = None
    host: str = "127.0.0.1"
    backend_port: int = Field(7474, ge=1, le=65535)
    otlp_port: int | Literal["off"] = 4318
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    durability: Literal["normal", "full"] = "normal"
    replay_workers: int = Field(1, ge=0, le=64)
    analysis_model: str | None = Field(None, max_length=200)
    spend_cap_usd: float = Field(1.0, gt=0, allow_inf_nan=False)
    demo_pace: float = Field(1.0, ge=0, le=10)
    stale_after: float = Field(3600.0, gt=0, le=31_536_000)
    retention_days: float | None = Field(None, gt=0, le=36_500)
    max_db_size: int | None = Field(None, ge=MAX_DB_SIZE_LEAST)
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Settings.__struct_defaults__[-2]
    token: str | None = None

    @field_validator("allowed_hosts", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("max_db_size", mode="before")
    @classmethod
    def _bytes(cls, value: Any) -> Any:
        match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
        return round(float(match[1]) * _UNITS[match[2].lower()]) if match else value

    @field_validator("log_level", "durability", mode="before")
    @classmethod
    def _any_case(cls, value: Any, info: Any) -> Any:
        if not isinstance(value, str):
            return value
        return value.upper() if info.field_name == "log_level" else value.lower()


KNOWN_NAMES = frozenset(f"BEACON_{name.upper()}" for name in Environment.model_fields)


def read_environment(environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Settings:
    """Settings from `overrides` (command-line flags, by field name), else `environ`, else `.env`, else defaults.

    Raises `Refused` naming every wrong variable, its value and what it may be.
    """
    given = {k: v for k, v in (overrides or {}).items() if v is not None}
    try:
        read = (
            Environment(**given)
            if environ is os.environ
            else Environment(**{**_without_os(environ), **given}, _env_file=None)  # type: ignore[call-arg]
        )
    except ValidationError as e:
        wrong = "; ".join(f"BEACON_{str(err['loc'][0]).upper()}={err['input']!r}: {err['msg']}" for err in e.errors())
        raise Refused(f"These settings cannot be used: {wrong}.") from e
    _require_sendable(read.token)
    home = _absolute(read.home)
    settings = Settings(
        home=home,
        db_path=_absolute(read.db_path) if read.db_path else home / "traces.db",
        run_dir=_absolute(read.run_dir) if read.run_dir else home / "run",
        host=read.host,
        backend_port=read.backend_port,
        otlp_port=None if read.otlp_port == "off" else read.otlp_port,
        log_level=read.log_level,
        durability=read.durability,
        replay_workers=read.replay_workers,
        analysis_model=read.analysis_model,
        spend_cap_usd=read.spend_cap_usd,
        demo_pace=read.demo_pace,
        stale_after=read.stale_after,
        retention_days=read.retention_days,
        max_db_size=read.max_db_size,
        allowed_hosts=read.allowed_hosts,
        cors_origins=read.cors_origins,
        token=read.token,
    )
    if not is_loopback(settings.host) and not settings.token:
        raise Refused(
            f"BEACON_HOST={settings.host} is reachable from other machines, and traces hold prompts, files and "
            "commands. Set BEACON_TOKEN to a secret that clients must send (Authorization: Bearer …), or leave "
            "BEACON_HOST at 127.0.0.1."
        )
    return settings


def unknown_names(environ: Mapping[str, str]) -> list[tuple[str, str | None]]:
    """(name, nearest known name or None) of every unknown `BEACON_` variable in `environ` or `.env`."""
    names = set(environ) | set(dotenv_values(ENV_FILE) if Path(ENV_FILE).is_file() else ())
    known = KNOWN_NAMES | SDK_NAMES | {RESOLVED_NAME}
    unknown = sorted(n for n in names if n.upper().startswith("BEACON_") and n.upper() not in known)
    return [(n, _nearest(n.upper().removeprefix(_PREFIX))) for n in unknown]


def _nearest(rest: str) -> str | None:
    """The setting most like `rest`, a name without its prefix (that alone would make BEACON_FOO much like BEACON_HOME);
    word by word too, since people write BEACON_PORT and BEACON_DB. Among equals the first declared."""

    def likeness(known: str) -> float:
        return max(difflib.SequenceMatcher(None, rest, word).ratio() for word in (known, *known.split("_")))

    best = max((name.upper() for name in Environment.model_fields), key=likeness)
    return _PREFIX + best if likeness(best) >= ALIKE else None


def _require_sendable(token: str | None) -> None:
    """Raises `Refused`, without the secret itself, when a client could not send `token`."""
    if token and not TOKEN.fullmatch(token):
        raise Refused(
            "BEACON_TOKEN may only hold letters (a-z, A-Z), digits and . _ ~ -, because clients send it in headers "
            "that allow no others. Choose another, for example what this prints: openssl rand -hex 32"
        )


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))


def _without_os(environ: Mapping[str, str]) -> dict[str, Any]:
    """`environ` as fields: for callers, tests among them, that do not mean this process's own environment."""
    fields = {name: environ.get(f"BEACON_{name.upper()}") for name in Environment.model_fields}
    return {k: v for k, v in fields.items() if v}
