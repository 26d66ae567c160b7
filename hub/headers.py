"""Which header fields go through the hub, and the head of the request it sends on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from beacon.errors import BadRequest

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Fields about one connection, not about the message (RFC 9110 section 7.6.1); each hop writes its own."""

_KEPT_HERE = HOP_BY_HOP | {
    b"content-length",  # written anew from what is sent
    b"expect",  # answered by the hub, which has read the body by the time it goes on
    b"authorization",  # the guard has judged it; a secret goes no further than it must
    b"cookie",  # Beacon has none: they belong to other programs on localhost
}


def connection_options(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """The names a Connection field lists beside the standard ones; those fields end at this hop too."""
    named: set[bytes] = set()
    for name, value in headers:
        if name == b"connection":
            named.update(option.strip().lower() for option in value.split(b","))
    return frozenset(named)


def body_framing(headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, bool]:
    """(announced length in bytes, whether the body comes in chunks of unknown number) of a request.

    Raises `BadRequest` for framing that two readers could read differently: both kinds at once, a length given
    twice or not a number, a transfer coding other than `chunked`. llhttp refuses most of these by itself today.
    """
    length: int | None = None
    chunked = False
    for name, value in headers:
        if name == b"content-length":
            if length is not None or not value.isdigit():
                raise BadRequest("The request's Content-Length is not one number; send exactly one.")
            length = int(value)
        elif name == b"transfer-encoding":
            if chunked or value.strip().lower() != b"chunked":
                raise BadRequest("The only Transfer-Encoding Beacon takes is chunked, once.")
            chunked = True
    if chunked and length is not None:
        raise BadRequest("The request has both Content-Length and Transfer-Encoding; send one of them.")
    return length or 0, chunked


def request_head(
    method: str,
    target: bytes,
    headers: Sequence[tuple[bytes, bytes]],
    *,
    length: int | None,
) -> bytes:
    """The request line and header fields sent on: `target` as it came, `length` None for a chunked body."""
    parts = [method.encode("ascii"), b" ", target, b" HTTP/1.1\r\n"]
    drop: frozenset[bytes] | set[bytes] = _KEPT_HERE
    for name, value in headers:
        if name == b"connection" and value.lower() not in (b"keep-alive", b"close"):
            drop = _KEPT_HERE | connection_options(headers)
            break
    for name, value in headers:
        if name not in drop:
            parts += (name, b": ", value, b"\r\n")
    if length is None:
        parts.append(b"transfer-encoding: chunked\r\n\r\n")
    elif length or method not in ("GET", "HEAD"):
        parts.append(b"content-length: %d\r\n\r\n" % length)
    else:
        parts.append(b"\r\n")
    return b"".join(parts)
