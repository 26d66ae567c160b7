"""Prices of many calls: what `beacon.pricing` says, 30 times as fast, for a process that prices every span it is sent.

genai-prices takes 110 us a call, most of it to find the model and to check its prices once more. Within one step of a
model's price list the price is linear in the counts of tokens, so a few sums give the factors; they are remembered, and
a call is five multiplications. Decimals all through: the last digit is the same.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from beacon import pricing
from beacon.catalog import find_known
from beacon.prices_file import PRICES_NAME, OwnPrices, PricesBroken, read_own_prices
from beacon.pricing import GENAI_PRICES, Price, unknown_price

if TYPE_CHECKING:  # imported with the first price
    from genai_prices.types import ModelInfo, ModelPrice
    from genai_prices.types import Provider as Source

MODELS_MAX = 10_000
"""Names of models that are remembered. They come from spans: a client that made one up for every call would fill the
memory, so at this many all are forgotten."""


LOOK_EVERY_S = 1.0
"""Seconds between two looks whether prices.json has changed."""


class _Factors(Struct):
    """US dollars a token. `cached`, `written` and `reasoned`: what such a token costs beside the plain price, as it is
    counted as input or output too; `fixed`: a call."""

    input: Decimal
    output: Decimal
    cached: Decimal
    written: Decimal
    reasoned: Decimal
    fixed: Decimal


class _Steps(Struct):
    """The price list of a model: from how many input tokens on each step counts, and the factors known so far."""

    prices: ModelPrice
    starts: list[int]
    factors: dict[int, _Factors]


class Rates:
    """Prices by model, remembered; for one thread, but `load` may run on another."""

    def __init__(self, home: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._home = home
        self._clock = clock
        self._next_look = -math.inf
        self._own: OwnPrices | PricesBroken = OwnPrices({})
        self._own_stamp: tuple[int, int, int] | None = None
        self._models: dict[tuple[str | None, str], tuple[Source, ModelInfo] | None] = {}
        self._steps: dict[int, _Steps] = {}
        self.loaded = False

    def load(self) -> None:
        """Import genai_prices: 200 ms the first time, nothing after."""
        pricing.load()
        self.loaded = True

    def price(
        self,
        provider: str | None,
        model: str,
        tokens_input: int | None,
        tokens_output: int | None,
        tokens_cached: int | None,
        tokens_reasoning: int | None,
        tokens_cache_write: int | None,
        *,
        at_s: float,
        local: bool,
    ) -> Price:
        """As `pricing.price`, at the prices of `at_s` (seconds since 1970). A provider that has no price for a model,
        such as a gateway, is taken to charge what the model's maker does."""
        own = self._own_prices()
        if isinstance(own, PricesBroken):
            return Price(None, str(own))
        if local or tokens_input is None or tokens_output is None or own.find(provider, model) is not None:
            return pricing.price(
                provider, model, tokens_input, tokens_output, tokens_cached, tokens_reasoning, tokens_cache_write,
                local=local, home=self._home,
            )  # fmt: skip
        known = self._known(provider, model)
        if known is None:
            return unknown_price(provider, model, self._home)
        self.loaded = True
        prices = known[1].get_prices(datetime.fromtimestamp(at_s, UTC))
        if (tokens_input and prices.input_mtok is None) or (tokens_output and prices.output_mtok is None):
            return unknown_price(provider, model, self._home)  # priced by seconds or images: the sum would be 0
        factors = self._factors(known, prices, tokens_input)
        cached = min(max(tokens_cached or 0, 0), tokens_input)
        written = min(max(tokens_cache_write or 0, 0), tokens_input - cached)
        reasoned = min(max(tokens_reasoning or 0, 0), tokens_output)
        total = factors.fixed + tokens_input * factors.input + tokens_output * factors.output
        if cached:
            total += cached * factors.cached
        if written:
            total += written * factors.written
        if reasoned:
            total += reasoned * factors.reasoned
        return Price(float(total), source=GENAI_PRICES)

    def _own_prices(self) -> OwnPrices | PricesBroken:
        """prices.json, read again when its file has changed; looked at once in LOOK_EVERY_S, as a look takes 3 us."""
        now = self._clock()
        if now < self._next_look:
            return self._own
        self._next_look = now + LOOK_EVERY_S
        try:
            found = (self._home / PRICES_NAME).stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        except OSError:
            stamp = (0, 0, 0)
        if stamp != self._own_stamp:
            try:
                self._own = read_own_prices(self._home)
            except PricesBroken as e:
                self._own = e
            self._own_stamp = stamp
        return self._own

    def _known(self, provider: str | None, model: str) -> tuple[Source, ModelInfo] | None:
        key = (provider, model)
        if key in self._models:
            return self._models[key]
        if len(self._models) >= MODELS_MAX:
            self._models.clear()
        found = find_known(provider, model)
        if found is None and provider is not None:
            found = find_known(None, model)
        self._models[key] = found
        return found

    def _factors(self, known: tuple[Source, ModelInfo], prices: ModelPrice, tokens_input: int) -> _Factors:
        steps = self._steps.get(id(prices))
        if steps is None or steps.prices is not prices:
            steps = self._steps[id(prices)] = _Steps(prices, _starts(prices), {})
        step = sum(tokens_input > start for start in steps.starts)
        factors = steps.factors.get(step)
        if factors is None:
            factors = steps.factors[step] = _measured(known, prices, steps.starts[step - 1] if step else 0)
        return factors


def _starts(prices: ModelPrice) -> list[int]:
    from genai_prices.types import TieredPrices

    tiered = [price for price in prices.__dict__.values() if isinstance(price, TieredPrices)]
    return sorted({tier.start for price in tiered for tier in price.tiers})


def _measured(known: tuple[Source, ModelInfo], prices: ModelPrice, start: int) -> _Factors:
    """The factors of the step above `start` input tokens, from what a few calls would cost."""
    from genai_prices.types import Usage

    def usd(input_tokens: int, output: int = 0, cached: int = 0, written: int = 0, reasoned: int = 0) -> Decimal:
        usage = Usage(
            input_tokens=input_tokens,
            output_tokens=output,
            cache_read_tokens=cached,
            cache_write_tokens=written,
            output_reasoning_tokens=reasoned,
        )
        return prices.calc_price(usage)["total_price"]

    one, two, answered = usd(start + 1), usd(start + 2), usd(start + 2, output=1)
    return _Factors(
        input=two - one,
        output=answered - two,
        cached=usd(start + 2, cached=1) - two,
        written=usd(start + 2, written=1) - two,
        reasoned=usd(start + 2, output=1, reasoned=1) - answered,
        fixed=one - (start + 1) * (two - one),
    )
