"""A keep-alive HTTP/1.1 connection that costs the machine little beside the servers it measures."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import httptools

HUNG_S = 30.0
"""Seconds after which a request without an answer counts as hung."""


class Hung(Exception):
    """No answer within HUNG_S seconds."""


class Answer:
    """Status, body and headers (names in lower case) of one answer; `first_text_at` is time.monotonic() when the first
    event of a stream came that is a `delta`."""

    __slots__ = ("body", "first_text_at", "headers", "status")

    def __init__(self, status: int, headers: dict[bytes, bytes], body: bytes, first_text_at: float = 0.0) -> None:
        self.first_text_at = first_text_at
        self.status = status
        self.headers = headers
        self.body = body


class Connection(asyncio.Protocol):
    """One connection to 127.0.0.1:`port`; one request at a time. It opens itself, again if the server had closed it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._host = f"Host: 127.0.0.1:{port}\r\n".encode()
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._parser: Any = None
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._first_text_at = 0.0

    async def get(self, path: str) -> Answer:
        """Raises `Hung`, or `OSError` when the connection fails."""
        return await self._ask(b"GET %b HTTP/1.1\r\n%b\r\n" % (path.encode(), self._host))

    async def post(self, path: str, body: bytes, content_type: str = "application/json") -> Answer:
        """Raises `Hung`, or `OSError` when the connection fails."""
        return await self.send("POST", path, body, content_type)

    async def send(self, method: str, path: str, body: bytes, content_type: str = "application/json") -> Answer:
        """Raises `Hung`, or `OSError` when the connection fails."""
        head = b"%b %b HTTP/1.1\r\n%bContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
        return await self._ask(
            head % (method.encode(), path.encode(), self._host, content_type.encode(), len(body)), body
        )

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def _ask(self, head: bytes, body: bytes = b"") -> Answer:
        loop = asyncio.get_running_loop()
        while self._transport is not None and self._transport.is_closing():
            await asyncio.sleep(0)  # until connection_lost: it must not come when there is a new connection
        if self._transport is None:
            await loop.create_connection(lambda: self, "127.0.0.1", self.port)
        assert self._transport is not None
        self._parser = httptools.HttpResponseParser(self)
        self._headers = {}
        self._body = []
        self._first_text_at = 0.0
        waiting: asyncio.Future[Answer] = loop.create_future()
        self._waiting = waiting
        self._transport.writelines([head, body] if body else [head])
        alarm = loop.call_later(HUNG_S, self._fail, Hung(f"no answer within {HUNG_S:.0f} s"))
        try:
            return await waiting
        except (asyncio.CancelledError, Hung):
            self.close()  # an answer may still come, and it would be taken for that of the next request
            raise
        finally:
            alarm.cancel()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not instances of it

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as e:
            self._fail(ConnectionError(f"not HTTP: {e}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._fail(exc or ConnectionResetError("the server closed the connection"))

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    # httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        if not self._first_text_at and b"event: delta" in body:
            self._first_text_at = time.monotonic()
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(
                Answer(self._parser.get_status_code(), self._headers, b"".join(self._body), self._first_text_at)
            )
