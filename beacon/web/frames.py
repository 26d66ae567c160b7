"""Websocket frames, many in one write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

SEND_FRAMES = "beacon.websocket.send"
"""An ASGI message of our own: `{"type": SEND_FRAMES, "texts": [bytes, ...]}` sends each text (UTF-8) as a message."""


class LiveProtocol(WebSocketsSansIOProtocol):
    """uvicorn's websocket that also takes SEND_FRAMES.

    Sent one by one, a text is decoded, encoded, copied and written, with a wake-up of its reader: 8 us each. What a
    server sends carries no mask, so the same bytes do for every client.
    """

    async def send(self, message: Any) -> None:
        """Raises `ClientDisconnected` (an OSError) when the client has gone."""
        if message["type"] != SEND_FRAMES:
            await super().send(message)
            if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
                self.handshake_complete = True  # refused, in full: else uvicorn logs an ERROR for each
            return
        await self.writable.wait()
        if self.disconnected or self.close_sent or self.transport.is_closing():
            raise ClientDisconnected
        parts: list[bytes] = []
        for text in message["texts"]:
            parts += (text_frame_head(len(text)), text)
        self.transport.writelines(parts)

    def keepalive_timeout(self) -> None:
        """A client that answers no ping is let go at once: a polite end would wait until it reads what is buffered."""
        super().keepalive_timeout()
        self.transport.abort()


def text_frame_head(size: int) -> bytes:
    """The head of an unmasked, final text frame with `size` bytes (RFC 6455 5.2)."""
    if size < 126:
        return bytes((0x81, size))
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big")
    return b"\x81\x7f" + size.to_bytes(8, "big")


def frames_message(texts: Sequence[bytes]) -> dict[str, Any]:
    """The ASGI message that sends `texts`."""
    return {"type": SEND_FRAMES, "texts": texts}
