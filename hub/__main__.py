"""The hub process: `python -m hub`. Wires the parts and serves the port."""

from __future__ import annotations

import asyncio
import logging
import resource

from starlette.types import ASGIApp

from beacon.config import Settings
from beacon.contract.operations import owned_by
from beacon.process import run
from beacon.web import Application, serve_port
from beacon.web.server import Serve
from hub.assets import UI, Assets
from hub.edge import Edge
from hub.guard import Guard, Policy
from hub.health import HealthCheck
from hub.lanes import Lanes
from hub.listen import listen
from hub.live.feed import Feed
from hub.live.socket import LiveSocket
from hub.metrics import drop_metrics
from hub.otlp_port import OtlpOnly, OtlpPort
from hub.pages import Pages
from hub.proxy import Proxy
from hub.request_log import RequestLog

OPEN_FILES = 8192
"""Descriptors to ask for: a thousand websockets and the connections behind them do not fit the usual 1,024."""


async def main(settings: Settings) -> None:
    raise_open_files()
    listeners = await listen(settings.host, settings.backend_port)
    lanes = Lanes(settings)
    feed = Feed(settings.bus_path("events"), lanes.internal("query"))
    otlp_port = OtlpPort(settings)
    opening: list[asyncio.Task[None]] = []
    try:
        health = HealthCheck(settings, lanes, lambda: feed.workers, lambda: otlp_port.port)
        pages = Pages(settings)
        assets = Assets()
        own = Application(
            owned_by("hub") + UI,
            {
                "get_health": health.handle,
                "get_openapi": pages.openapi,
                "get_docs": pages.docs,
                "otlp_metrics": drop_metrics,
                **assets.handlers(),
            },
        )
        edge = Edge(own, Proxy(lanes), LiveSocket(feed), assets.nowhere)
        policy = Policy.of(settings)
        app: ASGIApp = Guard(edge, policy)
        otlp_app: ASGIApp = Guard(OtlpOnly(edge, settings.base_url), policy)
        if settings.log_level == "DEBUG":
            app, otlp_app = RequestLog(app), RequestLog(otlp_app)

        async def started(serve: Serve) -> None:
            # beside what is served already: a port that is taken may be waited for
            opening.append(asyncio.create_task(otlp_port.open(otlp_app, serve)))

        logging.getLogger("beacon.hub").info("listening at %s", settings.base_url)
        await serve_port(app, listeners, started)
    finally:
        for task in opening:
            task.cancel()
        feed.close()
        lanes.close()


def raise_open_files() -> None:
    """Lift the soft limit on descriptors to OPEN_FILES, or as far as the hard limit lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    run("hub", main)
