"""The providers Beacon knows by name, whose model a name is, and the models there are, as data.

What is known of models comes with genai-prices (https://github.com/pydantic/genai-prices), whose data is part of the
package: nothing here asks the network.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

if TYPE_CHECKING:  # imported with the first price
    from genai_prices.types import ModelInfo
    from genai_prices.types import Provider as Source

Style = Literal["openai", "anthropic", "google"]
"""Which API a server speaks."""


class Provider(Struct, frozen=True, kw_only=True):
    """A provider known by name. `base_url` is what its own SDK takes as one; `key_names` and `base_url_name` are
    environment variables, of key names the first that is set counts. `local`: a program on the user's own machine."""

    name: str
    style: Style
    base_url: str
    key_names: tuple[str, ...] = ()
    base_url_name: str | None = None
    local: bool = False


PROVIDERS: dict[str, Provider] = {
    provider.name: provider
    for provider in (
        # https://github.com/openai/openai-python: OPENAI_BASE_URL ends in /v1
        Provider(
            name="openai",
            style="openai",
            base_url="https://api.openai.com/v1",
            key_names=("OPENAI_API_KEY",),
            base_url_name="OPENAI_BASE_URL",
        ),
        # https://github.com/anthropics/anthropic-sdk-python: ANTHROPIC_BASE_URL has no /v1
        Provider(
            name="anthropic",
            style="anthropic",
            base_url="https://api.anthropic.com",
            key_names=("ANTHROPIC_API_KEY",),
            base_url_name="ANTHROPIC_BASE_URL",
        ),
        # https://github.com/googleapis/python-genai: GOOGLE_API_KEY wins over GEMINI_API_KEY; no /v1beta in a base URL
        Provider(
            name="google",
            style="google",
            base_url="https://generativelanguage.googleapis.com",
            key_names=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
            base_url_name="GOOGLE_BASE_URL",
        ),
        # https://docs.ollama.com/api/openai-compatibility
        Provider(name="ollama", style="openai", base_url="http://127.0.0.1:11434/v1", local=True),
        # https://lmstudio.ai/docs/developer/openai-compat
        Provider(name="lmstudio", style="openai", base_url="http://127.0.0.1:1234/v1", local=True),
        # https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
        Provider(name="vllm", style="openai", base_url="http://127.0.0.1:8000/v1", local=True),
    )
}

ALIASES = {
    "gemini": "google",
    "google_genai": "google",
    "google-genai": "google",
    "gcp.gemini": "google",
    "lm-studio": "lmstudio",
    "lm_studio": "lmstudio",
}
"""Names that instrumentation records for a provider; `gcp.gemini` is OpenTelemetry's."""

_MODEL_NAMES = (
    # gpt-oss has open weights: it runs anywhere but at OpenAI. ft:gpt-4o:org::id is a fine-tuned model.
    ("openai", re.compile(r"(ft:)?(gpt-(?!oss)|chatgpt-|codex-|o[1-9](-|$))")),
    ("anthropic", re.compile(r"claude")),
    ("google", re.compile(r"(models/)?gemini")),
)


def provider_named(name: str) -> str:
    """`name` as Beacon calls the provider: in lower case, and not by an alias."""
    lower = name.strip().lower()
    return ALIASES.get(lower, lower)


def provider_of_model(model: str) -> str | None:
    """Whose model this is, by its name alone: gpt-4o is openai's, claude-… anthropic's, gemini-… google's; None for a
    name that says nothing (llama3.2)."""
    lower = model.strip().lower()
    return next((provider for provider, pattern in _MODEL_NAMES if pattern.match(lower)), None)


class KnownModel(Struct, frozen=True, kw_only=True):
    """A chat model by the name its provider's API takes. `context` in tokens. Prices are US dollars a million tokens
    of a short request; None where the data has none."""

    provider: str
    model: str
    context: int | None
    input_usd_per_million: float | None
    output_usd_per_million: float | None


_OTHER_KINDS = re.compile(
    r"(^|[-.:])(ft|tts|whisper|transcribe|translate|image|nano-banana|audio|realtime|live|omni|embedding|robotics|vision|"
    r"instruct|deep-research|extended|computer-use|cyber)([-.:]|$)|^gemini-(flash|pro)-1|^gemini-pro$"
)
"""Names of what cannot be talked to by text over the chat API, or that only a reseller uses."""


def known_models() -> list[KnownModel]:
    """The chat models of openai, anthropic and google that genai-prices knows and that are not withdrawn, by provider
    and name. The first call imports genai_prices: 160 ms, 31 MB."""
    from genai_prices.data_snapshot import get_snapshot

    return [
        _known_model(provider, model)
        for provider in PROVIDERS
        for source in get_snapshot().providers
        if source.id == provider
        for model in sorted(source.models, key=lambda model: model.id)
        if not model.deprecated and provider_of_model(model.id) == provider and not _OTHER_KINDS.search(model.id)
    ]


def known_model(provider: str, model: str) -> KnownModel | None:
    """What is known of a model by the name its server gives it, dated names (gpt-4o-2024-08-06) too."""
    known = find_known(provider, model)
    return msgspec.structs.replace(_known_model(provider, known[1]), model=model) if known else None


_PRICED_AS = {"bedrock": "aws", "xai": "x-ai", "moonshot": "moonshotai"}
"""What genai-prices calls a provider that Beacon calls otherwise."""


def find_known(provider: str | None, model: str) -> tuple[Source, ModelInfo] | None:
    """The provider and model of genai-prices that are meant; without a provider, by the model's name.

    Providers are found by their exact id: genai-prices itself takes any name that has `openai` in it for OpenAI, a
    gateway with prices of its own among them.
    """
    from genai_prices.data_snapshot import get_snapshot

    providers = get_snapshot().providers
    name = provider_named(provider) if provider else provider_of_model(model)
    name = _PRICED_AS.get(name or "", name)
    source = next((known for known in providers if known.id == name), None)
    found = source.find_model(model.lower(), all_providers=providers) if source else None
    return (source, found) if source and found else None


def _known_model(provider: str, model: ModelInfo) -> KnownModel:
    prices = model.get_prices(datetime.now(UTC))
    return KnownModel(
        provider=provider,
        model=model.id,
        context=model.context_window,
        input_usd_per_million=_base_price(prices.input_mtok),
        output_usd_per_million=_base_price(prices.output_mtok),
    )


def _base_price(price: Any) -> float | None:
    """A price of genai-prices as a number: of one that grows with the request, the lowest step."""
    step = getattr(price, "base", price)
    return None if step is None else float(step)
