"""The settings routes: which providers have a key, saving and forgetting one. A key comes in and is not shown again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from beacon.base_url import parse_base_url
from beacon.catalog import PROVIDERS
from beacon.config import Settings
from beacon.contract.llm_records import KeyInfo, KeyState, PutKey
from beacon.errors import BadRequest, Invalid
from beacon.keys import (
    Endpoint,
    Saved,
    endpoints,
    environment_base_url,
    mask,
    saved_providers,
    sendable,
    unsupported,
)
from beacon.web import Call, Reply, json_reply
from ingest.config_file import Config, ConfigFile


class SettingsHandlers:
    """Handlers of the group SETTINGS. Files are read and written on threads: a home may lie on a slow disk."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._home = settings.home
        self._environ = environ
        self._file = ConfigFile(settings.home)

    async def list_keys(self, call: Call) -> Reply:
        found = await asyncio.to_thread(endpoints, self._home, self._environ)
        return json_reply([key_info(endpoint) for endpoint in found])

    async def put_key(self, call: Call) -> Reply:
        body: PutKey = call.body
        return json_reply(await asyncio.to_thread(self._put, body))

    async def delete_key(self, call: Call) -> Reply:
        return json_reply(await asyncio.to_thread(self._delete, call.path["provider"]))

    def _put(self, body: PutKey) -> KeyState:
        key = require_key(body)
        base_url = parse_base_url(body.base_url).text if body.base_url is not None else None

        def change(config: Config) -> Config:
            saved = saved_providers(config)
            entry = entry_for(body.provider, saved, base_url, key, self._environ)
            providers = config.get("providers", {})
            # what else stands in an entry stays: a newer Beacon's fields, or the user's own notes
            kept = {k: v for k, v in providers.get(body.provider, {}).items() if k not in Saved.__struct_fields__}
            return {**config, "providers": {**providers, body.provider: {**kept, **msgspec.to_builtins(entry)}}}

        self._file.change(change)
        return KeyState(body.provider, self._configured(body.provider))

    def _delete(self, provider: str) -> KeyState:
        def change(config: Config) -> Config | None:
            saved = saved_providers(config)
            if provider in saved:
                rest = {name: entry for name, entry in config["providers"].items() if name != provider}
                return {**config, "providers": rest}
            known = PROVIDERS.get(provider)
            if known is None:
                raise BadRequest(unsupported(provider, saved))
            names = [name for name in known.key_names if self._environ.get(name, "").strip()]
            if names:
                raise BadRequest(
                    f"The key of {provider} is not saved here: it comes from the environment. "
                    f"Unset {' and '.join(names)}, and start Beacon again."
                )
            return None

        self._file.change(change)
        return KeyState(provider, self._configured(provider))

    def _configured(self, provider: str) -> bool:
        return any(found.configured for found in endpoints(self._home, self._environ) if found.provider == provider)


def key_info(endpoint: Endpoint) -> KeyInfo:
    """`endpoint` as it may be shown."""
    return KeyInfo(
        provider=endpoint.provider,
        configured=endpoint.configured,
        masked_key=mask(endpoint.key) if endpoint.key is not None else None,
        base_url=endpoint.base_url,
        source=endpoint.source,
        needs_key=endpoint.needs_key,
    )


def require_key(body: PutKey) -> str | None:
    """The key of a request without the spaces and line ends a paste brings along. Raises `Invalid`, which never repeats
    it."""
    known = PROVIDERS.get(body.provider)
    if body.api_key is None:
        if body.base_url is None and not (known is not None and known.local):
            raise Invalid(
                f"Nothing to save for {body.provider}: send api_key, base_url, or both.",
                [("api_key", "an API key is required")],
            )
        return None
    key = body.api_key.strip()
    if not key:
        raise Invalid("The API key is empty; to forget a key, DELETE it.", [("api_key", "it is empty")])
    if not sendable(key):
        raise Invalid(
            "The API key holds spaces or characters that no key has; copy it again.",
            [("api_key", "only printable ASCII without spaces")],
        )
    return key


def entry_for(
    provider: str, saved: Mapping[str, Saved], base_url: str | None, key: str | None, environ: Mapping[str, str]
) -> Saved:
    """The entry to save. A key is saved beside the base URL it is meant for: the one sent, else the environment's (that
    is where calls go), else the one saved, else the provider's own. A saved key stays only where it was.

    Raises `BadRequest` for a provider that is neither known nor saved and comes without a base URL.
    """
    known = PROVIDERS.get(provider)
    before = saved.get(provider, Saved())
    old = before.base_url or (known.base_url if known is not None else None)
    if old is not None:
        old = parse_base_url(old).text
    from_environment = environment_base_url(known, environ) if known is not None and key is not None else None
    new = base_url or from_environment or old
    if new is None:
        raise BadRequest(unsupported(provider, saved))
    return Saved(base_url=new, api_key=before.api_key if key is None and new == old else key)
