"""Chromium with a page of Beacon in it: what it is told to remember of itself, and asked for afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
WAIT_S = 30.0

_REMEMBER = """
window.told = { row: null, tasks: [], names: {}, wanted: ".rows-seen [role=row]:not(.coming)" };
new PerformanceObserver((list) => list.getEntries().forEach((entry) => told.tasks.push(entry.duration)))
    .observe({ type: "longtask", buffered: true });
new MutationObserver((changes) => {
    if (told.row === null && document.querySelector(told.wanted)) {
        told.row = 0;
        // after the frame in which it is painted
        requestAnimationFrame(() => setTimeout(() => { told.row = performance.now(); }));
    }
    for (const { addedNodes } of changes)
        for (const node of addedNodes)
            for (const link of node.querySelectorAll?.(".cell-name a") ?? []) told.names[link.title] ??= Date.now();
}).observe(document, { childList: true, subtree: true });
"""


def program() -> str | None:
    """The path of a Chromium; BEACON_TEST_BROWSER names another than the one on the path. None where there is none."""
    names = (os.environ.get("BEACON_TEST_BROWSER"), *PROGRAMS)
    return next((found for name in names if name and (found := shutil.which(name))), None)


@asynccontextmanager
async def chromium(path: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def page_at(browser: Browser, address: str) -> AsyncIterator[Page]:
    """A page of 1440 by 900 with nothing kept from another, gone to `address`; when its first row has been painted."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        page = await context.new_page()
        await page.add_init_script(_REMEMBER)
        await page.goto(address)
        await until(page, "told.row > 0")
        yield page
    finally:
        await context.close()


async def until(page: Page, condition: str) -> Any:
    """The first true value of a JavaScript expression; playwright's own way to wait needs eval, which the page's policy
    forbids. Raises `TimeoutError`."""
    deadline = time.monotonic() + WAIT_S
    while not (value := await page.evaluate(condition)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {WAIT_S:.0f} s for {condition}")
        await asyncio.sleep(0.02)
    return value
