"""What a call of a model costs: token counts to US dollars.

The user's own prices (`beacon.prices_file`) come first, then 0 for a server on the user's machine, then genai-prices
(https://github.com/pydantic/genai-prices), whose data is part of the package: no price is ever fetched. Where no price
is known the answer is None with the reason, never 0.

genai_prices is imported with the first price: 160 ms and 31 MB, which an idle Beacon does not pay. `load()` does it
ahead of time, on a thread.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from beacon.answer_tokens import answer_tokens
from beacon.catalog import find_known
from beacon.errors import BadRequest
from beacon.prices_file import PRICES_NAME, PricesBroken, read_own_prices

CHARS_A_TOKEN = 4
"""Characters of English a token holds, by OpenAI's rule of thumb (https://help.openai.com/en/articles/4936856). What is
not ASCII counts as a token a character, as Chinese does."""

IMAGE_TOKENS = 2_000
"""Tokens an image counts for in an estimate. The characters of its base64 say nothing: 3 MB of them would count as
750,000 tokens."""

LOCAL = "local"
GENAI_PRICES = "genai-prices"
"""Where a price is from, beside prices.json."""


class Price(Struct, frozen=True):
    """`usd` and the `source` of the price (prices.json, local, genai-prices), or None with the `reason` why it is not
    known."""

    usd: float | None
    reason: str | None = None
    source: str | None = None


def load() -> None:
    """Import what a price needs; for a thread, before the first price is asked for on an event loop."""
    from genai_prices.data_snapshot import get_snapshot

    get_snapshot()


def price(
    provider: str | None,
    model: str,
    tokens_input: int | None,
    tokens_output: int | None,
    tokens_cached: int | None = 0,
    tokens_reasoning: int | None = 0,
    tokens_cache_write: int | None = 0,
    *,
    local: bool,
    home: Path,
    at: datetime | None = None,
) -> Price:
    """What a call cost at the prices of the time `at`, else of now. Tokens read from a cache and written to it are part
    of the input, reasoning tokens of the output, as in `Completion`; `local`: the server was on the user's machine
    (`Endpoint.local`). A broken prices.json is a reason, not an error."""
    try:
        own = read_own_prices(home).find(provider, model)
    except PricesBroken as e:
        return Price(None, str(e))
    if own is None and local:
        return Price(0.0, source=LOCAL)
    if tokens_input is None or tokens_output is None or min(tokens_input, tokens_output) < 0:
        return Price(None, f"{_whose(provider)} did not say how many tokens the call took.")
    cached = min(max(tokens_cached or 0, 0), tokens_input)
    reasoning = min(max(tokens_reasoning or 0, 0), tokens_output)
    if own is not None:
        return Price(own.usd(tokens_input, tokens_output, cached), source=PRICES_NAME)
    written = min(max(tokens_cache_write or 0, 0), tokens_input - cached)
    usd = _known(provider, model, tokens_input, tokens_output, cached, reasoning, written, at)
    return unknown_price(provider, model, home) if usd is None else Price(usd, source=GENAI_PRICES)


def unknown_price(provider: str | None, model: str, home: Path) -> Price:
    """What to say of a model that nobody has a price for."""
    whose = f" of {provider[:40]}" if provider else ""
    return Price(None, f"No price is known for {model[:100]}{whose}; set one in {home / PRICES_NAME}.")


def estimate(
    provider: str | None,
    model: str,
    request: Any,
    max_tokens: int | None = None,
    runs: int = 1,
    *,
    local: bool,
    home: Path,
) -> float | None:
    """US dollars that `runs` calls may cost, before they are made and on the high side; None where no price is known.
    `request` is what is sent (messages, tools) as JSON values; all of `max_tokens` is counted, else `answer_tokens`."""
    output = max_tokens if max_tokens is not None and max_tokens > 0 else answer_tokens(model)
    one = price(provider, model, tokens_of(request), output, local=local, home=home).usd
    return None if one is None else one * runs


class AboveCap(BadRequest):
    """A request may cost more than the user lets one cost."""


def check_cap(estimate_usd: float | None, cap_usd: float, what: str) -> None:
    """Raises `AboveCap` with both figures when `what` (as in "10 runs of gpt-4o") may cost more than
    BEACON_SPEND_CAP_USD. What has no known price passes: its cost is shown as unknown."""
    if estimate_usd is not None and estimate_usd > cap_usd:
        raise AboveCap(
            f"{what} may cost up to ${_dollars(estimate_usd)}, more than the ${_dollars(cap_usd)} that "
            "BEACON_SPEND_CAP_USD allows one request. Ask for less, set max_tokens, or raise the limit."
        )


def tokens_of(request: Any) -> int:
    """About how many tokens `request` (JSON values) takes as input; names of fields count, as an overhead."""
    plain = other = images = 0
    for text in _texts(request):
        if text is None:
            images += 1
        else:
            ascii_chars = len(text) if text.isascii() else sum(map(str.isascii, text))
            plain += ascii_chars
            other += len(text) - ascii_chars
    return math.ceil(plain / CHARS_A_TOKEN) + other + images * IMAGE_TOKENS


_IMAGE_KEYS = frozenset({"image_url", "input_image", "image", "inline_data", "inlineData"})


def _texts(value: Any) -> Iterator[str | None]:
    """Every text in `value`, names of fields too; None for an image."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        kind = value.get("type")  # a list where a JSON schema lets null through
        if (isinstance(kind, str) and kind in _IMAGE_KEYS) or _IMAGE_KEYS & value.keys():
            yield None
            # words beside the picture count all the same
            value = {k: v for k, v in value.items() if k not in _IMAGE_KEYS and k != "source"}
        for name, inner in value.items():
            yield str(name)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
    elif value is not None:
        yield str(value)


def _known(
    provider: str | None,
    model: str,
    tokens_input: int,
    tokens_output: int,
    cached: int,
    reasoning: int,
    written: int,
    at: datetime | None,
) -> float | None:
    """What genai-prices says, or None."""
    known = find_known(provider, model)
    if known is None:
        return None
    source, found = known
    from genai_prices.types import Usage

    now = datetime.now(UTC) if at is None else at
    prices = found.get_prices(now)
    if (tokens_input and prices.input_mtok is None) or (tokens_output and prices.output_mtok is None):
        return None  # priced by seconds or images, or not at all: the sum would be 0
    usage = Usage(
        input_tokens=tokens_input,
        output_tokens=tokens_output,
        cache_read_tokens=cached,
        cache_write_tokens=written,
        output_reasoning_tokens=reasoning,
    )
    return float(found.calc_price(usage, source, genai_request_timestamp=now).total_price)


def _whose(provider: str | None) -> str:
    return provider[:40] if provider else "The server"


def _dollars(usd: float) -> str:
    """At least cents, at most four digits behind the point, and never less than it is."""
    text = f"{math.ceil(round(usd * 10_000, 6)) / 10_000:,.4f}".rstrip("0")
    whole, _, cents = text.partition(".")
    return f"{whole}.{cents:0<2}"
