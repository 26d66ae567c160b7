"""A page of Beacon in a real browser, and what holds for every one: nothing leaves the machine, nothing goes wrong
unseen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, WebSocket

from tests.processes import wait_for

TIMEOUT_MS = 10_000

_WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
"""

AWAY = r"ERR_CONNECTION|WebSocket connection to|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE"
"""What a browser writes to its console while a server is gone; nobody can keep it from doing so."""


class Tab:
    """`page` at `origin`. At the end, `check` fails when a request went elsewhere, or anything was written to the
    console that was not announced with `expect`."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.origin = origin
        self.page: Page = context.new_page()
        self.page.set_default_timeout(TIMEOUT_MS)
        self.requests: list[str] = []
        self.seen: list[str] = []
        self.wrong: list[str] = []
        self._expected: list[str] = []
        self.page.add_init_script(_WATCH)
        self.page.on("request", self._request)
        self.page.on("response", lambda response: self.seen.append(f"{response.status} {response.url}"))
        self.page.on("requestfailed", lambda request: self.seen.append(f"{request.failure} {request.url}"))
        self.page.on("websocket", self._websocket)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.wrong.append(f"page: {error}"))

    # ------------------------------------------------------------ doing things

    def open(self, address: str = "/") -> Tab:
        """Go to an address of this origin; returns when the page has drawn itself, and keys do something."""
        self.page.goto(self.origin + address)
        self.page.locator(".top").wait_for()
        return self

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def expect(self, pattern: str) -> None:
        """Lines of the console that match `pattern` are what this test is about."""
        self._expected.append(pattern)

    # ------------------------------------------------------------ reading

    @property
    def query(self) -> dict[str, str]:
        """The query of the address."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.page.url).query).items()}

    def rows(self, selector: str = ".rows-seen [role=row] .cell-name a") -> list[str]:
        return self.page.locator(selector).all_inner_texts()

    def until(self, condition: str) -> None:
        """Wait until a JavaScript expression of the page is true. (Playwright's own way needs eval, which is off.)"""
        wait_for(lambda: self.page.evaluate(condition), condition, TIMEOUT_MS / 1000)

    def until_told(self, condition: Callable[[], object], what: str) -> None:
        """Wait for what the page's events do here: a route that was taken, say."""

        def told() -> object:
            self.page.evaluate("0")  # Playwright tells of events only while it is called
            return condition()

        wait_for(told, what, TIMEOUT_MS / 1000)

    def until_asked(self, *parts: str) -> None:
        """Wait until the page has asked for an address that has all of `parts`."""
        asked = f"a request for {' '.join(parts)}"
        self.until_told(lambda: any(all(part in url for part in parts) for url in self.requests), asked)

    # ------------------------------------------------------------ what holds for every page

    def check(self) -> None:
        if not self.page.is_closed():
            violations = self.page.evaluate("window.violations ?? []")
            self.wrong += [f"policy: {violation}" for violation in violations]
        unexpected = [line for line in self.wrong if not any(re.search(p, line) for p in self._expected)]
        assert unexpected == []
        assert self.requests, "the page asked for nothing: it was never opened"

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith((self.origin + "/", "data:", "blob:" + self.origin)):
            self.wrong.append(f"request to {request.url}")

    def _websocket(self, websocket: WebSocket) -> None:
        if not websocket.url.startswith(self.origin.replace("http", "ws", 1) + "/"):
            self.wrong.append(f"websocket to {websocket.url}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.wrong.append(f"console: {message.text} ({message.location.get('url', '')})")


OpenTab = Callable[..., Tab]


@contextmanager
def tabs(browser: Browser) -> Iterator[OpenTab]:
    """Makes tabs, each in a context of its own: `open_tab(origin, width=1440, height=900, color_scheme="dark", ...)`;
    each is checked at the end."""
    made: list[Tab] = []
    contexts: list[BrowserContext] = []

    def make(origin: str, *, width: int = 1440, height: int = 900, **context: Any) -> Tab:
        context.setdefault("color_scheme", "dark")
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **context))
        made.append(Tab(contexts[-1], origin))
        return made[-1]

    try:
        yield make
        for tab in made:
            tab.check()
    finally:
        for tab in made:  # shown by pytest when the test has failed
            print(tab.page.url, *tab.seen[-40:], *tab.wrong, sep="\n")  # noqa: T201
        for context in contexts:
            context.close()
