"""A picture of a simulated page, as a browser's screenshot would be: bars where the words stand."""

from __future__ import annotations

import base64
import struct
import zlib

WIDTH, HEIGHT = 320, 200
PAPER, HEAD, INK = b"\xf7\xf5\xf0", b"\x2f\x5d\x62", b"\x8a\x8f\x94"


def page_picture(body: str) -> str:
    """A PNG in base64 (https://www.w3.org/TR/png-3/): a head, and the words of `body` as bars."""
    rows = [bytearray(PAPER * WIDTH) for _ in range(HEIGHT)]
    _bar(rows, 0, 0, WIDTH, 28, HEAD)
    x, y = 16, 44
    for word in body.split():
        width = 4 * len(word)
        if x + width > WIDTH - 16:
            x, y = 16, y + 12
        if y > HEIGHT - 12:
            break
        _bar(rows, x, y, width, 5, INK)
        x += width + 5
    pixels = b"".join(b"\x00" + bytes(row) for row in rows)
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)  # 8 bits a channel, RGB
    picture = (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(pixels, 9)) + _chunk(b"IEND", b"")
    )
    return base64.b64encode(picture).decode()


def _bar(rows: list[bytearray], x: int, y: int, width: int, height: int, colour: bytes) -> None:
    for row in rows[y : y + height]:
        row[3 * x : 3 * (x + width)] = colour * width


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
