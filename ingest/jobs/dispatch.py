"""Hands the queued jobs to workers, watches over the running ones, and wakes who waits.

The rows are the truth (`ingest.jobs.board`); here stands what may be lost with the process: leases, deadlines, when a
hint went out last, who waits. Times are the event loop's. They stand still while ingest does: a process that was
stopped for a while must not find every lease run out because nobody could renew it.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import time
from collections.abc import Callable

import msgspec

from beacon.bus import Publisher, Pusher
from beacon.contract import events
from beacon.contract.jobs import FINAL, TOPIC_JOBS, Claimed, Delta, Hint, Job, JobError, Renewed
from beacon.errors import BeaconError, StoreBusy
from ingest.database import Command, Commit, Transaction
from ingest.jobs import board
from ingest.jobs.board import Asked, NewJob, Row
from ingest.jobs.limits import PATIENCE, Patience
from ingest.jobs.replays import trace_gone
from ingest.jobs.waiting import Ended, Waiting
from ingest.workers import Workers
from ingest.writer import Writer

log = logging.getLogger("beacon.jobs")

WORKER_LOST = (
    "worker lost: the replay worker that ran this has ended without a word. Its call may have been made and paid for, "
    "so it is not made again by itself; ask once more if you want it."
)
NO_WORKER = "No replay worker is there to do this; see `beacon status`, and send it again in a moment."
ALL_BUSY = "Every replay worker is busy, and none had room for this in {:.0f} s; send it again in a moment."
TOO_LATE = "This was given up after {:.0f} s, which is as long as it may take."
ROW_GONE = "The job is gone from the database; ask once more."
TOO_OLD = JobError(503, "Beacon was stopped before any replay worker had room for this.")

_decode_delta = msgspec.msgpack.Decoder(Delta).decode


class OpenJob:
    """A job that is queued or running."""

    def __init__(self, row: Row, now: float, patience: Patience) -> None:
        self.job = row.job
        self.token = row.token
        self.waiting = Waiting(row.job)
        self.queued_at = now
        self.alone_since: float | None = None
        self.hinted_at = float("-inf")
        self.lease_until = now + patience.lease
        self.deadline_s = row.deadline_s
        self.deadline = float("inf")
        self.ending = False

    def shift(self, late: float) -> None:
        """Nobody could do anything about this job for `late` seconds."""
        self.queued_at += late
        self.deadline += late
        if self.alone_since is not None:
            self.alone_since += late


class Dispatch:
    """One an ingest, on its event loop. `tick` looks over the board; `watch` does so for as long as it lives."""

    def __init__(
        self,
        writer: Writer,
        workers: Workers,
        hints: Pusher,
        publisher: Publisher,
        patience: Patience = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = writer
        self._workers = workers
        self._hints = hints
        self._publisher = publisher
        self._patience = patience
        self._clock = clock
        self._open: dict[str, OpenJob] = {}
        self._loaded = False
        self._ticked_at = clock()
        self._tasks: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------ for requests

    async def create(self, build: Callable[[Transaction], NewJob], asked: Asked | None = None) -> Waiting | Ended:
        """Make a job, or find the one with the same key; what to wait for, or how it has ended already. Raises what
        `board.create` raises."""
        row, _ = await self._writer.run(board.create(build, asked))
        if row.job.state in FINAL:
            return _ended(row)
        return self._enter(row).waiting

    async def cancel(self, job_id: str) -> Job:
        """Cancel a job; as it stands then. Raises `NotFound`."""
        row: Row = await self._writer.run(board.cancel(job_id))
        self._settle(row)
        return row.job

    # ------------------------------------------------------------ for workers

    async def claim(self, job_id: str, worker_id: str) -> Claimed:
        """Raises `NotFound`, and `Conflict` when another has it, or it is over."""
        token = secrets.token_urlsafe(24)
        taken: board.Taken = await self._writer.run(board.claim(job_id, worker_id, token))
        self._enter(taken.row)
        job = taken.row.job
        return Claimed(
            job_id,
            job.kind,
            token,
            self._patience.lease,
            taken.row.deadline_s,
            msgspec.Raw(taken.payload.encode()),
        )

    async def renew(self, job_id: str, token: str) -> Renewed:
        """Raises `NotFound`, and `Conflict` for another token."""
        open_job = self._open.get(job_id)
        if open_job is not None and _same(open_job.token, token):
            open_job.lease_until = self._clock() + self._patience.lease
            return Renewed(cancelled=False)
        row: Row = await self._writer.run(board.look(job_id, token))
        if row.job.state == "running":
            return Renewed(cancelled=False)
        # a worker that was only silent may finish, what it brings is kept; one that is too late may not
        silent = row.given_up and row.job.error is not None and row.job.error.detail == WORKER_LOST
        return Renewed(cancelled=not silent)

    async def complete(self, job_id: str, token: str, outcome: bytes | JobError) -> None:
        """Raises `NotFound`, and `Conflict` for another token."""
        row: Row = await self._writer.run(board.complete(job_id, token, outcome))
        self._settle(row)

    def said(self, message: bytes) -> None:
        """A Delta, as it came from a worker; one that cannot be read, or has not the job's token, is dropped."""
        try:
            delta = _decode_delta(message)
        except (msgspec.MsgspecError, UnicodeDecodeError) as e:
            log.warning("a message on the deltas socket cannot be read: %s", e)
            return
        open_job = self._open.get(delta.job_id)
        if open_job is None or open_job.job.state != "running" or not _same(open_job.token, delta.token):
            return
        open_job.waiting.say(delta.run, delta.text)
        if self._publisher.subscribed(TOPIC_JOBS):
            self._publish(events.job_said(open_job.job, delta.run, delta.text))

    # ------------------------------------------------------------ for the process

    def opened(self) -> None:
        """The database was opened, perhaps another one: what it holds is looked at with the next tick."""
        self._loaded = False

    def committed(self, commit: Commit) -> None:
        """A commit that deleted traces ends their jobs: nothing of them could be stored."""
        for _, trace_ids in commit.changes.deleted:
            gone = set(trace_ids)
            for open_job in list(self._open.values()):
                if open_job.job.trace_id in gone:
                    error = JobError(400, trace_gone(open_job.job.trace_id))
                    self._end(open_job, board.fail(open_job.job.job_id, error), error)

    async def watch(self) -> None:
        """Tick until cancelled."""
        while True:
            try:
                await self.tick()
            except StoreBusy as e:
                log.debug("the board cannot be read: %s", e.detail)
            except Exception:
                log.exception("a look over the board failed; this is a bug")
            await asyncio.sleep(self._patience.tick)

    async def tick(self) -> None:
        """Send hints again, end what has waited or run too long."""
        now = self._clock()
        late = now - self._ticked_at - self._patience.tick
        self._ticked_at = now
        if late > self._patience.late:
            log.info("this process stood still for %.1f s; leases start anew", late)
            for open_job in self._open.values():
                open_job.lease_until = now + self._patience.lease
                open_job.shift(late)
        if not self._loaded:
            await self._load()
        no_worker = self._workers.count() == 0
        for open_job in list(self._open.values()):
            if open_job.ending:
                continue
            if open_job.job.state == "queued":
                self._look_at_queued(open_job, now, no_worker=no_worker)
            else:
                self._look_at_running(open_job, now)
        self._hint_due(now)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ------------------------------------------------------------ inside

    def _enter(self, row: Row) -> OpenJob:
        """The open job of `row`, whose state is queued or running: made when it is new, brought up to date when not."""
        now = self._clock()
        open_job = self._open.get(row.job.job_id)
        if open_job is None:
            open_job = self._open[row.job.job_id] = OpenJob(row, now, self._patience)
            if row.job.state == "running":
                self._set_running(open_job, row, now)
            self._tell(row.job)
            self._hint_due(now)
        elif row.job.state == "running" and open_job.job.state == "queued":
            open_job.job, open_job.token = row.job, row.token
            self._set_running(open_job, row, now)
            self._tell(row.job)
        return open_job

    def _set_running(self, open_job: OpenJob, row: Row, now: float) -> None:
        open_job.lease_until = now + self._patience.lease
        ran = max(0.0, time.time() - (row.job.started_at or time.time()))
        left = max(self._patience.lease, row.deadline_s - ran)
        open_job.deadline = now + min(left, row.deadline_s) + self._patience.grace

    async def _load(self) -> None:
        """Take up what the file says is queued or running: after a start, and when another file has come."""
        self._loaded = True
        try:
            rows: list[Row] = await self._writer.run(board.unfinished(self._patience.queued, TOO_OLD))
        except BaseException:
            self._loaded = False
            raise
        for row in rows:
            self._enter(row)

    def _look_at_queued(self, open_job: OpenJob, now: float, *, no_worker: bool) -> None:
        job_id = open_job.job.job_id
        if not no_worker:
            open_job.alone_since = None
        elif open_job.alone_since is None:
            open_job.alone_since = now
        if open_job.alone_since is not None and now - open_job.alone_since > self._patience.no_worker:
            error = JobError(503, NO_WORKER)
            self._end(open_job, board.forget(job_id, error), error)
        elif now - open_job.queued_at > self._patience.queued:
            error = JobError(503, ALL_BUSY.format(self._patience.queued))
            self._end(open_job, board.forget(job_id, error), error)

    def _look_at_running(self, open_job: OpenJob, now: float) -> None:
        if now > open_job.deadline:
            error = JobError(502, TOO_LATE.format(open_job.deadline_s))
        elif now > open_job.lease_until:
            error = JobError(502, WORKER_LOST)
            log.warning("%s was lost while it ran job %s", open_job.job.worker_id, open_job.job.job_id)
        else:
            return
        self._end(open_job, board.give_up(open_job.job.job_id, error), error)

    def _hint_due(self, now: float) -> None:
        """Tell workers of the queued jobs whose last hint is old, oldest first, as many as there is room for."""
        for open_job in self._open.values():
            if open_job.job.state == "queued" and now - open_job.hinted_at >= self._patience.hint_again:
                if not self._hints.send(msgspec.msgpack.encode(Hint(open_job.job.job_id))):
                    return
                open_job.hinted_at = now

    def _hint_next(self) -> None:
        """A worker has room again: tell of the job that has waited longest, though its hint is not old."""
        queued = (o for o in self._open.values() if o.job.state == "queued")
        oldest = min(queued, key=lambda o: o.hinted_at, default=None)
        if oldest is not None and self._hints.send(msgspec.msgpack.encode(Hint(oldest.job.job_id))):
            oldest.hinted_at = self._clock()

    def _end(self, open_job: OpenJob, command: Command, error: JobError) -> None:
        """Run `command`, which ends the job, and settle what comes of it; once at a time for a job."""
        if open_job.ending:
            return
        open_job.ending = True

        async def end() -> None:
            try:
                row: Row | None = await self._writer.run(command)
                if row is None:
                    self._open.pop(open_job.job.job_id, None)
                    open_job.waiting.end(Ended(open_job.job, error=JobError(502, ROW_GONE)))
                elif row.job.state in FINAL:
                    self._settle(row)
                else:
                    self._enter(row)  # claimed at the last moment
            except BeaconError as e:
                log.warning("job %s cannot be ended (%s): %s", open_job.job.job_id, error.detail, e.detail)
            finally:
                open_job.ending = False  # tried again with the next tick, if it is still there

        task = asyncio.get_running_loop().create_task(end())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _settle(self, row: Row) -> None:
        """The job of `row` is over: wake who waits, tell of it, and give its place to the next."""
        open_job = self._open.pop(row.job.job_id, None)
        if open_job is not None:
            open_job.waiting.end(_ended(row))
            self._hint_next()
            self._tell(row.job)
        elif row.job.state == "done":
            self._tell(row.job)  # a result that came late

    def _tell(self, job: Job) -> None:
        if self._publisher.subscribed(TOPIC_JOBS):
            self._publish(events.job_changed(job))

    def _publish(self, frame: events.JobFrame) -> None:
        self._publisher.send(TOPIC_JOBS, events.pack_job_frame(frame))


def _ended(row: Row) -> Ended:
    return Ended(row.job, row.result, row.job.error)


def _same(mine: str | None, given: str) -> bool:
    return mine is not None and hmac.compare_digest(mine.encode(), given.encode())
