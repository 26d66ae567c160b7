"""The user's own prices: prices.json in Beacon's home, which comes before every price that Beacon knows.

::

    {"gpt-4o": {"input_usd_per_million": 2.5, "output_usd_per_million": 10, "cached_usd_per_million": 1.25},
     "my-server/llama3.2": {"input_usd_per_million": 0.1, "output_usd_per_million": 0.1}}

A name is a model's, or `provider/model`, which wins; in any case, and whole: `gpt-4o` says nothing of
`gpt-4o-2024-08-06`. `cached_usd_per_million` is for input tokens the provider had cached; left out, they cost what the
others do.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

PRICES_NAME = "prices.json"

MILLION = 1_000_000

Usd = Annotated[float, Meta(ge=0, le=1_000_000)]


class OwnPrice(Struct, frozen=True, forbid_unknown_fields=True):
    """US dollars a million tokens. A field that is misspelt is an error: left out in silence it would cost money."""

    input_usd_per_million: Usd
    output_usd_per_million: Usd
    cached_usd_per_million: Usd | None = None

    def usd(self, tokens_input: int, tokens_output: int, tokens_cached: int) -> float:
        """What a call costs; cached tokens are part of the input."""
        cached = self.input_usd_per_million if self.cached_usd_per_million is None else self.cached_usd_per_million
        total = (
            Decimal(str(self.input_usd_per_million)) * (tokens_input - tokens_cached)
            + Decimal(str(cached)) * tokens_cached
            + Decimal(str(self.output_usd_per_million)) * tokens_output
        )
        return float(total / MILLION)


class PricesBroken(Exception):
    """prices.json cannot be used; the message names the file and says what is wrong with it."""


class OwnPrices:
    """The prices of a prices.json by lower-case name."""

    def __init__(self, prices: dict[str, OwnPrice]) -> None:
        self._prices = {name.lower(): price for name, price in prices.items()}

    def find(self, provider: str | None, model: str) -> OwnPrice | None:
        """The user's price of `model`, that of `provider` first."""
        whole = f"{provider}/{model}".lower() if provider else ""
        return self._prices.get(whole) or self._prices.get(model.lower())


def read_own_prices(home: Path) -> OwnPrices:
    """The user's prices; none where there is no file. Raises `PricesBroken`."""
    path = home / PRICES_NAME
    try:
        entries = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        return OwnPrices({name: _price(path, name, entry) for name, entry in entries.items()})
    except FileNotFoundError:
        return OwnPrices({})
    except OSError as e:
        raise PricesBroken(f"{path} cannot be read: {e.strerror}.") from e
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise _broken(path, str(e)) from e


def _price(path: Path, name: str, entry: Any) -> OwnPrice:
    try:
        return msgspec.convert(entry, OwnPrice)
    except msgspec.ValidationError as e:
        raise _broken(path, f"the price of {name[:100]}: {e}") from e


def _broken(path: Path, why: str) -> PricesBroken:
    return PricesBroken(f"{path} cannot be used: {why}. Correct it, or move it away to use the prices Beacon knows.")
