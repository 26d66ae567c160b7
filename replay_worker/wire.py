"""HTTP/1.1 to a process of the stack over its unix socket: small requests, whole answers, connections kept open.

General HTTP clients cost 0.5 ms and more a request (httpx; measured), which a replay would pay several times; and a
worker that has done nothing yet should not have one in memory.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple, cast

import httptools

CONNECTIONS_MAX = 16
"""Connections at once to one process: its other callers want some of its time too."""

IDLE_S = 30.0
"""Seconds a connection is kept: under the servers' 75, so that none is used in the moment it is closed."""


class Away(Exception):
    """Nobody answers, or the connection ended before the answer was whole: the request may have been done all the
    same."""


class Answer(NamedTuple):
    status: int
    body: bytes


class Peer:
    """The process behind the unix socket `path`."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._idle: list[_Connection] = []
        self._turn = asyncio.Semaphore(CONNECTIONS_MAX)

    async def ask(self, method: str, target: str, body: bytes | None = None, *, timeout: float) -> Answer:
        """One request and its whole answer, within `timeout` seconds from its turn. Raises `Away`, whose text says why;
        nothing is asked twice, since only the caller knows whether that does harm."""
        head = f"{method} {target} HTTP/1.1\r\nhost: localhost\r\n"
        if body is not None:
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        request = head.encode() + b"\r\n" + (body or b"")
        async with self._turn:
            try:
                async with asyncio.timeout(timeout):
                    connection = await self._connection()
                    try:
                        answer = await connection.exchange(request)
                    except BaseException:
                        connection.close()
                        raise
            except TimeoutError:
                raise Away(f"no answer within {timeout:.0f} s") from None
            except OSError as e:
                raise Away(e.strerror or str(e) or type(e).__name__) from None
            if connection.reusable:
                connection.idle_since = asyncio.get_running_loop().time()
                self._idle.append(connection)
            else:
                connection.close()
            return answer

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _connection(self) -> _Connection:
        loop = asyncio.get_running_loop()
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable and loop.time() - connection.idle_since < IDLE_S:
                return connection
            connection.close()
        _, connection = await loop.create_unix_connection(lambda: _Connection(loop), self._path)
        return connection


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answered: asyncio.Future[None] | None = None
        self._body: list[bytes] = []
        self._status = 0
        self._keep_alive = False
        self._ended = False
        self.idle_since = 0.0

    @property
    def reusable(self) -> bool:
        return self._keep_alive and not self._ended

    async def exchange(self, request: bytes) -> Answer:
        if self._transport is None or self._ended:
            raise Away("the connection has ended")
        self._body = []
        self._keep_alive = False
        self._answered = self._loop.create_future()
        self._transport.write(request)
        await self._answered
        return Answer(self._status, b"".join(self._body))

    def close(self) -> None:
        self._ended = True
        if self._transport is not None:
            self._transport.abort()

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's do not inherit from it

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as e:
            self._lose(f"its answer is not HTTP: {e}")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._transport = None
        self._lose(f"it closed the connection{f' ({exc})' if exc else ''}")

    # ------------------------------------------------------------ httptools

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        self._keep_alive = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._answered is not None and not self._answered.done() and self._status >= 200:
            self._answered.set_result(None)

    def _lose(self, why: str) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(Away(why))
