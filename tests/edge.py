"""The hub run for real, and what stands behind and in front of it in tests: processes that misbehave on order, clients
that see every byte."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.processes import Answer, Process

Headers = list[tuple[str, str]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(test: Callable[[], Awaitable[None]], timeout: float = 60) -> None:
    """Run an async test to its end, at most `timeout` seconds."""

    async def bounded() -> None:
        async with asyncio.timeout(timeout):
            await test()

    asyncio.run(bounded())


async def until(condition: Callable[[], Any], what: str = "", timeout: float = 15) -> None:
    deadline = asyncio.get_running_loop().time() + timeout
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"waited {timeout} s for {what or condition}"
        await asyncio.sleep(0.005)


class Hub(Process):
    """`python -m hub` on a free port; `ask` goes through the port."""

    def __init__(self, home: Path, **env: str) -> None:
        self.port = free_port()
        # the second port is for the tests that mean it: two hubs at a time could not both have it
        super().__init__("hub", home, **{"BEACON_BACKEND_PORT": str(self.port), "BEACON_OTLP_PORT": "off", **env})

    def __enter__(self) -> Hub:
        self.start()
        return self

    def answers(self) -> bool:
        try:
            return self.ask("GET", "/openapi.json").status in (200, 401)
        except OSError:
            return False

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, timeout: float = 20
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            given = {"content-type": "application/json"} if body is not None else {}
            connection.request(method, path, sent, {**given, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()


class Request:
    """One request as a fake process got it."""

    def __init__(self, method: str, target: str, headers: Headers, reader: asyncio.StreamReader) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.reader = reader
        self.body = b""

    def header(self, name: str) -> str | None:
        return next((v for k, v in self.headers if k.lower() == name), None)

    async def read_body(self) -> bytes:
        if (length := self.header("content-length")) is not None:
            self.body = await self.reader.readexactly(int(length))
        elif self.header("transfer-encoding") == "chunked":
            while size := int(await self.reader.readline(), 16):
                self.body += await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            await self.reader.readline()
        return self.body


Respond = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


class Behind:
    """A process behind the hub, as rude as the test wants it: `respond` gets each request, its body not yet read, and
    writes what it likes. `seen` has them all."""

    def __init__(self, path: Path, respond: Respond) -> None:
        self.path = path
        self.respond = respond
        self.seen: list[Request] = []
        self.connections = 0
        self.open: set[asyncio.StreamWriter] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        self._server = await asyncio.start_unix_server(self._connected, str(self.path))

    async def stop(self) -> None:
        """As kill -9: the listener and every connection end at once."""
        if self._server is not None:
            self._server.close()
        for writer in list(self.open):
            writer.transport.abort()
        for handler in list(self._handlers):
            handler.cancel()
        while self._handlers:
            await asyncio.sleep(0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        handler = asyncio.current_task()
        assert handler is not None
        self._handlers.add(handler)
        try:
            while (request := await _read_head(reader)) is not None:
                self.seen.append(request)
                await self.respond(request, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # asyncio's server logs a handler that ends cancelled as an error
        finally:
            self._handlers.discard(handler)
            self.open.discard(writer)
            writer.close()


async def _read_head(reader: asyncio.StreamReader) -> Request | None:
    line = await reader.readline()
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers: Headers = []
    while (field := (await reader.readline()).decode("latin-1").strip()) != "":
        name, _, value = field.partition(":")
        headers.append((name, value.strip()))
    return Request(method, target, headers, reader)


def answer(body: Any = None, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole HTTP answer with a JSON body."""
    text = body if isinstance(body, bytes) else json.dumps(body if body is not None else {"ok": True}).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n{headers}\r\n"
    return head.encode() + text


async def polite(request: Request, writer: asyncio.StreamWriter) -> None:
    """Reads the body, answers 200."""
    await request.read_body()
    writer.write(answer())


@asynccontextmanager
async def behind(hub: Hub, process: str, respond: Respond = polite) -> AsyncIterator[Behind]:
    fake = Behind(hub.home / "run" / f"{process}.sock", respond)
    await fake.start()
    try:
        yield fake
    finally:
        await fake.stop()


async def send_raw(port: int, request: bytes, timeout: float = 20) -> Answer:
    """Send these very bytes and read one answer to the end of the connection or of its body."""
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            return await read_answer(reader, head_only=request.startswith(b"HEAD "))
        finally:
            writer.close()


async def read_answer(reader: asyncio.StreamReader, head_only: bool = False) -> Answer:
    line = (await reader.readline()).decode("latin-1")
    status = int(line.split(" ")[1])
    headers: dict[str, str] = {}
    while (field := (await reader.readline()).decode("latin-1").strip()) != "":
        name, _, value = field.partition(":")
        name = name.lower()
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    body = b""
    if head_only or status in (204, 304):
        pass
    elif "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readline()
    return Answer(status, headers, body)


def head(method: str, target: str, *headers: str, host: str = "localhost") -> bytes:
    """A request head, Host included unless it is empty."""
    lines = [f"{method} {target} HTTP/1.1", *([f"Host: {host}"] if host else []), *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def post_spans(body: bytes = b'{"spans":[]}', *headers: str) -> bytes:
    return head("POST", "/v1/spans", "content-type: application/json", f"content-length: {len(body)}", *headers) + body
