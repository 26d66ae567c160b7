"""The lines of an archive: cut out of the body as it comes, and read. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from beacon.contract.limits import BODY_MAX
from beacon.contract.requests import ArchiveLine
from beacon.errors import BadRequest, Invalid
from beacon.store.archive import FORMAT, FORMAT_VERSION
from beacon.version import VERSION
from beacon.web.application import invalid_json
from ingest.decode import Arrival
from ingest.imports import FORMAT as TRACE_FORMAT
from ingest.imports import VERSIONS, check_one

LINE_MAX = BODY_MAX
"""Bytes: what a trace may have that is posted on its own. `beacon import` sends a longer line in parts."""


class _Header(Struct):
    format: Any = None
    version: Any = None
    beacon: Any = None


class _Head(Struct):
    format: Any = None
    version: Any = None


_decode_line = msgspec.json.Decoder(ArchiveLine).decode
_decode_head = msgspec.json.Decoder(_Head).decode


class Lines:
    """Lines of what is fed."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that `chunk` ends. Raises `Invalid` for one that is too long."""
        *ended, rest = chunk.split(b"\n")
        for end in ended:
            self._parts.append(end)
            line = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts, self._size = [], 0
            yield line
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
            if self._size > LINE_MAX:
                raise Invalid(f"a line has more than {LINE_MAX:,} bytes")

    def last(self) -> bytes:
        """What is left: a last line without an end."""
        return b"".join(self._parts)


def check_header(line: bytes) -> None:
    """Raises `BadRequest` unless it is the first line of an archive that this Beacon reads."""
    try:
        found = msgspec.json.decode(line, type=_Header)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = _Header()
    if found.format != FORMAT or not isinstance(found.version, int):
        one = " It is one trace; POST /v1/traces/import takes it." if found.format == TRACE_FORMAT else ""
        raise BadRequest(f"Line 1: this is no archive that `beacon export` wrote.{one}")
    if found.version > FORMAT_VERSION:
        by = f" (Beacon {found.beacon[:40]} wrote it)" if isinstance(found.beacon, str) else ""
        raise BadRequest(
            f"Line 1: this archive has format version {found.version}{by}, and this Beacon, {VERSION}, reads up to "
            f"{FORMAT_VERSION}. Upgrade it first."
        )


def read_line(line: bytes) -> ArchiveLine:
    """A trace, or a part of one; its spans are still to be checked. Raises `Invalid`."""
    try:
        head = _decode_head(line)
        if head.format != TRACE_FORMAT or head.version not in VERSIONS:
            raise Invalid(f'this is not a trace of format "{TRACE_FORMAT}", version {VERSIONS[-1]}.')
        return _decode_line(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        wrong = invalid_json(e, line)
        raise Invalid(wrong.detail.replace("The body", "this")) from e


def check_spans(line: ArchiveLine, seen: set[str], first: int) -> Iterator[Arrival]:
    """Its spans, the first of which is the trace's `first`. Raises `Invalid` for the first that is wrong."""
    for i, span in enumerate(line.spans, first):
        if span.attributes_text is not UNSET:
            span.attributes = Raw(span.attributes_text.encode())
        errors: list[tuple[str, str]] = []
        arrival = check_one(i, span, line.trace.trace_id, seen, errors)
        if arrival is None or errors:
            raise Invalid(f"{errors[0][0]}: {errors[0][1]}.")
        yield arrival
