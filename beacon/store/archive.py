"""Traces of a database as an archive: JSON Lines, a header and then a line a trace, the oldest first.

A line is what GET /v1/traces/{id}/export?format=json answers, but for `exported_at`, which the header has once. It is
read in one transaction, so that a trace is of one moment, and transactions are short: one that stays keeps the WAL from
shrinking. A trace too large for one is read in several, and anew when it changed between two.
"""

from __future__ import annotations

import functools
import re
import sqlite3
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Raw

from beacon.contract.records import ArchivedSpan, ArchiveHeader, Span, TraceSummary, encode
from beacon.store.landing import begin, staged_ranges
from beacon.store.rows import SPAN_COLUMNS, TRACE_COLUMNS, exported_span, trace_of
from beacon.version import VERSION

FORMAT = "beacon-archive"
FORMAT_VERSION = 1

SLICE_S = 0.04
SLICE_BYTES = 8 * 1024 * 1024
"""What one transaction aims at. Rendering and writing are done outside of it."""

LARGE_BYTES = 16 * 1024 * 1024
LARGE_S = 0.08
"""A trace that has more, or takes longer, is read in parts."""

PART_SPANS = 256

RANGE_ROWS = 4_096
"""Rows of traces that are looked at in one transaction: 3 ms."""

IN_MEMORY_BYTES = 32 * 1024 * 1024
"""Of a line that is read in parts; the rest of it waits on the disk."""

ATTEMPTS = 3
"""At a large trace that changes while it is read; then it is read in one transaction, however long that takes."""

_CHOSEN = "SELECT t.trace_row, t.span_count FROM traces t WHERE t.trace_row > :low AND t.trace_row <= :high"
_TRACE = f"SELECT t.seq, {TRACE_COLUMNS} FROM traces t WHERE t.trace_row = ?"
_COLUMNS = f"s.start_ns, x.otel, o.resource, o.scope, {SPAN_COLUMNS}"
_JOINED = (
    "CROSS JOIN span_attributes a ON a.span_row = s.span_row CROSS JOIN traces t ON t.trace_row = s.trace_row "
    "LEFT JOIN span_otel x ON x.span_row = s.span_row LEFT JOIN origins o ON o.origin_row = x.origin_row"
)
# In the order of the rows, each page once; sorted in Python, as SQLite's sorter would carry the texts
_SPANS = (
    f"SELECT {_COLUMNS} FROM (SELECT span_row FROM spans WHERE trace_row = ? ORDER BY span_row LIMIT -1) r "
    f"CROSS JOIN spans s ON s.span_row = r.span_row {_JOINED}"
)
_KEYS = "SELECT span_row FROM spans WHERE trace_row = ? ORDER BY start_ns, span_id"
_PART = f"SELECT {_COLUMNS} FROM json_each(?) j CROSS JOIN spans s ON s.span_row = j.value {_JOINED}"
_ATTRIBUTES = 13
"""Where they are in a row of _COLUMNS; SPAN_COLUMNS begin at 4."""

_BREAKS = re.compile(rb"[\r\n]")


class Choice(NamedTuple):
    """Which traces: those that started in [since, until), of a session. None: all."""

    since_ns: int | None = None
    until_ns: int | None = None
    session_id: str | None = None

    @property
    def sql(self) -> str:
        terms = []
        if self.session_id is not None:
            terms.append("t.session_id = :session")
        if self.since_ns is not None:
            terms.append("t.start_ns >= :since")
        if self.until_ns is not None:
            terms.append("t.start_ns < :until")
        return "".join(f" AND {term}" for term in terms)

    @property
    def params(self) -> dict[str, Any]:
        return {"session": self.session_id, "since": self.since_ns, "until": self.until_ns}


Read = Callable[[Callable[[sqlite3.Connection], Any]], Any]
"""Runs a function in a read transaction of the database."""


class Line(NamedTuple):
    """One trace: its line in pieces, and how many spans are in it."""

    pieces: Iterator[bytes | bytearray]
    spans: int


class _Whole(NamedTuple):
    trace: TraceSummary
    spans: list[tuple[Any, ...]]


_Found = _Whole | Literal["large"] | None
"""A trace, one that is too large for a transaction among others, or one that is gone."""


class _Changed(Exception):
    """The trace is another one than when its first part was read."""


def header(now: float) -> bytes:
    """The first line."""
    return encode(ArchiveHeader(FORMAT, FORMAT_VERSION, VERSION, now)) + b"\n"


def read_in(db: sqlite3.Connection) -> Read:
    """Transactions of one connection."""

    def read(fn: Callable[[sqlite3.Connection], Any]) -> Any:
        begin(db)
        try:
            return fn(db)
        finally:
            db.execute("COMMIT")

    return read


class Archive:
    """What there was to export when it was made: `spans` in all, of the chosen traces."""

    def __init__(self, read: Read, choice: Choice) -> None:
        self._read = read
        self._choice = choice
        self._top, self._staged = read(_bounds)
        self._rows: list[int] = []
        self.spans = 0
        for low in range(0, self._top, RANGE_ROWS):
            for trace_row, spans in read(functools.partial(self._chosen, low=low)):
                self._rows.append(trace_row)
                self.spans += spans

    @property
    def traces(self) -> int:
        return len(self._rows)

    def _chosen(self, db: sqlite3.Connection, low: int) -> list[tuple[int, int]]:
        bounds = {"low": low, "high": min(low + RANGE_ROWS, self._top)}
        rows = db.execute(f"{_CHOSEN}{self._choice.sql} ORDER BY t.trace_row", {**self._choice.params, **bounds})
        # an import that becomes visible while this goes on is left out whole
        return [row for row in rows if not _within(self._staged, row[0])]

    def lines(self) -> Iterator[Line]:
        """A line a trace. Each is to be used before the next is asked for. Traces deleted meanwhile are left out."""
        rows = self._rows
        at = 0
        while at < len(rows):
            found: list[_Found] = self._read(functools.partial(_read_some, rows=rows, at=at))
            for one in found:
                at += 1
                if isinstance(one, _Whole):
                    yield Line(_rendered(one), len(one.spans))
                elif one == "large":
                    line = self._large(rows[at - 1])
                    if line is not None:
                        yield line

    # ------------------------------------------------------------ traces too large for one transaction

    def _large(self, trace_row: int) -> Line | None:
        for _ in range(ATTEMPTS):
            spool = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115  (the line closes it)
            try:
                spans = self._spool(trace_row, spool)
            except _Changed:
                spool.close()
                continue
            except BaseException:
                spool.close()
                raise
            return None if spans is None else Line(_poured(spool), spans)
        whole = self._read(lambda db: _read_whole(db, trace_row, float("inf")))
        return Line(_rendered(whole), len(whole.spans)) if isinstance(whole, _Whole) else None

    def _spool(self, trace_row: int, spool: tempfile.SpooledTemporaryFile[bytes]) -> int | None:
        """Render the trace into `spool`; how many spans it has, None when there is no such trace. Raises `_Changed`."""

        def first(db: sqlite3.Connection) -> tuple[Any, list[int]]:
            trace = db.execute(_TRACE, (trace_row,)).fetchone()
            return trace, [row for (row,) in db.execute(_KEYS, (trace_row,))]

        trace, keys = self._read(first)
        if trace is None:
            return None
        seq = trace[0]
        before = _opening(trace_of(trace[1:]))
        size = 8
        at = 0
        while at < len(keys):
            some = keys[at : at + size]

            def part(db: sqlite3.Connection, some: list[int] = some) -> list[tuple[Any, ...]]:
                now = db.execute("SELECT seq FROM traces WHERE trace_row = ?", (trace_row,)).fetchone()
                if now is None or now[0] != seq:  # it moves with every change of the trace or of a span
                    raise _Changed
                return db.execute(_PART, (msgspec.json.encode(some).decode(),)).fetchall()

            began = time.monotonic()
            rows = self._read(part)
            took = time.monotonic() - began
            spool.write(_joined(rows, before))
            before = b","
            at += len(some)
            size = min(PART_SPANS, size * 2) if took < SLICE_S / 2 else max(1, size // 2)
        spool.write(_CLOSING)
        return len(keys)


def _within(ranges: list[tuple[int, int]], trace_row: int) -> bool:
    place = bisect_right(ranges, trace_row, key=lambda one: one[0])
    return place > 0 and ranges[place - 1][1] >= trace_row


def _bounds(db: sqlite3.Connection) -> tuple[int, list[tuple[int, int]]]:
    (top,) = db.execute("SELECT next_trace_row - 1 FROM counters").fetchone()
    return top, staged_ranges(db)


def _read_some(db: sqlite3.Connection, rows: list[int], at: int) -> list[_Found]:
    """The traces from place `at` of `rows` on, as many as one transaction should read."""
    until = time.monotonic() + SLICE_S
    found: list[_Found] = []
    size = 0
    for trace_row in rows[at:]:
        one = _read_whole(db, trace_row, LARGE_S if not found else max(0.0, until - time.monotonic()))
        if one == "large" and found:
            return found  # it begins the next transaction
        found.append(one)
        if one == "large":
            return found
        if isinstance(one, _Whole):
            size += sum(len(span[_ATTRIBUTES]) for span in one.spans)
        if size > SLICE_BYTES or time.monotonic() > until:
            break
    return found


def _read_whole(db: sqlite3.Connection, trace_row: int, seconds: float) -> _Found:
    trace = db.execute(_TRACE, (trace_row,)).fetchone()
    if trace is None:
        return None
    until = time.monotonic() + seconds
    spans: list[tuple[Any, ...]] = []
    size = 0
    for span in db.execute(_SPANS, (trace_row,)):
        spans.append(span)
        size += len(span[_ATTRIBUTES])
        if not len(spans) & 63 and (time.monotonic() > until or (size > LARGE_BYTES and seconds != float("inf"))):
            return "large"
    return _Whole(trace_of(trace[1:]), spans)


# ---------------------------------------------------------------- rendering

_CLOSING = b"]}\n"

_encoder = msgspec.json.Encoder()


def _opening(trace: TraceSummary) -> bytes:
    return b'{"version":"1","format":"beacon","trace":%b,"spans":[' % encode(trace)


def _rendered(one: _Whole) -> Iterator[bytes | bytearray]:
    one.spans.sort(key=lambda row: (row[0], row[4]))
    line = _joined(one.spans, _opening(one.trace))
    line += _CLOSING
    yield line


def _joined(rows: list[tuple[Any, ...]], before: bytes) -> bytearray:
    """`before` and the spans, with commas between."""
    line = bytearray(before)
    at = len(line) - 1
    # the list's own "[" goes over the last byte of `before`, which is then put back
    _encoder.encode_into([_span(row) for row in rows], line, at)
    line[at] = before[-1]
    del line[-1]
    return line


def _span(row: tuple[Any, ...]) -> Span:
    otel = None
    if row[1] is not None:
        said, resource, scope = (text.replace("\n", " ").replace("\r", " ") for text in row[1:4])
        otel = (said, resource, scope)
    span = exported_span(row[4:], otel)
    text = row[_ATTRIBUTES]
    if b"\n" in text or b"\r" in text:
        # between two values, since a string holds no bare one. The line must have none: the text as it was sent goes
        # beside
        span.attributes = Raw(_BREAKS.sub(b" ", text))
        return _with_text(span, text)
    return span


def _with_text(span: Span, text: bytes) -> Span:
    fields = {name: getattr(span, name) for name in span.__struct_fields__}
    return ArchivedSpan(**fields, attributes_text=text.decode())


def _poured(spool: tempfile.SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    with spool:
        spool.seek(0)
        while piece := spool.read(1024 * 1024):
            yield piece
