"""The pools of the hub: for each process one a lane, so that long work never uses up the connections of spans."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Literal

from beacon.config import Settings
from beacon.contract.operation import Lane
from hub.pool import Limits, Pool, sweep_for_ever

Upstream = Literal["ingest", "query"]

UPSTREAMS: tuple[Upstream, ...] = ("ingest", "query")

LIMITS: Mapping[Lane, Limits] = {
    # ingest groups what waits into one transaction, so many at once is what makes it fast
    "spans": Limits(connections=128, waiting=1024, answer_s=20.0),
    "short": Limits(connections=32, waiting=512, answer_s=20.0),
    # exports, searches, big deletes: a few at a time, and they may take their time
    "long": Limits(connections=8, waiting=64, answer_s=120.0),
    # calls of a model: each waits for minutes and costs nothing meanwhile
    "llm": Limits(connections=512, waiting=512, answer_s=660.0),
}

INTERNAL_LIMITS = Limits(connections=4, waiting=64, answer_s=5.0)
"""For what the hub itself asks (health, changes): never behind a client's request."""


class Lanes:
    """Every pool, swept once a second from `open` to `close`. Needs a running event loop."""

    def __init__(self, settings: Settings) -> None:
        self._pools: dict[tuple[str, str], Pool] = {}
        for process in UPSTREAMS:
            path = settings.socket_path(process)
            for lane, limits in LIMITS.items():
                self._pools[process, lane] = Pool(process, path, limits)
            self._pools[process, "internal"] = Pool(process, path, INTERNAL_LIMITS)
        self._sweeper = asyncio.get_running_loop().create_task(sweep_for_ever(self._pools.values()))

    def of(self, process: str, lane: Lane) -> Pool:
        """Where a client's request goes."""
        return self._pools[process, lane]

    def internal(self, process: Upstream) -> Pool:
        """Where the hub's own questions go."""
        return self._pools[process, "internal"]

    def close(self) -> None:
        self._sweeper.cancel()
        for pool in self._pools.values():
            pool.close()
