"""Takes the port: both loopback addresses by default, so that `localhost` is Beacon whichever it resolves to."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket

from beacon.errors import Refused

log = logging.getLogger("beacon.hub")

PATIENCE_S = 5.0
"""Seconds a port in use is tried again: at a supervised restart it may still be our own predecessor, dying."""

RETRY_EVERY_S = 0.1


async def listen(host: str, port: int, *, patience_s: float = PATIENCE_S) -> list[socket.socket]:
    """Bound sockets, one an address of `host`. Raises `Refused`, naming the port and who holds it where the system
    tells, when it stays taken for `patience_s`, or may not be taken at all."""
    from beacon.ports import addresses

    loop = asyncio.get_running_loop()
    give_up = loop.time() + patience_s
    while True:
        try:
            return bind_all(addresses(host), port)
        except OSError as e:
            if e.errno == errno.EADDRINUSE:
                if loop.time() < give_up:
                    await asyncio.sleep(RETRY_EVERY_S)
                    continue
                raise Refused(_taken(port)) from e
            if e.errno in (errno.EACCES, errno.EPERM):
                raise Refused(
                    f"This user may not listen on port {port}. Set BEACON_BACKEND_PORT to one above 1023."
                ) from e
            raise Refused(f"Beacon cannot listen on {host}: {e.strerror}. Check BEACON_HOST.") from e


def bind_all(addresses: tuple[str, ...], port: int) -> list[socket.socket]:
    """All of them or none: half of localhost would send some clients elsewhere."""
    listeners: list[socket.socket] = []
    try:
        for address in addresses:
            try:
                listeners.append(_bind(address, port))
            except OSError as e:
                # a machine without IPv6 has no ::1, and nothing else can be there
                if address != "::1" or len(addresses) == 1 or e.errno not in _NO_SUCH_ADDRESS:
                    raise
                log.info("there is no %s on this machine; listening on %s", address, addresses[0])
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


_NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)


def _bind(address: str, port: int) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # "::" alone means every address of both kinds; ::1 has 127.0.0.1 beside it
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address == "::" else 1)
        listener.bind(where)
        # a bound socket alone does not yet keep others out
        listener.listen()
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _taken(port: int) -> str:
    from beacon.ports import holder  # psutil, for an occupied port only

    by = holder(port)
    who = f"Port {port} is taken by {by}" if by else f"Port {port} is taken by another program"
    return f"{who}. Stop it, or set BEACON_BACKEND_PORT to a free port."
