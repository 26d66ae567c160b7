"""The web UI in Chromium: how soon something can be read, on data of the sizes its budgets name."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.bench.client import Connection
from tests.bench.figures import median
from tests.bench.load import Tally, closed_loop, post_batch, until_readable
from tests.bench.report import progress
from tests.bench.rows import Session
from tests.bench.stack import Stack, running_stack
from tests.bench.warm import warm
from tests.bench.workload import LARGE_TRACE, Batch, Span, Workload, make_trace, render, trace_id
from tests.chromium import MISSING, program

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

TRACES = 1_000
LARGEST_SPANS = 5_000
LARGEST = "largest"
LIVE_POSTS = 20

_FILES = """[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter((entry) => !new URL(entry.name).pathname.startsWith("/v1/"))
    .reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""
_OPEN = """(address) => {
    const link = Object.assign(document.createElement("a"), { href: address });
    document.body.append(link);
    Object.assign(told, { row: null, wanted: "[data-span]", began: performance.now() });
    link.click();
}"""
"""Follow a link of the page, as a click on a row of the list does; that row may be one of those far down."""

_NODES = 'document.querySelectorAll("*").length'
_SEEN = """[...document.querySelectorAll(".rows-seen [role=row]:not(.coming)")].map((row) => row.ariaRowIndex)"""
_COMING = 'document.querySelectorAll(".rows-seen .coming").length === 0'


async def measure(session: Session) -> None:
    try:
        from tests.bench.chromium import chromium  # late: who measures other parts needs no playwright
    except ImportError:
        progress("ui: skipped, playwright is not installed (make install)")
        return
    path = program()
    if path is None:
        progress(f"ui: skipped, {MISSING}")
        return
    async with running_stack(session.work) as stack, chromium(path) as browser:
        await warm(stack)
        await _fill(stack, session.seed)
        for number in range(session.plan.rounds + 1):
            progress(f"ui, round {number}" if number else "ui, untimed round")
            await _round(session, stack, browser, timed=number > 0)


async def _fill(stack: Stack, seed: int) -> None:
    """Over a thousand traces of which one has 500 spans, and one of 5,000 spans in a trace of its own."""
    workload = Workload(seed)
    spans: list[Span] = []
    while workload.traces <= TRACES:
        spans += workload.spans(500)
    largest = Workload(seed + 1).spans(LARGEST_SPANS)
    ids = {span.span_id for span in largest}
    for span in largest:
        span.trace_id = LARGEST
        if span.parent_span_id not in ids and span is not largest[0]:
            span.parent_span_id = largest[0].span_id
    everything = largest + spans
    tally = await closed_loop(
        stack.port, [render(everything[at : at + 100]) for at in range(0, len(everything), 100)], 4
    )
    if tally.faults:
        raise RuntimeError(f"spans could not be posted: {', '.join(tally.fault_words())}")
    control = Connection(stack.port)
    try:
        await until_readable(control, tally.spans)
    finally:
        control.close()


async def _round(session: Session, stack: Stack, browser: Browser, *, timed: bool) -> None:
    from tests.bench.chromium import idle, page_at, until

    results, origin = session.results, f"http://127.0.0.1:{stack.port}"
    first: dict[str, float] = {}
    async with page_at(browser, f"{origin}/") as page:
        first["ui_list"] = await page.evaluate("told.row / 1000")
        size = await page.evaluate(_FILES) / 1_000
        live = await _live(page, stack, str(timed) + str(time.time_ns()))
        reached = await _reached(page) if timed and "ui_reached" not in results.figures else None
    for key, address in (("ui_open_500", trace_id(session.seed, LARGE_TRACE)), ("ui_open_5000", LARGEST)):
        async with page_at(browser, f"{origin}/") as page:
            await idle(page)  # nobody follows a link in the frame in which it is painted
            await page.evaluate(_OPEN, f"/traces/{address}")
            first[key] = await until(page, "told.row > 0 && told.row - told.began") / 1_000
    async with page_at(browser, f"{origin}/traces/{trace_id(session.seed, LARGE_TRACE)}") as page:
        first["ui_trace_500"] = await page.evaluate("told.row / 1000")
        trace_size = await page.evaluate(_FILES) / 1_000
    async with page_at(browser, f"{origin}/traces/{LARGEST}") as page:
        first["ui_trace_5000"] = await page.evaluate("told.row / 1000")
        await idle(page)  # what comes after the first row is part of opening, too
        task = await page.evaluate("Math.max(0, ...told.tasks)")
        nodes = await page.evaluate(_NODES)
    if not timed:
        return
    for key, figure in first.items():
        results.add(key, figure)
    results.add("ui_task", task)
    results.add("ui_nodes", nodes)
    results.add("ui_live", live)
    results.add("ui_bytes", size)
    results.remark("ui_bytes", f"with the page of a trace {trace_size:.0f} KB")
    results.remark("ui_task", "a browser tells of tasks from 50 ms on; 0 is none of these")
    if reached is not None:
        results.add("ui_reached", reached)


async def _live(page: Page, stack: Stack, stem: str) -> float:
    """The median of the seconds from just before a POST to its row being in the page."""
    from tests.bench.chromium import until

    connection, tally = Connection(stack.port), Tally()
    taken: list[float] = []
    try:
        for number in range(LIVE_POSTS):
            name = f"live-{stem}-{number}"
            made = make_trace(0, 0)[0]
            made.name, made.trace_id, made.span_id = name, name, name
            batch: Batch = render([made])
            began = time.time()
            await post_batch(connection, batch, tally)
            taken.append(await until(page, f"told.names['{name}']") / 1_000 - began)
    finally:
        connection.close()
    if tally.faults:
        raise RuntimeError(f"spans could not be posted: {', '.join(tally.fault_words())}")
    return median(taken)


async def _reached(page: Page) -> int:
    """How many traces of the list are seen when it is scrolled from its top to its end, a page at a time."""
    from tests.bench.chromium import idle, until

    seen: set[str] = set()
    await page.evaluate('document.querySelector(".trace-table").scrollTop = 0')
    while True:
        await until(page, _COMING)
        before = len(seen)
        seen |= set(await page.evaluate(_SEEN))
        more = await page.evaluate("""(() => {
            const table = document.querySelector(".trace-table"), at = table.scrollTop;
            table.scrollTop += table.clientHeight - 60;
            return table.scrollTop > at;
        })()""")
        if not more and len(seen) == before:
            return len(seen)
        await idle(page)
