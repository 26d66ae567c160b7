"""A DEBUG line a request: method, path, status, milliseconds. Neither the query, which may hold what is searched for,
nor anything of the header fields."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("beacon.hub")


class RequestLog:
    """ASGI, in front of `app`: outermost, so that what the guard refuses is logged too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()

        async def noted(message: Message) -> None:
            kind = message["type"]
            if kind in ("http.response.start", "websocket.http.response.start", "websocket.accept"):
                log.debug(
                    "%s %s %d in %.1f ms",
                    scope.get("method", "WS"),
                    scope["raw_path"][:200].decode("latin-1"),
                    message.get("status", 101),
                    (time.perf_counter() - began) * 1000,
                )
            await send(message)

        await self._app(scope, receive, noted)
