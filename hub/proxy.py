"""Forwards a request to the process that owns its operation: path, query and body bytes untouched.

What is promised when that process is away (docs/adr/0003-hub-proxy.md):

- Spans are held and sent again, for up to HOLD_S in all: clients such as beacon-sdk never retry, and storing the same
  spans twice is the same as once.
- A read is sent once more when it met a kept connection that was just being closed.
- Nothing else is sent twice. If a byte of it had gone out, the 503 says that it may or may not have been done.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from beacon.contract.limits import BODY_MAX
from beacon.contract.operation import Operation
from beacon.errors import PartDown, TooLarge
from hub.headers import body_framing, request_head
from hub.intake import ClientGone, Intake, RequestBody, next_piece, too_large
from hub.lanes import Lanes
from hub.pool import Pool, Unreachable
from hub.upstream import Connection, Lost

log = logging.getLogger("beacon.hub")

HOLD_S = 2.0
"""Seconds a request with spans is held while ingest is away: a restart under supervisord takes 0.5 to 1.5."""

RESEND_PAUSE_S = 0.05
"""Seconds before a request is sent again to a process that has just ended on it."""

_READS = ("GET", "HEAD")


@dataclass(slots=True)
class _Errand:
    """One request on its way: what to send, where, and how much it may be repeated."""

    method: str
    pool: Pool
    head: bytes
    body: RequestBody
    receive: Receive
    may_hold: bool
    watched: bool


class Proxy:
    """One a hub. `forward` answers a request, or raises a BeaconError before anything was answered."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._loop = asyncio.get_running_loop()
        self._intake = Intake()

    async def forward(self, operation: Operation, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises `TooLarge`, `BadRequest`, `SlowBody`, `QueueFull`, `PartDown`, and `ClientGone`."""
        method: str = scope["method"]
        headers = scope["headers"]
        length, chunked = body_framing(headers)
        body = await self._intake.read(receive, length, chunked=chunked)
        try:
            target: bytes = scope["raw_path"]
            if scope["query_string"]:
                target += b"?" + scope["query_string"]
            pool = self._lanes.of(operation.owner, operation.lane)
            errand = _Errand(
                method,
                pool,
                request_head(method, target, headers, length=body.length),
                body,
                receive,
                may_hold=operation.lane == "spans" and body.whole,
                # a call of a model goes on without its client (its job is stored), but need not hold a connection
                watched=not body.more
                and (operation.lane == "llm" or (operation.lane == "long" and method == "GET" and not body.parts)),
            )
            connection = await self._exchange(errand)
        finally:
            self._intake.give_back(body)
        try:
            await self._pass_on(connection, pool, receive, send)
        finally:
            pool.release(connection)

    # ------------------------------------------------------------ the request

    async def _exchange(self, errand: _Errand) -> Connection:
        """Send the request, again where that is right, until there is a connection with the head of an answer."""
        pool = errand.pool
        held_until = 0.0
        fresh = False
        while True:
            connection: Connection | None = None
            try:
                connection = None if fresh else pool.take()
                if connection is None:
                    connection = await pool.acquire(fresh=fresh)
                await self._send(connection, errand)
                return connection
            except Unreachable as e:
                sent, why = False, str(e)
            except Lost as e:
                assert connection is not None
                sent, why = True, str(e)
                stale = connection.used and not e.overdue
                pool.release(connection)
                if e.overdue:
                    raise _down(errand, why, sent=True) from e
                if stale and errand.method in _READS and not fresh:
                    fresh = True
                    continue
            except BaseException:
                if connection is not None:
                    connection.abort()
                raise
            if not errand.may_hold:
                raise _down(errand, why, sent=sent)
            fresh = True
            held_until = held_until or self._loop.time() + HOLD_S
            if sent:
                await asyncio.sleep(RESEND_PAUSE_S)
            if not await pool.reachable(held_until):
                raise _down(errand, why, sent=False)

    async def _send(self, connection: Connection, errand: _Errand) -> None:
        """Send the request, and wait for the head of its answer, if not for all of it. Raises `Lost`."""
        connection.start(without_body=errand.method == "HEAD", deadline=self._loop.time() + errand.pool.limits.answer_s)
        if errand.body.more:
            await self._stream_body(connection, errand)
        else:
            connection.write([errand.head, *errand.body.parts])
        if errand.watched:
            await self._head_while_there(connection, errand.receive)
        elif errand.may_hold:
            # killed between the head and the body of its answer, a process has not answered yet
            await connection.whole()
        else:
            await connection.head()
        connection.deadline = 0.0

    async def _stream_body(self, connection: Connection, errand: _Errand) -> None:
        """Pass a long body on as it comes, no faster than the process reads it."""
        parts, more, length, _ = errand.body
        chunked = length is None
        connection.write([errand.head, *(_chunk(parts) if chunked else parts)])
        size = sum(map(len, parts))
        while more and not connection.answered and not connection.ended:
            await connection.drain()
            connection.deadline = 0.0  # it is the client's turn
            piece, more = await next_piece(errand.receive)
            connection.deadline = self._loop.time() + errand.pool.limits.answer_s
            size += len(piece)
            if size > BODY_MAX:
                raise TooLarge(too_large(size))
            connection.write(_chunk([piece]) if chunked else [piece])
        if more:
            connection.unfinished = True  # answered, or lost, in the middle: no other request may follow on it
        elif chunked:
            connection.write([b"0\r\n\r\n"])

    async def _head_while_there(self, connection: Connection, receive: Receive) -> None:
        """Wait for the answer of long work, and no longer than the client does. Raises `ClientGone`."""
        watch = self._loop.create_task(_abort_when_gone(connection, receive))
        try:
            await connection.head()
        except Lost:
            if watch.done():
                raise ClientGone from None
            raise
        finally:
            watch.cancel()

    # ------------------------------------------------------------ the answer

    async def _pass_on(self, connection: Connection, pool: Pool, receive: Receive, send: Send) -> None:
        """Send the answer to the client, piece by piece, no faster than it reads."""
        await send({"type": "http.response.start", "status": connection.status, "headers": connection.headers})
        watch: asyncio.Task[None] | None = None
        try:
            while True:
                complete = connection.complete
                pieces = connection.take()
                last = len(pieces) - 1 if complete else -1
                for i, piece in enumerate(pieces):
                    await send({"type": "http.response.body", "body": piece, "more_body": i != last})
                if complete:
                    if not pieces:
                        await send({"type": "http.response.body", "body": b"", "more_body": False})
                    return
                if watch is None:
                    watch = self._loop.create_task(_abort_when_gone(connection, receive))
                connection.deadline = self._loop.time() + pool.limits.answer_s
                await connection.more()
                connection.deadline = 0.0
        except Lost as e:
            # the head is out: ending the connection in the middle is the one honest sign left
            if watch is None or not watch.done():
                log.warning("an answer of %s ended in the middle: %s", pool.process, e)
        finally:
            if watch is not None:
                watch.cancel()


async def _abort_when_gone(connection: Connection, receive: Receive) -> None:
    """End the exchange when the client has gone, so that the process need not finish an answer nobody reads."""
    while (await receive())["type"] != "http.disconnect":
        pass
    connection.abort("the client has gone")


def _chunk(parts: list[bytes]) -> list[bytes]:
    size = sum(map(len, parts))
    return [b"%x\r\n" % size, *parts, b"\r\n"] if size else []


def _down(errand: _Errand, why: str, *, sent: bool) -> PartDown:
    process = errand.pool.process
    if sent and errand.method not in _READS:
        return PartDown(
            f"Beacon's {process} process went away in the middle of this request ({why}); it may or may not have "
            "been done. Look before you send it again."
        )
    return PartDown(
        f"Beacon's {process} process is not there ({why}); it is being restarted. Send this again in a moment."
    )
