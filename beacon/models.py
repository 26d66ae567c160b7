"""The models a user can choose from: those that are known, with context and prices, and those a server lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from beacon.catalog import KnownModel, known_model, known_models
from beacon.contract.llm_records import Model
from beacon.keys import Endpoint
from beacon.prices_file import OwnPrices, PricesBroken, read_own_prices


def list_models(home: Path, endpoints: Iterable[Endpoint], listed: Mapping[str, Iterable[str]]) -> list[Model]:
    """The known models of openai, anthropic and google, then what each server said it has (`listed`, by provider), each
    once. Prices as `beacon.pricing` has them: the user's own first, 0 for a server on this machine. A broken
    prices.json leaves prices unknown: `prices_problem` says so."""
    try:
        own = read_own_prices(home)
    except PricesBroken:
        own = None
    servers = {endpoint.provider: endpoint for endpoint in endpoints}
    found: dict[tuple[str, str], Model] = {}
    for known in known_models():
        at = servers.get(known.provider)
        if at is None or not at.local:  # a local server in a provider's place has models of its own
            found[known.provider, known.model] = _model(known, at, own)
    for provider, names in listed.items():
        at = servers.get(provider)
        for name in sorted(set(names) - {model for of, model in found if of == provider}):
            unknown = KnownModel(
                provider=provider, model=name, context=None, input_usd_per_million=None, output_usd_per_million=None
            )
            found[provider, name] = _model(known_model(provider, name) or unknown, at, own)
    return list(found.values())


def prices_problem(home: Path) -> str | None:
    """What is wrong with the user's prices.json, if anything is."""
    try:
        read_own_prices(home)
    except PricesBroken as e:
        return str(e)
    return None


def _model(known: KnownModel, at: Endpoint | None, own: OwnPrices | None) -> Model:
    """`known` with the price that a call of it is counted with."""
    local = at is not None and at.local
    mine = own.find(known.provider, known.model) if own is not None else None
    prices: tuple[float | None, float | None] = (known.input_usd_per_million, known.output_usd_per_million)
    if own is None:
        prices = (None, None)
    elif mine is not None:
        prices = (mine.input_usd_per_million, mine.output_usd_per_million)
    elif local:
        prices = (0.0, 0.0)
    return Model(
        model=known.model,
        provider=known.provider,
        context=known.context,
        input_usd_per_million=prices[0],
        output_usd_per_million=prices[1],
        configured=at is not None and at.configured,
        local=local,
    )
