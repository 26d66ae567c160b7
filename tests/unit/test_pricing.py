"""What a call costs: the user's prices, then 0 on this machine, then what is known; never 0 for what is not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beacon.answer_tokens import OUTPUT_TOKENS, REASONING_TOKENS
from beacon.errors import BadRequest
from beacon.keys import endpoints
from beacon.models import list_models, prices_problem
from beacon.pricing import IMAGE_TOKENS, Price, check_cap, estimate, price, tokens_of
from tests.processes import REPOSITORY


def own(home: Path, prices: Any) -> None:
    (home / "prices.json").write_text(prices if isinstance(prices, str) else json.dumps(prices))


def usd(
    home: Path, provider: str | None, model: str, tokens_in: int | None, tokens_out: int | None, cached: int = 0
) -> float | None:
    return price(provider, model, tokens_in, tokens_out, cached, local=False, home=home).usd


def test_what_is_written_to_a_cache_costs_more(tmp_path: Path) -> None:
    # $3 a million in, $3.75 written to the cache: https://claude.com/pricing
    plain = price("anthropic", "claude-sonnet-4-5", 100_000, 0, local=False, home=tmp_path).usd
    written = price(
        "anthropic", "claude-sonnet-4-5", 100_000, 0, tokens_cache_write=100_000, local=False, home=tmp_path
    ).usd
    assert (plain, written) == (0.3, 0.375)


def test_a_text_that_begins_like_an_image_counts_as_text() -> None:
    text = "data:image/" + "x" * 1_000_000
    assert tokens_of([{"role": "user", "content": text}]) > 200_000
    assert tokens_of([{"type": "image_url", "image_url": {"url": text}}]) < 2 * IMAGE_TOKENS


# ---------------------------------------------------------------- what is known


@pytest.mark.parametrize(
    ("provider", "model", "tokens", "dollars"),
    [
        # $2.50 and $10 a million, $1.25 cached: https://openai.com/api/pricing
        ("openai", "gpt-4o", (1_000_000, 0, 0), 2.5),
        ("openai", "gpt-4o", (0, 1_000_000, 0), 10.0),
        ("openai", "gpt-4o", (1_000, 100, 200), 0.00325),
        ("openai", "gpt-4o-2024-08-06", (1_000, 100, 0), 0.0035),
        ("openai", "GPT-4o-mini", (1_000_000, 1_000_000, 1_000_000), 0.675),
        # $5 and $25 a million, $0.50 cached: https://claude.com/pricing
        ("anthropic", "claude-opus-4-5", (1_000, 1_000, 500), 0.02775),
        # $0.30 and $2.50 a million: https://ai.google.dev/gemini-api/docs/pricing
        ("google", "gemini-2.5-flash", (1_000, 1_000, 0), 0.0028),
        ("gemini", "gemini-2.5-flash", (1_000, 1_000, 0), 0.0028),
        (None, "gpt-4o", (1_000, 0, 0), 0.0025),
        # above 200,000 tokens each of them costs $2.50
        ("google", "gemini-2.5-pro", (200_001, 0, 0), 200_001 * 2.5 / 1e6),
        ("openai", "text-embedding-3-small", (1_000_000, 0, 0), 0.02),
    ],
)
def test_known_models(
    tmp_path: Path, provider: str | None, model: str, tokens: tuple[int, int, int], dollars: float
) -> None:
    found = price(provider, model, *tokens, local=False, home=tmp_path)
    assert found.reason is None
    assert found.usd == pytest.approx(dollars, rel=1e-12)


@pytest.mark.parametrize(
    ("provider", "model", "tokens"),
    [
        ("openai", "no-such-model", (10, 10)),
        ("my-openai-gateway", "gpt-4o", (10, 10)),
        (None, "llama3.2", (10, 10)),
        ("openai", "gpt-live-1", (10, 10)),  # by the hour
        ("openai", "text-embedding-3-small", (10, 10)),  # has no output
        ("google", "gemma-3-27b-it", (10, 10)),  # has no price at all
    ],
)
def test_what_has_no_price_costs_null_with_the_reason(
    tmp_path: Path, provider: str | None, model: str, tokens: tuple[int, int]
) -> None:
    found = price(provider, model, *tokens, local=False, home=tmp_path)
    assert found.usd is None
    assert found.reason is not None
    assert f"No price is known for {model}" in found.reason
    assert str(tmp_path / "prices.json") in found.reason


@pytest.mark.parametrize("tokens", [(None, 5), (5, None), (None, None), (-1, 5)])
def test_unknown_tokens_are_an_unknown_cost(tmp_path: Path, tokens: tuple[int | None, int | None]) -> None:
    found = price("openai", "gpt-4o", *tokens, local=False, home=tmp_path)
    assert found == Price(None, "openai did not say how many tokens the call took.")


def test_what_a_provider_says_of_cached_and_reasoning_tokens_cannot_break_the_sum(tmp_path: Path) -> None:
    whole = price("openai", "gpt-4o", 100, 100, 100, local=False, home=tmp_path)
    assert price("openai", "gpt-4o", 100, 100, 10_000, 10_000, local=False, home=tmp_path) == whole
    assert price("openai", "gpt-4o", 100, 100, None, None, local=False, home=tmp_path).usd == 0.00125
    assert price("openai", "gpt-4o", 100, 100, -5, -5, local=False, home=tmp_path).usd == 0.00125


def test_a_server_on_this_machine_costs_nothing(tmp_path: Path) -> None:
    assert price("ollama", "llama3.2", 10, 10, local=True, home=tmp_path) == Price(0.0, source="local")
    assert price("local", "gpt-4o", None, None, local=True, home=tmp_path) == Price(0.0, source="local")


# ---------------------------------------------------------------- the user's own


def test_the_users_price_comes_first(tmp_path: Path) -> None:
    own(
        tmp_path,
        {
            "GPT-4o": {"input_usd_per_million": 1, "output_usd_per_million": 2},
            "my-server/llama3.2": {
                "input_usd_per_million": 3,
                "output_usd_per_million": 0,
                "cached_usd_per_million": 1,
            },
            "llama3.2": {"input_usd_per_million": 7, "output_usd_per_million": 7},
        },
    )
    assert usd(tmp_path, "openai", "gpt-4o", 1_000_000, 1_000_000) == 3.0
    assert usd(tmp_path, "openai", "gpt-4o", 1_000_000, 0, cached=1_000_000) == 1.0, "cached costs what the others do"
    assert usd(tmp_path, "my-server", "llama3.2", 1_000_000, 5, cached=500_000) == 2.0
    assert usd(tmp_path, "other", "llama3.2", 1_000_000, 0) == 7.0
    assert price("my-server", "llama3.2", 1_000_000, 0, local=True, home=tmp_path).usd == 3.0, "a paid gateway, say"
    assert usd(tmp_path, "openai", "gpt-4o-2024-08-06", 1_000_000, 0) == 2.5, "a whole name, not its beginning"
    assert usd(tmp_path, "openai", "gpt-4o", None, 5) is None


@given(st.floats(0, 1000, allow_nan=False).map(lambda f: round(f, 4)), st.integers(0, 10**7), st.integers(0, 10**7))
def test_the_users_price_is_exact(
    tmp_path_factory: pytest.TempPathFactory, each: float, tokens_in: int, tokens_out: int
) -> None:
    home = tmp_path_factory.mktemp("h")
    own(home, {"m": {"input_usd_per_million": each, "output_usd_per_million": each}})
    assert usd(home, "p", "m", tokens_in, tokens_out) == float(Decimal(str(each)) * (tokens_in + tokens_out) / 10**6)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "truncated"),
        ("[]", "Expected `object`"),
        ({"gpt-4o": 1}, "the price of gpt-4o: Expected `object`"),
        ({"gpt-4o": {"input_usd_per_million": 1}}, "output_usd_per_million"),
        ({"gpt-4o": {"input_usd_per_million": -1, "output_usd_per_million": 1}}, ">= 0"),
        ({"gpt-4o": {"input_usd_per_million": "1", "output_usd_per_million": 1}}, "Expected `float`"),
        ('{"gpt-4o": {"input_usd_per_million": 1e999, "output_usd_per_million": 1}}', "out of range"),
        ({"m": {"input_usd_per_million": 1, "output_usd_per_million": 1, "cache_usd": 1}}, "unknown field `cache_usd`"),
    ],
)
def test_a_broken_file_is_a_reason_and_no_other_price_is_taken_in_silence(
    tmp_path: Path, content: Any, says: str
) -> None:
    own(tmp_path, content)
    for local in (True, False):
        found = price("openai", "gpt-4o", 10, 10, local=local, home=tmp_path)
        assert found.usd is None
        assert found.reason is not None
        assert found.reason.startswith(f"{tmp_path / 'prices.json'} cannot be used: ")
        assert says in found.reason
        assert found.reason == prices_problem(tmp_path)
    assert estimate("openai", "gpt-4o", "hello", local=False, home=tmp_path) is None


def test_the_file_in_the_readme_is_one_that_works(tmp_path: Path) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", (REPOSITORY / "README.md").read_text("utf-8"), re.DOTALL)
    own(tmp_path, example)
    assert usd(tmp_path, "my-vllm", "llama3.2", 1_000_000, 0) == 0.1


# ---------------------------------------------------------------- before the call


def test_an_estimate_is_of_the_whole_request_and_every_run(tmp_path: Path) -> None:
    request = {"messages": [{"role": "user", "content": "x" * 4_000_000}]}
    one = estimate("openai", "gpt-4o", request, 1_000, local=False, home=tmp_path)
    assert one == pytest.approx(2.51, rel=1e-4)
    assert estimate("openai", "gpt-4o", request, 1_000, 10, local=False, home=tmp_path) == pytest.approx(
        10 * (one or 0)
    )
    unlimited = estimate("openai", "gpt-4o", "", local=False, home=tmp_path)
    assert unlimited == pytest.approx(OUTPUT_TOKENS * 10 / 1e6)
    reasoning = estimate("openai", "gpt-5", "", local=False, home=tmp_path)
    assert reasoning == pytest.approx(REASONING_TOKENS * 10 / 1e6)
    assert estimate("openai", "no-such-model", request, local=False, home=tmp_path) is None
    assert estimate("ollama", "llama3.2", request, local=True, home=tmp_path) == 0.0


def test_four_ascii_characters_are_a_token_and_every_other_one_is() -> None:
    assert tokens_of("a" * 400) == 100
    assert tokens_of("a" * 401) == 101
    assert tokens_of("灯塔" * 100) == 200
    assert tokens_of({"role": "灯" * 10, "tool": ["a" * 36, 1.5, None, True]}) == 10 + (4 + 4 + 36 + 3 + 4 + 3) // 4


def test_an_image_counts_as_one_however_long_its_base64_is() -> None:
    data = "data:image/png;base64," + "A" * 3_000_000
    openai = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": data}}]
    anthropic = [{"type": "image", "source": {"type": "base64", "data": "A" * 3_000_000}}]
    google = [{"inline_data": {"mime_type": "image/png", "data": "A" * 3_000_000}}]
    for parts in (openai, anthropic, google):
        count = tokens_of([{"role": "user", "content": parts}])
        assert IMAGE_TOKENS < count < IMAGE_TOKENS + 50


def test_more_than_the_cap_is_refused_with_both_figures() -> None:
    check_cap(1.0, 1.0, "10 runs of gpt-4o")
    check_cap(None, 1.0, "10 runs of an unknown model")
    with pytest.raises(BadRequest) as refused:
        check_cap(12.3456789, 1.0, "10 runs of gpt-4o")
    assert refused.value.detail.startswith("10 runs of gpt-4o may cost up to $12.3457, more than the $1.00 that")
    assert "BEACON_SPEND_CAP_USD" in refused.value.detail
    with pytest.raises(BadRequest, match=r"\$1\.0001, more than the \$1\.00 "):
        check_cap(1.00000001, 1.0, "x")
    with pytest.raises(BadRequest, match=r"\$1,234\.50, more than the \$0\.05 "):
        check_cap(1234.5, 0.05, "x")


# ---------------------------------------------------------------- the models to choose from


def test_models_have_the_prices_their_calls_are_counted_with(tmp_path: Path) -> None:
    own(tmp_path, {"openai/gpt-4o": {"input_usd_per_million": 1, "output_usd_per_million": 2}})
    (tmp_path / "config.json").write_text(
        json.dumps(
            {
                "providers": {
                    "ollama": {"base_url": "http://127.0.0.1:11434/v1"},
                    "groq": {"base_url": "https://api.groq.com/openai/v1", "api_key": "gsk-0123456789abcdef"},
                    "odd": {"base_url": "https://models.example/v1", "api_key": "odd-0123456789abcdef"},
                }
            }
        )
    )
    environ = {"OPENAI_API_KEY": "sk-0123456789abcdef"}
    listed = {
        "ollama": ["llama3.2", "gpt-4o"],
        "groq": ["llama-3.3-70b-versatile"],
        "odd": ["own"],
        "openai": ["gpt-4o"],
    }
    found = {(m.provider, m.model): m for m in list_models(tmp_path, endpoints(tmp_path, environ), listed)}
    gpt = found["openai", "gpt-4o"]
    assert (gpt.input_usd_per_million, gpt.output_usd_per_million, gpt.configured, gpt.local) == (1, 2, True, False)
    assert gpt.context == 128_000
    assert not found["anthropic", "claude-opus-4-5"].configured
    assert found["anthropic", "claude-opus-4-5"].output_usd_per_million == 25
    llama = found["ollama", "llama3.2"]
    assert (llama.input_usd_per_million, llama.output_usd_per_million, llama.local) == (0, 0, True)
    assert found["groq", "llama-3.3-70b-versatile"].input_usd_per_million == 0.59
    odd = found["odd", "own"]
    assert (odd.input_usd_per_million, odd.context, odd.configured) == (None, None, True)


def test_a_local_server_in_openais_place_has_its_own_models(tmp_path: Path) -> None:
    at = endpoints(tmp_path, {"OPENAI_BASE_URL": "http://127.0.0.1:8000/v1"})
    found = [m for m in list_models(tmp_path, at, {"openai": ["mine"]}) if m.provider == "openai"]
    assert [(m.model, m.local, m.configured, m.input_usd_per_million) for m in found] == [("mine", True, True, 0)]


def test_a_broken_file_leaves_the_prices_of_models_unknown(tmp_path: Path) -> None:
    own(tmp_path, "{")
    assert {m.input_usd_per_million for m in list_models(tmp_path, endpoints(tmp_path, {}), {})} == {None}
    assert prices_problem(tmp_path) is not None
    own(tmp_path, {})
    assert prices_problem(tmp_path) is None


def test_no_price_is_asked_of_the_network() -> None:
    """An audit hook sees every name that is looked up and every socket that is connected, whoever does it."""
    code = """
import sys
from pathlib import Path

def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind", "socket.sendto"):
        print(event, args, file=sys.stderr)

sys.addaudithook(watch)
from beacon.models import list_models
from beacon.pricing import load, price
import threading
load()
home = Path("/nonexistent")
assert price("openai", "gpt-4o", 10, 10, local=False, home=home).usd
assert price("openai", "none", 10, 10, local=False, home=home).usd is None
assert list_models(home, [], {})
print(threading.active_count())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.strip() == "1", "and no thread is left that could"


def test_a_schema_that_lets_null_through_is_counted_like_any_other() -> None:
    schema = {"type": "object", "properties": {"city": {"type": ["string", "null"], "description": "c" * 400}}}
    assert 100 < tokens_of([{"type": "function", "function": {"name": "weather", "parameters": schema}}]) < 200
