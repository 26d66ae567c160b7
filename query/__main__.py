"""`python -m query`: wires readers, handlers and the unix socket together."""

from __future__ import annotations

from beacon.config import Settings
from beacon.process import run
from beacon.web import serve_unix
from query.connections import Connections
from query.handlers import Handlers
from query.readers import Readers

POINT_READERS = 3
WALK_READERS = 2
"""Threads, each with a connection and its page cache, started as they are needed. Two cores are the common case: one
more than them, so that a read that waits for the disk does not hold up the next."""

POINTS_WAITING = 512
WALKS_WAITING = 32
"""Reads that may be under way or wait; above it 503."""

FREED_KEPT = 4 * 1024 * 1024
"""Bytes. glibc hands a freed block of 128 KiB back to the system at once, and a trace of 1.6 MB is made of those: the
page faults of getting them again took 1.3 of its 3.4 ms. Freeing one block of this size raises that limit to it."""


async def main(settings: Settings) -> None:
    bytes(FREED_KEPT)
    connections = Connections(settings.db_path)
    points = Readers(connections, "point", threads=POINT_READERS, waiting_max=POINTS_WAITING)
    walks = Readers(connections, "walk", threads=WALK_READERS, waiting_max=WALKS_WAITING)
    try:
        await serve_unix(Handlers(settings, points, walks).application(), settings.socket_path("query"))
    finally:
        await points.close()
        await walks.close()


if __name__ == "__main__":
    run("query", main)
