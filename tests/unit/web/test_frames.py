"""A websocket client that neither reads nor answers pings is let go, whatever waits for it."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn

from beacon.web.frames import LiveProtocol, frames_message
from tests.edge import run

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: MTIzNDU2Nzg5MDEyMzQ1Ng==\r\n\r\n"
)


class Flood:
    """Sends for as long as it may; `ended` when the connection is gone."""

    def __init__(self) -> None:
        self.sent = 0
        self.ended = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while True:
                await send(frames_message([b"x" * 100_000] * 10))
                self.sent += 1
                await asyncio.sleep(0)
        except OSError:
            self.ended.set()


def test_a_client_that_never_reads_is_let_go_after_its_ping() -> None:
    async def check() -> None:
        flood = Flood()
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            flood, ws=LiveProtocol, ws_ping_interval=0.2, ws_ping_timeout=0.2, lifespan="off", log_config=None
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        client = socket.create_connection(listener.getsockname())
        client.sendall(HANDSHAKE)
        async with asyncio.timeout(10):
            await flood.ended.wait()
        assert 0 < flood.sent < 1_000, "it was held back while nobody read"
        client.close()
        server.should_exit = True
        await serving

    run(check, timeout=20)
