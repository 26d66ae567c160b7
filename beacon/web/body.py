"""Request bodies: read with a limit that counts from Content-Length on, decompressed with a limit of its own."""

from __future__ import annotations

import asyncio
import zlib

from starlette.types import Receive

from beacon.contract.limits import BODY_MAX
from beacon.errors import Invalid, QueueFull, TooLarge, UnsupportedMedia

IN_FLIGHT_MAX = 4 * BODY_MAX
"""Bytes of request bodies, inflated ones included, that one process holds at once; above it 503."""

THREAD_FROM = 256 * 1024
"""Compressed bytes from which inflating leaves the event loop: 64 MiB take 0.3 s, and others wait for their ack."""

_ENCODINGS = "gzip, deflate, zstd"


class Disconnected(Exception):
    """The client went away before its body was whole: there is nobody to answer."""


class BodyBudget:
    """Counts the bytes of bodies in flight in this process. One budget an application."""

    def __init__(self, limit: int = IN_FLIGHT_MAX) -> None:
        self._limit = limit
        self._held = 0

    @property
    def held(self) -> int:
        return self._held

    def take(self, size: int) -> None:
        """Raises `QueueFull` when `size` more bytes would not fit."""
        if self._held + size > self._limit:
            raise QueueFull("Beacon holds as many request bodies as it may; send this again in a moment.")
        self._held += size

    def give_back(self, size: int) -> None:
        self._held -= size


class Body:
    """One request's body; a context that gives its bytes back to the budget."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._size = 0

    def __enter__(self) -> Body:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.give_back(self._size)

    async def read(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """The body, inflated. Raises `TooLarge`, `QueueFull`, `UnsupportedMedia`, `Invalid`, `Disconnected`."""
        announced = headers.get(b"content-length")
        if announced is not None and int(announced) > BODY_MAX:
            raise TooLarge(_too_large(int(announced)))
        chunks = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > BODY_MAX:
                raise TooLarge(_too_large(size))
            self._take(len(chunk))
            chunks.append(chunk)
            if not message.get("more_body", False):
                break
        raw = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        encoding = headers.get(b"content-encoding", b"identity").strip().lower().decode("latin-1")
        if encoding in ("", "identity"):
            return raw
        if len(raw) > THREAD_FROM:
            inflated = await asyncio.to_thread(inflate, raw, encoding)
        else:
            inflated = inflate(raw, encoding)
        self._take(len(inflated))
        return inflated

    def _take(self, size: int) -> None:
        self._budget.take(size)
        self._size += size


def inflate(raw: bytes, encoding: str, limit: int = BODY_MAX) -> bytes:
    """`raw` decompressed, at most `limit` bytes: a bomb is cut off there, not inflated and measured.

    Raises `UnsupportedMedia` for another encoding, `TooLarge` above the limit, `Invalid` for a broken stream.
    """
    try:
        if encoding in ("gzip", "x-gzip"):
            return _inflate_zlib(raw, 31, limit)
        if encoding == "deflate":
            # RFC 9110 8.4.1.2 says zlib; some clients send the bare deflate stream
            zlib_head = len(raw) > 1 and raw[0] & 0x0F == 8 and (raw[0] << 8 | raw[1]) % 31 == 0
            return _inflate_zlib(raw, 15 if zlib_head else -15, limit)
        if encoding == "zstd":
            return _inflate_zstd(raw, limit)
    except zlib.error as e:
        raise Invalid(f"The body is not valid {encoding}: {e}.") from e
    raise UnsupportedMedia(f"Content-Encoding {encoding[:60]} is not known here; send {_ENCODINGS}, or none.")


def _inflate_zlib(raw: bytes, wbits: int, limit: int) -> bytes:
    parts: list[bytes] = []
    left = limit
    rest = raw
    while rest:  # a gzip body may be several members, one after the other
        member = zlib.decompressobj(wbits)
        part = member.decompress(rest, left + 1)
        if len(part) > left:
            raise TooLarge(_inflates_too_far(limit))
        if not member.eof:
            raise Invalid("The compressed body ends in the middle.")
        parts.append(part)
        left -= len(part)
        rest = member.unused_data if wbits == 31 else b""
    return b"".join(parts)


def _inflate_zstd(raw: bytes, limit: int) -> bytes:
    import zstandard  # few clients send it: 3 MB that most runs never need

    try:
        with zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(raw, read_across_frames=True) as reader:
            out: bytes = reader.read(limit + 1)
    except zstandard.ZstdError as e:
        raise Invalid(f"The body is not valid zstd: {e}.") from e
    if len(out) > limit:
        raise TooLarge(_inflates_too_far(limit))
    return out


def _too_large(size: int) -> str:
    return f"The body has {size:,} bytes or more; {BODY_MAX:,} (64 MiB) are the limit. Send fewer spans a request."


def _inflates_too_far(limit: int) -> str:
    return f"The body inflates to more than {limit:,} bytes (64 MiB). Send fewer spans a request."
