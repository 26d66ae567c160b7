"""Chromium with a page of Beacon in it: what it is told to remember of itself, and asked for afterwards."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from tests.chromium import ARGUMENTS

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
    """The first true value of a JavaScript expression, looked at with every frame of the page; playwright's own way to
    wait needs eval, which the page's policy forbids. Raises playwright's `Error` when it is not true in time."""
    return await page.evaluate(f"""new Promise((found, failed) => {{
        const end = performance.now() + {WAIT_S * 1_000};
        const look = () => {{
            const value = ({condition});
            if (value) found(value);
            else if (performance.now() > end) failed(new Error("waited {WAIT_S:.0f} s for " + {json.dumps(condition)}));
            else requestAnimationFrame(look);
        }};
        look();
    }})""")


async def idle(page: Page) -> None:
    """Returns when the page has nothing left to do."""
    await page.evaluate("new Promise((done) => requestIdleCallback(() => requestIdleCallback(done)))")
