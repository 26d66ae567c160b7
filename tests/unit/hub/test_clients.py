from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from beacon.contract.events import RESYNC_FRAME, Event
from beacon.web.frames import SEND_FRAMES
from hub.live import clients as clients_module
from hub.live.clients import Client, Clients
from hub.live.socket import LiveSocket, chosen_subprotocol, read_request
from tests.edge import run


def event(seq: int, *traces: str, frame: bytes = b"") -> Event:
    return Event(seq, "span_created", traces or ("t",), frame or b"%d" % seq)


@pytest.fixture
def clients() -> Iterator[Clients]:
    with asyncio.Runner() as runner:  # an asyncio.Event belongs to a loop
        runner.run(asyncio.sleep(0))
        yield Clients()


def drained(client: Client) -> list[bytes]:
    frames = []
    while turn := client.next_frames():
        frames += turn
    return frames


def test_a_client_gets_everything_or_one_trace(clients: Clients) -> None:
    every, one = clients.add(), clients.add()
    clients.subscribe(one, "b")
    clients.deliver([event(1, "a"), event(2, "b"), event(3, "a", "b")])
    assert drained(every) == [b"1", b"2", b"3"]
    assert drained(one) == [b"2", b"3"]
    clients.subscribe(one, "a")
    clients.subscribe(one, "a")
    clients.deliver([event(4, "a"), event(5, "b")])
    assert drained(one) == [b"4"]
    clients.subscribe(one, None)
    clients.deliver([event(6, "c")])
    assert drained(one) == [b"6"]
    assert len(clients) == 2


def test_ready_says_whether_there_is_something_to_send(clients: Clients) -> None:
    client = clients.add()
    assert not client.ready.is_set()
    clients.deliver([event(1)])
    assert client.ready.is_set()
    assert drained(client) == [b"1"]
    assert not client.ready.is_set()


@pytest.mark.parametrize(
    ("limit", "value"), [("QUEUE_EVENTS_MAX", 3), ("QUEUE_BYTES_MAX", 35), ("TOTAL_BYTES_MAX", 35)]
)
def test_a_full_queue_is_emptied_and_nothing_more_comes_until_the_resync_is_read(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(clients_module, limit, value)
    client = clients.add()
    for seq in range(3):
        clients.deliver([event(seq, frame=b"x" * 10)])
    assert client.waiting == (3, 30)
    clients.deliver([event(4, frame=b"x" * 10)])
    assert client.lapsed
    assert client.waiting == (0, 0)
    assert clients.waiting_bytes == 0
    assert client.ready.is_set()
    clients.deliver([event(5)])
    assert client.waiting == (0, 0)
    client.lapsed = False  # as its sender does when it can send
    clients.deliver([event(6)])
    assert drained(client) == [b"6"]


def test_who_keeps_up_does_not_pay_for_those_who_do_not(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients_module, "TOTAL_BYTES_MAX", 100)
    stuck, slow, reads = clients.add(), clients.add(), clients.add()
    clients.subscribe(stuck, "a")
    for seq in range(20):
        clients.deliver([event(seq, "a", frame=b"x" * 5)])
        if seq % 3 == 0:
            drained(slow)
        assert drained(reads) == [b"x" * 5]
    assert stuck.lapsed
    assert not slow.lapsed
    assert not reads.lapsed
    assert clients.waiting_bytes == slow.waiting[1]


@pytest.mark.parametrize(("limit", "value"), [("TURN_FRAMES", 2), ("TURN_BYTES", 11)])
def test_one_turn_is_bounded(clients: Clients, monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(clients_module, limit, value)
    client = clients.add()
    clients.deliver([event(seq, frame=b"x" * 10) for seq in range(3)])
    assert client.next_frames() == [b"x" * 10] * 2
    assert client.ready.is_set()
    assert client.waiting == (1, 10)
    assert client.next_frames() == [b"x" * 10]
    assert not client.ready.is_set()


def test_bytes_that_wait_are_counted_and_given_back(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients_module, "TURN_FRAMES", 1)
    one, two = clients.add(), clients.add()
    clients.deliver([event(1, frame=b"x" * 10), event(2, frame=b"x" * 5)])
    assert clients.waiting_bytes == 30
    one.next_frames()
    assert clients.waiting_bytes == 20
    clients.remove(two)
    assert clients.waiting_bytes == 5
    assert drained(one) == [b"x" * 5]
    assert clients.waiting_bytes == 0


def test_a_resync_is_for_all(clients: Clients) -> None:
    every, one = clients.add(), clients.add()
    clients.subscribe(one, "b")
    clients.deliver([event(1, "b")])
    clients.resync()
    assert every.lapsed
    assert one.lapsed
    assert drained(every) == drained(one) == []


# ---------------------------------------------------------------- the endpoint


@pytest.mark.parametrize(
    ("raw", "action", "trace_id"),
    [
        (b'{"action": "subscribe_trace", "trace_id": "a.b:c-d_1"}', "subscribe_trace", "a.b:c-d_1"),
        (b'{"action": "unsubscribe_trace", "trace_id": 5, "more": []}', "unsubscribe_trace", None),
        (b'{"action": "unsubscribe_trace"}', "unsubscribe_trace", None),
    ],
)
def test_requests(raw: bytes, action: str, trace_id: str | None) -> None:
    assert read_request(raw) == (action, trace_id, None)


@pytest.mark.parametrize(
    "raw",
    [b"", b"x", b"[]", b'"x"', b"{}", b'{"action":1}', b'{"action":"subscribe_trace","trace_id":"a\\n"}', b"\xff"],
)
def test_what_is_no_request_is_told_what_is_wrong(raw: bytes) -> None:
    action, _, wrong = read_request(raw)
    assert not action
    assert wrong


def test_the_subprotocol_that_is_answered_is_not_the_token_where_there_is_a_choice() -> None:
    assert chosen_subprotocol([]) is None
    assert chosen_subprotocol(["other"]) is None
    assert chosen_subprotocol(["beacon.bearer.x"]) == "beacon.bearer.x"
    assert chosen_subprotocol(["beacon.bearer.x", "beacon.live"]) == "beacon.live"


class FakeFeed:
    """As many clients as it says, and the ones that joined."""

    def __init__(self, full: bool = False) -> None:
        self.full = full
        self.clients = Clients()
        self.joined: list[Client] = []
        self.left: list[Client] = []

    def join(self) -> Client:
        self.joined.append(self.clients.add())
        return self.joined[-1]

    def leave(self, client: Client) -> None:
        self.left.append(client)


class Wire:
    """ASGI's two ends: what the client says, what it was sent; `open` is cleared while it does not read."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.said.put_nowait({"type": "websocket.connect"})
        self.sent: list[Any] = []
        self.open = asyncio.Event()
        self.open.set()

    async def receive(self) -> dict[str, Any]:
        return await self.said.get()

    async def send(self, message: Any) -> None:
        await self.open.wait()
        if message["type"] == SEND_FRAMES:
            self.sent += [text.decode() for text in message["texts"]]
        else:
            self.sent.append(message["type"])


def test_a_thousand_clients_are_enough() -> None:
    async def test() -> None:
        wire, feed = Wire(), FakeFeed(full=True)
        await LiveSocket(feed)({"type": "websocket", "subprotocols": []}, wire.receive, wire.send)  # type: ignore[arg-type]
        assert wire.sent == ["websocket.accept", "websocket.close"]
        assert feed.joined == []

    run(test, timeout=10)


def test_the_resync_comes_in_place_of_what_was_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients_module, "QUEUE_EVENTS_MAX", 3)

    async def test() -> None:
        wire, feed = Wire(), FakeFeed()
        app = LiveSocket(feed)  # type: ignore[arg-type]
        running = asyncio.create_task(app({"type": "websocket", "subprotocols": []}, wire.receive, wire.send))
        while wire.sent != ["websocket.accept"]:
            await asyncio.sleep(0)
        feed.clients.deliver([event(1)])
        while len(wire.sent) < 2:
            await asyncio.sleep(0)
        wire.open.clear()
        for seq in range(2, 10):
            feed.clients.deliver([event(seq)])
            await asyncio.sleep(0)
        wire.open.set()
        while RESYNC_FRAME.decode() not in wire.sent:
            await asyncio.sleep(0)
        feed.clients.deliver([event(10)])
        while wire.sent[-1] != "10":
            await asyncio.sleep(0)
        # 2 was on its way when the client stopped reading
        assert wire.sent == ["websocket.accept", "1", "2", RESYNC_FRAME.decode(), "10"]
        wire.said.put_nowait({"type": "websocket.disconnect"})
        await running
        assert feed.left == feed.joined

    run(test, timeout=10)
