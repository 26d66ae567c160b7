"""Who may talk to Beacon: Host, Origin, CORS and the token. The judgement is a pure function; `Guard` puts it in front.

Beacon listens on this machine, but any web page the user opens can send requests there too. So: the Host must be a
loopback name (a page that rebinds its DNS name to 127.0.0.1 still sends its own name), the Origin is checked wherever
something changes and on the websocket, and nobody else's page may read an answer, nor even ask for one: asking makes
jobs and calls servers too.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from starlette.types import Message, Receive, Scope, Send

from beacon.config import Settings
from beacon.contract import otlp
from beacon.errors import BadRequest, Forbidden, RequestError, Unauthorized
from beacon.web.otlp import answer_error
from beacon.web.reply import Headers, send_reply
from hub.answers import no_content, refuse_websocket

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

SPANS_PATHS = otlp.PATHS | {b"/v1/spans"}
"""Where any page of this machine may post: an agent under development in a browser sends its spans from there."""

BEARER_SUBPROTOCOL = b"beacon.bearer."
"""A browser cannot set Authorization on a websocket; it offers this subprotocol, the token behind it."""

_ALWAYS: Headers = [(b"x-content-type-options", b"nosniff"), (b"vary", b"Origin")]

_PREFLIGHT: Headers = [
    (
        b"access-control-allow-headers",
        b"authorization, content-type, content-encoding, idempotency-key, if-none-match",
    ),
    (b"access-control-max-age", b"600"),
]
_ANY_METHOD = (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, DELETE")
_POST_ONLY = (b"access-control-allow-methods", b"POST")
_EXPOSED = (b"access-control-expose-headers", b"etag, retry-after, content-disposition")


class Policy(NamedTuple):
    """What the user allows: host names with or without a port, origins (both in lower case), a bearer token."""

    allowed_hosts: frozenset[str]
    cors_origins: frozenset[str]
    token: bytes | None

    @classmethod
    def of(cls, settings: Settings) -> Policy:
        """The address the user bound Beacon to is allowed as if it stood in BEACON_ALLOWED_HOSTS."""
        hosts = {host.lower() for host in settings.allowed_hosts}
        if settings.host not in ("0.0.0.0", "::"):  # noqa: S104 - compared with, not bound
            hosts.add(f"[{settings.host}]" if ":" in settings.host else settings.host.lower())
        return cls(
            frozenset(hosts),
            frozenset(origin.lower().rstrip("/") for origin in settings.cors_origins),
            settings.token.encode() if settings.token else None,
        )


class Verdict(NamedTuple):
    """`refusal` is raised to the client, if there is one; `headers` go on the answer, whatever it is; `preflight` is
    the answer to a CORS preflight."""

    refusal: RequestError | None
    headers: Headers
    preflight: Headers | None = None


class _Fields(NamedTuple):
    host: str | None
    origin: str | None
    authorization: bytes | None
    asked_method: str | None
    subprotocols: bytes
    doubled: str | None
    cross_site: bool
    navigates: bool


def judge(
    policy: Policy, method: str, raw_path: bytes, headers: Sequence[tuple[bytes, bytes]], *, websocket: bool = False
) -> Verdict:
    """What becomes of a request with this line and these header fields (names in lower case, as ASGI has them)."""
    fields = _read(headers)
    if fields.doubled:
        return Verdict(BadRequest(f"The request has more than one {fields.doubled}; send exactly one."), _ALWAYS)
    if not fields.host:
        return Verdict(BadRequest("The request has no Host; send the name it is meant for."), _ALWAYS)
    if not host_allowed(policy, fields.host):
        return Verdict(_foreign_host(fields.host), _ALWAYS)

    preflight = method == "OPTIONS" and fields.asked_method is not None
    asked = fields.asked_method if preflight and fields.asked_method else method
    cors: Headers = []
    if fields.origin is not None:
        origin = fields.origin
        listed = origin in policy.cors_origins
        spans = asked == "POST" and raw_path in SPANS_PATHS and not websocket
        if listed or (spans and is_loopback_origin(origin)):
            cors = [(b"access-control-allow-origin", origin.encode("latin-1")), _EXPOSED]
        elif (preflight or websocket or asked not in SAFE_METHODS) and not is_own(origin, fields.host):
            return Verdict(_foreign_origin(origin), _ALWAYS)
        if preflight and cors:
            return Verdict(None, _ALWAYS, [*cors[:1], _ANY_METHOD if listed else _POST_ONLY, *_PREFLIGHT])
    if fields.cross_site and not cors and not (fields.navigates and asked in SAFE_METHODS and is_page(raw_path)):
        return Verdict(_foreign_site(), _ALWAYS)
    answered_with = [*_ALWAYS, *cors] if cors else _ALWAYS
    open_to_all = not websocket and method in ("GET", "HEAD") and is_ui(raw_path)
    if policy.token is not None and not open_to_all and not _has_token(policy.token, fields, websocket=websocket):
        return Verdict(
            Unauthorized("Beacon asks for a token here: send `Authorization: Bearer …` with what BEACON_TOKEN holds."),
            answered_with,
        )
    return Verdict(None, answered_with)


def _read(headers: Sequence[tuple[bytes, bytes]]) -> _Fields:
    host = origin = authorization = asked = None
    subprotocols = b""
    doubled = None
    site = mode = destination = b""
    for name, value in headers:
        if name == b"host":
            doubled = "Host" if host is not None else doubled
            host = value
        elif name == b"origin":
            doubled = "Origin" if origin is not None else doubled
            origin = value
        elif name == b"authorization":
            doubled = "Authorization" if authorization is not None else doubled
            authorization = value
        elif name == b"access-control-request-method":
            asked = value
        elif name == b"sec-websocket-protocol":
            subprotocols += b"," + value
        elif name == b"sec-fetch-site":
            site = value
        elif name == b"sec-fetch-mode":
            mode = value
        elif name == b"sec-fetch-dest":
            destination = value
    return _Fields(
        None if host is None else host.decode("latin-1").lower(),
        None if origin is None else origin.decode("latin-1").lower(),
        authorization,
        None if asked is None else asked.decode("latin-1"),
        subprotocols,
        doubled,
        site == b"cross-site",
        mode == b"navigate" and destination in (b"", b"document"),
    )


# ---------------------------------------------------------------- hosts and origins

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\[\]:/@?#\s]+)(?::(?P<port>[0-9]{1,5}))?")
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[^/@?#\s]+)")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def host_allowed(policy: Policy, host: str) -> bool:
    """Whether a Host field (lower case, with or without a port) names this machine, or what the user allowed: an
    allowed name without a port stands for every port."""
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    return is_loopback_name(found["name"]) or found["name"] in policy.allowed_hosts or host in policy.allowed_hosts


def is_loopback_name(name: str) -> bool:
    """`localhost`, 127.0.0.0/8 and [::1]: no name that a DNS server could answer for."""
    if name in ("localhost", "127.0.0.1", "[::1]"):
        return True
    try:
        if name.startswith("["):
            return ipaddress.IPv6Address(name[1:-1]) == ipaddress.IPv6Address("::1")
        return ipaddress.IPv4Address(name).is_loopback
    except ValueError:
        return False


def is_loopback_origin(origin: str) -> bool:
    """An http or https origin on this machine, any port."""
    found = _ORIGIN.fullmatch(origin)
    if found is None:
        return False
    host = _HOST.fullmatch(found["host"])
    return host is not None and is_loopback_name(host["name"])


def is_own(origin: str, host: str) -> bool:
    """Whether a page of this `origin` came from the very `host` it talks to; the scheme may differ behind a proxy
    that ends TLS."""
    found = _ORIGIN.fullmatch(origin)
    if found is None:
        return False
    port = _DEFAULT_PORTS[found["scheme"]]
    return _with_port(found["host"], port) == _with_port(host, port)


def is_page(raw_path: bytes) -> bool:
    """Whether a link on somebody's page may lead here: to what is looked at, not to the API, whose reads may make jobs
    and call servers."""
    return not raw_path.startswith(b"/v1/")


def is_ui(raw_path: bytes) -> bool:
    """Whether this is the web UI itself: its page, which asks for the token, and the files of it. They are the same in
    every Beacon and hold no data; a browser that goes to an address cannot send a token along."""
    raw_path = raw_path.replace(b"%3A", b":")  # as a browser writes the colon of an id
    if any(sign in raw_path for sign in (b"%", b"\\", b"//", b"/.")):
        return False  # nothing that a router could read as another path
    name = raw_path.removeprefix(b"/traces/") if raw_path.startswith(b"/traces/") else b""
    return raw_path == b"/" or raw_path.startswith(b"/assets/") or (name != b"" and b"/" not in name)


def _with_port(host: str, default: str) -> str:
    found = _HOST.fullmatch(host)
    return f"{found['name']}:{found['port'] or default}" if found else ""


def _foreign_host(host: str) -> Forbidden:
    return Forbidden(
        f"Beacon does not answer to the name {host[:100]}: a web page could have pointed it here. Use localhost or "
        "127.0.0.1, or add the name to BEACON_ALLOWED_HOSTS."
    )


def _foreign_origin(origin: str) -> Forbidden:
    return Forbidden(
        f"Pages of the origin {origin[:100]} may not do this. If it is yours, add it to BEACON_CORS_ORIGINS."
    )


def _foreign_site() -> Forbidden:
    return Forbidden(
        "A page of another site may not ask this (Sec-Fetch-Site: cross-site). If the page is yours, add its origin to "
        "BEACON_CORS_ORIGINS; or open this address yourself."
    )


# ---------------------------------------------------------------- the token


def _has_token(token: bytes, fields: _Fields, *, websocket: bool) -> bool:
    given = fields.authorization or b""
    scheme, _, secret = given.partition(b" ")
    if scheme.lower() == b"bearer" and hmac.compare_digest(secret.strip(), token):
        return True
    if not websocket:
        return False
    offered = [p.strip() for p in fields.subprotocols.split(b",")]
    return any(hmac.compare_digest(p, BEARER_SUBPROTOCOL + token) for p in offered)


# ---------------------------------------------------------------- in front of the application


App = Callable[[Scope, Receive, Send], Awaitable[None]]

_HEADS = frozenset({"http.response.start", "websocket.http.response.start"})


class Guard:
    """ASGI: lets through what `judge` lets through, and puts its headers on every answer."""

    def __init__(self, app: App, policy: Policy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = scope["type"] == "websocket"
        verdict = judge(
            self._policy,
            "GET" if websocket else scope["method"],
            scope["raw_path"],
            scope["headers"],
            websocket=websocket,
        )
        extra = verdict.headers

        def with_headers(message: Message) -> Awaitable[None]:
            if message["type"] in _HEADS:
                message["headers"] = [*message["headers"], *extra]
            return send(message)

        if verdict.refusal is not None:
            if websocket:
                await refuse_websocket(verdict.refusal, with_headers)
            else:
                await send_reply(answer_error(verdict.refusal, scope), with_headers)
        elif verdict.preflight is not None:
            await no_content(verdict.preflight, with_headers)
        else:
            await self._app(scope, receive, with_headers)
