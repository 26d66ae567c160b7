"""The kinds `key_test` and `models`: what a provider's server says of itself."""

from __future__ import annotations

import asyncio
import time
from typing import cast

from beacon import keys
from beacon.contract.jobs import KeyTestPayload, ModelsPayload
from beacon.contract.llm_records import KeyTest, Models, Unlisted
from beacon.errors import BadRequest, BeaconError
from beacon.models import list_models, prices_problem
from replay_worker.work import Work

MODELS_SHOWN = 200
"""Names of models a key test brings back."""

TEST_S = 10.0
"""Seconds a server has to answer a test of its key."""

LIST_S = 5.0
"""Seconds each server has to list its models: a picker waits for the slowest, and the job ends after eight."""


async def run_key_test(work: Work) -> KeyTest:
    """Ask the stored base URL, with the stored key, for its models: it costs nothing, and a wrong key or address fails
    as any call of it would. Never raises for what the server says: that is the answer."""
    payload = cast("KeyTestPayload", work.payload)
    endpoint = keys.endpoint(work.settings.home, payload.provider, work.environ)
    if endpoint is None:
        raise BadRequest(f"The provider {payload.provider!r} is not saved; save it first.")
    if not endpoint.configured:
        raise BadRequest(keys.no_key(endpoint))
    began = time.monotonic()
    try:
        async with asyncio.timeout(TEST_S):
            names = await work.models.list_models(endpoint)
    except (BeaconError, TimeoutError) as e:
        detail = (
            e.detail if isinstance(e, BeaconError) else f"{endpoint.base_url} did not answer within {TEST_S:.0f} s."
        )
        return KeyTest(payload.provider, False, endpoint.base_url, _status(e), detail, _ms(began))
    detail = f"{endpoint.base_url} answered and lists {len(names)} models."
    return KeyTest(payload.provider, True, endpoint.base_url, 200, detail, _ms(began), names[:MODELS_SHOWN])


async def run_models(work: Work) -> Models:
    """The known models, what the servers of the payload's providers list, and which of them could not be asked."""
    payload = cast("ModelsPayload", work.payload)
    endpoints = keys.endpoints(work.settings.home, work.environ)
    named = {endpoint.provider: endpoint for endpoint in endpoints}
    listed: dict[str, list[str]] = {}
    unlisted: list[Unlisted] = []

    async def ask(provider: str) -> None:
        endpoint = named.get(provider)
        if endpoint is None:
            unlisted.append(Unlisted(provider, "It is not saved any more."))
            return
        try:
            async with asyncio.timeout(LIST_S):
                listed[provider] = await work.models.list_models(endpoint)
        except TimeoutError:
            unlisted.append(Unlisted(provider, f"{endpoint.base_url} did not answer within {LIST_S:.0f} s."))
        except BeaconError as e:
            unlisted.append(Unlisted(provider, e.detail))

    await asyncio.gather(*map(ask, dict.fromkeys(payload.providers)))
    problem = prices_problem(work.settings.home)
    if problem is not None:
        unlisted.append(Unlisted("prices.json", problem))
    unlisted.sort(key=lambda one: one.provider)
    models = await asyncio.to_thread(list_models, work.settings.home, endpoints, listed)
    return Models(models, unlisted)


def _status(failure: BaseException) -> int | None:
    """The provider's own status, where it answered at all."""
    status = getattr(failure, "upstream_status", None)
    return status if isinstance(status, int) else None


def _ms(began: float) -> float:
    return (time.monotonic() - began) * 1000
