"""Providers and models as data."""

from __future__ import annotations

import subprocess
import sys

import pytest

from beacon.base_url import parse_base_url
from beacon.catalog import PROVIDERS, known_model, known_models, provider_of_model
from tests.processes import REPOSITORY


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o", "openai"), ("gpt-4o-2024-08-06", "openai"), ("GPT-5", "openai"), ("o1", "openai"),
        ("o3-mini", "openai"), ("o4-mini", "openai"), ("chatgpt-4o-latest", "openai"), ("ft:gpt-4o:org::id", "openai"),
        ("claude-3-5-haiku-latest", "anthropic"), ("claude-opus-4-5", "anthropic"), ("gemini-2.5-flash", "google"),
        ("models/gemini-2.5-flash", "google"), ("gpt-oss:20b", None), ("llama3.2", None), ("o10", None),
        ("olmo2", None), ("gemma3", None), ("", None), ("anthropic/claude-opus-4-5", None),
    ],
)  # fmt: skip
def test_whose_model_a_name_is(model: str, provider: str | None) -> None:
    assert provider_of_model(model) == provider


def test_base_urls_stand_in_the_spelling_they_are_compared_in() -> None:
    for name, known in PROVIDERS.items():
        parsed = parse_base_url(known.base_url)
        assert (known.name, known.base_url, known.local) == (name, parsed.text, parsed.loopback)
        if not known.local:
            assert known.base_url.startswith("https://")


def test_known_models_can_be_called_by_their_names() -> None:
    known = known_models()
    names = [(model.provider, model.model) for model in known]
    assert len(set(names)) == len(names)
    assert {provider for provider, _ in names} == {"openai", "anthropic", "google"}
    assert {("openai", "gpt-4o"), ("anthropic", "claude-opus-4-5"), ("google", "gemini-2.5-pro")} <= set(names)
    for model in known:
        assert provider_of_model(model.model) == model.provider
        assert model.input_usd_per_million is not None, model
        assert model.output_usd_per_million is not None, model
        for word in ("embedding", "tts", "whisper", "image", "realtime", "audio"):
            assert word not in model.model


def test_what_is_known_of_a_model_by_a_dated_name() -> None:
    dated = known_model("openai", "gpt-4o-2024-08-06")
    assert dated is not None
    assert (dated.model, dated.context, dated.input_usd_per_million) == ("gpt-4o-2024-08-06", 128_000, 2.5)
    assert known_model("openai", "no-such-model") is None
    assert known_model("my-openai-gateway", "gpt-4o") is None, "a gateway has prices of its own"


def test_nobody_pays_for_the_prices_before_the_first_is_asked_for() -> None:
    code = (
        "import sys, beacon.catalog, beacon.keys, beacon.pricing, beacon.models, ingest.settings\n"
        "print([m for m in ('genai_prices', 'pydantic', 'httpx', 'httpx2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
