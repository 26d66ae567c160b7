"""The only place that makes ZeroMQ sockets: endpoints, high-water marks, LINGER.

A socket belongs to one thread: the event loop's. Receiving is `loop.add_reader` on the socket's descriptor and a
drain until EAGAIN (174,000 messages/s, against 66,000 through zmq.asyncio; measured). The descriptor is edge
triggered, so every send must be followed by a look for input too: `Subscriber` and `Publisher` do both.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import zmq

EVENTS_HWM = 256
"""Messages of at most 256 KiB: 64 MiB a subscriber may lag behind before PUB drops, and the hub heals."""


DRAIN_MAX = 2
"""Messages of at most 256 KiB taken in one turn of the event loop."""


class Publisher:
    """An XPUB socket bound at `path`. `subscribed(topic)` tells whether anybody listens; messages nobody listens
    to need not even be built. `send` never blocks: at the high-water mark ZeroMQ drops, and receivers heal."""

    def __init__(self, path: Path, hwm: int = EVENTS_HWM) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.SNDHWM, hwm)
        self._socket.setsockopt(zmq.LINGER, 0)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._socket.bind(f"ipc://{path}")
        self._topics: dict[bytes, int] = {}

    def send(self, topic: bytes, message: bytes) -> None:
        self._read_subscriptions()
        with contextlib.suppress(zmq.Again):
            self._socket.send_multipart([topic, message], zmq.NOBLOCK, copy=len(message) < 65_536)

    def subscribed(self, topic: bytes) -> bool:
        self._read_subscriptions()
        return self._topics.get(topic, 0) > 0

    def close(self) -> None:
        self._socket.close(linger=0)
        self._context.term()

    def _read_subscriptions(self) -> None:
        # XPUB reports a topic's first subscription and its last end: 0x01 topic, 0x00 topic
        while int(self._socket.get(zmq.EVENTS)) & zmq.POLLIN:
            note = self._socket.recv(zmq.NOBLOCK)
            self._topics[note[1:]] = 1 if note[:1] == b"\x01" else 0


class Subscriber:
    """A SUB socket that hands every message to `on_message(topic, message)` on the running loop."""

    def __init__(self, path: Path, on_message: Callable[[bytes, bytes], None], hwm: int = EVENTS_HWM) -> None:
        self._on_message = on_message
        self._loop = asyncio.get_running_loop()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.RCVHWM, hwm)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RECONNECT_IVL, 20)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 40)  # back before 2,000 rows have changed: heal, not resync
        self._socket.connect(f"ipc://{path}")
        self._fd: int = self._socket.getsockopt(zmq.FD)  # type: ignore[assignment]
        self._loop.add_reader(self._fd, self._drain)

    def subscribe(self, topic: bytes) -> None:
        self._socket.setsockopt(zmq.SUBSCRIBE, topic)
        self._loop.call_soon(self._drain)

    def unsubscribe(self, topic: bytes) -> None:
        self._socket.setsockopt(zmq.UNSUBSCRIBE, topic)
        self._loop.call_soon(self._drain)

    def close(self) -> None:
        if not self._socket.closed:
            self._loop.remove_reader(self._fd)
            self._socket.close(linger=0)
            self._context.term()

    def _drain(self) -> None:
        # few at a time, the rest on the loop's next turns: those who pass the messages on must get a turn between them,
        # or a commit of 9,000 events overflows their queues while they could have kept up (measured with 64)
        for _ in range(DRAIN_MAX):
            if self._socket.closed:
                return
            try:
                topic, message = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._on_message(topic, message)
        self._loop.call_soon(self._drain)
