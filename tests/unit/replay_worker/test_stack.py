"""What a worker asks ingest and query, of servers on unix sockets that go away, stall and complain on order."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from beacon.config import Settings
from beacon.contract.jobs import Complete, JobError
from beacon.errors import BadRequest, PartDown
from replay_worker import stack as module
from replay_worker.stack import SpansRefused, Stack
from replay_worker.wire import Away, Peer


class Server:
    """Answers on the unix socket `path`: each request gets the next of `answers` (status and body), the last one for
    ever; None closes the connection instead. `seen` has what came."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: list[tuple[int, bytes] | None] = [(200, b"{}")]
        self.seen: list[tuple[str, bytes]] = []
        self.connections = 0
        self.keep = True
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.path.unlink(missing_ok=True)
        for writer in self._writers:
            writer.transport.abort()
        await settle()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lengths = [line for line in head.split("\r\n") if line.lower().startswith("content-length:")]
                body = await reader.readexactly(int(lengths[0].split(":")[1])) if lengths else b""
                self.seen.append((" ".join(head.split(" ")[:2]), body))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    break
                status, text = answer
                close = "" if self.keep else "connection: close\r\n"
                writer.write(f"HTTP/1.1 {status} X\r\n{close}content-length: {len(text)}\r\n\r\n".encode() + text)
                await writer.drain()
        writer.transport.abort()


async def settle() -> None:
    """Let transports that were ended close: a few turns of the loop."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def settings() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="b", dir="/tmp") as folder:
        home = Path(folder)
        yield Settings(home=home, db_path=home / "traces.db", run_dir=home)


@asynccontextmanager
async def serving(settings: Settings, process: str = "ingest") -> AsyncIterator[tuple[Stack, Server]]:
    server = Server(settings.socket_path(process))
    await server.start()
    stack = Stack(settings)
    try:
        yield stack, server
    finally:
        stack.close()
        await server.stop()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(bounded())


def test_a_connection_is_used_again(settings: Settings) -> None:
    async def test() -> None:
        async with serving(settings) as (stack, server):
            for _ in range(5):
                await stack.post_spans([])
            assert server.connections == 1
            server.keep = False
            for _ in range(3):
                await stack.post_spans([])
            assert server.connections == 3, "one that the server closes is not"

    run(test)


def test_a_result_is_handed_in_again_until_ingest_takes_it(settings: Settings) -> None:
    async def test() -> None:
        async with serving(settings) as (stack, server):
            server.answers = [None, (503, b"{}"), (500, b"{}"), (200, b"{}")]
            await stack.complete("j1", Complete("t", result=msgspec.Raw(b'{"a":1}')))
            assert [what for what, _ in server.seen] == ["POST /internal/jobs/j1/complete"] * 4
            assert msgspec.json.decode(server.seen[-1][1]) == {"token": "t", "result": {"a": 1}}

    run(test)


def test_a_result_waits_for_an_ingest_that_is_not_there(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = 0
    ask = Peer.ask

    async def counted(*args: Any, **more: Any) -> Any:
        nonlocal attempts
        attempts += 1
        return await ask(*args, **more)

    monkeypatch.setattr(Peer, "ask", counted)

    async def test() -> None:
        stack = Stack(settings)
        task = asyncio.create_task(stack.complete("j1", Complete("t", error=JobError(502, "no"))))
        while attempts < 3:
            await asyncio.sleep(0.001)
        assert not task.done()
        server = Server(settings.socket_path("ingest"))
        await server.start()
        await task
        assert msgspec.json.decode(server.seen[0][1]) == {"token": "t", "error": {"status": 502, "detail": "no"}}
        stack.close()
        await server.stop()

    run(test)


def test_a_result_that_ingest_does_not_take_is_told_of(settings: Settings) -> None:
    async def test() -> None:
        async with serving(settings) as (stack, server):
            server.answers = [(413, b'{"detail":"too large"}'), (200, b"{}")]
            await stack.complete("j", Complete("t", result=msgspec.Raw(b'{"text":"long"}')))
            said = msgspec.json.decode(server.seen[-1][1], type=Complete)
            assert isinstance(said.error, JobError)
            assert said.error.status == 502
            assert "could not be stored" in said.error.detail
            assert len(server.seen) == 2

    run(test)


@pytest.mark.parametrize("status", [404, 409])
def test_a_result_nobody_wants_is_not_handed_in_twice(settings: Settings, status: int) -> None:
    async def test() -> None:
        async with serving(settings) as (stack, server):
            server.answers = [(status, b"{}")]
            await stack.complete("j1", Complete("t", error=JobError(502, "no")))
            assert len(server.seen) == 1

    run(test)


def test_a_stalled_ingest_is_asked_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.1)

    async def test() -> None:
        stalled = asyncio.Event()
        tries = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal tries
            tries += 1
            if tries > 2:
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            else:
                await stalled.wait()
            with contextlib.suppress(OSError):
                await reader.read()
            writer.transport.abort()

        server = await asyncio.start_unix_server(serve, settings.socket_path("ingest"))
        stack = Stack(settings)
        await stack.complete("j1", Complete("t", error=JobError(502, "no")))
        assert tries == 3
        stack.close()
        stalled.set()
        server.close()
        await settle()

    run(test)


def test_a_worker_that_leaves_does_not_wait_for_an_ingest_that_is_gone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEAVING_S", 0.1)

    async def test() -> None:
        stack = Stack(settings)
        stack.leave()
        await stack.complete("j1", Complete("t", error=JobError(502, "no")))
        with pytest.raises(PartDown):
            await stack.post_spans([])

    run(test)


@pytest.mark.parametrize("answer", [(404, b"{}"), (409, b"{}"), (503, b"{}"), None])
def test_a_job_that_cannot_be_claimed_is_left(settings: Settings, answer: tuple[int, bytes] | None) -> None:
    async def test() -> None:
        async with serving(settings) as (stack, server):
            server.answers = [answer]
            assert await stack.claim("j1", "w1") is None
            assert len(server.seen) == 1, "a claim may have been done though nobody heard: it is not made twice"

    run(test)


@pytest.mark.parametrize(
    ("answer", "means"),
    [
        ((200, b'{"cancelled":false}'), "kept"),
        ((200, b'{"cancelled":true}'), "cancelled"),
        ((404, b"{}"), "cancelled"),
        ((409, b"{}"), "cancelled"),
        ((503, b"{}"), "away"),
        (None, "away"),
    ],
)
def test_what_a_renewal_tells(settings: Settings, answer: tuple[int, bytes] | None, means: str) -> None:
    async def test() -> None:
        async with serving(settings) as (stack, server):
            server.answers = [answer]
            assert await stack.renew("j1", "t") == means

    run(test)


def test_spans_that_are_not_taken_are_an_error(settings: Settings) -> None:
    async def test() -> None:
        async with serving(settings) as (stack, server):
            server.answers = [(422, b'{"detail":"spans[0]: lacks name."}'), (200, b'{"accepted":1,"rejected":1}')]
            with pytest.raises(SpansRefused, match="lacks name"):
                await stack.post_spans([{}])
            with pytest.raises(SpansRefused):
                await stack.post_spans([{}])

    run(test)


def test_reads_ask_query_and_say_what_is_not_there(settings: Settings) -> None:
    async def test() -> None:
        async with serving(settings, "query") as (stack, server):
            server.answers = [(200, b'{"spans":[]}'), (200, b'{"traces":[{}]}'), (404, b"{}"), (404, b"{}")]
            assert await stack.get_trace("t 1", light=True) == {"spans": []}
            assert await stack.list_traces(q="a b", limit=2) == [{}]
            with pytest.raises(BadRequest, match="s1"):
                await stack.get_span("s1", "t1")
            with pytest.raises(BadRequest, match="t1"):
                await stack.get_trace("t1")
            assert [what for what, _ in server.seen] == [
                "GET /v1/traces/t%201?fields=light",
                "GET /v1/traces?q=a+b&limit=2",
                "GET /v1/spans/s1?trace_id=t1",
                "GET /v1/traces/t1",
            ]

    run(test)


def test_a_peer_that_speaks_no_http_is_away(settings: Settings) -> None:
    async def test() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"what?\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(serve, settings.socket_path("ingest"))
        peer = Peer(settings.socket_path("ingest"))
        with pytest.raises(Away, match="not HTTP"):
            await peer.ask("GET", "/", timeout=5)
        with pytest.raises(Away):
            await Peer(settings.run_dir / "nobody.sock").ask("GET", "/", timeout=5)
        peer.close()
        server.close()
        await settle()

    run(test)
