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

PULL_DRAIN_MAX = 64
"""Hints and pieces of text taken in one turn of the event loop: they are small."""

HINTS_HWM = 16
"""Hints that may wait for one worker on each side: a hint is sent again, so few are enough, and a busy worker keeps few
from the others."""

DELTAS_HWM = 4_096
"""Pieces of text a worker may have under way while ingest is busy; what is dropped stands in the result."""

RECONNECT_MS = 20
RECONNECT_MAX_MS = 200
"""Milliseconds between attempts to reach a process that is away."""


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


class Pusher:
    """A PUSH socket, bound or connected at `path`. `send` never blocks: with nobody there to take the message, or `hwm`
    of them waiting for each, it is not sent."""

    def __init__(self, path: Path, *, bind: bool, hwm: int) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUSH)
        self._socket.setsockopt(zmq.SNDHWM, hwm)
        self._socket.setsockopt(zmq.LINGER, 0)
        # without it a connecting PUSH queues for a peer that is not there, and sends it all when it has long been stale
        self._socket.setsockopt(zmq.IMMEDIATE, 1)
        _attach(self._socket, path, bind=bind)

    def send(self, message: bytes) -> bool:
        """Whether it is on its way."""
        # asked first: it makes the socket notice peers that have come and gone since
        if self._socket.closed or not int(self._socket.get(zmq.EVENTS)) & zmq.POLLOUT:
            return False
        try:
            self._socket.send(message, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def close(self) -> None:
        if not self._socket.closed:
            self._socket.close(linger=0)
            self._context.term()


class Puller:
    """A PULL socket, bound or connected at `path`, that hands every message to `on_message` on the running loop.

    While one that connects is paused it is not connected either, so that whoever pushes gives its messages to others: a
    high-water mark does not do that, since hundreds of small messages fit the kernel's buffers behind it (measured).
    What was under way to it then is lost.
    """

    def __init__(self, path: Path, on_message: Callable[[bytes], None], *, bind: bool, hwm: int) -> None:
        self._path = path
        self._bound = bind
        self._on_message = on_message
        self._loop = asyncio.get_running_loop()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PULL)
        self._socket.setsockopt(zmq.RCVHWM, hwm)
        self._socket.setsockopt(zmq.LINGER, 0)
        if bind:
            _attach(self._socket, path, bind=True)
        self._fd: int = self._socket.getsockopt(zmq.FD)  # type: ignore[assignment]
        self._paused = True
        self.resume()

    def pause(self) -> None:
        """Take no more messages, also none that wait already."""
        if not self._paused and not self._socket.closed:
            self._paused = True
            self._loop.remove_reader(self._fd)
            if not self._bound:
                self._socket.disconnect(f"ipc://{self._path}")

    def resume(self) -> None:
        if self._paused and not self._socket.closed:
            self._paused = False
            if not self._bound:
                _attach(self._socket, self._path, bind=False)
            self._loop.add_reader(self._fd, self._drain)
            self._loop.call_soon(self._drain)  # the descriptor tells of changes, not of what waits already

    def close(self) -> None:
        if not self._socket.closed:
            self.pause()
            self._socket.close(linger=0)
            self._context.term()

    def _drain(self) -> None:
        for _ in range(PULL_DRAIN_MAX):
            if self._paused or self._socket.closed:
                return
            try:
                message = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._on_message(message)
        self._loop.call_soon(self._drain)


def _attach(socket: zmq.Socket[bytes], path: Path, *, bind: bool) -> None:
    if bind:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        socket.bind(f"ipc://{path}")
    else:
        socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
        socket.connect(f"ipc://{path}")
