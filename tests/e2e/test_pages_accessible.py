"""The pages beside the list and a trace: axe-core in both themes, on a phone, at 200 %; every stop of the Tab key."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.runs import refund_agent, span
from tests.e2e.tab import OpenTab, Tab
from tests.e2e.test_accessible import LEFT_OUT, UNREACHED, grave, walk
from tests.stack import Stack

pytestmark = pytest.mark.browser

PAGES = {
    "compare": ("/compare?a=one&b=two", ".pair-parts"),
    "compare-only": ("/compare?a=one&b=two&only=1&at=a:one-cache", ".pair-parts, .pair .dim.pad"),
    "compare-pick": ("/compare?b=two", ".pick-runs li"),
    "state": ("/traces/one?span=one-lookup_order&state=1", ".state-pane .talk"),
    "dashboard": ("/dashboard", ".panels li"),
    "hints": ("/traces/loop?hints=1", ".hints li"),
}
"""Each page's address, and what is on it once it is drawn."""

SIZES = {"1440": (1440, 900, 1.0), "200 %": (720, 450, 2.0), "phone": (375, 667, 1.0)}


@pytest.fixture(scope="module", autouse=True)
def _runs(stack: Stack) -> None:
    """Two runs of the support agent, one of them with a retry and an answer of its own."""
    stack.post_spans(refund_agent("one"))
    spans = [one for one in refund_agent("two") if one["name"] != "cache"]
    again = span("two", "again", parent="support_agent", at=14.5, span_type="tool_use")
    again |= {"name": "issue_refund", "attributes": spans[-1]["attributes"]}
    for one in spans:
        if one["span_type"] == "llm_call":
            one["attributes"] |= {"llm.completion": "I will look the order up."}
    looked = {"tool.name": "look", "tool.input": '{"q": "x"}', "tool.output": "a page of words"}
    loop = [span("loop", f"look {i}", at=i, span_type="tool_use", attributes=looked) for i in range(4)]
    stack.post_spans([*spans, again, *loop])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("page", PAGES)
def test_nothing_serious_and_nothing_out_of_reach(stack: Stack, open_tab: OpenTab, page: str, size: str) -> None:
    width, height, scale = SIZES[size]
    address, shown = PAGES[page]
    tab = open_tab(stack.url, width=width, height=height, device_scale_factor=scale).open(address)
    expect(tab.page.locator(shown).first).to_be_visible()
    assert grave(tab) == []
    assert tab.page.evaluate(UNREACHED) == []


@pytest.mark.parametrize("page", PAGES)
def test_the_tab_key_reaches_everything_and_shows_where_it_is(tab: Tab, page: str) -> None:
    address, shown = PAGES[page]
    tab.open(address)
    expect(tab.page.locator(shown).first).to_be_visible()
    stops = walk(tab)
    assert stops[0]["name"] == "Skip to the content"
    assert [stop["html"] for stop in stops if not stop["ring"]] == []
    assert tab.page.evaluate(LEFT_OUT) == []
