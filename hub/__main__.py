"""The hub process: `python -m hub`. Wires the parts and serves the port."""

from __future__ import annotations

import logging
import resource

from starlette.types import ASGIApp

from beacon.config import Settings
from beacon.contract.operations import owned_by
from beacon.process import run
from beacon.web import Application, serve_port
from hub.edge import Edge
from hub.guard import Guard, Policy
from hub.health import HealthCheck
from hub.lanes import Lanes
from hub.listen import listen
from hub.live.feed import Feed
from hub.live.socket import LiveSocket
from hub.pages import PAGES, Pages
from hub.proxy import Proxy
from hub.request_log import RequestLog

OPEN_FILES = 8192
"""Descriptors to ask for: a thousand websockets and the connections behind them do not fit the usual 1,024."""


async def main(settings: Settings) -> None:
    raise_open_files()
    listeners = await listen(settings.host, settings.backend_port)
    lanes = Lanes(settings)
    feed = Feed(settings.bus_path("events"), lanes.internal("query"))
    try:
        health = HealthCheck(settings, lanes, lambda: feed.workers)
        pages = Pages(settings)
        own = Application(
            owned_by("hub") + PAGES,
            {
                "get_health": health.handle,
                "get_openapi": pages.openapi,
                "get_docs": pages.docs,
                "get_start": pages.start,
            },
        )
        app: ASGIApp = Guard(Edge(own, Proxy(lanes), LiveSocket(feed)), Policy.of(settings))
        if settings.log_level == "DEBUG":
            app = RequestLog(app)
        logging.getLogger("beacon.hub").info("listening at %s", settings.base_url)
        await serve_port(app, listeners)
    finally:
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
