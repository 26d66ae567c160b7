"""Hints about loops and waste, on the page of a trace."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.e2e.runs import new_id, refund_agent, span
from tests.e2e.tab import Tab
from tests.processes import wait_for
from tests.stack import Stack

pytestmark = pytest.mark.browser


def test_a_demo_that_loops_is_told_of_with_its_spans(stack: Stack, tab: Tab) -> None:
    run = stack.ask("POST", "/v1/demo/run", {"scenario": "endless_search"}).json["trace_id"]
    tab.open(f"/traces/{run}")
    chip = tab.page.get_by_role("button", name="1 hint")
    # a run is looked through when it has ended
    wait_for(lambda: stack.ask("GET", f"/v1/traces/{run}").json["running_count"] == 0, "the demo", 60)
    expect(chip).to_be_visible()
    chip.click()
    hints = tab.page.get_by_role("region", name="Hints")
    expect(hints).to_contain_text("search_archive was asked the same 5 times")
    expect(hints).to_contain_text("got the same answer, word for word")
    hints.get_by_role("button", name="#").nth(1).click()
    expect(tab.page.locator("[data-span][aria-selected=true]")).to_contain_text("search_archive")
    assert tab.query["hints"] == "1"
    tab.page.reload()
    expect(hints).to_be_visible()
    tab.press("h")
    expect(hints).to_have_count(0)


def test_a_run_that_did_nothing_in_vain_has_no_hint_and_says_so_when_asked(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans(refund_agent(run))
    tab.open(f"/traces/{run}")
    tab.until_asked("hints.js")  # its code is there, and it has been looked through
    tab.press("h")
    expect(tab.page.locator(".toast")).to_contain_text("No loop and no waste was found")
    expect(tab.page.locator(".hint-chip")).to_have_count(0)


def test_a_prompt_that_grows_is_drawn_call_by_call(stack: Stack, tab: Tab) -> None:
    run = new_id()
    spans = [span(run, "agent", lasts=9, span_type="agent_step")]
    for i, tokens in enumerate((900, 3_000, 6_000, 9_000, 14_000)):
        messages = [{"role": "user", "content": f"step {n}"} for n in range(i + 1)]
        said = {"llm.prompt": json.dumps(messages), "llm.completion": f"answer {i}", "llm.tokens.input": tokens}
        spans.append(span(run, f"call {i}", parent="agent", at=i, span_type="llm_call", attributes=said))
    stack.post_spans(spans)
    tab.open(f"/traces/{run}?hints=1")
    hints = tab.page.get_by_role("region", name="Hints")
    expect(hints).to_contain_text("The prompt grew 15.6 times over 5 calls")
    drawn = "Tokens of the input, call by call: 900, 3k, 6k, 9k, 14k"
    expect(hints.get_by_role("img")).to_have_attribute("aria-label", drawn)
