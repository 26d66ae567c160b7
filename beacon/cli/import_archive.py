"""`beacon import FILE`: what `beacon export` wrote, stored whole or not at all; Beacon may be up or down."""

from __future__ import annotations

import argparse
import http.client
import os
import select
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Raw, Struct

from beacon.cli.own_ingest import ingest_of
from beacon.cli.progress import Bar
from beacon.cli.target import find
from beacon.cli.words import count
from beacon.contract.records import ArchiveImported, ErrorBody
from beacon.errors import Refused
from beacon.unix_http import UnixConnection

PART_BYTES = 1024 * 1024
"""A longer line is sent in parts of about this size: whoever takes it in holds one at a time."""

CHUNK_BYTES = 256 * 1024

ANSWER_S = 900.0
"""Seconds ingest may leave the archive unread or the answer unsaid: a full disk takes a while to be noticed."""


class _Line(Struct):
    version: Raw
    format: Raw
    trace: Raw
    spans: list[Raw]


class _Gone(Exception):
    """Ingest has closed the connection, or answered before it had everything."""


def run(arguments: argparse.Namespace) -> int:
    target = find(arguments)
    with _open(arguments.file) as source, ingest_of(target) as socket:
        done = _send(socket, source, skip_existing=arguments.skip_existing)
    print(f"Imported {count(done.trace_count, 'trace')}, {count(done.span_count, 'span')}.", end="")
    print(f" {count(done.skipped, 'trace')} stood there already." if done.skipped else "")
    return 0


def _open(file: str) -> BinaryIO:
    if file == "-":
        return sys.stdin.buffer
    try:
        return Path(file).open("rb")
    except OSError as e:
        raise Refused(f"{file} cannot be read: {e.strerror}.") from e


def _send(socket: Path, source: BinaryIO, *, skip_existing: bool) -> ArchiveImported:
    """Raises `Refused` with what is wrong with the archive, or what came between."""
    connection = UnixConnection(socket, ANSWER_S)
    try:
        connection.putrequest("POST", f"/internal/imports?skip_existing={str(skip_existing).lower()}")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        try:
            with Bar("Importing") as bar:
                for piece in _pieces(source, bar):
                    _say(connection, piece)
            _say(connection, b"")
        except (_Gone, BrokenPipeError, ConnectionResetError):
            pass  # the answer says why
        response = connection.getresponse()
        status, body = response.status, response.read()
    except (OSError, http.client.HTTPException) as e:
        raise Refused(
            "Beacon went away before it had said that the archive is stored: all of it is there now, or nothing. Look, "
            f"and import it again if it is not ({type(e).__name__}: {e})."
        ) from e
    finally:
        connection.close()
    if status != 200:
        raise Refused(_detail(body))
    return msgspec.json.decode(body, type=ArchiveImported)


def _say(connection: http.client.HTTPConnection, piece: bytes) -> None:
    """Send one chunk; an empty one is the end. Raises `_Gone`, OSError."""
    if select.select([connection.sock], [], [], 0)[0]:
        raise _Gone
    connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))


def _pieces(source: BinaryIO, bar: Bar) -> Iterator[bytes]:
    """The lines, long ones in parts."""
    whole = _size(source)
    waiting: list[bytes] = []
    size = done = 0
    for number, line in enumerate(source, 1):
        done += len(line)
        for part in [line] if len(line) <= PART_BYTES else _parts(number, line):
            waiting.append(part)
            size += len(part)
            if size >= CHUNK_BYTES:
                yield b"".join(waiting)
                waiting, size = [], 0
                if whole is not None:
                    bar(done, whole)
    if waiting:
        yield b"".join(waiting)


def _size(source: BinaryIO) -> int | None:
    """Bytes there are to read; None of a pipe."""
    found = os.fstat(source.fileno())
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _parts(number: int, line: bytes) -> Iterator[bytes]:
    """A trace as several lines, each with `more` but for the last. Raises `Refused` where it is none."""
    try:
        trace = msgspec.json.decode(line, type=_Line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise Refused(f"Line {number}: this is no trace: {e}. Nothing was imported.") from e
    head = b'{"version":%b,"format":%b,"trace":%b,' % (trace.version, trace.format, trace.trace)
    some: list[Raw] = []
    size = 0
    for at, span in enumerate(trace.spans, 1):
        some.append(span)
        size += len(bytes(span))
        last = at == len(trace.spans)
        if size >= PART_BYTES or last:
            yield b'%b"more":%b,"spans":[%b]}\n' % (head, b"false" if last else b"true", b",".join(some))
            some, size = [], 0


def _detail(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=ErrorBody).detail
    except msgspec.MsgspecError:
        return f"The archive was not taken: {body[:200].decode('utf-8', 'replace')}"
