"""uvicorn, with the limits it lacks: a bounded request head, JSON for malformed requests, signals that let a process
clean up after it. And without two of its costs: an answer leaves in one write, and a body comes in uncopied."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from beacon.contract.records import ErrorBody, encode
from beacon.web.frames import LiveProtocol
from beacon.web.http2 import PREFACE, Http2Refusal, Warned
from beacon.web.wire import Corked, Pieces

log = logging.getLogger("beacon.web")

HEAD_MAX = 64 * 1024
"""Bytes of request line and headers; uvicorn alone took a 200 MB header into memory (measured)."""

_TOO_LARGE = (431, f"The request's headers have more than {HEAD_MAX:,} bytes.")

KEEP_ALIVE_S = 75
"""Seconds an idle connection is kept; uvicorn's 5 s break pooled reuse. The hub drops its own sooner."""

GRACE_S = 3
"""Seconds running requests get at a stop; without a limit a websocket that never reads holds SIGTERM for ever."""

BACKLOG = 2048

UNREAD_BODY_MAX = 512 * 1024
"""Bytes of a body that wait for the application before the socket is read no further. uvicorn's 64 KB stopped and
started the socket four times for a batch of 100 spans, each time with a turn of the event loop."""


class _Refused(Exception):
    """Raised inside the parser's callbacks to stop it; what to answer stands in the protocol."""


class HttpProtocol(HttpToolsProtocol):
    """One connection: its head limited to HEAD_MAX bytes (431), its protocol errors answered in JSON, its trailers left
    out of the headers (RFC 9110 6.5.1), and only a whole websocket handshake (RFC 6455 4.1) handed to the websocket."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_bytes = 0
        self._fed = 0
        self._moved_on = False
        self._refusal = (400, "This is not a valid HTTP/1.1 request.")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = Corked(transport, self.loop)

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # else it is a trailer
            super().on_header(name, value)
            self._count(len(name) + len(value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._moved_on = True
        if self.parser.should_upgrade() and self._get_upgrade() == b"websocket" and not self._is_handshake():
            self._refusal = (
                400,
                "This is no websocket handshake: it takes a GET with Sec-WebSocket-Version: 13 and Sec-WebSocket-Key.",
            )
            raise _Refused
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        if cycle.response_complete or self.parser.should_upgrade():
            super().on_body(body)
            return
        if not cycle.body:
            cycle.body = Pieces()  # type: ignore[assignment]
        cycle.body += body
        if len(cycle.body) > UNREAD_BODY_MAX:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head = True
        self._moved_on = True

    def data_received(self, data: bytes) -> None:
        self._moved_on = False
        super().data_received(data)
        # the parser tells of a value when it is whole: one that never ends has to be counted as it comes
        if self._moved_on:
            self._fed = 0
        elif self._in_head and not self.transport.is_closing():
            self._fed += len(data)
            if self._fed > 2 * HEAD_MAX:
                self._refusal = _TOO_LARGE
                self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        status, detail = self._refusal
        body = encode(ErrorBody(detail))
        reason = b"Bad Request" if status == 400 else b"Request Header Fields Too Large"
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\nx-content-type-options: nosniff\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (status, reason, len(body), body)
        )
        self.transport.close()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_MAX:
            self._refusal = _TOO_LARGE
            raise _Refused

    def _is_handshake(self) -> bool:
        headers = dict(self.headers)
        return (
            self.parser.get_method() == b"GET"
            and headers.get(b"sec-websocket-version") == b"13"
            and len(headers.get(b"sec-websocket-key", b"")) == 24
        )


_HTTP2_LINE = PREFACE.partition(b"SM")[0]


class PortProtocol(HttpProtocol):
    """A connection to a port, where not everybody speaks HTTP/1.1."""

    def __init__(self, *args: Any, warned: Warned, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._warned = warned
        self._bare: asyncio.Transport | None = None
        self._first: bytes | None = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._bare = transport

    def data_received(self, data: bytes) -> None:
        if self._first is not None:
            data = self._first + data
            if PREFACE.startswith(data):
                self._first = data
                if data != PREFACE:
                    return  # it may become one yet: "P" begins POST and PUT too
            if data.startswith(PREFACE) and self._bare is not None:
                self._become_http2(self._bare, data)
                return
            if data.startswith(_HTTP2_LINE):
                self.send_400_response("")  # the parser takes it for HTTP/2 and waits for ever
                return
            self._first = None
        super().data_received(data)

    def _become_http2(self, transport: asyncio.Transport, data: bytes) -> None:
        self.connections.discard(self)
        refusal = Http2Refusal(transport, self.connections, self._warned)
        transport.set_protocol(refusal)
        refusal.data_received(data)


Serve = Callable[[Any, Sequence[socket.socket]], Awaitable[None]]
"""Serves an application on further bound sockets, until the server stops."""


async def serve_unix(app: Any, path: Path) -> None:
    """Serve `app` on the unix socket `path` until SIGTERM or SIGINT."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        path.chmod(0o600)
        await _serve(_Server(_config(app, HttpProtocol, websockets=False)), [listener])


async def serve_port(
    app: Any, listeners: list[socket.socket], started: Callable[[Serve], Awaitable[None]] | None = None
) -> None:
    """Serve `app`, websockets too, on bound TCP sockets until SIGTERM or SIGINT. `started` is awaited once it is
    served, with what serves others beside it."""
    http = functools.partial(PortProtocol, warned=Warned(asyncio.get_running_loop().time))
    await _serve(_Server(_config(app, http, websockets=True), started), listeners)


class _Server(uvicorn.Server):
    """uvicorn's, which can be given more to serve while it runs."""

    def __init__(self, config: uvicorn.Config, started: Callable[[Serve], Awaitable[None]] | None = None) -> None:
        super().__init__(config)
        self._when_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._when_started is not None:
            await self._when_started(self._add)

    async def _add(self, app: Any, listeners: Sequence[socket.socket]) -> None:
        http: Any = self.config.http_protocol_class
        config = _config(app, http, websockets=True)
        config.load()
        make = functools.partial(http, config=config, server_state=self.server_state, app_state={})
        loop = asyncio.get_running_loop()
        for listener in listeners:
            # closed at a stop with those the server began with
            self.servers.append(await loop.create_server(make, sock=listener, backlog=BACKLOG))


def _config(app: Any, http: Any, *, websockets: bool) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=http,
        # the sans-io websockets protocol: 102,000-130,000 frames of 2.8 KB a second, against 66,000 of `websockets`
        ws=LiveProtocol if websockets else "none",
        ws_per_message_deflate=False,  # loopback: compressing costs more than it saves
        ws_max_size=1024 * 1024,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        backlog=BACKLOG,
    )


async def _serve(server: uvicorn.Server, listeners: list[socket.socket]) -> None:
    # uvicorn re-raises the signal it caught once it has stopped. With the default action that would end the process
    # there and then, before its own clean-up (closing the database, removing sockets). And one that comes before
    # uvicorn looks is kept for it: a handler that did nothing lost one SIGTERM in 150 sent as the port came up.
    def stop(*_: object) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    await server.serve(sockets=listeners)
