"""Text on its way: the first piece at once, then what has gathered, in order, nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from beacon.contract.jobs import DELTA_EVERY_S, Delta
from replay_worker.deltas import Deltas, pause_s


class Sent:
    def __init__(self) -> None:
        self.deltas: list[Delta] = []

    def __call__(self, message: bytes) -> bool:
        self.deltas.append(msgspec.msgpack.decode(message, type=Delta))
        return True

    @property
    def texts(self) -> list[tuple[int, str]]:
        return [(delta.run, delta.text) for delta in self.deltas]


def run(test: Callable[[Deltas, Sent], Coroutine[Any, Any, None]]) -> Sent:
    sent = Sent()

    async def main() -> None:
        await test(Deltas("j1", "t1", sent), sent)

    asyncio.run(main())
    return sent


def test_the_first_piece_goes_at_once_and_the_next_are_gathered() -> None:
    async def test(deltas: Deltas, sent: Sent) -> None:
        deltas.say(0, "a")
        assert sent.texts == [(0, "a")]
        for piece in "bcd":
            deltas.say(0, piece)
        assert sent.texts == [(0, "a")]
        async with asyncio.timeout(10):
            while len(sent.texts) < 2:
                await asyncio.sleep(0.001)
        assert sent.texts == [(0, "a"), (0, "bcd")]

    sent = run(test)
    assert (sent.deltas[0].job_id, sent.deltas[0].token) == ("j1", "t1")


def test_a_piece_after_a_pause_goes_at_once_again() -> None:
    async def test(deltas: Deltas, sent: Sent) -> None:
        deltas.say(0, "a")
        deltas._every = lambda: 0.0  # the pause is over
        deltas.say(0, "b")
        assert sent.texts == [(0, "a"), (0, "b")]

    run(test)


def test_runs_do_not_mix_and_each_begins_at_once() -> None:
    async def test(deltas: Deltas, sent: Sent) -> None:
        deltas.say(0, "a")
        deltas.say(1, "x")
        deltas.say(0, "b")
        deltas.say(1, "y")
        deltas.say(0, "c")
        deltas.flush()

    assert run(test).texts == [(0, "a"), (1, "x"), (0, "bc"), (1, "y")]


def test_nothing_is_lost_at_the_end() -> None:
    async def test(deltas: Deltas, sent: Sent) -> None:
        for number in range(100):
            deltas.say(0, f"{number} ")
        deltas.say(0, "")
        deltas.flush()
        deltas.flush()

    assert "".join(text for _, text in run(test).texts) == "".join(f"{number} " for number in range(100))


def test_many_jobs_on_one_worker_speak_less_often_each() -> None:
    assert pause_s(1) == pause_s(10) == DELTA_EVERY_S
    assert [round(jobs / pause_s(jobs)) for jobs in (50, 100, 128)] == [333, 333, 333], (
        "messages a second of all of them"
    )

    async def test(deltas: Deltas, sent: Sent) -> None:
        deltas._every = lambda: 60.0
        deltas.say(0, "a")
        deltas.say(0, "b")
        deltas.say(0, "c")
        assert sent.texts == [(0, "a")]
        assert deltas._timer is not None
        assert deltas._timer.when() - asyncio.get_running_loop().time() > 50
        deltas.flush()
        assert sent.texts == [(0, "a"), (0, "bc")]

    run(test)
