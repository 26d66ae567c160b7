"""Time travel: a run step by step, with what was known after each."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.e2e.runs import new_id, refund_agent
from tests.e2e.tab import Tab
from tests.stack import Stack

pytestmark = pytest.mark.browser


def refund(stack: Stack) -> str:
    run = new_id()
    spans = refund_agent(run)
    for one in spans:
        if one["name"] == "lookup_order":
            one["attributes"] = {"tool.name": "lookup_order", "tool.output": json.dumps({"order": 4711, "paid": 49.9})}
    stack.post_spans(spans)
    return run


def test_one_key_is_one_step_with_what_was_known_and_spent_after_it(stack: Stack, tab: Tab) -> None:
    run = refund(stack)
    tab.open(f"/traces/{run}?span={run}-gpt-4o")
    chosen = tab.page.locator("[data-span][aria-selected=true]")
    bar = tab.page.get_by_role("region", name="Steps in time")
    expect(bar).to_contain_text("1/3 gpt-4o I will look it up.")
    so_far = bar.get_by_role("list", name="So far").get_by_role("listitem")
    expect(so_far).to_have_text(["2.6 s", "857 tok", "$0.0026"])
    tab.press("v")
    state = tab.page.get_by_role("region", name="State after the step")
    messages = state.get_by_role("region", name="Messages so far")
    result = state.get_by_role("region", name="Last result of a tool")
    expect(messages).to_contain_text("Refund order 4711.")
    expect(messages).to_contain_text("3 messages, up to the answer of #2")
    expect(result).to_contain_text("No tool had been called.")
    tab.press("Shift+ArrowDown")
    expect(chosen).to_contain_text("lookup_order")
    expect(bar).to_contain_text("2/3 lookup_order")
    expect(result).to_contain_text("49.9")
    tab.press("Shift+ArrowDown")
    expect(chosen).to_contain_text("issue_refund")
    expect(bar).to_contain_text("3/3 issue_refund failed: HTTPError: 503")
    expect(result).to_contain_text("503 Service Unavailable")
    expect(so_far).to_have_text(["14.1 s", "857 tok", "$0.0026"])
    tab.press("Shift+ArrowUp", "Shift+ArrowUp")
    expect(chosen).to_contain_text("gpt-4o")
    tab.page.locator(f'[data-span="{run}-issue_refund"]').click()  # the selection of the tree is that of the bar
    expect(bar).to_contain_text("3/3")
    tab.page.reload()
    expect(result).to_contain_text("503 Service Unavailable")


def test_a_run_plays_to_its_end_and_pauses(stack: Stack, tab: Tab) -> None:
    run = refund(stack)
    tab.open(f"/traces/{run}")
    bar = tab.page.get_by_role("region", name="Steps in time")
    expect(bar).to_contain_text("3/3")
    tab.press("z")  # at its end: from the first step on
    expect(bar).to_contain_text("1/3")
    expect(bar).to_contain_text("2/3")
    bar.get_by_role("button", name="Pause").click()
    expect(bar.get_by_role("button", name="Play")).to_be_visible()
    expect(bar).to_contain_text("2/3")
    bar.get_by_role("button", name="Play").click()
    expect(bar).to_contain_text("3/3")
    expect(bar.get_by_role("button", name="Play")).to_have_attribute("aria-pressed", "false")
