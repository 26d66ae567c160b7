"""Above the list: numbers, the histogram, and what else finds one trace among many."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

from tests.e2e.runs import Span, new_id, span
from tests.e2e.tab import OpenTab, Tab
from tests.stack import MakeStack, Stack

pytestmark = pytest.mark.browser

HOUR = 3600


def at(trace_id: str, hours_ago: float, **fields: object) -> Span:
    start = time.time() - hours_ago * HOUR
    return {**span(trace_id, trace_id), "start_time": start, "end_time": start + 1, **fields}


def test_a_stretch_of_time_is_brushed_into_the_filter(make_stack: MakeStack, open_tab: OpenTab) -> None:
    stack = make_stack().start()
    stack.post_spans([at("now", 0), at("old", 40, status="error"), at("older", 90)])
    tab = open_tab(stack.url).open()
    overview = tab.page.get_by_role("region", name="The last 7 days")
    expect(overview).to_contain_text("traces3")
    expect(overview).to_contain_text("33 %")
    # a trace that changes changes the numbers, though none has come or gone
    stack.post_spans([at("now", 0, status="error")])
    expect(overview).to_contain_text("67 %", timeout=15_000)
    histogram = tab.page.locator(".histogram")
    box = histogram.bounding_box()
    assert box is not None
    y = box["y"] + 10
    tab.page.mouse.move(box["x"] + box["width"] * 0.5, y)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + box["width"] * 0.85, y, steps=4)
    tab.page.mouse.up()
    tab.until("location.search.includes('since:') && location.search.includes('until:')")
    expect(tab.page.locator(".rows-seen .cell-name a")).to_have_text(["old"])
    tab.page.go_back()
    expect(tab.page.locator(".rows-seen [role=row]")).to_have_count(3)
    histogram.focus()
    tab.press("ArrowLeft", "Shift+ArrowLeft", "Enter")
    tab.until("location.search.includes('since:')")
    expect(tab.page.locator(".rows-seen .cell-name a")).to_have_text(["now"])


def test_tags_models_and_sessions_are_completed(stack: Stack, tab: Tab) -> None:
    run = new_id()
    model = f"model-{run}"
    call: Span = {"span_type": "llm_call", "attributes": {"llm.model": model, "llm.cost_usd": 5.0}}
    stack.post_spans(
        [
            span(run, f"call {run}", **call),
            span(f"{run}-s", f"chat {run}", attributes={"session.id": f"session-{run}"}),
        ]
    )
    assert stack.ask("PUT", f"/v1/traces/{run}/tags", {"tags": {"team": run}}).status == 200
    tab.open()
    expect(tab.page.get_by_role("row").filter(has_text=f"call {run}")).to_be_visible()
    tab.press("/")
    for typed, offered, left in (
        ("model:model-r", model, f"call {run}"),
        (f"tag:team={run[:6]}", f"team={run}", f"call {run}"),
        ("session:session-r", f"session-{run}", f"chat {run}"),
    ):
        field = tab.page.get_by_role("combobox", name="Filter")
        field.fill(typed)
        expect(tab.page.get_by_role("option", name=offered)).to_be_visible()
        tab.press("ArrowDown", "Enter")
        expect(tab.page.locator(".rows-seen .cell-name a")).to_have_text([left])
    tab.page.get_by_role("button", name="Clear the filter").click()
    tab.page.get_by_role("row").filter(has_text=f"chat {run}").get_by_role("button", name="session").click()
    tab.until(f"new URLSearchParams(location.search).get('filter') === 'session:session-{run}'")
    expect(tab.page.locator(".rows-seen .cell-name a")).to_have_text([f"chat {run}"])


def test_the_end_of_ten_thousand_is_one_step_away(make_stack: MakeStack, open_tab: OpenTab) -> None:
    stack = make_stack().start()
    for batch in range(10):
        stack.post_spans([span(f"t{batch * 1000 + n}", f"trace {batch * 1000 + n}") for n in range(1000)])
    tab = open_tab(stack.url).open()
    expect(tab.page.locator(".list-count")).to_have_text("10,000 traces")
    expect(tab.page.get_by_role("link", name="trace 9999", exact=True)).to_be_visible()
    expect(tab.page.locator(".live")).to_have_text("live")
    tab.requests.clear()
    tab.press("End")
    expect(tab.page.get_by_role("link", name="trace 0", exact=True)).to_be_visible()
    expect(tab.page.locator("[role=row][aria-selected=true]")).to_contain_text("trace 0")
    pages = [url for url in tab.requests if "/v1/traces?" in url]
    assert len(pages) <= 6, "the page it is on, again where the list was asked for anew, and not the fifty between"
    tab.page.locator(".trace-table").evaluate("e => e.scrollTop = e.scrollHeight / 2")
    expect(tab.page.get_by_role("link", name="trace 4990", exact=True)).to_be_visible()
    # what is below changes as it happens, and new traces move nothing
    stack.post_spans([{**span("t4990", "trace 4990"), "status": "error"}, span("fresh", "fresh")])
    expect(tab.page.get_by_role("row").filter(has_text="trace 4990")).to_contain_text("1 error")
    expect(tab.page.get_by_role("button", name="1 new")).to_be_visible()
    tab.press("Home")
    expect(tab.page.get_by_role("link", name="trace 9999", exact=True)).to_be_visible()
    assert tab.page.evaluate("document.querySelectorAll('*').length") < 1500


def test_the_time_that_is_shown_is_in_the_address(stack: Stack, tab: Tab) -> None:
    stack.post_spans([at(new_id(), 0)])
    tab.open()
    tab.page.get_by_label("Time that is shown").select_option("30 days")
    tab.until("new URLSearchParams(location.search).get('range') === 'month'")
    tab.page.reload()
    expect(tab.page.get_by_role("region", name="The last 30 days")).to_be_visible()
