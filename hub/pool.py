"""Connections to one process for one kind of work: few enough to bound it, kept open because opening costs 0.1 ms."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from beacon.errors import QueueFull, Unavailable
from hub.upstream import Connection

log = logging.getLogger("beacon.hub")

IDLE_S = 30.0
"""Seconds an idle connection is kept: well under the servers' 75, so that none is used in the moment it is closed."""

PROBE_EVERY_S = 0.02
"""Seconds between looks whether a process that is away is back, while a request waits for it."""

SWEEP_EVERY_S = 1.0


_AWAY = {errno.ENOENT: "it is not running", errno.ECONNREFUSED: "nobody listens at its socket"}


class Unreachable(Exception):
    """Nobody answers at the process's socket; nothing was sent."""


class Limits(NamedTuple):
    """`connections` at once, `waiting` requests for one, `answer_s` seconds for the process to get on with it."""

    connections: int
    waiting: int
    answer_s: float


class Pool:
    """`process` is the name errors give it; `path` is its unix socket."""

    def __init__(self, process: str, path: Path, limits: Limits) -> None:
        self.process = process
        self.limits = limits
        self._path = str(path)
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._opening = 0
        self._waiters: deque[tuple[asyncio.Future[Connection | None], float]] = deque()
        self._probe: asyncio.Task[bool] | None = None
        self._probe_until = 0.0
        self._probed_for = 0
        self._away: bool | None = None

    # ------------------------------------------------------------ taking and giving back

    def take(self) -> Connection | None:
        """An idle connection, or None; no task switch, for the path every request takes."""
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
        return None

    async def acquire(self, *, fresh: bool = False) -> Connection:
        """A connection, opened if need be (`fresh`: always, where the limit allows it). Raises `Unreachable`, and
        `QueueFull` when as many requests wait as may, or this one has waited as long as it may."""
        while True:
            if not fresh and (connection := self.take()) is not None:
                return connection
            if len(self._all) + self._opening < self.limits.connections:
                return await self._open()
            if fresh and (connection := self.take()) is not None:
                return connection
            granted = await self._wait_turn()
            if granted is not None:
                return granted

    def release(self, connection: Connection) -> None:
        """Give a connection back: kept if its exchange ended well, ended if not."""
        if not connection.reusable:
            connection.abort()
            return
        connection.rest(self._loop.time())
        while self._waiters:
            waiter, _ = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """A connection has ended; whoever waits may open another."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._let_one_open()

    # ------------------------------------------------------------ a process that is away

    async def reachable(self, until: float) -> bool:
        """Wait, at most to the loop's time `until`, for the process to answer at its socket.

        One probe serves every request that waits, and as many may wait as for a connection. Raises `QueueFull`.
        """
        if self._probed_for >= self.limits.waiting:
            raise self._full()
        self._probe_until = max(self._probe_until, until)
        probe = self._probe
        if probe is None or probe.done():
            probe = self._probe = self._loop.create_task(self._probe_socket())
        self._probed_for += 1
        try:
            done, _ = await asyncio.wait({probe}, timeout=max(0.0, until - self._loop.time()))
            return bool(done) and probe.result()
        finally:
            self._probed_for -= 1

    async def _probe_socket(self) -> bool:
        while self._loop.time() < self._probe_until:
            try:
                transport, _ = await self._loop.create_unix_connection(asyncio.Protocol, self._path)
            except OSError:
                await asyncio.sleep(PROBE_EVERY_S)
            else:
                transport.close()
                return True
        return False

    # ------------------------------------------------------------ time

    def sweep(self) -> None:
        """Once a second: end what has been idle or overdue for too long."""
        now = self._loop.time()
        for connection in [c for c in self._idle if now - c.idle_since > IDLE_S]:
            self._idle.remove(connection)
            connection.abort()
        for connection in list(self._all):
            if connection.deadline and now > connection.deadline:
                connection.expire()
        while self._waiters and now > self._waiters[0][1]:
            waiter, _ = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(self._full())

    def close(self) -> None:
        if self._probe is not None:
            self._probe.cancel()
        for connection in list(self._all):
            connection.abort()

    # ------------------------------------------------------------ inside

    async def _open(self) -> Connection:
        self._opening += 1
        try:
            _, connection = await self._loop.create_unix_connection(lambda: Connection(self, self._loop), self._path)
        except OSError as e:
            why = _AWAY.get(e.errno or 0) or (os.strerror(e.errno) if e.errno else str(e))
            self._note(away=True, why=why)
            raise Unreachable(why) from e
        finally:
            self._opening -= 1
            self._let_one_open()
        if connection.ended:  # accepted and closed at once: a process that is just stopping
            raise Unreachable("it closed the connection")
        self._all.add(connection)
        self._note(away=False, why="")
        return connection

    async def _wait_turn(self) -> Connection | None:
        if len(self._waiters) >= self.limits.waiting:
            raise self._full()
        turn: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiters.append((turn, self._loop.time() + self.limits.answer_s))
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                granted = turn.result()
                if granted is not None:
                    self.release(granted)
                else:
                    self._let_one_open()
            raise

    def _let_one_open(self) -> None:
        while self._waiters and len(self._all) + self._opening < self.limits.connections:
            waiter, _ = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _note(self, *, away: bool, why: str) -> None:
        """Log that the process has gone or come back: once a change, not once a request."""
        before, self._away = self._away, away
        if away and before is False:
            log.warning("%s is away: %s", self.process, why)
        elif before is True and not away:
            log.info("%s is there", self.process)

    def _full(self) -> Unavailable:
        return QueueFull(
            f"Beacon's {self.process} process has as many requests waiting as it may; send this again in a moment."
        )


async def sweep_for_ever(pools: Iterable[Pool]) -> None:
    """Sweep every pool once a second, until cancelled."""
    kept = tuple(pools)
    while True:
        await asyncio.sleep(SWEEP_EVERY_S)
        for pool in kept:
            pool.sweep()
