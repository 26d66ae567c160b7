"""Bytes on their way between a socket and uvicorn: fewer writes going out, fewer copies coming in."""

from __future__ import annotations

import asyncio
from typing import Any


class Corked(asyncio.Transport):
    """A transport that sends an answer's head together with what follows it.

    uvicorn writes head and body one after the other, and each write of a loopback socket runs the whole way to its
    reader and wakes it: two thirds of the hub's time at 1 span a request (py-spy).
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._head: bytes | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        head = self._head
        if head is not None:
            self._head = None
            self._transport.writelines((head, data))
        elif isinstance(data, bytes) and data.startswith(b"HTTP/1."):
            self._head = data
            self._loop.call_soon(self._flush)  # the body may be long in coming, or there is none
        else:
            self._transport.write(data)

    def _flush(self) -> None:
        head, self._head = self._head, None
        if head is not None:
            self._transport.write(head)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._transport.set_protocol(protocol)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()


class Pieces:
    """A body that grows by whole pieces; `bytes` of a single piece is that piece.

    Stands in for the bytearray in which uvicorn gathers a body, which copies each byte twice more.
    """

    __slots__ = ("_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def __iadd__(self, piece: bytes) -> Pieces:
        self._pieces.append(piece)
        self._size += len(piece)
        return self

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
