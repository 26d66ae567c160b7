"""Takes in the bodies of requests: whole where they are short and there is room, else their beginning."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from starlette.types import Receive

from beacon.contract.limits import BODY_MAX
from beacon.errors import RequestError, TooLarge

HELD_REQUEST_MAX = 4 * 1024 * 1024
"""Bytes of one body that is read whole before a connection is taken for it, so that a slow sender occupies none and the
request can be sent again; what is longer is passed on as it comes."""

HELD_TOTAL_MAX = 64 * 1024 * 1024
"""Bytes of such bodies in all."""

BODY_IDLE_S = 30.0
"""Seconds a client may pause in the middle of its body."""


class ClientGone(Exception):
    """The client has closed its connection: there is nobody to answer."""


class SlowBody(RequestError):
    """The client stopped in the middle of its body."""

    status = 408


class RequestBody(NamedTuple):
    """What is known of a body: `parts` have been read, `more` are to come, `held` bytes count as held here; `length`
    is None where only the end of the chunks will tell."""

    parts: list[bytes]
    more: bool
    length: int | None
    held: int

    @property
    def whole(self) -> bool:
        """Whether all of it is held, so that it could be sent a second time."""
        return self.held > 0 and not self.more


NO_BODY = RequestBody([], False, 0, 0)


class Intake:
    """Counts what is held. One a hub."""

    def __init__(self) -> None:
        self._held = 0

    async def read(self, receive: Receive, length: int, *, chunked: bool) -> RequestBody:
        """The body announced as `length` bytes, or as `chunked`. Raises `TooLarge`, `SlowBody` and `ClientGone`."""
        if length > BODY_MAX:
            raise TooLarge(too_large(length))
        if not length and not chunked:
            return NO_BODY
        if length > HELD_REQUEST_MAX:
            return RequestBody([], True, length, 0)
        announced = None if chunked else length
        parts: list[bytes] = []
        held = 0
        more = True
        try:
            while more and held <= HELD_REQUEST_MAX:
                chunk, more = await next_piece(receive, patient=not parts)
                parts.append(chunk)
                if self._held + len(chunk) > HELD_TOTAL_MAX:
                    self._held -= held
                    return RequestBody(parts, more, announced, 0)
                held += len(chunk)
                self._held += len(chunk)
        except BaseException:
            self._held -= held
            raise
        return RequestBody(parts, more, announced if more else held, held)

    def give_back(self, body: RequestBody) -> None:
        """The body is not needed any more."""
        self._held -= body.held


async def next_piece(receive: Receive, *, patient: bool = False) -> tuple[bytes, bool]:
    """The next piece of a body, and whether more follow. Raises `ClientGone`, and `SlowBody` when nothing comes for
    BODY_IDLE_S, unless `patient`."""
    if patient:
        # for the first piece: as a rule the whole body is there already, and a timer would cost more than the call.
        # A client that never sends it holds nothing but its own connection
        message = await receive()
    else:
        try:
            async with asyncio.timeout(BODY_IDLE_S):
                message = await receive()
        except TimeoutError as e:
            raise SlowBody(f"The body stopped coming for {BODY_IDLE_S:.0f} s; send the request again, whole.") from e
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)


def too_large(size: int) -> str:
    """What a 413 says of a body of `size` bytes or more."""
    return f"The body has {size:,} bytes or more; {BODY_MAX:,} (64 MiB) are the limit. Send fewer spans a request."
