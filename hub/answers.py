"""The two answers that are no `Reply`: one without content, and a websocket refused before it is one."""

from __future__ import annotations

from starlette.types import Send

from beacon.errors import BeaconError
from beacon.web.reply import Headers, error_reply


async def no_content(headers: Headers, send: Send) -> None:
    """204 with `headers`."""
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def refuse_websocket(error: BeaconError, send: Send) -> None:
    """Answer a handshake as plain HTTP, with `error`'s status and detail (ASGI extension `websocket.http.response`)."""
    reply = error_reply(error)
    body = b"".join(reply.chunks)
    headers = [
        (b"content-type", reply.content_type),
        (b"content-length", b"%d" % len(body)),
        *reply.headers,
    ]
    await send({"type": "websocket.http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body, "more_body": False})
