"""The demos, as somebody new clicks through them: no key, an empty list, and why a run failed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.tab import OpenTab
from tests.stack import MakeStack

pytestmark = pytest.mark.browser


def test_from_an_empty_list_to_why_a_run_failed_click_by_click(make_stack: MakeStack, open_tab: OpenTab) -> None:
    tab = open_tab(make_stack().start().url).open()
    page = tab.page
    demos = page.get_by_role("region", name="Demo agents")
    expect(demos.get_by_role("listitem")).to_have_count(5)
    expect(demos).to_contain_text("Recorded: it calls nobody.")
    demos.get_by_role("button", name="Flaky deploy (fails)").click()
    expect(page.locator(".trace-head h1")).to_have_text("Flaky deploy (fails)")
    expect(page.locator(".trace-head")).to_contain_text("running")  # live
    expect(page.locator(".trace-head")).to_contain_text("6 errors", timeout=40_000)
    expect(page.locator(".trace-head")).not_to_contain_text("running")
    chosen = page.locator("[data-span][aria-selected=true]")
    expect(chosen).to_contain_text("alembic")  # the first that failed, chosen while the run went on
    expect(page.get_by_role("region", name="Span", exact=True)).to_contain_text("lock timeout")
    page.get_by_role("button", name=re.compile("^6 errors")).click()
    expect(chosen).to_contain_text("UndefinedColumn")
