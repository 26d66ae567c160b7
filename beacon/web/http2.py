"""What HTTP/2 gets on Beacon's ports: an answer that says which setting to change.

An exporter of OpenTelemetry that speaks gRPC opens with HTTP/2's preface, without asking whether the server knows it.
To a parser of HTTP/1.1 that is rubbish, and the exporter would tell its user of a broken connection, for ever.

Sources: RFC 9113 section 3.4; https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md (Trailers-Only).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from beacon.web.otlp import GRPC_HINT

log = logging.getLogger("beacon.web")

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

IDLE_S = 60.0
"""Seconds without a byte after which such a connection is closed."""

WARN_EVERY_S = 60.0
"""Seconds between two lines in the log: an exporter tries again every few seconds."""

UNREAD_MAX = 256 * 1024
"""Bytes of answers that may wait for a client that does not read them."""

SILENT_MAX = 64 * 1024
"""Bytes that may come and be no frame yet. h2 keeps them until a frame is whole, and would wait for one of 16 MB; those
it has allowed have 16 KB."""

_UNIMPLEMENTED = "12"
_PRINTABLE = "".join(chr(c) for c in range(0x20, 0x7F) if chr(c) != "%")


class Warned:
    """Writes the line in the log. One a server."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._again_at = 0.0

    def __call__(self, client: str) -> None:
        now = self._clock()
        if now >= self._again_at:
            self._again_at = now + WARN_EVERY_S
            log.warning("a program sends OpenTelemetry over gRPC (%s). %s.", client, GRPC_HINT)


class Http2Refusal(asyncio.Protocol):
    """One connection, from its preface on: every gRPC call is answered UNIMPLEMENTED with GRPC_HINT, anything else 505.

    `connections` is uvicorn's set of what a stop has to end: it is in there while it lives.
    """

    def __init__(self, transport: asyncio.Transport, connections: set[Any], warned: Warned) -> None:
        from h2.config import H2Configuration  # 35 ms and 3 MB, for those who meet one
        from h2.connection import H2Connection

        self._transport = transport
        self._connections = connections
        self._warned = warned
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._loop = asyncio.get_running_loop()
        self._idle = self._loop.call_later(IDLE_S, self.shutdown)
        self._silent = 0
        connections.add(self)
        self._h2.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        from h2.events import DataReceived, RequestReceived
        from h2.exceptions import ProtocolError

        self._idle.cancel()
        self._idle = self._loop.call_later(IDLE_S, self.shutdown)
        try:
            events = self._h2.receive_data(data)
            self._silent = 0 if events else self._silent + len(data)
            if self._silent > SILENT_MAX:
                self._transport.abort()
                return
            for event in events:
                if isinstance(event, RequestReceived):
                    self._refuse(event.stream_id, {str(name): str(value) for name, value in event.headers})
                elif isinstance(event, DataReceived):
                    # else the client would wait for leave to send the rest of its spans
                    self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        except (ProtocolError, UnicodeDecodeError):  # h2 has the GOAWAY ready
            self._flush()
            self._transport.close()
        else:
            self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._idle.cancel()
        self._connections.discard(self)

    def shutdown(self) -> None:
        """Close it in good order; uvicorn calls this at a stop."""
        from h2.exceptions import ProtocolError

        with contextlib.suppress(ProtocolError):
            self._h2.close_connection()
        self._flush()
        self._transport.close()

    def _refuse(self, stream: int, headers: dict[str, str]) -> None:
        if not headers.get("content-type", "").startswith("application/grpc"):
            text = b"Beacon speaks HTTP/1.1.\n"
            self._h2.send_headers(
                stream, [(":status", "505"), ("content-type", "text/plain"), ("content-length", str(len(text)))]
            )
            self._h2.send_data(stream, text, end_stream=True)
            return
        self._h2.send_headers(
            stream,
            [
                (":status", "200"),
                ("content-type", "application/grpc"),
                ("grpc-status", _UNIMPLEMENTED),
                ("grpc-message", quote(GRPC_HINT, safe=_PRINTABLE)),
            ],
            end_stream=True,
        )
        self._warned(headers.get("user-agent", "of an unknown kind")[:100])

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)
            if self._transport.get_write_buffer_size() > UNREAD_MAX:
                self._transport.abort()
