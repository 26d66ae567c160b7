"""Where a provider's model is called, and with which key: the one place that knows.

The environment comes first, then config.json in Beacon's home, which ingest alone writes (`ingest.config_file`)::

    {"providers": {"openai": {"base_url": "https://api.openai.com/v1", "api_key": "sk-…"},
                   "ollama": {"base_url": "http://127.0.0.1:11434/v1"}}}

**A key goes only where it was saved for.** A key of the file goes to the base URL it stands beside; a key of the
environment to the environment's base URL, or to the provider's own. A base URL that a span recorded never gets a key,
and is called at all only on this machine (`local_endpoint`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from beacon.base_url import parse_base_url
from beacon.catalog import PROVIDERS, Provider, Style, provider_named, provider_of_model
from beacon.errors import BadRequest, Unavailable

CONFIG_NAME = "config.json"

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")

MASK = "****"

MASKED_FROM = 12
"""Characters a key must have for its last four to be shown."""


class Endpoint(Struct, frozen=True, kw_only=True):
    """A provider's server. `key` goes to `base_url` and nowhere else; it is never shown, not even in a repr.
    `base_url` has no slash at its end. `local`: a call of it costs nothing."""

    provider: str
    style: Style
    base_url: str
    key: str | None = None
    source: Literal["env", "file"] | None = None
    needs_key: bool = True
    local: bool = False

    @property
    def configured(self) -> bool:
        """Whether it can be called."""
        return self.key is not None or not self.needs_key

    def __repr__(self) -> str:
        return f"Endpoint({self.provider!r}, {self.base_url!r}, {'with' if self.key else 'without'} a key)"


class Saved(Struct, frozen=True, omit_defaults=True):
    """A provider's entry in config.json."""

    base_url: str | None = None
    api_key: str | None = None

    def __repr__(self) -> str:
        return f"Saved({self.base_url!r}, {'with' if self.api_key else 'without'} a key)"


# ---------------------------------------------------------------- config.json


def read_config(home: Path) -> dict[str, Any]:
    """config.json as it stands, checked; `{}` where there is none. Raises `Unavailable` that names the file when it
    cannot be used: nothing writes over it."""
    path = home / CONFIG_NAME
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as e:
        raise Unavailable(f"{path} cannot be read: {e.strerror}. It holds the API keys; give it to your user.") from e
    try:
        # msgspec's messages name places and types, never values
        config = msgspec.json.decode(raw, type=dict[str, Any])
        for name, entry in msgspec.convert(config.get("providers", {}), dict[str, Any]).items():
            _check_entry(name, entry)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, BadRequest) as e:
        why = e.detail if isinstance(e, BadRequest) else str(e)
        raise Unavailable(
            f"{path} cannot be used: {why.rstrip('.')}. Mend it, or move it away and enter the API keys again."
        ) from None
    return config


def saved_providers(config: Mapping[str, Any]) -> dict[str, Saved]:
    """The entries of a checked config.json by provider."""
    return msgspec.convert(config.get("providers", {}), dict[str, Saved])


def _check_entry(name: str, entry: Any) -> None:
    """Raises `BadRequest` that says what is wrong with an entry, without its key."""
    shown = name if _NAME.fullmatch(name) else "a provider"  # a key may have been written where a name belongs
    try:
        saved = msgspec.convert(entry, Saved)
    except msgspec.ValidationError as e:
        raise BadRequest(f"the entry of {shown}: {e}") from None
    if saved.base_url is not None:
        parse_base_url(saved.base_url, f"the base_url of {shown}")
    elif name not in PROVIDERS:
        raise BadRequest(f"the entry of {shown} has no base_url")
    if saved.api_key is not None and not sendable(saved.api_key):
        raise BadRequest(f"the api_key of {shown} is empty, or holds characters that no key has")


def sendable(key: str) -> bool:
    """Whether `key` can travel in a header: printable ASCII without spaces."""
    return bool(key) and key.isascii() and key.isprintable() and " " not in key


def mask(key: str) -> str:
    """`key` as it may be shown: its last four characters at most, and none of a key shorter than 12."""
    return MASK + key[-4:] if len(key) >= MASKED_FROM else MASK


# ---------------------------------------------------------------- endpoints


def endpoints(home: Path, environ: Mapping[str, str]) -> list[Endpoint]:
    """openai, anthropic and google, configured or not, then every other provider that is saved. Raises `Unavailable`
    when config.json or a variable cannot be used."""
    saved = saved_providers(read_config(home))
    names = [name for name, known in PROVIDERS.items() if not known.local]
    return [_endpoint(name, saved, environ) for name in (*names, *sorted(saved.keys() - set(names)))]


def endpoint(home: Path, provider: str, environ: Mapping[str, str]) -> Endpoint | None:
    """Where `provider` is called; None for one that is neither saved nor known by name. ollama, lmstudio and vllm are
    known: they answer where they usually do, unless another base URL is saved. Raises `Unavailable`."""
    saved = saved_providers(read_config(home))
    name = provider if provider in saved else provider_named(provider)
    return _endpoint(name, saved, environ) if name in saved or name in PROVIDERS else None


def local_endpoint(base_url: object) -> Endpoint | None:
    """Where a base URL that a span recorded is called: on this machine only (127.0.0.0/8, ::1, localhost), and never
    with a key. None for any other, whatever it is: a span may be hostile."""
    if not isinstance(base_url, str):
        return None
    try:
        parsed = parse_base_url(base_url)
    except BadRequest:
        return None
    if not parsed.loopback or not parsed.plain:
        return None
    return Endpoint(provider="local", style="openai", base_url=parsed.text, needs_key=False, local=True)


def route(home: Path, environ: Mapping[str, str], model: str, provider: str | None = None) -> tuple[Endpoint, str]:
    """The server that is asked for `model`, and the name it knows the model by.

    `provider` decides where it is given. Else `name/model` means a provider that is saved or known by name, else the
    model's name tells (claude-… is anthropic's), else it is the one compatible server that is saved. Raises
    `BadRequest` for an unknown provider or model and for a missing key, `Unavailable` for a broken config.json.
    """
    saved = saved_providers(read_config(home))
    name, model_name = _provider_for(model, provider, saved)
    found = _endpoint(name, saved, environ)
    if not found.configured:
        raise BadRequest(no_key(found))
    return found, model_name


def no_key(found: Endpoint) -> str:
    """What to tell a user whose `found` cannot be called."""
    names = PROVIDERS[found.provider].key_names if found.provider in PROVIDERS else ()
    or_set = f", or set {names[0]} and start Beacon again" if names else ""
    return (
        f"There is no API key for {found.provider} at {found.base_url}. Save one in the settings "
        f"(PUT /v1/settings/api-keys){or_set}."
    )


def _provider_for(model: str, provider: str | None, saved: Mapping[str, Saved]) -> tuple[str, str]:
    if provider is not None:
        name = provider if provider in saved else provider_named(provider)
        if name not in saved and name not in PROVIDERS:
            raise BadRequest(unsupported(provider, saved))
        return name, model
    prefix, slash, rest = model.partition("/")
    if slash and rest:
        name = prefix if prefix in saved else provider_named(prefix)
        if name in saved or name in PROVIDERS:
            return name, rest
    if (name := provider_of_model(model) or "") and "/" not in model.removeprefix("models/"):
        return name, model
    servers = sorted(name for name in saved if name not in PROVIDERS or PROVIDERS[name].local)
    if len(servers) == 1:
        return servers[0], model
    if servers:
        raise BadRequest(
            f"Which server has {model[:100]}? Write it as provider/model, for example {servers[0]}/{model[:100]}; "
            f"saved are {', '.join(servers)}."
        )
    raise BadRequest(
        f"The model {model[:100]} is unknown. Names that begin with gpt-, o1, claude or gemini are known; for a model "
        f"of another server write provider/model (ollama/{model[:100]}) and save the server's base_url in the settings."
    )


def unsupported(provider: str, saved: Mapping[str, Saved]) -> str:
    """What to tell a user who named a provider that is neither known nor saved."""
    names = ", ".join((*PROVIDERS, *sorted(saved.keys() - PROVIDERS.keys())))
    return (
        f"The provider {provider[:40]!r} is not supported: there are {names}. A server that speaks OpenAI's protocol "
        "is saved under a name of its own with its base_url."
    )


def _endpoint(name: str, saved: Mapping[str, Saved], environ: Mapping[str, str]) -> Endpoint:
    known = PROVIDERS.get(name)
    entry = saved.get(name, Saved())
    base_url, key, source = _environment(known, environ) if known else (None, None, None)
    default = known.base_url if known else ""
    if key is not None:
        text = base_url or default
    else:
        saved_url = parse_base_url(entry.base_url or default).text
        text = base_url or saved_url
        if entry.api_key is not None and text == saved_url:
            key, source = entry.api_key, "file"
    parsed = parse_base_url(text)
    return Endpoint(
        provider=name,
        style=known.style if known else "openai",
        base_url=parsed.text,
        key=key,
        source=source,
        needs_key=not parsed.own_network,
        local=parsed.loopback or (parsed.own_network and known is not None and known.local),
    )


def environment_base_url(known: Provider, environ: Mapping[str, str]) -> str | None:
    """The base URL the environment gives a provider. Raises `Unavailable` that names the variable."""
    name = known.base_url_name
    text = environ.get(name, "").strip() if name else ""
    if not text:
        return None
    try:
        return parse_base_url(text, f"{name}").text
    except BadRequest as e:
        raise Unavailable(f"{e.detail} Correct or unset the variable, and start Beacon again.") from None


def _environment(
    known: Provider, environ: Mapping[str, str]
) -> tuple[str | None, str | None, Literal["env", "file"] | None]:
    """(base URL, key, source) by the environment's variables; an empty one counts as unset."""
    base_url = environment_base_url(known, environ)
    for name in known.key_names:
        key = environ.get(name, "").strip()
        if key:
            if not sendable(key):
                raise Unavailable(f"{name} holds characters that no key has. Correct it, and start Beacon again.")
            return base_url, key, "env"
    return base_url, None, None
