"""Where a model was called, as the base URL a replay can use. Pure."""

from __future__ import annotations

from typing import Any

from beacon.loopback import is_loopback
from ingest.otlp.values import as_count, as_text

_OWN_PATHS = frozenset({"anthropic", "google", "bedrock"})
"""Providers whose base URL has no version in it. Servers at home, of the others, speak OpenAI's protocol below /v1."""


def base_url_of(address: Any, port: Any, provider: str | None) -> str | None:
    """From `server.address` (a host, perhaps a whole URL) and `server.port`. `provider` is a canonical name."""
    host = as_text(address)
    if host is None or len(host) > 500:
        return None
    if host.startswith(("http://", "https://")):
        return host.rstrip("/")
    host = host.strip("[]")
    local = is_loopback(host)
    number = as_count(port)
    scheme = "http" if local or number == 80 else "https"
    netloc = f"[{host}]" if ":" in host else host
    if number and number != {"http": 80, "https": 443}[scheme]:
        netloc += f":{number}"
    return f"{scheme}://{netloc}" + ("/v1" if local and provider not in _OWN_PATHS else "")


def is_local_url(url: str) -> bool:
    """Whether a base URL leads to this machine."""
    scheme, found, rest = url.partition("://")
    if not found or scheme not in ("http", "https"):
        return False
    netloc = rest.split("/", 1)[0].rsplit("@", 1)[-1]
    host = netloc[1:].split("]", 1)[0] if netloc.startswith("[") else netloc.rsplit(":", 1)[0]
    return is_loopback(host.lower())
