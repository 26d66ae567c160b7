"""What a call that was traced cost, at the prices of the day it was made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from beacon.rates import Rates
from ingest.otlp.dialects import plain
from ingest.otlp.facts import Tokens
from ingest.otlp.records import OtlpSpan

Price = Callable[[str | None, str, Tokens, int, bool], tuple[float | None, str]]
"""`price(provider, model, tokens, start_ns, local)` gives US dollars and where the price is from, or None and why it is
not known. `provider` is a canonical name; `local`: the model ran on the user's own machine."""


class Prices:
    """A Price over `beacon.rates`. A call costs 5 us, the first of all 200 ms, as it imports genai_prices; `load` does
    that ahead of time, on a thread."""

    def __init__(self, home: Path) -> None:
        self._rates = Rates(home)

    def __call__(
        self, provider: str | None, model: str, tokens: Tokens, start_ns: int, local: bool
    ) -> tuple[float | None, str]:
        price = self._rates.price(
            provider,
            model,
            tokens.input,
            tokens.output,
            tokens.cache_read,
            tokens.reasoning,
            tokens.cache_write,
            at_s=start_ns / 1e9,
            local=local,
        )
        return (price.usd, price.source or "") if price.usd is not None else (None, price.reason or "")

    def wanted(self, spans: list[OtlpSpan]) -> bool:
        """Whether `load` has not been and these spans may have a price."""
        return not self._rates.loaded and any(not plain.matches(span) for span in spans)

    async def load(self) -> None:
        """Import what prices need, on a thread."""
        await asyncio.to_thread(self._rates.load)
