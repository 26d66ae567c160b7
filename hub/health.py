"""GET /health: what each part says of itself, put together."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import msgspec

from beacon.config import Settings
from beacon.contract.records import Health, Parts
from beacon.version import VERSION
from beacon.web import Call, Reply, json_reply
from beacon.workers import wanted_workers
from hub.ask import NoAnswer, ask
from hub.lanes import UPSTREAMS, Lanes, Upstream

PROBE_S = 1.0
"""Seconds a part has to answer."""

FRESH_S = 0.5
"""Seconds a good answer is given again; a bad one is never, so that a wait for 200 ends as soon as it can."""

ANSWER_BYTES_MAX = 64 * 1024

UP = "up"


class HealthDown(Health):
    """A 503 says, as every error does, what is wrong and what to do."""

    detail: str


class HealthCheck:
    """`workers` tells how many replay workers there are, None when nobody has said so lately; `otlp_port` the second
    port, None while it is not served."""

    def __init__(
        self,
        settings: Settings,
        lanes: Lanes,
        workers: Callable[[], int | None],
        otlp_port: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._lanes = lanes
        self._workers = workers
        self._otlp_port = otlp_port
        self._loop = asyncio.get_running_loop()
        self._parts: asyncio.Task[dict[Upstream, str]] | None = None
        self._good_until = 0.0

    async def handle(self, _: Call) -> Reply:
        """The handler of the operation get_health."""
        states = await self._states()
        down = {part: state for part, state in states.items() if state != UP}
        wanted = wanted_workers(self._settings, os.getppid())
        workers = describe_workers(wanted, self._workers())
        parts = Parts(states["ingest"], states["query"], workers)
        missing = workers_missing(wanted, self._workers())
        health = Health(
            "degraded" if down or missing else "ok", VERSION, str(self._settings.db_path), parts, self._otlp_port()
        )
        if not down:
            return json_reply(health)
        detail = (
            f"Beacon is degraded: {'; '.join(f'{part} is {state}' for part, state in down.items())}. "
            "It heals by itself as a rule; `beacon doctor` says more."
        )
        return json_reply(HealthDown(**msgspec.structs.asdict(health), detail=detail), 503, [(b"retry-after", b"1")])

    async def _states(self) -> dict[Upstream, str]:
        """One look at the parts serves all who ask while it is taken, and a good one for FRESH_S after."""
        task = self._parts
        if task is None or (task.done() and self._loop.time() >= self._good_until):
            task = self._parts = self._loop.create_task(self._look())
        return await asyncio.shield(task)

    async def _look(self) -> dict[Upstream, str]:
        self._good_until = 0.0
        found = await asyncio.gather(*(self._state(process) for process in UPSTREAMS))
        states = dict(zip(UPSTREAMS, found, strict=True))
        if all(state == UP for state in found):
            self._good_until = self._loop.time() + FRESH_S
        return states

    async def _state(self, process: Upstream) -> str:
        try:
            status, body = await ask(
                self._lanes.internal(process),
                b"/internal/%b/health" % process.encode(),
                timeout_s=PROBE_S,
                bytes_max=ANSWER_BYTES_MAX,
            )
        except NoAnswer as e:
            return f"down: {e}"
        return UP if status == 200 else f"down: {_detail(status, body)}"


def describe_workers(wanted: int, there: int | None) -> str:
    """`none` where the user wants none, `2 up`, `1 of 2 up`, or `down`."""
    if not wanted and not there:
        return "none"
    if not there:
        return "down"
    return f"{there} up" if there >= wanted else f"{there} of {wanted} up"


def workers_missing(wanted: int, there: int | None) -> bool:
    return (there or 0) < wanted


def _detail(status: int, body: bytes) -> str:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        answer = None
    detail = answer.get("detail") if isinstance(answer, dict) else None
    return detail if isinstance(detail, str) else f"it answers {status}"
