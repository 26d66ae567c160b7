"""Which replay workers are there: each says so every second, and counts until WORKER_TTL_S without word."""

from __future__ import annotations

import time
from collections.abc import Callable

from beacon.contract.operations import WORKER_TTL_S


class Workers:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def seen(self, worker_id: str) -> None:
        self._until[worker_id] = self._clock() + WORKER_TTL_S

    def count(self) -> int:
        now = self._clock()
        self._until = {w: t for w, t in self._until.items() if t > now}
        return len(self._until)
