"""Calls of a model through a real hub: streamed as they are written, never sent twice, not ended by their client; and
`job_updated` on the websocket, beside the stream of events and not in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from beacon.contract.events import TOPIC_EVENTS, JobFrame, pack_job_frame
from beacon.contract.jobs import TOPIC_JOBS
from tests.edge import Behind, Hub, Request, answer, behind, head, run, send_raw, until
from tests.process.test_hub_live import Ingest, ingest_for, live, take, told
from tests.processes import short_home


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with short_home() as home, Hub(home) as process:
        yield process


BODY = b'{"span_id":"s","stream":true}'
STREAM_FIELDS = ("content-type: text/event-stream", "cache-control: no-cache", "transfer-encoding: chunked")
STREAM_HEAD = "\r\n".join(("HTTP/1.1 200 OK", *STREAM_FIELDS, "", "")).encode()


def replay(body: bytes = BODY) -> bytes:
    fields = ("content-type: application/json", f"content-length: {len(body)}", "idempotency-key: k")
    return head("POST", "/v1/replay", *fields) + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def test_a_streamed_answer_goes_through_piece_by_piece(hub: Hub) -> None:
    async def test() -> None:
        write: asyncio.Queue[bytes | None] = asyncio.Queue()

        async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
            await request.read_body()
            writer.write(STREAM_HEAD)
            while (piece := await write.get()) is not None:
                writer.write(chunk(piece))
            writer.write(b"0\r\n\r\n")

        async with behind(hub, "ingest", respond) as ingest:
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
            writer.write(replay())
            # the head comes before there is anything to say
            assert b"200 OK" in await asyncio.wait_for(reader.readline(), 5)
            fields = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert b"text/event-stream" in fields
            assert b"cache-control: no-cache" in fields
            assert ingest.seen[0].header("idempotency-key") == "k"
            for i in range(3):
                # each is read before the next is written: nothing on the way waits for more
                write.put_nowait(b"event: delta\ndata: %d\n\n" % i)
                await asyncio.wait_for(reader.readuntil(b"data: %d\n\n" % i), 5)
            write.put_nowait(None)
            await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5)
            writer.close()
            await writer.wait_closed()

    run(test)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_client_that_leaves_gives_its_connection_back(hub: Hub, streamed: bool) -> None:
    async def test() -> None:
        async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
            await request.read_body()
            if streamed:
                writer.write(STREAM_HEAD + chunk(b": on its way\n\n"))
            await asyncio.sleep(60)

        async with behind(hub, "ingest", respond) as ingest:
            _, writer = await asyncio.open_connection("127.0.0.1", hub.port)
            writer.write(replay())
            await until(lambda: ingest.seen and ingest.seen[0].body, "the request to arrive")
            connection = next(iter(ingest.open))
            writer.close()
            await until(
                lambda: connection.transport.is_closing() or ingest.seen[0].reader.at_eof(), "the hub to let go"
            )

    run(test)


def test_a_call_that_ingest_dies_on_is_not_made_again(hub: Hub) -> None:
    async def test() -> None:
        async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
            await request.read_body()
            if len(ingest.seen) == 1:
                writer.transport.abort()  # on a connection that was kept, or on a new one
            else:
                writer.write(answer())

        async with behind(hub, "ingest", respond) as ingest:
            got = await send_raw(hub.port, replay())
            assert got.status == 503
            assert "may or may not" in got.json["detail"]
            assert [request.target for request in ingest.seen] == ["/v1/replay"]

    run(test)


async def arrived(ingest: Behind, count: int) -> None:
    await until(lambda: len(ingest.seen) == count, "the calls to arrive")


def test_calls_that_wait_do_not_use_up_the_connections_of_spans(hub: Hub) -> None:
    async def test() -> None:
        async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
            await request.read_body()
            if request.target == "/v1/spans":
                writer.write(answer())
            else:
                await asyncio.sleep(60)

        async with behind(hub, "ingest", respond) as ingest:
            waiting = []
            for count in range(50, 301, 50):  # as many as the listener of a fake takes at once
                for _ in range(50):
                    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
                    writer.write(replay())
                    waiting.append((reader, writer))
                await arrived(ingest, count)
            spans = b'{"spans":[]}'
            fields = ("content-type: application/json", f"content-length: {len(spans)}")
            got = await send_raw(hub.port, head("POST", "/v1/spans", *fields) + spans, timeout=5)
            assert got.status == 200
            for _, writer in waiting:
                writer.close()
            await asyncio.gather(*(writer.wait_closed() for _, writer in waiting))

    run(test)


def frame(trace_id: str | None, state: str = "running") -> tuple[bytes, bytes]:
    text = json.dumps({"event": "job_updated", "job_id": "j", "state": state, "trace_id": trace_id}).encode()
    return TOPIC_JOBS, pack_job_frame(JobFrame(trace_id, text))


def test_jobs_are_told_of_beside_the_events_and_make_no_gap(hub: Hub) -> None:
    async def test() -> None:
        async with ingest_for(hub) as ingest, behind(hub, "query", ingest.changes) as query:
            async with live(hub, ingest) as every, live(hub, ingest) as one:
                await told(one, action="subscribe_trace", trace_id="b")
                await until(lambda: ingest.bus.subscribed(TOPIC_JOBS), "the subscription")
                ingest.commit()
                ingest.bus.send(*frame("a"))
                ingest.bus.send(*frame(None))
                ingest.commit(1, "b")
                ingest.bus.send(*frame("b", "done"))
                ingest.commit()
                got = await take(every, 6)
                assert [(e["event"], e.get("seq")) for e in got] == [
                    ("span_created", 1),
                    ("job_updated", None),
                    ("job_updated", None),
                    ("span_created", 2),
                    ("job_updated", None),
                    ("span_created", 3),
                ]
                assert [(e["event"], e.get("state")) for e in await take(one, 2)] == [
                    ("span_created", None),
                    ("job_updated", "done"),
                ]
            healed = [request.target for request in query.seen if request.target.startswith("/internal/changes")]
            assert healed == []

    run(test)


def test_job_frames_pass_while_a_gap_is_healed_and_one_that_cannot_be_read_harms_nobody(hub: Hub) -> None:
    async def test() -> None:
        answered = asyncio.Event()

        async with ingest_for(hub) as ingest:

            async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
                await answered.wait()
                await Ingest.changes(ingest, request, writer)

            async with behind(hub, "query", slow), live(hub, ingest) as client:
                await until(lambda: ingest.bus.subscribed(TOPIC_JOBS), "the subscription")
                ingest.commit()
                assert (await take(client, 1))[0]["seq"] == 1
                ingest.commit(lost=True)
                ingest.bus.send(TOPIC_JOBS, b"\x00")
                ingest.bus.send(*frame("t"))
                assert (await take(client, 1))[0]["event"] == "job_updated"
                answered.set()
                assert (await take(client, 1))[0]["seq"] == 2

    run(test)


def test_nobody_asks_for_jobs_when_there_is_no_client(hub: Hub) -> None:
    async def test() -> None:
        async with ingest_for(hub) as ingest, behind(hub, "query", ingest.changes):
            async with live(hub, ingest):
                await until(lambda: ingest.bus.subscribed(TOPIC_JOBS), "the subscription")
            await until(lambda: not ingest.bus.subscribed(TOPIC_EVENTS), "its end")
            await until(lambda: not ingest.bus.subscribed(TOPIC_JOBS), "its end")

    run(test)
