"""A provider of models that misbehaves on cue: a real HTTP server on loopback, for tests and benchmarks.

It speaks OpenAI's chat completions and Responses, Anthropic's Messages and Google's generateContent, streamed or not,
and lists models. It runs on a thread of its own::

    with FakeProvider() as fake:
        fake.base_url("openai")                 # http://127.0.0.1:PORT/v1; also "anthropic", "google"
        fake.script(Reply(status=429, headers={"retry-after": "1"}), Reply(text="Hello"))  # the next calls, in order
        fake.script(Reply(text="B"), model="b")  # the next call of this model; goes before the others
        fake.default = Reply(first_byte_s=1.0)   # whatever else is called; may be a function of Received
        ...
        fake.requests[0].json["messages"]        # what came: method, path, headers, json, body, at, api, model
        fake.requests[0].disconnected            # set when the caller went before the answer was whole
        fake.wait(lambda: len(fake.requests) == 2)
        fake.default = Reply(gate="a")           # answers nothing until fake.open("a")

`key`: when set, a call without it is 401. `refuse()` closes the port, `listen()` opens it again. On its own:
`python -m tests.fake_provider --port 8123` serves until it is stopped; there `POST /_script` takes
`{"replies": [REPLY …], "model": …, "default": REPLY}` (fields of Reply) and `GET /_requests` tells what came.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.fake_answers import Api, Reply, error_body, model_list, stream, whole

__all__ = ["FakeProvider", "Received", "Reply"]

ACCEPT_ROUNDS = 5
"""Rounds of the loop from an accepted connection to the task that serves it: by its own task, its transport, its
protocol."""

FLUSH_S = 0.02
"""Seconds for what was written to go out before the connection breaks: a reset takes what its reader has not read."""


@dataclass
class Received:
    """One request. `at`: time.monotonic() when it was whole; `first_text_at`: when the first piece of text was sent."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    api: Api
    at: float = field(default_factory=time.monotonic)
    first_text_at: float | None = None
    ended_at: float | None = None
    disconnected: bool = False

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def key(self) -> str | None:
        """The key it came with, in whichever header."""
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        return self.headers.get("x-api-key") or self.headers.get("x-goog-api-key") or bearer or None

    @property
    def model(self) -> str:
        if self.api == "google":
            return unquote(self.path.rpartition("/models/")[2].partition(":")[0])
        return str(self.json.get("model")) if self.body else ""

    @property
    def streamed(self) -> bool:
        return self.path.endswith(":streamGenerateContent") if self.api == "google" else bool(self.json.get("stream"))

    @property
    def last_user_text(self) -> str:
        """The text of the last message that a user wrote."""
        body = self.json
        messages = body.get("messages") or body.get("contents") or body.get("input") or []
        if isinstance(messages, str):
            return messages
        for message in reversed(messages):
            content = message.get("content", message.get("parts"))
            if message.get("role", "user") == "user" and isinstance(content, str):
                return content
            if message.get("role", "user") == "user" and isinstance(content, list):
                texts = [part["text"] for part in content if isinstance(part.get("text"), str)]
                if texts:
                    return " ".join(texts)
        return ""


class FakeProvider:
    """See the module. Use it as a context; `port` 0 takes a free one."""

    def __init__(self, port: int = 0, models: tuple[str, ...] = ("fake-large", "fake-small")) -> None:
        self.requests: list[Received] = []
        self.default: Reply | Callable[[Received], Reply] = Reply()
        self.models = list(models)
        self.models_reply: Reply | None = None
        self.key: str | None = None
        self.connections = 0
        self._replies: dict[str | None, deque[Reply]] = defaultdict(deque)
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._gates: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-provider", daemon=True)

    # ------------------------------------------------------------ what a test says

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def base_url(self, style: str = "openai") -> str:
        """As an Endpoint has it."""
        return f"{self.url}/v1" if style == "openai" else self.url

    def script(self, *replies: Reply, model: str | None = None) -> None:
        """The next calls get these, in order."""
        self._replies[model].extend(replies)

    def open(self, gate: str) -> None:
        """Let everything go on that waits at this gate, and whatever comes to it from now on."""
        self._loop.call_soon_threadsafe(lambda: self._gates[gate].set())

    def in_flight(self) -> int:
        """Calls of models that have come, and are neither answered nor given up."""
        return sum(one.method == "POST" and one.ended_at is None for one in list(self.requests))

    def wait(self, condition: Callable[[], Any], what: str = "the fake provider", timeout: float = 10.0) -> Any:
        """The first true value of `condition`; fails after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            assert time.monotonic() < deadline, f"waited {timeout} s for {what}"
            time.sleep(0.002)
        return value

    def refuse(self) -> None:
        """Close the port: the next connection is refused."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)

    def listen(self) -> None:
        """Open the port, the same one as before."""
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    def __enter__(self) -> FakeProvider:
        self._thread.start()
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.run_until_complete(asyncio.sleep(0))  # aborted transports close their sockets in the next round
        self._loop.close()

    # ------------------------------------------------------------ the server

    async def _start(self) -> None:
        # with the protocol named, asyncio sets TCP_NODELAY: else an answer's second packet waits 40 ms for an ACK
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self._server = await asyncio.start_server(self._serve, sock=listener, backlog=1024, limit=1 << 20)

    async def _stop(self) -> None:
        if self._server is not None:
            # what has been accepted is served first, to be ended in good order: asyncio never closes a connection that
            # it accepted before its server was closed and made a transport of after it, nor one whose task is cancelled
            # before it has begun
            for listener in self._server.sockets:
                self._loop.remove_reader(listener.fileno())
            for _ in range(ACCEPT_ROUNDS):
                await asyncio.sleep(0)
            self._server.close()
            self._server = None
        for task in list(self._open):
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._one(reader, writer):
                    pass
        finally:
            self._open.discard(task)
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection goes on."""
        received = await _receive(reader)
        if received.path.startswith("/_"):
            await self._control(received, writer)
            return True
        self.requests.append(received)
        going = asyncio.create_task(reader.read(1))  # a caller that goes is seen while it is answered
        answering = asyncio.create_task(self._answer(received, writer))
        try:
            await asyncio.wait({going, answering}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                received.disconnected = True
                return False
            return answering.result()
        except OSError:
            received.disconnected = True
            return False
        finally:
            going.cancel()
            answering.cancel()
            await asyncio.wait({going, answering})
            received.ended_at = time.monotonic()

    async def _answer(self, received: Received, writer: asyncio.StreamWriter) -> bool:
        listing = received.method == "GET"
        reply = (self.models_reply or Reply()) if listing else self._reply(received)
        if self.key is not None and received.key != self.key:
            reply = Reply(status=401, error="Incorrect API key provided.")
        if reply.hang:
            await asyncio.Event().wait()
        await asyncio.sleep(reply.first_byte_s)
        if reply.gate is not None and reply.gate_after is None:
            await self._gates[reply.gate].wait()
        if reply.close:
            return False
        if reply.status != 200:
            message = f"{reply.error} (key: {received.key})" if reply.echo_key else reply.error
            body = json.dumps(error_body(received.api, reply.status, message)).encode()
            return await _send(writer, reply.status, reply.body or body, reply)
        if reply.body is not None:
            return await _send(writer, 200, reply.body, reply)
        if listing:
            return await _send(writer, 200, json.dumps(model_list(received.api, self.models)).encode(), reply)
        if reply.text is None and reply.pieces is not None:
            reply = replace(reply, text="".join(reply.pieces))
        elif reply.text is None and not reply.tool_calls:
            reply = replace(reply, text=f"This is {received.model}. You said: {received.last_user_text}")
        if reply.huge:
            reply = replace(reply, text="x" * reply.huge, pieces=["x" * 65_536] * (reply.huge // 65_536))
        if reply.echo_key:
            reply = replace(reply, text=f"{reply.text} (key: {received.key})")
        if received.streamed:
            gate = None if reply.gate is None or reply.gate_after is None else self._gates[reply.gate]
            return await _stream(writer, received, reply, gate)
        received.first_text_at = time.monotonic()
        return await _send(writer, 200, json.dumps(whole(received.api, received.model, reply)).encode(), reply)

    def _reply(self, received: Received) -> Reply:
        for name in (received.model, None):
            if self._replies[name]:
                return self._replies[name].popleft()
        return self.default(received) if callable(self.default) else self.default

    async def _control(self, received: Received, writer: asyncio.StreamWriter) -> None:
        answer: Any = {}
        if received.path == "/_script":
            self.script(*(Reply(**one) for one in received.json.get("replies", [])), model=received.json.get("model"))
            if "default" in received.json:
                self.default = Reply(**received.json["default"])
        else:
            answer = [
                {
                    "path": one.path,
                    "headers": one.headers,
                    "body": one.body.decode("utf-8", "replace"),
                    "at": one.at,
                    "first_text_at": one.first_text_at,
                    "disconnected": one.disconnected,
                }
                for one in self.requests
            ]
        await _send(writer, 200, json.dumps(answer).encode(), Reply())


async def _receive(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.rstrip("\r\n").split("\r\n")
    method, target, _ = line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (entry.partition(":") for entry in fields)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    url = urlsplit(target)
    return Received(method, url.path, url.query, headers, body, _api(url.path, headers))


def _api(path: str, headers: dict[str, str]) -> Api:
    if "/v1beta/" in path:
        return "google"
    if "anthropic-version" in headers or path.endswith("/messages"):
        return "anthropic"
    return "responses" if path.endswith("/responses") else "chat"


async def _send(writer: asyncio.StreamWriter, status: int, body: bytes, reply: Reply) -> bool:
    headers = {"content-type": "application/json", "content-length": str(len(body)), **reply.headers}
    writer.write(_head(status, headers))
    if reply.cut_after is not None:
        writer.write(body[: len(body) // 2])
        await writer.drain()
        await asyncio.sleep(FLUSH_S)
        return False
    for part in _split(body, reply.chunk):
        writer.write(part)
        if reply.chunk:
            await asyncio.sleep(0)
        await writer.drain()
    return True


async def _stream(writer: asyncio.StreamWriter, received: Received, reply: Reply, gate: asyncio.Event | None) -> bool:
    writer.write(_head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked", **reply.headers}))
    usage = received.api != "chat" or bool((received.json.get("stream_options") or {}).get("include_usage"))
    pieces = 0
    stops = reply.cut_after if reply.cut_after is not None else reply.hang_after
    for is_text, event in stream(received.api, received.model, reply, usage):
        if stops is not None and (stops == 0 or (pieces >= stops and is_text)):
            break
        if gate is not None and pieces >= (reply.gate_after or 0):
            await gate.wait()
        if is_text:
            pieces += 1
            if reply.piece_s:
                await asyncio.sleep(reply.piece_s)
        for part in _split(event, reply.chunk):
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
            if reply.chunk:
                await asyncio.sleep(0)
        await writer.drain()
        if is_text and received.first_text_at is None:
            received.first_text_at = time.monotonic()
        if stops is not None and pieces >= stops:
            break
    if stops is not None and not reply.ends_early:
        await writer.drain()
        if reply.cut_after is not None:
            await asyncio.sleep(FLUSH_S)
            return False
        await asyncio.Event().wait()
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


def _split(data: bytes, size: int | None) -> Iterator[bytes]:
    step = size or max(len(data), 1)
    return (data[at : at + step] for at in range(0, len(data), step))


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Fake", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def main() -> None:
    options = argparse.ArgumentParser(description="A provider of models that misbehaves on cue.")
    options.add_argument("--port", type=int, default=0)
    with FakeProvider(options.parse_args().port) as fake:
        sys.stdout.write(f"{fake.url}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
