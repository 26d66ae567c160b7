"""Work that nobody waits for any more is stopped."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from beacon.contract.operations import owned_by
from beacon.web import Call
from beacon.web.body import Disconnected
from query.handlers import _while_asked


def call(*messages: dict[str, Any]) -> Call:
    """A request whose client sends `messages` and then nothing for ever."""
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    return Call(owned_by("query")[0], {}, {}, receive)


REQUEST = {"type": "http.request", "body": b"", "more_body": False}
GONE = {"type": "http.disconnect"}


def test_a_read_is_cancelled_when_its_client_goes() -> None:
    stopped = False

    async def read() -> None:
        nonlocal stopped
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped = True
            raise

    async def test() -> None:
        with pytest.raises(Disconnected):
            await asyncio.wait_for(_while_asked(call(REQUEST, GONE), read()), 10)
        await asyncio.sleep(0)
        assert stopped

    asyncio.run(test())


def test_a_client_that_stays_gets_the_answer_or_the_error() -> None:
    async def give() -> int:
        return 7

    async def fail() -> int:
        raise ZeroDivisionError

    async def test() -> None:
        assert await _while_asked(call(REQUEST), give()) == 7
        with pytest.raises(ZeroDivisionError):
            await _while_asked(call(REQUEST), fail())
        assert len(asyncio.all_tasks()) <= 2

    asyncio.run(test())
