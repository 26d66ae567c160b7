"""POST /v1/metrics: read, dropped, 200. Exporters that send metrics by default would complain of anything else."""

from __future__ import annotations

from beacon.contract.limits import BODY_MAX
from beacon.contract.otlp import content_type_of, encoding_of, success_body
from beacon.errors import TooLarge
from beacon.web import Call, Reply
from beacon.web.body import Disconnected
from hub.headers import body_framing
from hub.intake import ClientGone, next_piece, too_large


async def drop_metrics(call: Call) -> Reply:
    """The handler of otlp_metrics: nothing of the body is held, nor inflated. Raises `TooLarge`, `SlowBody`."""
    length, _ = body_framing(call.headers.items())
    if length > BODY_MAX:
        raise TooLarge(too_large(length))
    size = 0
    more = True
    while more:
        try:
            piece, more = await next_piece(call.receive, patient=not size)
        except ClientGone:
            raise Disconnected from None
        size += len(piece)
        if size > BODY_MAX:
            raise TooLarge(too_large(size))
    encoding = encoding_of(call.headers.get(b"content-type")) or "json"
    return Reply(200, (success_body(encoding),), content_type_of(encoding))
