"""The hub's own questions to a process: one GET, the answer whole."""

from __future__ import annotations

import asyncio

from beacon.errors import Unavailable
from hub.headers import request_head
from hub.pool import Pool, Unreachable
from hub.upstream import Lost


class NoAnswer(Exception):
    """The process is away, or was too slow, or answered more than was to be taken. Its text says which."""


async def ask(pool: Pool, target: bytes, *, timeout_s: float, bytes_max: int) -> tuple[int, bytes]:
    """(status, body) of GET `target`. Raises `NoAnswer`."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _exchange(pool, target, bytes_max)
    except TimeoutError as e:
        raise NoAnswer(f"no answer within {timeout_s:g} s") from e
    except Unavailable as e:
        raise NoAnswer(e.detail) from e
    except (Unreachable, Lost) as e:
        raise NoAnswer(str(e)) from e


async def _exchange(pool: Pool, target: bytes, bytes_max: int) -> tuple[int, bytes]:
    while True:
        connection = pool.take() or await pool.acquire()
        again = connection.used
        try:
            connection.start(without_body=False, deadline=0.0)
            connection.write([request_head("GET", target, [(b"host", b"localhost")], length=0)])
            await connection.head()
            parts: list[bytes] = []
            size = 0
            while True:
                complete = connection.complete
                taken = connection.take()
                parts += taken
                size += sum(map(len, taken))
                if size > bytes_max:
                    raise NoAnswer(f"an answer of more than {bytes_max:,} bytes")
                if complete:
                    return connection.status, b"".join(parts)
                await connection.more()
        except Lost:
            # a kept connection may be closed in the very moment it is used; a new one tells the truth
            if not again or connection.answered:
                raise
        finally:
            pool.release(connection)
