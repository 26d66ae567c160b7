"""A runner with a board of its own: what it claims, keeps, hands in, and gives up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from beacon.config import Settings
from beacon.contract.jobs import Claimed, Complete, Hint, JobError, KeyTestPayload
from beacon.errors import UpstreamFailed
from replay_worker.kinds import FUNCTIONS, function_of
from replay_worker.runner import Runner
from replay_worker.stack import Stack
from replay_worker.work import Work

SETTINGS = Settings(home=Path("/nowhere"), db_path=Path("/nowhere/t"), run_dir=Path("/nowhere"))


class Board:
    """Gives each job once, and keeps what is handed in."""

    def __init__(self) -> None:
        self.claims: list[str] = []
        self.completed: dict[str, Complete] = {}
        self.cancelled: set[str] = set()
        self.away = 0
        self.lease_s = 0.04
        self.deadline_s = 30.0
        self.renewals = 0

    async def claim(self, job_id: str, worker_id: str) -> Claimed | None:
        await asyncio.sleep(0)
        if job_id in self.claims:
            return None
        self.claims.append(job_id)
        payload = msgspec.Raw(msgspec.json.encode(KeyTestPayload(job_id)))
        return Claimed(job_id, "key_test", f"token-{job_id}", self.lease_s, self.deadline_s, payload)

    async def renew(self, job_id: str, token: str) -> str:
        assert token == f"token-{job_id}"
        self.renewals += 1
        if self.away:
            self.away -= 1
            return "away"
        return "cancelled" if job_id in self.cancelled else "kept"

    async def complete(self, job_id: str, complete: Complete) -> None:
        assert complete.token == f"token-{job_id}"
        self.completed[job_id] = complete


class Hints:
    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")


Does = Callable[[str], Awaitable[Any]]


def runner(board: Board, does: Does, jobs_max: int = 128) -> Runner:
    async def kind(work: Work) -> Any:
        return await does(cast("KeyTestPayload", work.payload).provider)

    return Runner(
        SETTINGS,
        "w1",
        cast("Stack", board),
        lambda: cast("Any", None),
        lambda message: True,
        lambda name: kind,
        jobs_max,
    )


def hint(job_id: str) -> bytes:
    return msgspec.msgpack.encode(Hint(job_id))


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await test()

    asyncio.run(bounded())


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_a_job_is_done_and_handed_in_with_its_token() -> None:
    async def test() -> None:
        board = Board()

        async def does(job_id: str) -> dict[str, str]:
            return {"did": job_id}

        it = runner(board, does)
        it.hint(hint("a"))
        it.hint(hint("a"))
        await it.finished()
        assert board.claims == ["a"]
        assert msgspec.json.decode(cast("msgspec.Raw", board.completed["a"].result)) == {"did": "a"}

    run(test)


def test_jobs_run_side_by_side_up_to_the_limit_and_hints_pause_there() -> None:
    async def test() -> None:
        board, hints, gate = Board(), Hints(), asyncio.Event()

        async def does(job_id: str) -> dict[str, str]:
            await gate.wait()
            return {}

        it = runner(board, does, jobs_max=3)
        it.listen(hints)
        for job_id in "abcd":
            it.hint(hint(job_id))
        await until(lambda: len(board.claims) == 3)
        assert it.count == 3
        assert hints.told == ["pause"]
        gate.set()
        await it.finished()
        assert hints.told[-1] == "resume"
        assert "d" not in board.claims, "a hint there was no room for is left to others"

    run(test)


def test_the_lease_is_kept_while_ingest_is_away_and_lost_when_cancelled() -> None:
    async def test() -> None:
        board = Board()
        board.away = 5
        ended = asyncio.Event()

        async def does(job_id: str) -> dict[str, str]:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return {}

        it = runner(board, does)
        it.hint(hint("a"))
        await until(lambda: board.renewals >= 8)
        assert not ended.is_set()
        board.cancelled.add("a")
        await ended.wait()
        await it.finished()
        assert board.completed == {}, "nobody wants it"

    run(test)


@pytest.mark.parametrize(
    ("failure", "error"),
    [(UpstreamFailed("lab: no"), JobError(502, "lab: no")), (KeyError("secret-in-a-bug"), None)],
)
def test_a_failure_is_handed_in_and_a_bug_says_nothing_of_itself(failure: Exception, error: JobError | None) -> None:
    async def test() -> None:
        board = Board()

        async def does(job_id: str) -> dict[str, str]:
            raise failure

        it = runner(board, does)
        it.hint(hint("a"))
        await it.finished()
        got = board.completed["a"].error
        assert isinstance(got, JobError)
        if error is not None:
            assert got == error
        else:
            assert got.status == 500
            assert "secret" not in got.detail

    run(test)


def test_a_job_past_its_deadline_ends() -> None:
    async def test() -> None:
        board = Board()
        board.deadline_s = 0.05
        ended = asyncio.Event()

        async def does(job_id: str) -> dict[str, str]:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return {}

        it = runner(board, does)
        it.hint(hint("a"))
        await it.finished()
        assert ended.is_set()
        got = board.completed["a"].error
        assert isinstance(got, JobError)
        assert got.status == 502

    run(test)


def test_one_that_leaves_takes_no_more_and_finishes_what_it_has() -> None:
    async def test() -> None:
        board, gate = Board(), asyncio.Event()

        async def does(job_id: str) -> dict[str, str]:
            await gate.wait()
            return {}

        it = runner(board, does)
        it.hint(hint("a"))
        it.leave()
        it.hint(hint("b"))
        await until(lambda: board.claims)
        gate.set()
        await it.finished()
        assert list(board.completed) == ["a"]

    run(test)


def test_one_that_is_told_to_end_now_leaves_its_jobs() -> None:
    async def test() -> None:
        board, begun = Board(), asyncio.Event()

        async def does(job_id: str) -> dict[str, str]:
            begun.set()
            await asyncio.Event().wait()
            return {}

        it = runner(board, does)
        it.hint(hint("a"))
        await begun.wait()
        it.abandon()
        await it.finished()
        assert board.completed == {}

    run(test)


def test_what_is_no_hint_is_passed_over() -> None:
    async def test() -> None:
        board = Board()

        async def does(job_id: str) -> dict[str, str]:
            return {}

        it = runner(board, does)
        it.hint(b"\xc1 nonsense")
        assert it.count == 0

    run(test)


@pytest.mark.parametrize("kind", sorted(FUNCTIONS))
def test_every_kind_of_job_has_its_function(kind: str) -> None:
    assert callable(function_of(kind))
