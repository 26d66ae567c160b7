"""Protobuf's wire format, as far as it takes to walk to the spans of a request: so each is decoded apart, a bad one
hurts only itself, and a large body lets others in between. Pure.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

BYTES = 2
"""Wire type of what has a length: bytes, text, messages."""


class NotProtobuf(ValueError):
    """The bytes are no message; the text says where."""


def messages(data: bytes, start: int, end: int, number: int) -> Iterator[tuple[int, int]]:
    """(start, end) of every field `number` that has a length, in the message data[start:end]; others are passed over.

    Raises `NotProtobuf` when it comes to something that is no field.
    """
    at = start
    while at < end:
        # the tag and the length are one byte each as a rule: a call for them would cost as much as all the rest
        tag = data[at]
        at += 1
        if tag > 0x7F:
            tag, at = _varint(data, at - 1, end)
        kind = tag & 7
        if kind == BYTES:
            if at >= end:
                raise NotProtobuf(f"it ends in the middle, at byte {end}")
            size = data[at]
            at += 1
            if size > 0x7F:
                size, at = _varint(data, at - 1, end)
            stop = at + size
            if stop > end:
                raise NotProtobuf(f"the field at byte {at} is longer than what holds it")
            if tag >> 3 == number:
                yield at, stop
            at = stop
        elif kind == 0:
            _, at = _varint(data, at, end)
        elif kind in _FIXED:
            at += _FIXED[kind]
            if at > end:
                raise NotProtobuf(f"it ends in the middle, at byte {end}")
        else:
            raise NotProtobuf(f"byte {at - 1} begins no field")
        if not tag >> 3:
            raise NotProtobuf("it has a field of number 0")


_FIXED = {1: 8, 5: 4}


def last(data: bytes, start: int, end: int, number: int) -> bytes:
    """The last field `number`, which is the one that counts; empty when there is none. Raises `NotProtobuf`."""
    found = b""
    for begin, stop in messages(data, start, end, number):
        found = data[begin:stop]
    return found


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte <= 0x7F:
            return value, at
        shift += 7
        if shift > 63:
            raise NotProtobuf(f"the number that ends at byte {at} has too many digits")
    raise NotProtobuf(f"it ends in the middle, at byte {end}")
