"""The dashboard: figures, and the lists they are made of."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.runs import span
from tests.e2e.tab import OpenTab
from tests.stack import MakeStack

pytestmark = pytest.mark.browser


def test_every_figure_leads_to_the_runs_it_is_made_of_and_goes_on_live(
    make_stack: MakeStack, open_tab: OpenTab
) -> None:
    stack = make_stack().start()
    failed: dict[str, Any] = {"status": "error", "error_message": "no"}
    said = {"llm.model": "gpt-4o", "llm.tokens.total": 500, "llm.cost_usd": 0.25}
    stack.post_spans([span(f"ok{i}", "mailer", lasts=i + 1) for i in range(8)])
    stack.post_spans([span(f"bad{i}", "payer", lasts=30 + i, **failed) for i in range(2)])
    stack.post_spans([span("llm", "asker", lasts=2, span_type="llm_call", attributes=said)])
    stack.post_spans([span("old", "long ago", at=-40 * 86_400)])
    tab = open_tab(stack.url).open()
    tab.press("g", "d")
    page = tab.page
    tiles = page.get_by_role("list", name="In figures").get_by_role("link")
    expect(tiles).to_have_text(
        ["2with errors, 18.2 %", "11runs", "5.0 sp50 duration", "31.0 sp95 duration", "500tokens", "$0.2500cost"]
    )
    rows = page.locator(".rows-seen [role=row] .cell-name a")
    for at, count in ((0, 2), (1, 11), (2, 6), (3, 1)):
        tiles.nth(at).click()
        expect(rows).to_have_count(count)
        page.go_back()
    tiles.nth(5).click()
    expect(rows.first).to_have_text("asker")  # the dearest first
    page.go_back()
    worst = page.get_by_role("region", name="What fails most")
    expect(worst.get_by_role("listitem")).to_have_count(1)
    worst.get_by_role("link", name="2 of 2").click()
    expect(rows).to_have_text(["payer", "payer"])
    page.go_back()
    page.get_by_role("region", name="Models").get_by_role("link", name="1 runs").click()
    expect(rows).to_have_text(["asker"])
    page.go_back()
    chart = page.get_by_role("region", name="Runs by time")
    chart.get_by_text("As a table").click()
    expect(chart.get_by_role("row")).to_have_count(8)  # seven days, gaps among them
    expect(chart.get_by_role("row").last).to_contain_text("11")
    chart.get_by_role("row").last.get_by_role("link").click()
    expect(rows).to_have_count(11)
    page.go_back()
    page.get_by_role("button", name="24 hours").click()
    expect(chart).to_be_visible()
    assert tab.query["range"] == "day"
    stack.post_spans([span("new", "one more")])
    expect(tiles.nth(1)).to_have_text("12runs", timeout=9_000)
