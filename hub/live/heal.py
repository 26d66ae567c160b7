"""Asks query for what the live stream has missed."""

from __future__ import annotations

import asyncio

from beacon.contract.events import Envelope, unpack
from hub.ask import NoAnswer, ask
from hub.pool import Pool

PATIENCE_S = 5.0
"""Seconds query may be away before clients are told to fetch anew."""

ATTEMPT_S = 2.0
RETRY_EVERY_S = 0.1

CHANGES_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of one answer: 2,000 rows of the usual 2.8 KB are 6 MB."""


class CannotHeal(Exception):
    """The changes cannot be had; clients must fetch anew. Its text says why."""


async def fetch_changes(query: Pool, after: int, *, patience_s: float = PATIENCE_S) -> Envelope:
    """Every change after the number `after`, from one snapshot of the database.

    Asks again while query is away, for `patience_s`. Raises `CannotHeal` then, and at once when query says that it
    cannot tell (too much has changed, tombstones are gone, the number is from another database).
    """
    loop = asyncio.get_running_loop()
    give_up = loop.time() + patience_s
    while True:
        try:
            status, body = await ask(
                query, b"/internal/changes?after=%d" % after, timeout_s=ATTEMPT_S, bytes_max=CHANGES_BYTES_MAX
            )
        except NoAnswer as e:
            why = str(e)
        else:
            if status == 200:
                try:
                    return unpack(body)
                except (ValueError, TypeError) as e:
                    raise CannotHeal(f"query's changes cannot be read: {e}") from e
            why = f"query answered {status}: {body[:200].decode('utf-8', 'replace')}"
            if status != 503:
                raise CannotHeal(why)
        if loop.time() + RETRY_EVERY_S > give_up:
            raise CannotHeal(why)
        await asyncio.sleep(RETRY_EVERY_S)
