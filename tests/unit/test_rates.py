"""Prices of many calls are those of single ones, to the last digit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from beacon.pricing import price
from beacon.rates import LOOK_EVERY_S, MODELS_MAX, Rates

MODELS = [(source.id, model.id) for source in get_snapshot().providers for model in source.models]
AT = datetime(2026, 6, 1, tzinfo=UTC)
TOKENS = st.integers(0, 2_000) | st.sampled_from([128_000, 200_000, 200_001, 272_000, 272_001, 1_000_000])


@settings(max_examples=400, deadline=None)
@given(model=st.sampled_from(MODELS), counts=st.tuples(TOKENS, TOKENS, TOKENS, TOKENS, TOKENS))
def test_every_model_costs_what_one_call_of_it_costs(model: tuple[str, str], counts: tuple[int, ...]) -> None:
    home = Path("/nowhere")
    many = Rates(home).price(*model, *counts, at_s=AT.timestamp(), local=False)
    one = price(*model, *counts, local=False, home=home, at=AT)
    if one.usd is None:
        return  # then the price of the model's maker is taken
    assert many == one


def rates(home: Path) -> tuple[Rates, list[float]]:
    now = [0.0]
    return Rates(home, clock=lambda: now[0]), now


def usd(found: Rates, provider: str | None, model: str, at: datetime = AT, local: bool = False) -> float | None:
    return found.price(provider, model, 1_000_000, 0, 0, 0, 0, at_s=at.timestamp(), local=local).usd


def test_a_call_costs_what_it_cost_on_its_day(tmp_path: Path) -> None:
    found, _ = rates(tmp_path)
    before, after = datetime(2024, 1, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    cheaper = [
        model.id
        for source in get_snapshot().providers
        if source.id == "deepseek"
        for model in source.models
        if usd(found, "deepseek", model.id, before) != usd(found, "deepseek", model.id, after)
    ]
    assert cheaper


def test_an_unknown_provider_charges_what_the_models_maker_does(tmp_path: Path) -> None:
    found, _ = rates(tmp_path)
    assert usd(found, "my-gateway", "gpt-4o-mini") == usd(found, "openai", "gpt-4o-mini") == 0.15
    unknown = found.price("my-gateway", "llama9", 1, 1, 0, 0, 0, at_s=0, local=False)
    assert unknown.usd is None
    assert "llama9 of my-gateway" in str(unknown.reason)


@pytest.mark.parametrize(
    ("provider", "model"), [("bedrock", "anthropic.claude-3-5-sonnet-20240620-v1:0"), ("xai", "grok-3")]
)
def test_providers_that_genai_prices_calls_otherwise(tmp_path: Path, provider: str, model: str) -> None:
    assert usd(rates(tmp_path)[0], provider, model)


def test_this_machine_costs_nothing_and_says_so(tmp_path: Path) -> None:
    found = rates(tmp_path)[0].price("openai", "gpt-4o", None, None, None, None, None, at_s=0, local=True)
    assert (found.usd, found.source) == (0.0, "local")


def test_the_users_prices_come_first_and_may_change(tmp_path: Path) -> None:
    found, now = rates(tmp_path)
    assert usd(found, "openai", "gpt-4o-mini") == 0.15
    file = tmp_path / "prices.json"
    file.write_text('{"gpt-4o-mini": {"input_usd_per_million": 7, "output_usd_per_million": 1}}')
    assert usd(found, "openai", "gpt-4o-mini") == 0.15  # not looked at again yet
    now[0] += LOOK_EVERY_S
    own = found.price("openai", "gpt-4o-mini", 1_000_000, 0, 0, 0, 0, at_s=0, local=True)
    assert (own.usd, own.source) == (7.0, "prices.json")
    file.write_text("{")
    now[0] += LOOK_EVERY_S
    broken = found.price("openai", "gpt-4o-mini", 1, 1, 0, 0, 0, at_s=0, local=False)
    assert broken.usd is None
    assert "prices.json cannot be used" in str(broken.reason)


def test_made_up_names_do_not_fill_the_memory(tmp_path: Path) -> None:
    found, _ = rates(tmp_path)
    for number in range(MODELS_MAX + 10):
        usd(found, None, f"made-up-{number}")
    assert len(found._models) <= MODELS_MAX
