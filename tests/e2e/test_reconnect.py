"""A server that goes and comes back under an open page."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.runs import new_id, span
from tests.e2e.tab import AWAY, OpenTab
from tests.stack import MakeStack, Stack

pytestmark = pytest.mark.browser


@pytest.fixture
def own(make_stack: MakeStack) -> Stack:
    stack = make_stack().start()
    stack.wait_healthy()
    return stack


def test_a_hub_that_dies_is_told_of_and_what_was_missed_comes(own: Stack, open_tab: OpenTab) -> None:
    own.post_spans([span("before", "before")])
    tab = open_tab(own.url)
    tab.expect(AWAY)
    tab.open()
    expect(tab.page.get_by_role("row", name="before")).to_be_visible()
    with own.without("hub"):
        expect(tab.page.locator(".banner-away")).to_contain_text("does not answer")
        expect(tab.page.locator(".banner-away")).to_contain_text("beacon up")
        expect(tab.page.get_by_role("row", name="before")).to_be_visible()  # what is known stays
    own.wait_healthy()
    own.post_spans([span("missed", "missed"), span("missed-too", "missed too")])
    tab.page.get_by_role("button", name="Retry now").or_(tab.page.locator(".banner-back")).first.wait_for()
    expect(tab.page.get_by_role("row", name="missed too")).to_be_visible(timeout=30_000)
    expect(tab.page.locator(".banner-away")).to_have_count(0)
    expect(tab.page.locator(".rows-seen [role=row]")).to_have_count(3)


def test_an_open_trace_catches_up_and_says_how_much_it_missed(own: Stack, open_tab: OpenTab) -> None:
    run = new_id()
    own.post_spans([span(run, "agent", lasts=None, status="unset")])
    tab = open_tab(own.url)
    tab.expect(AWAY)
    tab.open(f"/traces/{run}")
    expect(tab.page.locator(".rows-seen [role=row]")).to_have_count(1)
    # the page is cut off while Beacon goes on
    tab.page.context.set_offline(True)
    with own.without("hub"):
        expect(tab.page.locator(".banner-away")).to_be_visible()
    own.wait_healthy()
    own.post_spans([span(run, f"tool {n}", parent="agent") for n in range(14)])
    tab.page.context.set_offline(False)
    expect(tab.page.locator(".banner-back")).to_have_text("Caught up: 14 new spans", timeout=30_000)
    expect(tab.page.locator(".rows-seen [role=row]")).to_have_count(15)


@pytest.mark.parametrize("part", ["ingest", "query"])
def test_a_part_that_dies_loses_and_doubles_nothing(own: Stack, open_tab: OpenTab, part: str) -> None:
    own.post_spans([span("before", "before")])
    tab = open_tab(own.url)
    tab.expect("503")
    tab.open()
    expect(tab.page.get_by_role("row", name="before")).to_be_visible()
    old = own.kill(part)
    own.wait_replaced(part, old)
    own.wait_healthy()
    own.post_spans([span("after", "after")])
    expect(tab.page.get_by_role("row", name="after")).to_be_visible(timeout=30_000)
    expect(tab.page.locator(".rows-seen [role=row]")).to_have_count(2)
