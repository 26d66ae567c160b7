"""The waterfall: failure first, labels, zoom in the address, idle time, the critical path."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.runs import Span, new_id, refund_agent, span
from tests.e2e.tab import OpenTab, Tab
from tests.stack import Stack

pytestmark = pytest.mark.browser

CHOSEN = "[role=row][aria-selected=true]"
BAR = "Math.round(document.querySelector('[data-span$=\"-{}\"] .bar').getBoundingClientRect().width)"


def timeline(run: str) -> list[Span]:
    """Ten seconds: plan, three seconds of nothing, fetch, and beside it a log that keeps nobody."""
    calls = [
        {"id": "1", "type": "function", "function": {"name": "fetch", "arguments": json.dumps({"url": "a.example"})}}
    ]
    return [
        span(run, "root", lasts=10, span_type="agent_step"),
        span(
            run, "gpt-4o", parent="root", at=0, lasts=2, span_type="llm_call",
            attributes={"llm.model": "gpt-4o", "llm.tool_calls": json.dumps(calls), "llm.tokens.input": 1900,
                        "llm.cost_usd": 0.007},
        ),
        span(run, "fetch", parent="root", at=5, lasts=5, span_type="tool_use",
             attributes={"tool.name": "fetch", "tool.input": '{"url": "a.example", "retry": 3}'}),
        span(run, "log", parent="root", at=5.5, lasts=1),
    ]  # fmt: skip


def test_rows_say_what_happened_with_tokens_and_cost(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans(timeline(run))
    tab.open(f"/traces/{run}")
    model = tab.page.locator(f'[data-span="{run}-gpt-4o"]')
    expect(model.locator(".span-label")).to_have_text("→ fetch(a.example)")
    expect(model.locator(".cell-tokens")).to_have_text("1.9k")
    expect(model.locator(".cell-cost")).to_have_text("$0.0070")
    expect(tab.page.locator(f'[data-span="{run}-fetch"] .span-label')).to_have_text("(a.example)")
    # a span that comes live is told in the same words
    late = span(run, "late", parent="root", at=6, span_type="tool_use",
                attributes={"tool.name": "late", "tool.input": {"url": "b.example"}})  # fmt: skip
    stack.post_spans([late])
    expect(tab.page.locator(f'[data-span="{run}-late"] .span-label')).to_have_text("(b.example)")


def test_a_red_path_leads_from_the_root_to_the_cause(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans(refund_agent(run))
    tab.open(f"/traces/{run}")
    red = tab.page.locator(".rows-seen .red-path")
    expect(red).to_have_count(2)  # not the cache, which the agent got over
    expect(red.first).to_contain_text("support_agent")
    expect(red.last).to_contain_text("issue_refund")
    tab.page.get_by_role("button", name="3 errors").click()
    expect(tab.page.locator(CHOSEN)).to_contain_text("support_agent")
    tab.page.go_back()
    expect(tab.page.locator(CHOSEN)).to_contain_text("issue_refund")


def test_zoom_is_in_the_address(stack: Stack, tab: Tab, open_tab: OpenTab) -> None:
    run = new_id()
    stack.post_spans(timeline(run))
    tab.open(f"/traces/{run}?span={run}-log")
    expect(tab.page.locator(CHOSEN)).to_contain_text("log")
    before = tab.page.evaluate(BAR.format("log"))
    assert "window" not in tab.query
    tab.press("f")
    tab.until(f"{BAR.format('log')} > {5 * before}")
    start, end = map(float, tab.query["window"].split("-"))
    assert 5.3 < start < 5.5 < 6.5 < end < 6.7
    expect(tab.page.locator(".axis")).to_contain_text("6 s")
    expect(tab.page.get_by_role("button", name="show all")).to_contain_text("5.5 s – 6.5 s")
    # bars that lie elsewhere are not drawn
    expect(tab.page.locator(f'[data-span="{run}-gpt-4o"] .bar')).to_have_count(0)
    other = open_tab(stack.url)
    other.page.goto(tab.page.url)
    expect(other.page.get_by_role("button", name="show all")).to_contain_text("5.5 s – 6.5 s")
    other.page.reload()
    expect(other.page.get_by_role("button", name="show all")).to_contain_text("5.5 s – 6.5 s")
    tab.press("s")
    tab.until("!location.search.includes('window=5.45')")
    wider = [float(x) for x in tab.query["window"].split("-")]
    assert wider[1] - wider[0] > 1.9 * (end - start)
    tab.press("Shift+ArrowRight")
    later = [float(x) for x in tab.query["window"].split("-")]
    assert later[0] > wider[0]
    assert later[1] - later[0] == pytest.approx(wider[1] - wider[0], rel=0.01)
    tab.press("F")
    tab.until("!location.search.includes('window')")
    tab.page.go_back()
    tab.until("location.search.includes('window')")
    tab.press("w")
    closer = [float(x) for x in tab.query["window"].split("-")]
    assert closer[1] - closer[0] == pytest.approx((later[1] - later[0]) / 2, rel=0.01)


def test_dragging_and_the_wheel_zoom(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans(timeline(run))
    tab.open(f"/traces/{run}")
    cell = tab.page.locator(f'[data-span="{run}-log"] .cell-bar')
    expect(cell).to_be_visible()

    def drag(along: Locator, start: float, end: float) -> list[float]:
        box = along.bounding_box()
        assert box is not None
        tab.page.mouse.move(box["x"] + box["width"] * start, box["y"] + box["height"] / 2)
        tab.page.mouse.down()
        tab.page.mouse.move(box["x"] + box["width"] * end, box["y"] + box["height"] / 2, steps=5)
        tab.page.mouse.up()
        tab.until("location.search.includes('window')")
        return [float(x) for x in tab.query["window"].split("-")]

    assert drag(cell, 0.5, 0.8) == pytest.approx([5, 8], abs=0.15)
    expect(tab.page.locator(CHOSEN)).not_to_contain_text("log")  # a drag is no click
    tab.press("F")
    tab.until("!location.search.includes('window')")
    assert drag(tab.page.locator(".mini-map"), 0.2, 0.4) == pytest.approx([2, 4], abs=0.1)
    tab.page.mouse.wheel(0, 300)
    tab.until("location.search.includes('window') && parseFloat(location.search.split('window=')[1]) < 2")
    tab.page.locator(".mini-map").dblclick()
    tab.until("!location.search.includes('window')")


def test_idle_time_is_said_and_self_time(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans(timeline(run))
    tab.open(f"/traces/{run}?span={run}-root")
    expect(tab.page.locator(f'[data-span="{run}-fetch"] .idle')).to_have_text("idle 3.0 s")
    expect(tab.page.locator(".idle")).to_have_count(1)
    expect(tab.page.get_by_role("region", name="Span", exact=True)).to_contain_text("self 3.0 s")


def test_the_critical_path(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans(timeline(run))
    tab.open(f"/traces/{run}")
    critical = tab.page.locator(".rows-seen .critical")
    expect(tab.page.locator(CHOSEN)).to_be_visible()
    expect(critical).to_have_count(0)
    tab.page.get_by_role("button", name="Critical path").click()
    expect(critical).to_have_count(3)
    expect(tab.page.locator(f'[data-span="{run}-log"].critical')).to_have_count(0)
    assert tab.query["path"] == "critical"
    tab.page.reload()
    expect(critical).to_have_count(3)
    tab.press("p")
    expect(critical).to_have_count(0)
