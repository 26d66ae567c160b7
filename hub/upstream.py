"""One connection to a process of the stack, over its unix socket: HTTP/1.1, one request at a time.

Made for the hop every request takes: a parser a connection, one write for head and body, and one wake-up for an
answer that comes in one piece. In front of a bare server this way of forwarding answered 12,900 requests/s where
general HTTP clients answered between 400 and 6,000.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Protocol, cast

import httptools

from beacon.web.reply import Headers
from hub.headers import HOP_BY_HOP, connection_options

READ_AHEAD_MAX = 256 * 1024
"""Bytes of an answer held for a client that reads slower than the process writes; above it the process waits."""


class Lost(Exception):
    """The connection ended, or its answer could not be read, before the answer was whole. Its text says why.

    `overdue` is true when the process did not answer in time: it is there, but asking again would only add to its load.
    """

    def __init__(self, why: str, *, overdue: bool = False) -> None:
        super().__init__(why)
        self.overdue = overdue


SEND_BUFFER = 1024 * 1024
"""Bytes of a request the kernel may hold (it may give less): a batch of 100 spans has 290 KB, and the 208 KB a unix
socket has by itself stopped each such request half-way."""


class Owner(Protocol):
    """What a connection tells the pool it belongs to."""

    def lost(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """`start`, `write`, `head`, then `take` until `complete`; `reusable` says whether another request may follow."""

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._write_paused = False
        self._read_paused = False
        self._busy = False
        self._why_lost: str | None = None
        self._overdue = False
        self._without_body = False
        self._informational = False
        self._keep_alive = False
        self._chunks: list[bytes] = []
        self._held = 0
        self.status = 0
        self.headers: Headers = []
        self.answered = False
        self.complete = False
        self.unfinished = False
        self.used = False
        self.idle_since = 0.0
        self.deadline = 0.0

    # ------------------------------------------------------------ the request

    def start(self, *, without_body: bool, deadline: float) -> None:
        """Get ready for one exchange. `deadline` is the loop's time at which waiting for progress ends;
        `without_body` says that the answer has none whatever its head announces (HEAD)."""
        self._busy = True
        self._without_body = without_body
        self._chunks = []
        self._held = 0
        self.headers = []
        self.answered = False
        self.complete = False
        self.unfinished = False
        self.deadline = deadline

    def write(self, parts: Sequence[bytes]) -> None:
        """Send bytes of the request; nothing happens on a connection that is lost (`head` raises then)."""
        if self._transport is not None:
            self._transport.writelines(parts)

    async def drain(self) -> None:
        """Wait until the process has read enough for more to be written."""
        if self._write_paused and self._why_lost is None:
            self._drained = self._loop.create_future()
            await self._drained

    # ------------------------------------------------------------ the answer

    async def head(self) -> None:
        """Wait for `status` and `headers`. Raises `Lost`."""
        while not self.answered:
            await self._wait()

    async def whole(self) -> None:
        """Wait until the answer is complete, or longer than may be held. Raises `Lost`."""
        while not self.complete and self._held <= READ_AHEAD_MAX:
            await self._wait()

    async def more(self) -> None:
        """Wait until there is something to `take` or the answer is complete. Raises `Lost`."""
        while not self._chunks and not self.complete:
            await self._wait()

    def take(self) -> list[bytes]:
        """The pieces of the body that have come since the last call."""
        chunks = self._chunks
        self._chunks = []
        self._held = 0
        if self._read_paused and self._transport is not None:
            self._read_paused = False
            self._transport.resume_reading()
        return chunks

    @property
    def reusable(self) -> bool:
        """Whether another request may follow: this one was sent and answered whole. `unfinished` says it was not sent
        whole, because the answer came first."""
        return self.complete and self._keep_alive and not self.unfinished and self._why_lost is None

    @property
    def ended(self) -> bool:
        return self._why_lost is not None

    def rest(self, now: float) -> None:
        """The exchange is over and the connection goes back to its pool."""
        self._busy = False
        self.used = True
        self.idle_since = now
        self.deadline = 0.0

    def expire(self) -> None:
        """Give the exchange up: its deadline has passed."""
        self._overdue = True
        self.abort("it did not answer in time")

    def abort(self, why: str = "given up") -> None:
        """End the connection at once; whoever waits on it gets `Lost`."""
        self._lose(why)
        if self._transport is not None:
            self._transport.abort()

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's do not inherit from it
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    def data_received(self, data: bytes) -> None:
        if not self._busy:
            self.abort("it sent something nobody asked for")
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as e:
            self.abort(f"its answer is not HTTP: {e}")
            return
        if self._held > READ_AHEAD_MAX and not self._read_paused and self._transport is not None:
            self._read_paused = True
            self._transport.pause_reading()
        if self.answered:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(f"it closed the connection{f' ({exc})' if exc else ''}")
        self._transport = None
        self._owner.lost(self)

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # ------------------------------------------------------------ httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._informational = self.status < 200
        if self._informational:
            self.headers = []
            return
        # asked here: once the message is complete llhttp has forgotten how it was framed
        self._keep_alive = self._parser.should_keep_alive() and not self._without_body
        drop = HOP_BY_HOP | connection_options(self.headers)
        if self.status in (204, 304):
            drop |= {b"content-length"}  # there is no body, and the server would miss the bytes announced
        self.headers = [(n, v) for n, v in self.headers if n not in drop]
        self.answered = True
        if self._without_body:
            self.complete = True

    def on_body(self, body: bytes) -> None:
        if not self.complete:
            self._chunks.append(body)
            self._held += len(body)

    def on_message_complete(self) -> None:
        if not self._informational:
            self.complete = True

    # ------------------------------------------------------------ inside

    async def _wait(self) -> None:
        if self._why_lost is not None:
            raise Lost(self._why_lost, overdue=self._overdue)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _lose(self, why: str) -> None:
        if self._why_lost is None:
            self._why_lost = why
        self.resume_writing()
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
