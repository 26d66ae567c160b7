"""Reader threads: a read runs whole on one of them, so that it costs one hop from the event loop and back.

Figures and the way not taken (a hop a statement): docs/adr/0005-reads.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from beacon.errors import QueueFull
from query.connections import Connections
from query.walk import READ_MAX_S, Job, Walk

T = TypeVar("T")

IDLE_S = 20.0
"""Seconds after which a reader with nothing to do closes its connection, and gives back its page cache."""


class Readers:
    """At most `threads` reader threads, started as they are needed, each with a connection of its own."""

    def __init__(self, connections: Connections, name: str, *, threads: int, waiting_max: int) -> None:
        self._connections = connections
        self._name = name
        self._threads_max = threads
        self._waiting_max = waiting_max
        self._threads: list[threading.Thread] = []
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._unsettled = 0

    async def read(self, fn: Callable[..., T], *args: Any) -> T:
        """`fn(db, *args)` on a reader thread, in one snapshot."""

        def in_one_snapshot(walk: Walk) -> T:
            with walk.snapshot() as db:
                return fn(db, *args)

        return await self._submit(in_one_snapshot)

    async def walk(self, fn: Callable[..., T], *args: Any) -> T:
        """`fn(walk, *args)` on a reader thread; it takes the snapshots it needs. Cancelling stops it."""
        return await self._submit(lambda walk: fn(walk, *args))

    async def _submit(self, run: Callable[[Walk], T]) -> T:
        """Raises `QueueFull` when too many reads wait, `StoreBusy` while there is no database to read, what `run`
        raises."""
        if self._unsettled >= self._waiting_max:
            raise QueueFull("Too many reads are waiting; try again in a moment.")
        loop = asyncio.get_running_loop()
        job = Job(run, loop)
        self._unsettled += 1
        if self._unsettled > len(self._threads) < self._threads_max:
            self._start_thread()
        watch = loop.call_later(READ_MAX_S, self._watch, job)
        self._queue.put(job)
        try:
            result: T = await job.future
            return result
        except asyncio.CancelledError:
            job.abandoned = True
            job.interrupt()
            raise
        finally:
            watch.cancel()
            self._unsettled -= 1

    def _watch(self, job: Job) -> None:
        """Interrupt the job's statement when its snapshot is overdue; look again until it is settled."""
        if job.future.done():
            return
        deadline = job.deadline
        left = READ_MAX_S if deadline is None else deadline - time.monotonic()
        if left <= 0:
            # again and again: an interrupt between two statements stops neither
            job.interrupt()
            left = 0.1
        job.loop.call_later(left, self._watch, job)

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._serve, name=f"{self._name}-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    async def close(self) -> None:
        """Let the reads that run end, then close every connection."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join, READ_MAX_S)
        self._threads.clear()

    # ------------------------------------------------------------ on a reader's thread

    def _serve(self) -> None:
        slot = self._connections.slot()
        while True:
            try:
                job = self._queue.get(timeout=IDLE_S if slot.is_open else None)
            except queue.Empty:
                slot.close()
                continue
            if job is None:
                break
            result: Any = None
            error: BaseException | None = None
            try:
                if not job.abandoned:
                    with slot.use() as db, job.on(db):
                        result = job.run(Walk(db, job))
            except BaseException as e:
                error = e
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                job.loop.call_soon_threadsafe(_settle, job.future, result, error)
            del job, result, error  # an answer of megabytes must not live until the next one
        self._connections.remove(slot)


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
