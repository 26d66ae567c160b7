"""The websocket endpoint /ws/live: one sender and one reader a client."""

from __future__ import annotations

import asyncio
import contextlib
import re

import msgspec
from starlette.types import Message, Receive, Scope, Send

from beacon.contract.events import RESYNC_FRAME
from beacon.contract.limits import ID_PATTERN
from beacon.contract.records import encode
from beacon.web.frames import frames_message
from hub.guard import BEARER_SUBPROTOCOL
from hub.live.clients import Client
from hub.live.feed import Feed

LIVE_PATH = b"/ws/live"

TRY_AGAIN_LATER = 1013
"""The close code of RFC 6455's registry for a server that has no room."""

_ID = re.compile(ID_PATTERN)


class LiveSocket:
    """ASGI, scope type "websocket". Frames to the client are text; text and binary messages are taken from it."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        accept = {"type": "websocket.accept", "subprotocol": chosen_subprotocol(scope["subprotocols"])}
        if self._feed.full:
            await send(accept)
            await send({"type": "websocket.close", "code": TRY_AGAIN_LATER, "reason": "too many live clients"})
            return
        client = self._feed.join()  # first, so that the subscription is under way while the handshake is
        sender: asyncio.Task[None] | None = None
        try:
            await send(accept)
            sender = asyncio.get_running_loop().create_task(_send_frames(client, send))
            while (message := await receive())["type"] != "websocket.disconnect":
                if (answer := self._take(client, message)) is not None:
                    client.offer((answer,), len(answer))
        except OSError:
            return  # gone during the handshake
        finally:
            self._feed.leave(client)
            if sender is not None:
                sender.cancel()
                # RuntimeError: uvicorn had closed the websocket by itself, its ping unanswered
                with contextlib.suppress(asyncio.CancelledError, OSError, RuntimeError):
                    await sender

    def _take(self, client: Client, message: Message) -> bytes | None:
        """Do what a client asks; what to answer it, if anything."""
        text = message.get("text")
        action, trace_id, wrong = read_request(text.encode() if text is not None else message.get("bytes") or b"")
        if wrong is not None:
            return encode({"error": wrong})
        self._feed.subscribe(client, trace_id if action == "subscribe_trace" else None)
        return None


def chosen_subprotocol(offered: list[str]) -> str | None:
    """What the handshake answers: a browser that offered the token's subprotocol ends a connection that chose none.
    Where it offered another beside it, that one, so that the token is not sent back."""
    bearer = BEARER_SUBPROTOCOL.decode()
    plain = [name for name in offered if not name.startswith(bearer)]
    return next(iter(plain if len(plain) < len(offered) else ()), None) or next(
        (name for name in offered if name.startswith(bearer)), None
    )


def read_request(raw: bytes) -> tuple[str, str | None, str | None]:
    """(action, trace_id, what is wrong or None) of a client's message."""
    try:
        asked = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", None, "That is not JSON; send an object with an action."
    action = asked.get("action") if isinstance(asked, dict) else None
    if action == "unsubscribe_trace":
        return action, None, None
    if action != "subscribe_trace":
        return (
            "",
            None,
            'No such action; Beacon knows {"action": "subscribe_trace", "trace_id"} and "unsubscribe_trace".',
        )
    trace_id = asked.get("trace_id")
    if not isinstance(trace_id, str) or _ID.match(trace_id) is None:
        return "", None, "subscribe_trace needs a trace_id of 1 to 128 letters, digits, or . _ : -"
    return action, trace_id, None


async def _send_frames(client: Client, send: Send) -> None:
    """Send what waits for a client, until it is cancelled or the client has gone (OSError). Blocks on a client that
    does not read, and its queue lapses meanwhile."""
    while True:
        await client.ready.wait()
        if client.lapsed:
            # from here on events are queued again: this resync tells of everything before them
            client.lapsed = False
            await send(frames_message((RESYNC_FRAME,)))
        if frames := client.next_frames():
            await send(frames_message(frames))
        if client.ready.is_set():
            await asyncio.sleep(0)
