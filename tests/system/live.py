"""Websocket clients of a running stack: one that reads everything, and one that does not read at all."""

from __future__ import annotations

import base64
import json
import os
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.processes import wait_for
from tests.stack import Stack

RESYNC = {"event": "resync"}

Event = dict[str, Any]


class Live:
    """Use as a context: a client of /ws/live that keeps every event in `events`, in the order they came.

    `on_event` is called for each, on the receiving thread, before the next is read; what it raises is kept in `error`
    and raised when the context ends.
    """

    def __init__(self, stack: Stack, on_event: Callable[[Event], None] | None = None) -> None:
        self.events: list[Event] = []
        self.error: BaseException | None = None
        self._on_event = on_event
        self._url = f"ws://127.0.0.1:{stack.port}/ws/live"
        self._thread = threading.Thread(target=self._read, name="live")
        self._closing = ExitStack()

    def __enter__(self) -> Live:
        self._socket = self._closing.enter_context(
            connect(self._url, max_size=None, compression=None, proxy=None, max_queue=1024)
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()
        self._thread.join()
        if kind is None and self.error is not None:
            raise self.error

    def send(self, message: Any) -> None:
        """Text as it stands, anything else as JSON."""
        self._socket.send(message if isinstance(message, str | bytes) else json.dumps(message))

    @property
    def open(self) -> bool:
        return self._thread.is_alive()

    def of(self, kind: str) -> list[Event]:
        """The events of this kind so far."""
        return [event for event in list(self.events) if event.get("event") == kind]

    @property
    def created(self) -> list[str]:
        """The span ids of every span_created so far, as often as they came."""
        return [event["span"]["span_id"] for event in self.of("span_created")]

    @property
    def resyncs(self) -> int:
        return len(self.of("resync"))

    def wait(self, condition: Callable[[], Any], what: str, timeout: float = 30.0) -> None:
        """Wait for `condition`, or fail at once when this client has."""
        wait_for(lambda: self.error is not None or condition(), what, timeout)
        if self.error is not None:
            raise self.error

    def wait_created(self, count: int, timeout: float = 30.0) -> None:
        wait_for_count = f"{count} span_created events"
        self.wait(lambda: sum(e.get("event") == "span_created" for e in self.events) >= count, wait_for_count, timeout)

    def _read(self) -> None:
        try:
            for message in self._socket:
                event = json.loads(message, parse_constant=_no_json)
                self.events.append(event)
                if self._on_event is not None:
                    self._on_event(event)
        except ConnectionClosed:
            return
        except BaseException as e:
            self.error = e


def _no_json(word: str) -> None:
    raise AssertionError(f"{word} in a live event: that is no JSON")


class Sleeper:
    """Use as a context: a client of /ws/live that reads nothing until it is told to."""

    def __init__(self, stack: Stack) -> None:
        self._tcp = socket.socket()
        # set before connecting: the window is what the kernel takes in for a program that does not read
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._tcp.settimeout(30)
        self._tcp.connect(("127.0.0.1", stack.port))
        key = base64.b64encode(os.urandom(16)).decode()
        self._tcp.sendall(
            f"GET /ws/live HTTP/1.1\r\nHost: 127.0.0.1:{stack.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._input = self._tcp.makefile("rb")
        assert b" 101 " in self._input.readline()
        while self._input.readline().strip():
            pass

    def __enter__(self) -> Sleeper:
        return self

    def __exit__(self, *_: object) -> None:
        self._input.close()
        self._tcp.close()

    def read(self) -> Event:
        """The next event; a frame is read byte by byte as RFC 6455, 5.2, lays it down."""
        while True:
            first, second = self._exactly(2)
            length = second & 0x7F
            if length == 126:
                length = int.from_bytes(self._exactly(2), "big")
            elif length == 127:
                length = int.from_bytes(self._exactly(8), "big")
            payload = self._exactly(length)
            if first & 0x0F == 1:
                event: Event = json.loads(payload)
                return event
            assert first & 0x0F == 9, f"frame of type {first & 0x0F}: {payload!r}"  # a ping; unanswered, as it sleeps

    def _exactly(self, count: int) -> bytes:
        read = self._input.read(count)
        assert len(read) == count, "the connection has ended"
        return read
