"""What the page may cost, as counts: how long it takes is measured by `python -m tests.bench --only ui`."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.runs import new_id, span
from tests.e2e.tab import OpenTab, Tab
from tests.stack import MakeStack, Stack

pytestmark = pytest.mark.browser

TRACES = 1_000
FIRST_LOAD_MAX = 120_000
"""Bytes of all files of the first load, as they come."""

NODES_MAX = 1_000


def test_all_of_a_thousand_traces_are_reached_by_scrolling_with_few_of_them_in_the_page(
    make_stack: MakeStack, open_tab: OpenTab
) -> None:
    stack = make_stack().start()
    names = [f"trace {number:04}" for number in range(TRACES)]
    stack.post_spans([span(f"t{number}", name, at=number / 1_000) for number, name in enumerate(names)])
    tab = open_tab(stack.url).open()
    expect(tab.page.locator(".rows-seen [role=row]").first).to_be_visible()
    files = tab.page.evaluate("""[...performance.getEntriesByType("navigation"),
        ...performance.getEntriesByType("resource")].filter(one => !new URL(one.name).pathname.startsWith("/v1/"))
        .map(one => [one.encodedBodySize, one.decodedBodySize])""")
    assert 0 < sum(encoded for encoded, _ in files) <= FIRST_LOAD_MAX
    assert sum(encoded for encoded, _ in files) < sum(decoded for _, decoded in files)  # compressed
    seen: set[str] = set()
    scrolled = True
    while scrolled:
        tab.until("document.querySelectorAll('.rows-seen [role=row]').length > 0")
        tab.until("document.querySelectorAll('.rows-seen .coming').length === 0")
        assert tab.page.evaluate("document.querySelectorAll('*').length") <= NODES_MAX
        seen |= set(tab.rows())
        scrolled = tab.page.evaluate("""(() => {
            const table = document.querySelector(".trace-table"), at = table.scrollTop;
            table.scrollTop += table.clientHeight - 80;
            return table.scrollTop > at;
        })()""")
        tab.page.evaluate("new Promise(drawn => requestAnimationFrame(() => setTimeout(drawn)))")
    seen |= set(tab.rows())
    assert seen == set(names)


_CODE = "performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/view-trace.js')).length"


def test_the_code_of_a_trace_comes_before_somebody_opens_one(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans([span(run, f"opened {run}")])
    tab.open(f"/?filter={run}")
    tab.until(f"{_CODE} > 0")
    tab.page.get_by_role("link", name=f"opened {run}").click()
    expect(tab.page.locator(".trace-head h1")).to_have_text(f"opened {run}")
    assert tab.page.evaluate(_CODE) == 1


def test_a_link_to_a_trace_asks_for_its_code_with_the_page(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans([span(run, f"linked {run}")])
    tab.open(f"/traces/{run}")
    expect(tab.page.locator(".trace-head h1")).to_have_text(f"linked {run}")
    ahead = """[...document.querySelectorAll("link[rel=modulepreload]")].map((link) => link.href.split("/").at(-1))"""
    files = tab.page.evaluate(ahead)
    assert {"view-trace.js", "shared-app-view-trace.js"} <= set(files)
    assert tab.page.evaluate(_CODE) == 1  # what was fetched ahead is what is used
    tab.open()
    assert "view-trace.js" not in tab.page.evaluate(ahead)
