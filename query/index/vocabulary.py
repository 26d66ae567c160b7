"""The distinct words of a segment as bytes to look through, in blocks, and which blocks can hold a text. Pure.

A block is words between line feeds. For each of the 32,768 values that three bytes in a row are hashed to, a mask says
in which blocks they stand: of 3 MB of words for 65,536 spans, one that is rare or absent is looked for in none or a few
blocks of 64 KB. (All of it took 4 ms a segment, most of it reading.)
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from query.index.words import Piece

BLOCK_BYTES = 64 * 1024
BLOCKS_MAX = 64
"""Bits of a mask."""

MASKS = 32_768
PART = 256
"""Masks that are stored, and read, together."""

MASKED_BYTES = 512 * 1024
"""Smaller vocabularies are looked through as they are: masks cost 0.1 us a byte to make."""


def blocks_of(words: Iterable[str]) -> list[bytes]:
    """Words as blocks, BLOCKS_MAX at most, in their order."""
    whole = "\n".join(words).encode()
    size = max(BLOCK_BYTES, len(whole) // (BLOCKS_MAX - 1) + 1)
    blocks = []
    at = 0
    while at < len(whole):
        end = whole.find(b"\n", at + size)
        end = len(whole) if end < 0 else end
        blocks.append(b"\n" + whole[at:end] + b"\n")
        at = end + 1
    return blocks


def masks_of(blocks: list[bytes]) -> list[bytes]:
    """The masks of the blocks, in parts of PART."""
    masks = array("Q", bytes(8 * MASKS))
    for number, block in enumerate(blocks):
        bit = 1 << number
        for a, b, c in set(zip(block, block[1:], block[2:], strict=False)):
            masks[_hash(a, b, c)] |= bit
    return [masks[at : at + PART].tobytes() for at in range(0, MASKS, PART)]


def places(piece: Piece) -> list[tuple[int, int]]:
    """(part, place in it) of the masks of every three bytes of what is looked for; none where it has less."""
    pattern = piece.pattern
    hashes = {_hash(*three) for three in zip(pattern, pattern[1:], pattern[2:], strict=False)}
    return [divmod(value, PART) for value in sorted(hashes)[:PLACES_MAX]]


PLACES_MAX = 16
"""Masks that are read for one text: more would rarely leave out another block."""


def mask_at(part: bytes, place: int) -> int:
    return int(memoryview(part).cast("Q")[place])


def words_with(block: bytes, piece: Piece) -> Iterator[str]:
    """The words of a block that hold, begin with, end with or are `piece`."""
    pattern = piece.pattern
    size = len(pattern)
    at = block.find(pattern)
    while at >= 0:
        start = at + 1 if piece.begins else block.rfind(b"\n", 0, at + 1) + 1
        end = at + size - 1 if piece.ends else block.find(b"\n", at + size)
        yield block[start:end].decode()
        at = block.find(pattern, end)


def _hash(a: int, b: int, c: int) -> int:
    return (a * 0x3D1 + b * 0x1F + c * 0x101) & (MASKS - 1)
