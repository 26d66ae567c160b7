"""Answers: what a handler returns, and what an error becomes."""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from starlette.types import Send

from beacon.contract.records import ErrorBody, ErrorPlace, encode
from beacon.errors import BeaconError, Invalid, MethodNotAllowed, Unauthorized, Unavailable

log = logging.getLogger("beacon.web")

JSON = b"application/json"

Headers = list[tuple[bytes, bytes]]

ERRORS_SHOWN = 100
"""A 422 names this many wrong places; a batch of 10,000 bad spans needs no 10,000 sentences."""


@dataclass(slots=True)
class Reply:
    """An answer: `chunks` are sent one after the other and never joined (each copy of a 1.5 MB body costs 1 ms);
    `stream`, if there, follows them with no length announced."""

    status: int = 200
    chunks: Sequence[bytes | bytearray | memoryview] = ()
    content_type: bytes = JSON
    headers: Headers = field(default_factory=list)
    stream: AsyncGenerator[bytes | bytearray, None] | None = None


def json_reply(value: object, status: int = 200, headers: Headers | None = None) -> Reply:
    """`value` (a record, or anything msgspec encodes) as a JSON answer."""
    return Reply(status, (encode(value),), headers=headers or [])


def error_reply(error: Exception) -> Reply:
    """`{"detail": ...}` with the status of a BeaconError; anything else is a bug: logged, and answered 500 with an id
    that finds it in the log."""
    if not isinstance(error, BeaconError):
        error_id = secrets.token_hex(6)
        log.error("bug %s", error_id, exc_info=error)
        body = ErrorBody(
            f"Beacon failed to answer; this is a bug. Its log has the details under {error_id}.",
            error_id=error_id,
        )
        return Reply(500, (encode(body),))
    headers: Headers = []
    places: list[ErrorPlace] = []
    if isinstance(error, Unavailable):
        headers.append((b"retry-after", b"%d" % error.retry_after))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allow).encode()))
    if isinstance(error, Unauthorized):
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, Invalid):
        places = [ErrorPlace(loc, msg) for loc, msg in error.errors[:ERRORS_SHOWN]]
    return Reply(error.status, (encode(ErrorBody(error.detail, places)),), headers=headers)


async def send_reply(reply: Reply, send: Send) -> None:
    """Send `reply` through an ASGI `send`."""
    headers: Headers = [(b"content-type", reply.content_type), *reply.headers]
    if reply.stream is None:
        headers.append((b"content-length", b"%d" % sum(map(len, reply.chunks))))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    last = len(reply.chunks) - 1
    for i, chunk in enumerate(reply.chunks):
        await send({"type": "http.response.body", "body": chunk, "more_body": i < last or reply.stream is not None})
    if reply.stream is not None:
        # closed here and now, also when sending fails: a stream holds a connection to the database
        async with contextlib.aclosing(reply.stream) as pieces:
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    if reply.stream is not None or not reply.chunks:
        await send({"type": "http.response.body", "body": b"", "more_body": False})
