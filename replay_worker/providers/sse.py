"""Server-sent events out of bytes that come in any pieces (https://html.spec.whatwg.org/multipage/server-sent-events.html).

Pure: bytes in, events out. What a connection broke in the middle of is no event.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from beacon.errors import UpstreamFailed

EVENT_BYTES_MAX = 16 * 1024 * 1024
"""Bytes one event may have: the last event of OpenAI's Responses API holds the whole answer, Google's hold images."""

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """`data` of several lines is joined by line feeds."""

    name: str
    data: str


class SseParser:
    """`feed` it what comes. An event's name is "message" where none is given."""

    def __init__(self) -> None:
        self._line: list[bytes] = []  # pieces of the line that has not ended
        self._line_bytes = 0
        self._after_cr = False
        self._first_line = True
        self._name = ""
        self._data: list[bytes] = []
        self._data_bytes = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that end in `chunk`. Raises `UpstreamFailed` for an event above EVENT_BYTES_MAX."""
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk.startswith(b"\n"):  # the second half of a CRLF that was cut
                chunk = chunk[1:]
        events: list[Event] = []
        start = 0
        for end in _LINE_END.finditer(chunk):
            self._keep(chunk[start : end.start()])
            start = end.end()
            self._end_line(events)
        self._after_cr = chunk.endswith(b"\r") or (self._after_cr and not chunk)
        self._keep(chunk[start:])
        return events

    def end(self) -> list[Event]:
        """The event that the body ended in good order with, its blank line left out: the specification drops it, and
        some servers send their last one so."""
        events: list[Event] = []
        for _ in range(2):
            self._end_line(events)
        return events

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._line.append(piece)
            self._line_bytes += len(piece)
            if self._line_bytes + self._data_bytes > EVENT_BYTES_MAX:
                raise UpstreamFailed(f"an event of its stream is larger than {EVENT_BYTES_MAX >> 20} MiB")

    def _end_line(self, events: list[Event]) -> None:
        line = b"".join(self._line)
        self._line.clear()
        self._line_bytes = 0
        if self._first_line:
            self._first_line = False
            line = line.removeprefix(_BOM)
        if not line:
            if self._data:
                data = b"\n".join(self._data).decode("utf-8", "replace")
                events.append(Event(self._name or "message", data))
            self._name = ""
            self._data.clear()
            self._data_bytes = 0
            return
        field, _, value = line.partition(b":")  # a comment is a field without a name
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._data_bytes += len(value) + 1
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
