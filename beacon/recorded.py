"""Where a recorded llm_call is made again: ingest checks it before there is a job, a worker asks when it has one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from beacon import keys
from beacon.errors import BadRequest
from beacon.keys import Endpoint


def merged(stored: Mapping[str, Any], modified: Mapping[str, Any]) -> dict[str, Any]:
    """A call's attributes with what is asked to differ. A new model is not the one that was asked for then, and a new
    provider is not at the recorded base URL."""
    attributes = {**stored, **modified}
    if "llm.model" in modified and "llm.request_model" not in modified:
        attributes.pop("llm.request_model", None)
    if "llm.provider" in modified and "llm.base_url" not in modified:
        attributes.pop("llm.base_url", None)
    return attributes


def recorded_endpoint(home: Path, environ: Mapping[str, str], attributes: Mapping[str, Any]) -> tuple[Endpoint, str]:
    """The server, and the name it knows the model by.

    A recorded base URL is called with the key that was saved for that very server; without a key where it is on this
    machine. No other is called, nor another server in its place, since the prompt has never been there. Raises
    `BadRequest` that says so, for an unknown provider or model and for a missing key; `Unavailable` for a broken
    config.json.
    """
    model = asked_model(attributes)
    if model is None:
        raise BadRequest("The span has no llm.model, so that nobody knows which model to call; set llm.model.")
    provider = _text(attributes, "llm.provider")
    provider = provider and provider.lower()
    url = _text(attributes, "llm.base_url")
    if url is None:
        return keys.route(home, environ, model, provider)
    local = keys.local_endpoint(url.rstrip("/"))
    if local is None:
        return _saved_for(home, environ, url, model, provider)
    saved = keys.endpoint(home, provider, environ) if provider else None
    if saved is not None and saved.base_url == local.base_url and saved.configured:
        return saved, model
    style = saved.style if saved is not None else local.style
    return msgspec.structs.replace(local, provider=provider or local.provider, style=style), model


def asked_model(attributes: Mapping[str, Any]) -> str | None:
    """The name of the model that a call asked for."""
    return _text(attributes, "llm.request_model") or _text(attributes, "llm.model")


def _saved_for(
    home: Path, environ: Mapping[str, str], url: str, model: str, provider: str | None
) -> tuple[Endpoint, str]:
    known = keys.endpoints(home, environ)
    saved = [one for one in known if one.configured and _same_server(one.base_url, url)]
    if saved:  # of several behind one gateway the one that was named, if it is among them
        return next((one for one in saved if one.provider == provider), saved[0]), model
    said = f"This call was made at {url[:200]}, and nothing is saved for that server. Save its base URL (PUT "
    said += "/v1/settings/api-keys), or set llm.base_url to null to call "
    try:
        endpoint, name = keys.route(home, environ, model, provider)
    except BadRequest as e:
        raise BadRequest(f"{said}another: {e.detail}") from None
    if _same_server(endpoint.base_url, url):
        return endpoint, name
    raise BadRequest(f"{said}{endpoint.provider} at {endpoint.base_url}.")


def _same_server(one: str, other: str) -> bool:
    """Whether two base URLs mean one server: clients record the provider's with or without its version. Behind a
    gateway each path is another."""
    parts, others = urlsplit(one), urlsplit(other)
    if parts.netloc.lower() != others.netloc.lower() or not parts.netloc:
        return False
    return _path(parts.path) == _path(others.path)


_VERSION = re.compile(r"/v\d+(alpha|beta)?\d*$")


def _path(path: str) -> str:
    return _VERSION.sub("", path.rstrip("/"))


def _text(attributes: Mapping[str, Any], name: str) -> str | None:
    value = attributes.get(name)
    return value.strip() or None if isinstance(value, str) else None
