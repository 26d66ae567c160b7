"""The second port, 127.0.0.1:4318: where exporters of OpenTelemetry send when nobody told them otherwise."""

from __future__ import annotations

import asyncio
import logging
import socket

from starlette.types import ASGIApp, Receive, Scope, Send

from beacon.config import Settings
from beacon.contract import otlp
from beacon.errors import MethodNotAllowed, NotFound, Refused
from beacon.web.reply import error_reply, send_reply
from beacon.web.server import Serve
from hub.answers import refuse_websocket
from hub.listen import PATIENCE_S, RETRY_EVERY_S, bind_all

log = logging.getLogger("beacon.hub")

HOST = "127.0.0.1"
"""Whatever BEACON_HOST is: this port is for programs of this machine, which expect it there."""


class OtlpPort:
    """The port, and whether it is served. One a hub."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.port: int | None = None
        """The port while it is served; None where it is switched off, or taken by another program."""

    async def open(self, app: ASGIApp, serve: Serve) -> None:
        """Serve `app` there, if the port can be had within PATIENCE_S: at a supervised restart our own predecessor may
        still hold it. Taken by another program, it is a line in the log: the main port takes all."""
        port = self._settings.otlp_port
        if port is None or port == self._settings.backend_port:
            return
        loop = asyncio.get_running_loop()
        give_up = loop.time() + PATIENCE_S
        while True:
            try:
                listeners = _take(port)
            except Refused as e:
                log.info("%s", e.detail)
                return
            if listeners:
                break
            if loop.time() >= give_up:
                log.info("%s", self._taken(port))
                return
            await asyncio.sleep(RETRY_EVERY_S)
        await serve(app, listeners)
        self.port = port
        log.info("taking OpenTelemetry at http://%s:%d too", HOST, port)

    def _taken(self, port: int) -> str:
        from beacon.ports import holder  # psutil, for an occupied port only

        by = holder(port)
        return (
            f"port {port} is taken by {by or 'another program'}: OpenTelemetry is taken at {self._settings.base_url} "
            f"alone. Set OTEL_EXPORTER_OTLP_ENDPOINT={self._settings.base_url} in your programs, or BEACON_OTLP_PORT"
        )


def _take(port: int) -> list[socket.socket]:
    """Bound sockets; empty where another program has the port. Raises `Refused` where it may not be taken at all."""
    from beacon.ports import addresses, taken_address

    try:
        # macOS lets 127.0.0.1 be bound beside a program that listens on every address
        return [] if taken_address(HOST, port) else bind_all(addresses(HOST), port)
    except PermissionError:
        raise Refused(f"this user may not listen on port {port}; set BEACON_OTLP_PORT to another, or off") from None
    except OSError:
        return []


class OtlpOnly:
    """ASGI: OTLP's paths of `app`, and for anything else a 404 that says where Beacon is."""

    def __init__(self, app: ASGIApp, base_url: str) -> None:
        self._app = app
        self._where = f"This port takes OpenTelemetry alone, by POST; Beacon itself is at {base_url}."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await refuse_websocket(NotFound(self._where), send)
        elif scope["raw_path"] not in otlp.PATHS:
            await send_reply(error_reply(NotFound(self._where)), send)
        elif scope["method"] not in ("POST", "OPTIONS"):
            await send_reply(error_reply(MethodNotAllowed(self._where, ("POST",))), send)
        else:
            await self._app(scope, receive, send)
