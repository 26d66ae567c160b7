"""The page of one trace."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from tests.e2e.runs import Span, new_id, refund_agent, span
from tests.e2e.tab import OpenTab, Tab
from tests.stack import MakeStack, Stack

pytestmark = pytest.mark.browser


def test_a_failed_trace_opens_with_the_failing_span_and_the_address_says_so(
    stack: Stack, tab: Tab, open_tab: OpenTab
) -> None:
    run = new_id()
    stack.post_spans(refund_agent(run))
    tab.open(f"/traces/{run}")
    chosen = tab.page.locator("[role=row][aria-selected=true]")
    expect(chosen).to_contain_text("issue_refund")
    tab.until("location.search === `?span=${decodeURIComponent(location.pathname.slice(8))}-issue_refund`")
    pane = tab.page.get_by_role("region", name="Span", exact=True)
    expect(pane).to_contain_text("503 Service Unavailable")
    expect(pane).to_contain_text("order_id: 4711")
    expect(tab.page.locator(".trace-head")).to_contain_text("3 errors")
    other = open_tab(stack.url)
    other.page.goto(tab.page.url)
    expect(other.page.locator("[role=row][aria-selected=true]")).to_contain_text("issue_refund")


def test_keys_go_through_the_errors_the_tree_and_back(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans(refund_agent(run))
    tab.open(f"/traces/{run}")
    chosen = tab.page.locator("[role=row][aria-selected=true]")
    expect(chosen).to_contain_text("issue_refund")
    tab.press("e")
    expect(chosen).to_contain_text("support_agent")
    tab.press("e")
    expect(chosen).to_contain_text("cache")
    tab.press("E")
    expect(chosen).to_contain_text("support_agent")
    tab.press("l")
    expect(chosen).to_contain_text("gpt-4o")
    tab.press("j")
    expect(chosen).to_contain_text("lookup_order")
    expect(chosen).to_have_attribute("aria-expanded", "true")
    tab.press("ArrowLeft")
    expect(chosen).to_have_attribute("aria-expanded", "false")
    expect(tab.page.locator(".rows-seen [role=row]")).to_have_count(4)
    tab.press("ArrowRight", "ArrowRight")
    expect(chosen).to_contain_text("cache")
    assert tab.query["span"] == f"{run}-cache"
    tab.page.reload()
    expect(chosen).to_contain_text("cache")


def test_spans_come_live_and_running_ones_end(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans([span(run, "agent", lasts=None, status="unset", span_type="agent_step")])
    tab.open(f"/traces/{run}")
    expect(tab.page.locator(".rows-seen [role=row]")).to_have_count(1)
    expect(tab.page.locator(".trace-head")).to_contain_text("running")
    failed: Span = {"status": "error", "error_message": "boom"}
    tool = span(run, "tool", parent="agent", at=1, span_type="tool_use", attributes={"tool.input": "4711"}, **failed)
    stack.post_spans([tool])
    row = tab.page.locator(f'[data-span="{run}-tool"]')
    expect(row).to_contain_text("boom")
    tab.until("location.search.includes('-tool')")  # nothing was chosen: the failure is
    stack.post_spans([{**span(run, "agent"), "status": "ok"}])
    expect(tab.page.locator(".trace-head")).not_to_contain_text("running")
    stack.post_spans([{**tool, "attributes": {"tool.input": "changed"}}])
    expect(tab.page.get_by_role("region", name="Span", exact=True)).to_contain_text("changed")
    expect(tab.page.locator(".rows-seen [role=row]")).to_have_count(2)


def test_what_agents_write_is_text(stack: Stack, tab: Tab) -> None:
    run = new_id()
    evil = '<img src=x onerror="window.violations.push(1)"><script>window.violations.push(2)</script>'
    stack.post_spans(
        [span(run, evil, attributes={evil: evil, "html": f"</pre>{evil}"}, status="error", error_message=evil)]
    )
    tab.open(f"/traces/{run}")
    expect(tab.page.get_by_role("region", name="Span", exact=True)).to_contain_text("</pre><img src=x")
    assert tab.page.locator("#app img, #app script").count() == 0


def test_a_trace_nobody_knows_has_a_page_that_says_so_and_opens_when_it_comes(stack: Stack, tab: Tab) -> None:
    run = new_id()
    tab.expect("404")
    tab.open(f"/traces/{run}")
    expect(tab.page.get_by_role("heading", name="There is no such trace")).to_be_visible()
    expect(tab.page.get_by_role("main").get_by_role("link", name="All traces")).to_be_visible()
    stack.post_spans([span(run, "late")])
    expect(tab.page.locator(".rows-seen [role=row]")).to_contain_text(["late"])


def test_a_span_nobody_knows(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans([span(run, "one")])
    tab.open(f"/traces/{run}?span=nothing")
    expect(tab.page.get_by_role("heading", name="There is no such span")).to_be_visible()
    tab.page.get_by_role("link", name="Show the trace without it").click()
    expect(tab.page.locator("[role=row][aria-selected=true]")).to_contain_text("one")


def test_a_trace_that_is_deleted_under_the_page(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans([span(run, "one")])
    tab.open(f"/traces/{run}")
    expect(tab.page.locator(".rows-seen [role=row]")).to_have_count(1)
    assert stack.ask("DELETE", f"/v1/traces/{run}").status == 200
    expect(tab.page.get_by_role("heading", name="This trace has been deleted")).to_be_visible()


def test_back_and_forward(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans(refund_agent(run))
    tab.open("/?filter=support")
    tab.page.get_by_role("link", name="support_agent").first.click()
    expect(tab.page.locator("[role=row][aria-selected=true]")).to_contain_text("issue_refund")
    tab.page.go_back()
    expect(tab.page.get_by_role("combobox", name="Filter")).to_have_value("support")
    tab.page.go_forward()
    expect(tab.page.locator("[role=row][aria-selected=true]")).to_contain_text("issue_refund")


def test_a_page_that_does_not_exist(tab: Tab, stack: Stack) -> None:
    tab.open("/")
    tab.expect("404.*/nowhere")
    tab.open("/nowhere")
    expect(tab.page.get_by_role("heading", name="There is no such page")).to_be_visible()


def test_five_thousand_spans_are_a_screen_of_rows(stack: Stack, tab: Tab) -> None:
    run = new_id()
    spans = [
        span(
            run,
            f"s{i}",
            parent=None if i == 0 else f"s{(i - 1) // 4}",
            at=i / 100,
            status="error" if i == 4321 else "ok",
        )
        for i in range(5000)
    ]
    stack.post_spans(spans)
    tab.page.add_init_script(
        "window.longTasks = []; new PerformanceObserver(l => l.getEntries().forEach(e => longTasks.push(e.duration)))"
        ".observe({ type: 'longtask', buffered: true })"
    )
    tab.open(f"/traces/{run}")
    expect(tab.page.locator("[role=row][aria-selected=true]")).to_contain_text("s4321")
    assert tab.page.evaluate("document.querySelectorAll('*').length") <= 1000
    assert max(tab.page.evaluate("window.longTasks"), default=0) <= 200
    tab.press("End")
    expect(tab.page.locator("[role=row][aria-selected=true]")).to_be_visible()


def test_a_program_that_was_killed_leaves_spans_that_say_they_were_interrupted(
    make_stack: MakeStack, open_tab: OpenTab
) -> None:
    stack = make_stack(BEACON_STALE_AFTER="1").start()
    run = new_id()
    stack.post_spans([span(run, "agent", lasts=None, status="unset")])
    tab = open_tab(stack.url).open(f"/traces/{run}")
    # told live: the page is open while nothing more comes
    expect(tab.page.locator(".trace-head")).to_contain_text("interrupted")
    expect(tab.page.locator(".notice")).to_contain_text("It was interrupted: its program ended")
    expect(tab.page.get_by_role("row", name="custom agent interrupted")).to_be_visible()
    tab.open()
    expect(tab.page.get_by_role("row").filter(has_text="agent")).to_contain_text("interrupted")
    # it was only silent: what it sends next is taken for what it is
    stack.post_spans([span(run, "agent")])
    expect(tab.page.get_by_role("row").filter(has_text="agent")).not_to_contain_text("interrupted")


def test_keys_that_copy_hide_and_lead_back(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans([span(run, "agent"), span(run, "tool", parent="agent", attributes={"deep": [1]})])
    tab.open(f"/?filter={run}")
    tab.open(f"/traces/{run}?span={run}-tool")
    page = tab.page
    page.evaluate("navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
    expect(page.locator("[role=row][aria-selected=true]")).to_contain_text("tool")
    tab.press("y")
    tab.until("window.copied === location.href")
    tab.press("x")
    tab.until("window.copied.startsWith('{')")
    assert json.loads(page.evaluate("window.copied"))["attributes"] == {"deep": [1]}
    pane = page.get_by_role("region", name="Span", exact=True)
    expect(pane).to_be_visible()
    tab.press("Control+\\")
    expect(pane).to_be_hidden()
    tab.press("Control+\\")
    expect(pane).to_be_visible()
    tab.press("e")
    expect(page.get_by_text("This trace has no error.")).to_be_visible()
    tab.press("l")
    expect(page.get_by_text("This trace has no call of a model.")).to_be_visible()
    # from the span to the tree, from the tree to the list
    tab.press("Enter")
    expect(pane).to_be_focused()
    tab.press("Escape")
    expect(page.get_by_role("treegrid")).to_be_focused()
    tab.press("Escape")
    expect(page.get_by_role("grid", name="Traces")).to_be_visible()


def test_what_a_row_says_in_figures(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans(refund_agent(run))
    tab.open("/?filter=support")
    row = tab.page.locator(".rows-seen .trace-row").filter(has_text="support_agent").first
    figures = [row.locator(f".cell-{name}").inner_text() for name in ("duration", "spans", "tokens", "cost", "model")]
    assert figures == ["14.2 s", "5", "857", "$0.0026", "gpt-4o"]
    assert re.fullmatch(r"\d\d:\d\d:\d\d", row.locator(".cell-started").inner_text())
    tab.open(f"/traces/{run}")
    call = tab.page.get_by_role("row", name="gpt-4o")
    figures = [call.locator(f".cell-{name}").inner_text() for name in ("duration", "tokens", "cost")]
    assert figures == ["2.5 s", "857", "$0.0026"]


def test_a_span_that_runs_grows(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans([span(run, "agent", lasts=None, status="unset"), span(run, "done", parent="agent", lasts=2)])
    tab.open(f"/traces/{run}")
    running = tab.page.get_by_role("row", name="agent")
    duration = running.locator(".cell-duration")
    expect(duration).to_contain_text("s")
    was = duration.inner_text()
    share = "document.querySelector('[data-span$=-done] .bar').getBoundingClientRect().width"
    width = tab.page.evaluate(share)
    expect(duration).not_to_have_text(was)
    tab.until(f"{share} < {width}")  # the same two seconds are less of the whole
    expect(running.locator(".bar")).to_have_class(re.compile("bar-running"))


def test_attributes_no_field_shows_stand_below(stack: Stack, tab: Tab) -> None:
    run = new_id()
    attributes = {"tool.name": "t", "tool.input": "1", "tool.error": "no such city", "other": "x"}
    stack.post_spans([span(run, "tool", span_type="tool_use", attributes=attributes)])
    tab.open(f"/traces/{run}")
    tab.page.get_by_text("Other attributes (2)").click()
    rest = tab.page.locator("details.rest")
    expect(rest).to_contain_text("no such city")
    expect(rest).not_to_contain_text("tool.input")


def test_a_key_that_is_pressed_as_the_first_row_is_drawn_is_not_lost(stack: Stack, tab: Tab) -> None:
    """The address of the failing span was set a frame later, over what the key had chosen."""
    run = new_id()
    stack.post_spans(refund_agent(run))
    tab.page.add_init_script("""
        new MutationObserver((_, observer) => {
            if (!document.querySelector("[role=row][aria-selected=true]")) return;
            observer.disconnect();
            document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "e", bubbles: true }));
        }).observe(document, { childList: true, subtree: true });
    """)
    tab.open(f"/traces/{run}")
    expect(tab.page.locator("[role=row][aria-selected=true]")).to_contain_text("support_agent")
    assert tab.query["span"] == f"{run}-support_agent"
