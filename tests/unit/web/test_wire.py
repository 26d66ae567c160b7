"""The bytes on the wire: answers whole and in order, bodies as they came, frames that a websocket client reads."""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from beacon.web.frames import text_frame_head
from beacon.web.wire import Corked, Pieces
from tests.edge import run

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Counted(asyncio.Protocol):
    """The server's end: what to write is said when the connection is there."""

    def __init__(self, writes: list[bytes], *, close: bool) -> None:
        self.writes = writes
        self.close = close

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        corked = Corked(transport, asyncio.get_running_loop())  # type: ignore[arg-type]
        for piece in self.writes:
            corked.write(piece)
        if self.close:
            corked.close()


async def written(writes: list[bytes], *, close: bool = True) -> list[bytes]:
    """What a client reads, in the pieces in which a datagram-like socket pair passed it on."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # keeps the bounds of each write
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(lambda: Counted(writes, close=close), sock=_as_stream(ours))
    pieces: list[bytes] = []
    size = len(b"".join(writes))
    async with asyncio.timeout(5):
        while len(b"".join(pieces)) < size:
            pieces.append(await loop.sock_recv(theirs, 1 << 20))
    transport.close()
    theirs.close()
    return pieces


def _as_stream(of: socket.socket) -> socket.socket:
    class Stream(socket.socket):
        type = socket.SOCK_STREAM

    return Stream(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=of.detach())


keeps_writes_apart = pytest.mark.skipif(
    sys.platform == "darwin", reason="macOS has no SOCK_SEQPACKET, which shows one write from two"
)


@keeps_writes_apart
def test_a_head_leaves_with_its_body_in_one_write() -> None:
    async def check() -> None:
        assert await written([HEAD, b"{}"]) == [HEAD + b"{}"]
        assert await written([HEAD, b"{}", HEAD, b"[]"]) == [HEAD + b"{}", HEAD + b"[]"]

    run(check, timeout=10)


@keeps_writes_apart
def test_a_head_without_a_body_leaves_by_itself() -> None:
    async def check() -> None:
        assert await written([HEAD], close=False) == [HEAD]
        assert await written([HEAD], close=True) == [HEAD]

    run(check, timeout=10)


@keeps_writes_apart
def test_what_looks_like_a_head_in_the_middle_of_a_body_stays_in_its_place() -> None:
    async def check() -> None:
        pieces = [HEAD, b"HTTP/1.1 is a", b" protocol", b"HTTP/1.0 too"]
        assert b"".join(await written(pieces)) == b"".join(pieces)
        assert b"".join(await written(pieces, close=False)) == b"".join(pieces)

    run(check, timeout=10)


@given(st.lists(st.binary(max_size=20), max_size=8))
def test_pieces_are_the_body(pieces: list[bytes]) -> None:
    body = Pieces()
    for piece in pieces:
        body += piece
    whole = b"".join(pieces)
    assert (bytes(body), len(body), bool(body)) == (whole, len(whole), bool(whole))


def test_a_single_piece_is_not_copied() -> None:
    body = Pieces()
    piece = b"x" * 100
    body += piece
    assert bytes(body) is piece


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000])
def test_a_frame_is_what_a_websocket_client_reads(size: int) -> None:
    text = bytes(itertools.islice(itertools.cycle(b"abcdefghij"), size))
    reader = StreamReader()
    reader.feed_data(text_frame_head(size) + text)
    parsing = Frame.parse(reader.read_exact, mask=False)
    with pytest.raises(StopIteration) as done:
        next(parsing)
    frame = done.value.value
    assert (frame.opcode, bytes(frame.data), frame.fin) == (Opcode.TEXT, text, True)
