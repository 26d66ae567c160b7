"""What a traced call costs: what the span says, else what Beacon knows, else nothing but the reason."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingest.otlp.mapping import map_span
from ingest.otlp.prices import Prices
from tests.unit.ingest.otlp.spans import otlp_span

CALL = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 120, "gen_ai.usage.output_tokens": 30, "gen_ai.usage.cache_read.input_tokens": 64,
}  # fmt: skip


def costs(home: Path, attributes: dict[str, Any], start_ns: int | None = None) -> dict[str, Any]:
    span = otlp_span(attributes) if start_ns is None else otlp_span(attributes, start_ns=start_ns, end_ns=start_ns + 1)
    (arrival,) = map_span(span, Prices(home)).arrivals
    assert isinstance(arrival.attributes, str)
    return {key: value for key, value in json.loads(arrival.attributes).items() if key.startswith("llm.cost_")}


def test_a_price_of_beacons_counts_cached_tokens_for_less(tmp_path: Path) -> None:
    assert costs(tmp_path, CALL) == {"llm.cost_usd": 3.12e-05, "llm.cost_source": "genai-prices"}


def test_a_call_costs_what_it_cost_on_its_day(tmp_path: Path) -> None:
    """Long prompts to this model cost more until 13 March 2026."""
    long = {**CALL, "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-opus-4-6",
            "gen_ai.usage.input_tokens": 300_000}  # fmt: skip
    before, after = (
        costs(tmp_path, long, round(datetime(2026, month, 1, tzinfo=UTC).timestamp()) * 10**9)["llm.cost_usd"]
        for month in (3, 4)
    )
    assert before > 1.5 * after


def test_what_the_span_says_is_trusted_more(tmp_path: Path) -> None:
    own = {**CALL, "gen_ai.usage.cost": 0.25}
    assert costs(tmp_path, own) == {"llm.cost_usd": 0.25, "llm.cost_source": "gen_ai.usage.cost"}
    assert costs(tmp_path, {**own, "llm.cost_usd": 0.5}) == {"llm.cost_usd": 0.5, "llm.cost_source": "llm.cost_usd"}
    assert costs(tmp_path, {**CALL, "gen_ai.usage.cost": -1.0})["llm.cost_source"] == "genai-prices"


def test_a_model_at_home_costs_nothing(tmp_path: Path) -> None:
    free = {"llm.cost_usd": 0.0, "llm.cost_source": "local"}
    assert costs(tmp_path, {**CALL, "server.address": "127.0.0.1", "server.port": 8000}) == free
    assert costs(tmp_path, {**CALL, "gen_ai.provider.name": "ollama", "gen_ai.request.model": "llama3.2"}) == free


def test_an_unknown_price_is_no_price_of_zero(tmp_path: Path) -> None:
    found = costs(tmp_path, {**CALL, "gen_ai.request.model": "nobody-knows-it"})
    assert list(found) == ["llm.cost_reason"]
    assert "nobody-knows-it" in found["llm.cost_reason"]
    half = {key: value for key, value in CALL.items() if key != "gen_ai.usage.output_tokens"}
    assert list(costs(tmp_path, half)) == ["llm.cost_reason"]
    assert costs(tmp_path, {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"}) == {}


def test_embeddings_are_priced_by_their_input(tmp_path: Path) -> None:
    embedded = {
        "gen_ai.operation.name": "embeddings", "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "text-embedding-3-small", "gen_ai.usage.input_tokens": 1_000_000,
    }  # fmt: skip
    assert costs(tmp_path, embedded) == {"llm.cost_usd": 0.02, "llm.cost_source": "genai-prices"}


def test_prices_are_loaded_for_spans_that_may_have_one(tmp_path: Path) -> None:
    prices = Prices(tmp_path)
    plain = otlp_span({"http.request.method": "GET"})
    assert not prices.wanted([plain])
    assert prices.wanted([plain, otlp_span(CALL)])
    asyncio.run(prices.load())
    assert not prices.wanted([otlp_span(CALL)])
