"""Where a recorded llm_call is made again: ingest checks it before there is a job, a worker asks when it has one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

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

    A recorded base URL on this machine is called without a key, unless it is the very one a key was saved for; any
    other recorded base URL is not called at all, but the provider's own. Raises `BadRequest` for an unknown provider or
    model and for a missing key, `Unavailable` for a broken config.json.
    """
    model = _text(attributes, "llm.request_model") or _text(attributes, "llm.model")
    if model is None:
        raise BadRequest("The span has no llm.model, so that nobody knows which model to call; set llm.model.")
    provider = _text(attributes, "llm.provider")
    provider = provider and provider.lower()
    url = _text(attributes, "llm.base_url")
    local = keys.local_endpoint(url.rstrip("/")) if url is not None else None
    if local is None:
        return keys.route(home, environ, model, provider)
    saved = keys.endpoint(home, provider, environ) if provider else None
    if saved is not None and saved.base_url == local.base_url and saved.configured:
        return saved, model
    style = saved.style if saved is not None else local.style
    return msgspec.structs.replace(local, provider=provider or local.provider, style=style), model


def _text(attributes: Mapping[str, Any], name: str) -> str | None:
    value = attributes.get(name)
    return value.strip() or None if isinstance(value, str) else None
