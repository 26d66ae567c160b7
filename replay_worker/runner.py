"""Claims jobs, does them side by side, keeps their leases, and hands in what came of them."""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from beacon.config import Settings
from beacon.contract.jobs import PAYLOADS, RENEW_EVERY_S, Claimed, Complete, Hint, JobError
from beacon.errors import BeaconError
from replay_worker.deltas import Deltas, pause_s
from replay_worker.kinds import function_of
from replay_worker.stack import Stack
from replay_worker.work import Caller, Kind, Work

log = logging.getLogger("beacon.worker")

JOBS_MAX = 128
"""Jobs one worker does at once: calls of models are waiting, mostly; beyond that others should have them."""


class Hints(Protocol):
    """Where hints come from (`beacon.bus.Puller`); paused, they go to other workers."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Runner:
    """Does the jobs that `hint` tells of. `models` gives the client that calls models, made at the first job; `send`
    takes messages of text as it comes; `kinds` finds the function of a kind."""

    def __init__(
        self,
        settings: Settings,
        worker_id: str,
        stack: Stack,
        models: Callable[[], Caller],
        send: Callable[[bytes], bool],
        kinds: Callable[[str], Kind] = function_of,
        jobs_max: int = JOBS_MAX,
    ) -> None:
        self._settings = settings
        self._worker_id = worker_id
        self._stack = stack
        self._models = models
        self._send = send
        self._kinds = kinds
        self._jobs_max = jobs_max
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self._hints: Hints | None = None
        self._leaving = False

    @property
    def count(self) -> int:
        """Jobs this worker has, or is claiming."""
        return len(self._jobs)

    def listen(self, hints: Hints) -> None:
        """`hints` are paused while there is no room for another job."""
        self._hints = hints

    def hint(self, message: bytes) -> None:
        """There is a job: claim it if there is room. A hint that is not taken comes again, to whoever is free."""
        try:
            job_id = msgspec.msgpack.decode(message, type=Hint).job_id
        except msgspec.MsgspecError:
            log.warning("a hint could not be read; is ingest of another version?")
            return
        if self._leaving or job_id in self._jobs or len(self._jobs) >= self._jobs_max:
            return
        task = asyncio.get_running_loop().create_task(self._take(job_id), name=f"job {job_id}")
        self._jobs[job_id] = task
        task.add_done_callback(lambda _: self._over(job_id))
        if len(self._jobs) >= self._jobs_max and self._hints is not None:
            self._hints.pause()

    def leave(self) -> None:
        """Take no more jobs."""
        self._leaving = True

    async def finished(self) -> None:
        """Returns when every job this worker has is over."""
        while self._jobs:
            await asyncio.wait(list(self._jobs.values()))
            await asyncio.sleep(0)  # their callbacks

    def abandon(self) -> None:
        """End every job now; ingest will find their leases run out."""
        for task in list(self._jobs.values()):
            task.cancel()

    def _over(self, job_id: str) -> None:
        task = self._jobs.pop(job_id)
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("the work on job %s ended without being handed in", job_id, exc_info=failure)
        if self._hints is not None and not self._leaving and len(self._jobs) < self._jobs_max:
            self._hints.resume()

    # ------------------------------------------------------------ one job

    async def _take(self, job_id: str) -> None:
        claimed = await self._stack.claim(job_id, self._worker_id)
        if claimed is None:
            return
        deltas = Deltas(job_id, claimed.token, self._send, lambda: pause_s(len(self._jobs)))
        complete = await self._outcome(claimed, deltas)
        deltas.flush()
        if complete is not None:
            await self._stack.complete(job_id, complete)

    async def _outcome(self, claimed: Claimed, deltas: Deltas) -> Complete | None:
        """What to hand in; None when nobody wants it any more."""
        token = claimed.token
        work = asyncio.create_task(self._work(claimed, deltas))
        renewals = asyncio.create_task(self._keep_lease(claimed))
        try:
            await asyncio.wait({work, renewals}, timeout=claimed.deadline_s, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return Complete(token, result=msgspec.Raw(_encode(work.result())))
            cancelled = renewals.done()
            work.cancel()
            await asyncio.wait({work})
            if work.cancelled() or work.exception() is not None:
                if cancelled:
                    log.info("job %s was cancelled", claimed.job_id)
                    return None
                return Complete(
                    token, error=JobError(502, f"The job was not done within its {claimed.deadline_s:.0f} seconds.")
                )
            return Complete(token, result=msgspec.Raw(_encode(work.result())))  # it was just done
        except BeaconError as e:
            return Complete(token, error=JobError(e.status, e.detail))
        except Exception:
            problem = uuid.uuid4().hex[:12]
            log.exception("job %s (%s) failed with a bug [%s]", claimed.job_id, claimed.kind, problem)
            detail = f"Beacon has a bug that this job met. Its log has more under {problem}: beacon logs replay_worker"
            return Complete(token, error=JobError(500, detail))
        finally:
            for task in (renewals, work):
                task.cancel()
            await asyncio.wait({renewals, work})

    async def _work(self, claimed: Claimed, deltas: Deltas) -> Any:
        function = self._kinds(claimed.kind)
        payload = msgspec.json.decode(claimed.payload, type=PAYLOADS[claimed.kind])
        return await function(
            Work(
                job_id=claimed.job_id,
                payload=payload,
                settings=self._settings,
                environ=os.environ,
                models=self._models(),
                store=self._stack,
                say=deltas.say,
            )
        )

    async def _keep_lease(self, claimed: Claimed) -> None:
        """Renews the lease until the job is cancelled, or the task is. While ingest is away there is nothing to lose:
        leases start anew when it is back."""
        every_s = min(RENEW_EVERY_S, claimed.lease_s / 4)
        while True:
            await asyncio.sleep(every_s)
            try:
                if await self._stack.renew(claimed.job_id, claimed.token) == "cancelled":
                    return
            except msgspec.MsgspecError:
                log.warning("ingest's answer to the renewal of job %s could not be read", claimed.job_id)


def _encode(result: Any) -> bytes:
    return msgspec.json.encode(result)
