"""PUSH and PULL of the bus over real sockets: what is dropped, what waits, and that nobody blocks."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from beacon.bus import Puller, Pusher


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bb", dir="/tmp") as folder:
        yield Path(folder) / "s.zmq"


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(bounded())


async def sent(pusher: Pusher, message: bytes) -> None:
    """Send, again until somebody is there to take it."""
    while not pusher.send(message):
        await asyncio.sleep(0.002)


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("pusher_binds", [True, False])
def test_messages_arrive_in_their_order_whoever_binds(path: Path, pusher_binds: bool) -> None:
    async def test() -> None:
        got: list[bytes] = []
        pusher = Pusher(path, bind=pusher_binds, hwm=1_000)
        puller = Puller(path, got.append, bind=not pusher_binds, hwm=1_000)
        want = [b"%d" % i for i in range(500)]
        for message in want:
            await sent(pusher, message)
        await until(lambda: len(got) == 500)
        assert got == want
        puller.close()
        pusher.close()

    run(test)


@pytest.mark.parametrize("bind", [True, False])
def test_with_nobody_there_it_is_not_sent_and_does_not_come_later(path: Path, bind: bool) -> None:
    async def test() -> None:
        got: list[bytes] = []
        pusher = Pusher(path, bind=bind, hwm=10)
        assert not pusher.send(b"lost")
        puller = Puller(path, got.append, bind=not bind, hwm=10)
        await sent(pusher, b"found")
        await until(lambda: got)
        assert got == [b"found"]
        puller.close()
        pusher.close()

    run(test)


def test_what_one_that_is_paused_would_have_got_goes_to_the_other(path: Path) -> None:
    async def test() -> None:
        busy: list[bytes] = []
        free: list[bytes] = []
        pusher = Pusher(path, bind=True, hwm=16)
        first = Puller(path, busy.append, bind=False, hwm=16)
        await sent(pusher, b"hello")
        await until(lambda: busy)
        first.pause()
        await until(lambda: not pusher.send(b"to nobody"))
        second = Puller(path, free.append, bind=False, hwm=16)
        for i in range(500):
            await sent(pusher, b"%d" % i)
        await until(lambda: len(free) == 500)
        assert busy == [b"hello"]
        second.pause()
        first.resume()
        await until(lambda: pusher.send(b"again") and b"again" in busy)
        assert b"to nobody" not in busy
        for socket in (first, second, pusher):
            socket.close()

    run(test)


def test_pausing_in_the_middle_of_what_waits_stops_at_once(path: Path) -> None:
    async def test() -> None:
        got: list[bytes] = []

        def one(message: bytes) -> None:
            got.append(message)
            puller.pause()

        pusher = Pusher(path, bind=True, hwm=100)
        puller = Puller(path, one, bind=False, hwm=100)
        for i in range(20):
            await sent(pusher, b"%d" % i)
        await until(lambda: got)
        await until(lambda: not pusher.send(b"late"))
        assert got == [b"0"]
        puller.resume()
        await until(lambda: pusher.send(b"next") and len(got) == 2)
        puller.close()
        pusher.close()

    run(test)


def test_it_never_blocks_when_nobody_reads(path: Path) -> None:
    async def test() -> None:
        pusher = Pusher(path, bind=False, hwm=5)
        puller = Puller(path, lambda _: None, bind=True, hwm=5)
        await sent(pusher, b"x")
        puller.pause()  # one that is bound only stops reading
        refused = sum(not pusher.send(b"y" * 1_000_000) for _ in range(200))
        assert refused > 150
        puller.close()
        pusher.close()

    run(test)


def test_a_peer_that_was_replaced_is_found_again(path: Path) -> None:
    async def test() -> None:
        got: list[bytes] = []
        puller = Puller(path, got.append, bind=False, hwm=10)
        for name in (b"one", b"two"):
            pusher = Pusher(path, bind=True, hwm=10)
            await sent(pusher, name)
            while name not in got:
                await asyncio.sleep(0.002)
            pusher.close()
            pusher.close()
        puller.close()
        puller.close()
        puller.resume()

    run(test)
