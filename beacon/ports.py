"""Which addresses of a TCP port are taken, and by whom."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator
from typing import NamedTuple

CONNECT_TIMEOUT_S = 0.5


class Holder(NamedTuple):
    """The process that listens; `name` is the program's, `command` its command line (may be empty)."""

    pid: int
    name: str
    command: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def addresses(host: str) -> tuple[str, ...]:
    """What Beacon binds for BEACON_HOST: the default, and localhost, mean both loopback addresses."""
    return ("127.0.0.1", "::1") if host in ("127.0.0.1", "localhost") else (host,)


def taken_address(host: str, port: int) -> str | None:
    """The first address of `host` where somebody listens on `port`, or None. An address this machine does not have,
    IPv6 switched off say, is not taken. Raises `PermissionError` for a port this user may not bind."""
    return next((address for address in addresses(host) if _is_taken(address, port)), None)


def next_free(host: str, port: int) -> int:
    """The first port above `port` (near the end of the range: below) that anybody may use and where nobody listens on
    `host`."""
    above = range(max(port + 1, 1_024), 65_536)
    below = range(port - 1, 1_023, -1)
    return next((other for other in (*above, *below) if taken_address(host, other) is None), port)


def _is_taken(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        probe = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        return False
    with probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # "::" means every address of both kinds; ::1 has 127.0.0.1 beside it
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address == "::" else 1)
        try:
            probe.bind((address, port))
        except PermissionError:
            raise
        except OSError as e:
            return e.errno == errno.EADDRINUSE
    # macOS lets a second program bind 127.0.0.1 beside one that listens on every address
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(CONNECT_TIMEOUT_S)
        return client.connect_ex((address, port)) == 0


def holder(port: int) -> Holder | None:
    """The process that listens on `port`, or None where the system does not tell (another user's process)."""
    import psutil  # 12 ms, and only an occupied port needs it

    for pid in _listeners(port):
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            return Holder(pid, process.name(), " ".join(process.cmdline()))
    return None


def _listeners(port: int) -> Iterator[int]:
    import psutil

    try:
        connections = psutil.net_connections("tcp")
    except (psutil.AccessDenied, PermissionError):  # macOS, not root: this user's processes one by one
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if any(_listens(c, port) for c in process.net_connections("tcp")):
                    yield process.pid
        return
    for connection in connections:
        if connection.pid and _listens(connection, port):
            yield connection.pid


def _listens(connection: object, port: int) -> bool:
    address = getattr(connection, "laddr", None)
    return getattr(connection, "status", "") == "LISTEN" and getattr(address, "port", None) == port
