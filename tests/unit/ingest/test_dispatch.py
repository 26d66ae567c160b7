"""The board's clockwork over a real writer and real sockets, with little patience: hints, leases, deadlines, and a
process that stood still."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from beacon.bus import Publisher, Puller, Pusher, Subscriber
from beacon.contract.events import unpack_job_frame
from beacon.contract.jobs import TOPIC_JOBS, Delta, DemoPayload, Hint, JobError, KeyTestPayload
from beacon.contract.operations import PUBLIC
from beacon.contract.requests import SpanInput
from beacon.errors import Conflict
from beacon.web import Call, Reply
from beacon.web.body import Disconnected
from ingest.database import Commit
from ingest.decode import check_span
from ingest.jobs.board import NewJob
from ingest.jobs.dispatch import TOO_OLD, WORKER_LOST, Dispatch, OpenJob
from ingest.jobs.limits import Patience
from ingest.jobs.requests import JobRequests
from ingest.jobs.waiting import SAID_BYTES_MAX, Ended, Waiting
from ingest.traces import delete_trace
from ingest.workers import Workers
from ingest.writer import Writer

QUICK = Patience(lease=0.6, hint_again=0.1, no_worker=0.4, queued=0.8, grace=0.1, tick=0.02, late=0.5)
DONE = b'{"ok":true}'
A_JOB = NewJob(kind="key_test", label="l", payload=KeyTestPayload("p"), deadline_s=30)


class Clock:
    """Monotonic time that a test can move on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead


class Board:
    """A writer, its dispatch and one listener at the workers' end of the hints."""

    def __init__(self, folder: Path, patience: Patience = QUICK) -> None:
        self.clock = Clock()
        self.workers = Workers(self.clock)
        self.hints: list[str] = []
        self.frames: list[tuple[str | None, Any]] = []
        self.publisher = Publisher(folder / "e.zmq")
        self.writer = Writer(folder / "t.db", "normal", self._committed, lambda epoch, seq: self.dispatch.opened())
        self._pusher = Pusher(folder / "j.zmq", bind=True, hwm=16)
        self.dispatch = Dispatch(self.writer, self.workers, self._pusher, self.publisher, patience, self.clock)
        self.puller = Puller(folder / "j.zmq", self._hinted, bind=False, hwm=16)
        self.subscriber = Subscriber(folder / "e.zmq", self._framed)

    async def start(self) -> None:
        self.writer.start()
        self._watch = asyncio.create_task(self.dispatch.watch())
        await until(lambda: self.writer.state is None)

    async def close(self) -> None:
        self._watch.cancel()
        await self.dispatch.close()
        await self.writer.close()
        for socket in (self.puller, self.subscriber, self._pusher, self.publisher):
            socket.close()

    def _committed(self, commit: Commit) -> None:
        self.dispatch.committed(commit)

    def _hinted(self, message: bytes) -> None:
        self.hints.append(msgspec.msgpack.decode(message, type=Hint).job_id)

    def _framed(self, topic: bytes, message: bytes) -> None:
        trace_id, frame = unpack_job_frame(message)
        self.frames.append((trace_id, msgspec.json.decode(frame)))

    async def job(self, deadline_s: float = 30, **fields: Any) -> Waiting:
        new = msgspec.structs.replace(A_JOB, deadline_s=deadline_s, **fields)
        made = await self.dispatch.create(lambda tx: new)
        assert isinstance(made, Waiting)
        return made

    async def announce(self) -> None:
        while True:
            self.workers.seen("w")
            await asyncio.sleep(0.05)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bd", dir="/tmp") as made:
        yield Path(made)


@asynccontextmanager
async def board_in(folder: Path, patience: Patience = QUICK, *, workers: bool = True) -> AsyncIterator[Board]:
    board = Board(folder, patience)
    await board.start()
    announcing = asyncio.create_task(board.announce()) if workers else None
    try:
        yield board
    finally:
        if announcing is not None:
            announcing.cancel()
        await board.close()


async def until(condition: Callable[[], Any], timeout: float = 10) -> None:
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.002)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(bounded())


def test_a_hint_comes_again_until_the_job_is_claimed(folder: Path) -> None:
    async def test() -> None:
        async with board_in(folder) as board:
            job_id = (await board.job()).job.job_id
            await until(lambda: len(board.hints) >= 3)
            assert set(board.hints) == {job_id}
            await board.dispatch.claim(job_id, "w")
            board.puller.pause()
            count = len(board.hints)
            other = (await board.job()).job.job_id
            await until(lambda: board.dispatch._open[other].hinted_at > 0)
            board.puller.resume()
            await until(lambda: other in board.hints)
            assert board.hints[count:].count(job_id) <= 1, "what had gone out before the claim"

    run(test)


def test_a_hint_is_sent_when_a_worker_comes_though_none_was_there(folder: Path) -> None:
    async def test() -> None:
        async with board_in(folder) as board:
            board.puller.close()
            job_id = (await board.job()).job.job_id
            board.puller = Puller(folder / "j.zmq", board._hinted, bind=False, hwm=1)
            await until(lambda: job_id in board.hints)

    run(test)


def test_a_lease_that_is_renewed_lasts_and_one_that_is_not_is_lost(folder: Path) -> None:
    async def test() -> None:
        async with board_in(folder) as board:
            waiting = await board.job()
            job = await board.dispatch.claim(waiting.job.job_id, "w")
            for _ in range(4):
                board.clock.ahead += QUICK.lease * 0.45
                # looked at once at least: time that passes between two looks is time in which ingest stood still
                await until(lambda: board.clock() - board.dispatch._ticked_at < QUICK.lease * 0.4)
                assert not (await board.dispatch.renew(job.job_id, job.token)).cancelled
            assert not waiting.ended.done()
            began = board.clock()
            ended = await waiting.ended
            assert board.clock() - began >= QUICK.lease * 0.5
            assert ended.error == JobError(502, WORKER_LOST)
            with pytest.raises(Conflict):
                await board.dispatch.claim(job.job_id, "w2")
            await board.dispatch.complete(job.job_id, job.token, DONE)
            row = await board.writer.run(lambda tx: tx.db.execute("SELECT state, result FROM jobs").fetchone())
            assert row == ("done", DONE.decode())

    run(test)


def test_time_in_which_the_process_stood_still_counts_for_nothing(folder: Path) -> None:
    async def test() -> None:
        patience = msgspec.structs.replace(QUICK, lease=2.0, queued=3.0, no_worker=3.0)
        async with board_in(folder, patience) as board:
            running, queued = await board.job(deadline_s=3), await board.job()
            job = await board.dispatch.claim(running.job.job_id, "w")
            board.clock.ahead += 100
            await until(lambda: board.dispatch._ticked_at > board.clock() - 1)
            assert not running.ended.done()
            assert not queued.ended.done()
            open_job = board.dispatch._open[job.job_id]
            assert open_job.lease_until > board.clock() + 1.0, "a lease of its own from here on"
            assert 0 < open_job.deadline - board.clock() < 4
            await board.dispatch.complete(job.job_id, job.token, DONE)
            assert (await running.ended).result == DONE.decode()

    run(test)


def test_a_job_ends_at_its_deadline_however_often_it_is_renewed(folder: Path) -> None:
    async def test() -> None:
        async with board_in(folder) as board:
            waiting = await board.job(deadline_s=0.7)
            job = await board.dispatch.claim(waiting.job.job_id, "w")
            while not waiting.ended.done():
                await board.dispatch.renew(job.job_id, job.token)
                await asyncio.sleep(0.01)
            error = waiting.ended.result().error
            assert error is not None
            assert (error.status, "given up after" in error.detail) == (502, True)
            assert (await board.dispatch.renew(job.job_id, job.token)).cancelled, "the worker is told to stop"

    run(test)


def test_without_workers_it_is_forgotten_soon_and_with_busy_ones_later(folder: Path) -> None:
    async def test() -> None:
        async with board_in(folder, workers=False) as board:
            alone = await (await board.job()).ended
            assert alone.error is not None
            assert "No replay worker" in alone.error.detail
            announcing = asyncio.create_task(board.announce())
            await asyncio.sleep(0)
            began = board.clock()
            busy = await (await board.job()).ended
            announcing.cancel()
            assert busy.error is not None
            assert (busy.error.status, "busy" in busy.error.detail) == (503, True)
            assert board.clock() - began >= QUICK.queued
            assert busy.job.state == "cancelled"

    run(test)


def test_the_spans_of_a_lost_demo_end_in_error(folder: Path) -> None:
    async def test() -> None:
        async with board_in(folder) as board:
            root = SpanInput(
                span_id="root", trace_id="demo", span_type="agent_step", name="Demo", start_time=1_790_000_000.0
            )
            waiting = await board.job(
                kind="demo",
                payload=DemoPayload("demo", "root", "trip_planner", True),
                trace_id="demo",
                span_id="root",
                arrivals=[check_span(0, root)],
            )
            await board.dispatch.claim(waiting.job.job_id, "w")
            await waiting.ended
            select = "SELECT status, error_message, end_ns IS NULL FROM spans"
            found = await board.writer.run(lambda tx: tx.db.execute(select).fetchall())
            assert found == [("error", WORKER_LOST, 0)]
            trace = await board.writer.run(
                lambda tx: tx.db.execute("SELECT status, running_count, error_count FROM traces").fetchone()
            )
            assert trace == ("error", 0, 1)

    run(test)


def test_what_is_told_of_a_job_while_somebody_listens(folder: Path) -> None:
    async def test() -> None:
        async with board_in(folder) as board:
            await board.job(trace_id="unheard")
            assert not board.publisher.subscribed(TOPIC_JOBS)
            board.subscriber.subscribe(TOPIC_JOBS)
            await until(lambda: board.publisher.subscribed(TOPIC_JOBS))
            waiting = await board.job(trace_id="t", span_id="s")
            job = await board.dispatch.claim(waiting.job.job_id, "w")
            say = msgspec.msgpack.encode
            board.dispatch.said(say(Delta(job.job_id, "wrong", 0, "never")))
            board.dispatch.said(say(Delta("no job", job.token, 0, "never")))
            board.dispatch.said(b"\xff")
            board.dispatch.said(say([1, 2]))
            board.dispatch.said(say(Delta(job.job_id, job.token, 1, "text")))
            await board.dispatch.complete(job.job_id, job.token, DONE)
            board.dispatch.said(say(Delta(job.job_id, job.token, 1, "after the end")))
            await until(lambda: len(board.frames) >= 4)
            assert {trace_id for trace_id, _ in board.frames} == {"t"}
            frames = [frame for _, frame in board.frames]
            assert all(f["event"] == "job_updated" and f["job_id"] == job.job_id and "seq" not in f for f in frames)
            assert [f["state"] for f in frames] == ["queued", "running", "running", "done"]
            assert frames[2]["delta"] == {"run": 1, "text": "text"}
            assert frames[3]["job"]["finished_at"] >= frames[3]["job"]["started_at"]

    run(test)


def test_a_deleted_trace_ends_its_jobs_and_no_others(folder: Path) -> None:
    async def test() -> None:
        async with board_in(folder) as board:
            span = SpanInput(span_id="s", trace_id="t", span_type="custom", name="n", start_time=1.0)
            mine = await board.job(trace_id="t", arrivals=[check_span(0, span)])
            other = await board.job(trace_id="t2")
            await board.writer.run(delete_trace("t"))
            ended = await mine.ended
            assert ended.error is not None
            assert ended.error.status == 400
            assert not other.ended.done()

    run(test)


def test_what_the_file_holds_is_taken_up_again(folder: Path) -> None:
    async def first() -> tuple[str, str, str]:
        async with board_in(folder) as board:
            job = await board.dispatch.claim((await board.job()).job.job_id, "w")
            queued = (await board.job()).job.job_id
            return job.job_id, job.token, queued

    async def test() -> None:
        job_id, token, queued = await first()
        patience = msgspec.structs.replace(QUICK, lease=5.0, queued=60.0, no_worker=60.0)
        async with board_in(folder, patience) as board:
            await until(lambda: queued in board.hints)
            assert job_id not in board.hints
            assert not (await board.dispatch.renew(job_id, token)).cancelled
            await board.dispatch.complete(job_id, token, DONE)
            claimed = await board.dispatch.claim(queued, "w")
            assert claimed.kind == "key_test"

    run(test)


def test_another_database_in_its_place_wakes_who_waited_for_the_old_one(folder: Path) -> None:
    async def test() -> None:
        async with board_in(folder) as board:
            waiting = await board.job()
            for name in ("t.db", "t.db-wal", "t.db-shm"):
                (folder / name).unlink(missing_ok=True)
            ended = await waiting.ended
            assert ended.error is not None
            assert ended.error.status in (502, 503)
            assert ended.error != TOO_OLD

    run(test)


def test_a_request_whose_client_has_gone_is_over_and_its_job_is_not(folder: Path) -> None:
    async def test() -> None:
        async with board_in(folder) as board:
            left = asyncio.Event()

            async def receive() -> dict[str, Any]:
                await left.wait()
                return {"type": "http.disconnect"}

            operation = next(op for op in PUBLIC if op.name == "test_key")
            call = Call(operation, {}, {}, receive)
            jobs = JobRequests(board.dispatch)
            answers = [
                asyncio.create_task(jobs.answer(call, lambda tx: A_JOB)),
                asyncio.create_task(_last_piece(await jobs.answer(call, lambda tx: A_JOB, stream=True))),
            ]
            await until(lambda: len(board.dispatch._open) == 2 and any(o.waiting.streams for o in _open(board)))
            left.set()
            done, _ = await asyncio.wait(answers, timeout=5)
            assert len(done) == 2
            assert isinstance(answers[0].exception(), Disconnected)
            assert answers[1].result() == b": a job is on its way\n\n", "no word of its end"
            assert len(_open(board)) == 2, "they go on"
            assert not any(o.waiting.streams for o in _open(board))

    run(test)


def _open(board: Board) -> list[OpenJob]:
    return list(board.dispatch._open.values())


async def _last_piece(reply: Reply) -> bytes | bytearray:
    assert reply.stream is not None
    return [piece async for piece in reply.stream][-1]


# ---------------------------------------------------------------- streams


def test_a_stream_that_joins_late_gets_all_from_the_beginning() -> None:
    async def test() -> None:
        waiting = _waiting()
        waiting.say(0, "Hel")
        waiting.say(1, "x")
        late = waiting.join()
        waiting.say(0, "lo")
        assert late.take() == [(0, "Hello"), (1, "x")]
        assert not late.ready.is_set()
        waiting.say(0, "!")
        assert late.take() == [(0, "!")]

    run(test)


def test_a_stream_never_has_a_gap_and_never_more_than_its_bound() -> None:
    async def test() -> None:
        waiting = _waiting()
        slow, quick = waiting.join(), waiting.join()
        pieces = [f"{i:06d}" for i in range(3 * SAID_BYTES_MAX // 6)]
        got = []
        for piece in pieces:
            waiting.say(0, piece)
            got += [text for _, text in quick.take()]
        assert got == pieces, "who keeps up gets it all"
        text = "".join(text for _, text in slow.take())
        assert 0 < len(text) <= SAID_BYTES_MAX
        assert "".join(pieces).startswith(text)
        waiting.say(0, "more")
        assert slow.take() == [], "what would follow a gap is left out"
        assert waiting.join().take() == [], "the beginning is not kept any more"

    run(test)


def _waiting() -> Waiting:
    from beacon.contract.jobs import Job

    return Waiting(Job("j", "replay", "running", "l", None, None, None, 1.0, None, None, None))


def test_an_ended_job_wakes_all_who_wait_once() -> None:
    async def test() -> None:
        waiting = _waiting()
        first = Ended(waiting.job, result="1")
        waiting.end(first)
        waiting.end(Ended(waiting.job, result="2"))
        assert await waiting.ended == await waiting.ended == first

    run(test)
