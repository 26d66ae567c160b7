"""Base URLs of model servers: what may be one, and where it leads. Pure; nothing is looked up."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from beacon.errors import BadRequest
from beacon.loopback import is_loopback

LENGTH_MAX = 2_000

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?")
_PATH = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")
_PLAIN_PATH = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._~-]*)*")
_NUMBERS = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*\.?")
_OWN_NAMES = (".local", ".internal", ".lan", ".home.arpa")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class BaseUrl(NamedTuple):
    """`text` in one spelling: equal texts are the same place. `loopback`: on this machine. `own_network`: that, or an
    address or name that only the user's own network has. `plain`: no escape or dot segment in its path, so that no
    server reads another path in it."""

    text: str
    loopback: bool
    own_network: bool
    plain: bool


def parse_base_url(text: str, what: str = "base_url") -> BaseUrl:
    """`text` as a base URL: http or https, a host, perhaps a port and a path. Raises `BadRequest`, which begins with
    `what` and never repeats the text: people paste passwords and keys into URLs."""
    text = text.strip()
    if len(text) > LENGTH_MAX:
        raise BadRequest(f"{what} is longer than {LENGTH_MAX} characters.")
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise BadRequest(f"{what} holds a character that no URL has; write it in plain ASCII.")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise BadRequest(f"{what} is not a URL: its host or port cannot be read.") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise BadRequest(f"{what} must begin with http:// or https://, as in http://127.0.0.1:11434/v1.")
    if "@" in parts.netloc:
        raise BadRequest(f"{what} must not hold a user or password; the key has a field of its own.")
    if "?" in text or "#" in text:
        raise BadRequest(f"{what} must not hold a query (?) or fragment (#).")
    host = _host(parts, what)
    path = parts.path.rstrip("/")
    if not _PATH.fullmatch(path) or any(segment in (".", "..") for segment in path.split("/")):
        raise BadRequest(f"{what} has a path that cannot be used.")
    if port == 0:
        raise BadRequest(f"{what} names port 0; a server listens on 1 to 65535.")
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        netloc += f":{port}"
    loopback = is_loopback(host)
    return BaseUrl(
        text=f"{parts.scheme}://{netloc}{path}",
        loopback=loopback,
        own_network=loopback or _is_own_network(host),
        plain=bool(_PLAIN_PATH.fullmatch(path)),
    )


def _host(parts: SplitResult, what: str) -> str:
    """The host in lower case, an IPv6 address in its short form without brackets."""
    host = (parts.hostname or "").lower()
    if not host:
        raise BadRequest(f"{what} names no host.")
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host)) if "%" not in host else _no_address(what)
        except ValueError:
            return _no_address(what)
    if "[" in parts.netloc or not _HOST.fullmatch(host) or len(host) > 253:
        raise BadRequest(f"{what} names a host that cannot be one.")
    if _NUMBERS.fullmatch(host):  # 127.1, 0x7f000001: resolvers read addresses in them that nobody else sees
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            return _no_address(what)
    return host


def _no_address(what: str) -> str:
    raise BadRequest(f"{what} names an address that cannot be one; write all four numbers, or a name.")


def _is_own_network(host: str) -> bool:
    """A private address; a name without a dot (a container's neighbour); a suffix that is never a public one."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_OWN_NAMES)
    return address.is_private and not address.is_unspecified
