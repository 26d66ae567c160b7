"""The live stream through a real hub: a real publisher in ingest's place, a reader of changes in query's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from beacon.bus import Publisher
from beacon.contract.events import (
    TOPIC_EVENTS,
    TOPIC_HEARTBEAT,
    Envelope,
    Event,
    Heartbeat,
    pack,
    pack_heartbeat,
)
from tests.edge import Hub, Request, answer, behind, head, run, send_raw, until
from tests.processes import short_home

MB = 1024 * 1024
RESYNC = {"event": "resync"}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with short_home() as home, Hub(home) as process:
        yield process


class Ingest:
    """Publishes as ingest does: `commit` makes events of the next seqs, `lost` ones are never sent."""

    def __init__(self, hub: Hub, epoch: str = "one", hwm: int = 256) -> None:
        self.bus = Publisher(hub.home / "run" / "events.zmq", hwm)
        self.epoch = epoch
        self.last = 0
        self.events: list[Event] = []

    def commit(self, count: int = 1, trace: str = "t", lost: bool = False, size: int = 0) -> None:
        prev = self.last
        new = [_event(prev + 1 + i, trace, size) for i in range(count)]
        self.last += count
        self.events += new
        if not lost:
            self.bus.send(TOPIC_EVENTS, pack(Envelope(self.epoch, prev, self.last, new)))

    def delete(self, *traces: str) -> None:
        self.last += 1
        frame = json.dumps({"event": "traces_deleted", "seq": self.last, "trace_ids": traces}).encode()
        event = Event(self.last, "traces_deleted", traces, frame)
        self.events.append(event)
        self.bus.send(TOPIC_EVENTS, pack(Envelope(self.epoch, self.last - 1, self.last, [event])))

    def beat(self, workers: int = 1) -> None:
        self.bus.send(TOPIC_HEARTBEAT, pack_heartbeat(Heartbeat(self.epoch, self.last, workers)))

    async def beating(self) -> None:
        while True:
            self.beat()
            await asyncio.sleep(0.02)

    async def changes(self, request: Request, writer: Any) -> None:
        """query's answer to GET /internal/changes."""
        if not request.target.startswith("/internal/changes?after="):
            writer.write(answer())
            return
        after = int(request.target.rpartition("=")[2])
        writer.write(_msgpack(Envelope(self.epoch, after, self.last, [e for e in self.events if e.seq > after])))


def _event(seq: int, trace: str, size: int) -> Event:
    span = {"span_id": f"s{seq}", "trace_id": trace, "attributes": {"text": "x" * size}}
    return Event(
        seq, "span_created", (trace,), json.dumps({"event": "span_created", "seq": seq, "span": span}).encode()
    )


def _msgpack(envelope: Envelope) -> bytes:
    body = pack(envelope)
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/msgpack\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


@asynccontextmanager
async def ingest_for(hub: Hub, beating: bool = True, **how: Any) -> AsyncIterator[Ingest]:
    ingest = Ingest(hub, **how)
    beats = asyncio.create_task(ingest.beating()) if beating else None
    try:
        yield ingest
    finally:
        if beats is not None:
            beats.cancel()
        ingest.bus.close()


@asynccontextmanager
async def live(hub: Hub, ingest: Ingest | None = None, host: str = "127.0.0.1") -> AsyncIterator[ClientConnection]:
    """A websocket client; with `ingest`, one whose subscription has reached it and whose hub has heard a heartbeat."""
    if ingest is not None:
        while (await send_raw(hub.port, head("GET", "/health"))).json["parts"]["replay_worker"] != "1 up":
            pass
    async with connect(f"ws://{host}:{hub.port}/ws/live", max_size=None) as websocket:
        if ingest is not None:
            await until(lambda: ingest.bus.subscribed(TOPIC_EVENTS), "the subscription")
        yield websocket


async def take(websocket: ClientConnection, count: int) -> list[Any]:
    async with asyncio.timeout(15):
        return [json.loads(await websocket.recv()) for _ in range(count)]


async def take_seqs(websocket: ClientConnection, count: int) -> list[int]:
    return [event["seq"] for event in await take(websocket, count)]


async def told(websocket: ClientConnection, **message: Any) -> None:
    """Send a request, and wait until it has been read: what follows it, no action at all, has been answered."""
    await websocket.send(json.dumps(message))
    await websocket.send("?")
    while "error" not in (await take(websocket, 1))[0]:
        pass


# ---------------------------------------------------------------- events


def test_events_reach_every_client_in_commit_order_as_text(hub: Hub) -> None:
    async def test() -> None:
        async with ingest_for(hub) as ingest, live(hub, ingest) as one, live(hub, host="localhost") as two:
            ingest.commit(3)
            ingest.commit(200)
            assert await take_seqs(one, 203) == list(range(1, 204))
            assert await take_seqs(two, 203) == list(range(1, 204))
            ingest.commit()
            frame = await one.recv()
            assert isinstance(frame, str)
            assert frame.encode() == ingest.events[-1].frame

    run(test)


def test_ingest_is_asked_for_events_only_while_there_is_a_client(hub: Hub) -> None:
    async def test() -> None:
        async with ingest_for(hub) as ingest, behind(hub, "query", ingest.changes):
            async with live(hub, ingest):
                async with live(hub):
                    pass
                await asyncio.sleep(0.1)
                assert ingest.bus.subscribed(TOPIC_EVENTS)
            await until(lambda: not ingest.bus.subscribed(TOPIC_EVENTS), "the subscription to end")
            ingest.commit(5)
            async with live(hub, ingest) as later:
                ingest.commit()
                while await take_seqs(later, 1) != [6]:
                    pass

    run(test)


def test_a_client_may_follow_one_trace(hub: Hub) -> None:
    async def test() -> None:
        async with ingest_for(hub) as ingest, live(hub, ingest) as one, live(hub, ingest) as every:
            await told(one, action="subscribe_trace", trace_id="b")
            ingest.commit(2, "a")
            ingest.commit(2, "b")
            ingest.delete("a", "c")
            ingest.delete("a", "b")
            ingest.commit(1, "b")
            assert await take_seqs(one, 4) == [3, 4, 6, 7]
            assert await take_seqs(every, 7) == [1, 2, 3, 4, 5, 6, 7]
            await told(one, action="unsubscribe_trace", trace_id="b")
            ingest.commit(1, "a")
            assert await take_seqs(one, 1) == [8]

    run(test)


def test_what_is_no_request_is_answered_and_the_connection_stays(hub: Hub) -> None:
    async def test() -> None:
        async with ingest_for(hub) as ingest, live(hub, ingest) as websocket:
            wrong: list[str | bytes] = [
                "", "no json", "[1]", "null", "3", "{}", '{"action": "dance"}', '{"action": ["subscribe_trace"]}',
                '{"action": "subscribe_trace"}', '{"action": "subscribe_trace", "trace_id": 7}',
                '{"action": "subscribe_trace", "trace_id": "a/b"}', "[" * 5000, b"\xff\x00", b"",
            ]  # fmt: skip
            for message in wrong:
                await websocket.send(message)
                (said,) = await take(websocket, 1)
                assert list(said) == ["error"]
                assert said["error"]
            # binary is as good as text
            await websocket.send(b'{"action": "subscribe_trace", "trace_id": "b"}')
            await told(websocket, action="subscribe_trace", trace_id="b")
            ingest.commit(1, "a")
            ingest.commit(1, "b")
            assert await take_seqs(websocket, 1) == [2]

    run(test)


# ---------------------------------------------------------------- gaps


def test_a_lost_message_is_healed_from_the_database_in_order(hub: Hub) -> None:
    async def test() -> None:
        async with ingest_for(hub) as ingest, behind(hub, "query", ingest.changes), live(hub, ingest) as websocket:
            ingest.commit(2)
            ingest.commit(3, lost=True)
            ingest.commit(1)
            ingest.commit(4)
            assert await take_seqs(websocket, 10) == list(range(1, 11))

    run(test)


def test_a_lost_tail_is_found_by_the_heartbeat(hub: Hub) -> None:
    async def test() -> None:
        async with ingest_for(hub) as ingest, behind(hub, "query", ingest.changes), live(hub, ingest) as websocket:
            ingest.commit(1)
            ingest.commit(5, lost=True)
            assert await take_seqs(websocket, 6) == [1, 2, 3, 4, 5, 6]

    run(test)


def test_events_are_held_back_while_a_gap_is_healed(hub: Hub) -> None:
    go_on = asyncio.Event()

    async def test() -> None:
        async with ingest_for(hub) as ingest:

            async def slow(request: Request, writer: Any) -> None:
                body_of = ingest.last
                await go_on.wait()
                events = [e for e in ingest.events if e.seq <= body_of]
                writer.write(_msgpack(Envelope(ingest.epoch, 0, body_of, events)))

            async with behind(hub, "query", slow) as query, live(hub, ingest) as websocket:
                ingest.commit(2, lost=True)
                ingest.commit(1)
                await until(lambda: query.seen, "the question for changes")
                ingest.commit(3)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(websocket.recv(), 0.2)
                go_on.set()
                assert await take_seqs(websocket, 6) == [1, 2, 3, 4, 5, 6]

    run(test)


def test_what_pub_drops_at_its_high_water_mark_is_healed(hub: Hub) -> None:
    """The hub is stopped while a burst is published: PUB keeps what its queues hold and drops the rest."""

    async def test() -> None:
        async with (
            ingest_for(hub, beating=False, hwm=4) as ingest,
            behind(hub, "query", ingest.changes) as query,
        ):
            for _ in range(5):
                ingest.beat()
                await asyncio.sleep(0.02)
            async with connect(f"ws://127.0.0.1:{hub.port}/ws/live", max_size=None) as websocket:
                await until(lambda: ingest.bus.subscribed(TOPIC_EVENTS), "the subscription")
                assert hub.child is not None
                hub.child.send_signal(signal.SIGSTOP)
                for _ in range(300):
                    ingest.commit(1, size=60_000)
                hub.child.send_signal(signal.SIGCONT)
                ingest.beat()
                beats = asyncio.create_task(ingest.beating())
                seqs = await take_seqs(websocket, 300)
                beats.cancel()
                assert seqs == list(range(1, 301))
                assert query.seen, "nothing was dropped: the test does not test"

    run(test)


def test_too_much_to_heal_is_a_resync_and_the_stream_goes_on(hub: Hub) -> None:
    async def refuse(request: Request, writer: Any) -> None:
        writer.write(answer({"detail": "too many changes"}, "409 Conflict"))

    async def test() -> None:
        async with ingest_for(hub) as ingest, behind(hub, "query", refuse), live(hub, ingest) as websocket:
            ingest.commit(5, lost=True)
            assert await take(websocket, 1) == [RESYNC]
            ingest.commit(1)
            assert await take_seqs(websocket, 1) == [6]

    run(test)


def test_a_gap_outlives_a_short_absence_of_query(hub: Hub) -> None:
    async def test() -> None:
        async with ingest_for(hub) as ingest, live(hub, ingest) as websocket:
            ingest.commit(5, lost=True)
            await asyncio.sleep(0.5)
            async with behind(hub, "query", ingest.changes):
                assert await take_seqs(websocket, 5) == [1, 2, 3, 4, 5]

    run(test)


def test_a_long_absence_of_query_is_a_resync(hub: Hub) -> None:
    async def test() -> None:
        async with ingest_for(hub) as ingest, live(hub, ingest) as websocket:
            start = time.monotonic()
            ingest.commit(5, lost=True)
            assert await take(websocket, 1) == [RESYNC]
            assert 4 < time.monotonic() - start < 8
            ingest.commit(1)
            assert await take_seqs(websocket, 1) == [6]

    run(test)


@pytest.mark.parametrize(("epoch", "last"), [("two", 3), ("two", 9), ("one", 2)])
def test_another_database_is_a_resync(hub: Hub, epoch: str, last: int) -> None:
    async def test() -> None:
        async with ingest_for(hub) as ingest, behind(hub, "query", ingest.changes), live(hub, ingest) as websocket:
            ingest.commit(5)
            await take(websocket, 5)
            ingest.epoch, ingest.last = epoch, last
            assert await take(websocket, 1) == [RESYNC]
            ingest.commit(1)
            assert await take_seqs(websocket, 1) == [ingest.last]

    run(test)


def test_clients_that_were_there_before_ingest_fetch_anew_once(hub: Hub) -> None:
    async def test() -> None:
        async with live(hub) as websocket, ingest_for(hub) as ingest:
            assert await take(websocket, 1) == [RESYNC]
            ingest.commit(1)
            assert await take_seqs(websocket, 1) == [1]

    run(test)


def test_a_restart_of_ingest_loses_nothing(hub: Hub) -> None:
    async def test() -> None:
        async with ingest_for(hub) as first, live(hub, first) as websocket:
            first.commit(2)
            assert await take_seqs(websocket, 2) == [1, 2]
            last, events = first.last, first.events
        async with connect(f"ws://127.0.0.1:{hub.port}/ws/live") as other, ingest_for(hub, beating=False) as second:
            second.last, second.events = last, events
            second.commit(3)  # before anybody has found the new socket
            async with behind(hub, "query", second.changes):
                beats = asyncio.create_task(second.beating())
                assert await take_seqs(other, 3) == [3, 4, 5]
                beats.cancel()

    run(test)


# ---------------------------------------------------------------- clients that do not read, and too many


def test_a_client_that_never_reads_costs_its_queue_and_then_gets_resync(hub: Hub) -> None:
    async def test() -> None:
        assert hub.child is not None
        process = psutil.Process(hub.child.pid)
        async with ingest_for(hub) as ingest, live(hub, ingest) as reads:
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.port, limit=1024)
            writer.write(
                b"GET /ws/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            assert b"101" in await reader.readuntil(b"\r\n\r\n")
            before = process.memory_info().rss
            for _ in range(40):  # 120 MB
                ingest.commit(100, size=30_000)
                assert len(await take(reads, 100)) == 100
            assert process.memory_info().rss - before < 80 * MB
            # it reads again: what was on its way, then the resync, then what is new
            seen = b""
            while RESYNC_TEXT not in seen:
                seen = seen[-64:] + await reader.read(65536)
            ingest.commit(1)
            while b'"seq": 4001' not in seen:
                seen += await reader.read(65536)
            assert b'"seq": 4000' not in seen
            writer.close()

    run(test)


RESYNC_TEXT = b'{"event":"resync"}'


def test_a_client_that_never_reads_does_not_hold_up_the_end(hub: Hub) -> None:
    async def test() -> None:
        async with ingest_for(hub) as ingest, live(hub, ingest) as reads:
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.port, limit=1024)
            writer.write(
                b"GET /ws/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            await reader.readuntil(b"\r\n\r\n")
            for _ in range(10):
                ingest.commit(100, size=30_000)
                await take(reads, 100)
            start = time.monotonic()
            assert await asyncio.to_thread(hub.end, signal.SIGTERM) == 0
            assert time.monotonic() - start < 6
            writer.close()

    run(test)


def test_a_ping_is_answered_and_large_messages_are_refused(hub: Hub) -> None:
    async def test() -> None:
        async with live(hub) as websocket:
            await (await websocket.ping())
            with contextlib.suppress(ConnectionClosed):
                await websocket.send("x" * (2 * MB))
            await websocket.wait_closed()
            assert websocket.close_code == 1009

    run(test)


def test_another_path_is_no_websocket(hub: Hub) -> None:
    async def test() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(
            b"GET /ws/other HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        said = await reader.read(4096)
        assert said.startswith(b"HTTP/1.1 404")
        assert b"/ws/live" in said
        writer.close()

    run(test)


def test_nonsense_on_the_bus_is_logged_and_passed_over(hub: Hub) -> None:
    async def test() -> None:
        async with ingest_for(hub) as ingest, live(hub, ingest) as websocket:
            ingest.bus.send(TOPIC_EVENTS, b"\xc1 nonsense")
            ingest.bus.send(TOPIC_EVENTS, b"")
            ingest.bus.send(TOPIC_HEARTBEAT, b"\x93\x01\x02\x03")
            ingest.commit(1)
            assert await take_seqs(websocket, 1) == [1]
        assert "cannot be read" in hub.log.read_text()

    run(test)
