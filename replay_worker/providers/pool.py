"""Connections to the providers' servers, kept open between calls: one pool a base URL."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2 as httpx

IDLE_S = 4.0
"""Seconds a connection is kept: less than the 5 s after which uvicorn and Node's servers (vLLM, LM Studio) close
theirs. A call sent in that moment would be lost, and could not be made again."""

IDLE_MAX = 32
"""Connections kept open to one server."""

POOLS_MAX = 32
"""Base URLs with a pool; those without a call make room. A recorded call may name any port of this machine."""


class Pool:
    """`transport`, where given, stands in for the network."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._given = transport
        self._transports: dict[str, httpx.AsyncBaseTransport] = {}
        self._calls: Counter[str] = Counter()
        self._tls: ssl.SSLContext | None = None

    @asynccontextmanager
    async def transport(self, base_url: str) -> AsyncIterator[httpx.AsyncBaseTransport]:
        """The transport to use for one call."""
        if self._given is not None:
            yield self._given
            return
        if base_url not in self._transports:
            tls = await self._context(base_url)
            await self._make_room()
            self._transports.setdefault(base_url, _transport(tls))  # another call may have come first
        found = self._transports[base_url]
        self._calls[base_url] += 1
        try:
            yield found
        finally:
            self._calls[base_url] -= 1

    async def aclose(self) -> None:
        transports = [*self._transports.values()]
        self._transports.clear()
        for transport in transports:
            await transport.aclose()
        if self._given is not None:
            await self._given.aclose()

    async def _context(self, base_url: str) -> ssl.SSLContext:
        """The system's certificates, or those of SSL_CERT_FILE; loading them takes 50 ms, once, on a thread."""
        if not base_url.startswith("https:"):
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._tls is None:
            self._tls = await asyncio.to_thread(httpx.create_ssl_context)
        return self._tls

    async def _make_room(self) -> None:
        idle = [url for url in self._transports if self._calls[url] <= 0]
        for url in idle[: max(0, len(self._transports) - POOLS_MAX + 1)]:
            del self._calls[url]
            await self._transports.pop(url).aclose()


def _transport(tls: ssl.SSLContext) -> httpx.AsyncHTTPTransport:
    """No limit on connections: the worker bounds its calls. Nothing is retried below the caller."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=IDLE_MAX, keepalive_expiry=IDLE_S)
    return httpx.AsyncHTTPTransport(verify=tls, trust_env=False, limits=limits, retries=0)
