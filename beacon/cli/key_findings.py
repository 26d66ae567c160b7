"""What `beacon doctor` finds in config.json, prices.json and the environment's keys; it shows none of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from beacon.cli.findings import Finding, ok
from beacon.errors import Unavailable
from beacon.keys import endpoints
from beacon.prices_file import PricesBroken, read_own_prices


def check_keys(home: Path, environ: Mapping[str, str]) -> list[Finding]:
    """Whether the API keys and base URLs can be used, and who has one."""
    try:
        found = [endpoint for endpoint in endpoints(home, environ) if endpoint.configured]
    except Unavailable as e:
        what, _, advice = e.detail.partition(". ")
        return [Finding("problem", "keys", what, advice)]
    if not found:
        return [ok("keys", "no API key is set; the demo runs without one")]
    names = ", ".join(f"{endpoint.provider} ({_source(endpoint.source)})" for endpoint in found)
    return [ok("keys", f"models can be called at {names}")]


def check_prices(home: Path) -> list[Finding]:
    """Whether the user's own prices can be read; nothing is said where there are none."""
    try:
        read_own_prices(home)
    except PricesBroken as e:
        what, _, advice = str(e).partition(". ")
        return [Finding("problem", "prices", what, advice or "Give it back to your user.")]
    return []


def _source(source: str | None) -> str:
    return {"env": "key from the environment", "file": "key from config.json"}.get(source or "", "no key needed")
