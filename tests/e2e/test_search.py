"""Ctrl+K: what is in the spans, found from everywhere, and shown where it stands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.runs import new_id, span
from tests.e2e.tab import OpenTab, Tab
from tests.stack import Stack

pytestmark = pytest.mark.browser

MARKED = "CSS.highlights.get('search-hit')?.size ?? 0"
NOW = "[...(CSS.highlights.get('search-hit-now') ?? [])].map(range => range.toString()).join()"


def search(tab: Tab, text: str) -> None:
    tab.press("Control+k")
    expect(tab.page.get_by_role("combobox", name="Search and commands")).to_be_focused()
    tab.page.keyboard.type(text)


def test_a_word_of_a_prompt_is_found_from_anywhere_and_marked_in_its_span(stack: Stack, tab: Tab) -> None:
    run = new_id()
    word = f"Zebra{run[-6:]}"
    prompt = json.dumps([{"role": "user", "content": f"The {word} said: {word.lower()} 😀 and nothing else."}])
    stack.post_spans(
        [
            span(run, f"root {run}", span_type="agent_step"),
            span(run, "other", parent=f"root {run}", status="error", error_message="boom"),
            span(run, "ask", parent=f"root {run}", span_type="llm_call", attributes={"llm.prompt": prompt}),
        ]
    )
    for address in ("/", f"/traces/{run}"):
        tab.open(address)
        search(tab, word.upper())
        hit = tab.page.get_by_role("option").filter(has_text="ask")
        expect(hit).to_contain_text(f"root {run} › ask")
        expect(hit.locator("mark").first).to_have_text(word)
        expect(hit).to_contain_text("LLM call")
        expect(hit).to_contain_text("ago")
        tab.press("Enter")
        expect(tab.page.get_by_role("dialog")).to_have_count(0)
        assert tab.query == {"span": f"{run}-ask", "q": word.upper()}
        expect(tab.page.locator("[role=row][aria-selected=true]")).to_contain_text("ask")
        expect(tab.page.locator(".hits")).to_contain_text("Hit 1 of 2")
        tab.until(f"{MARKED} === 2")
        tab.until(f"{NOW} === {json.dumps(word)}")
        tab.press("n")
        expect(tab.page.locator(".hits")).to_contain_text("Hit 2 of 2")
        tab.until(f"{NOW} === {json.dumps(word.lower())}")
        tab.press("n")
        expect(tab.page.locator(".hits")).to_contain_text("Hit 1 of 2")
        tab.press("N")
        expect(tab.page.locator(".hits")).to_contain_text("Hit 2 of 2")
    tab.page.reload()
    tab.until(f"{MARKED} === 2")
    tab.page.get_by_role("button", name="End the search").click()
    tab.until(f"{MARKED} === 0")
    assert "q" not in tab.query


def test_a_hit_far_down_in_a_long_text_is_shown(stack: Stack, tab: Tab) -> None:
    run = new_id()
    text = "\n".join(f"line {n}" for n in range(3000)) + f"\nneedle-{run}\n" + "more\n" * 3000
    stack.post_spans([span(run, "tool", span_type="tool_use", attributes={"tool.output": text})])
    tab.open("/")
    search(tab, f"needle-{run}")
    tab.page.get_by_role("option").filter(has_text="tool").click()
    expect(tab.page.locator(".hits")).to_contain_text("Hit 1 of 1")
    inside = f"""(() => {{
        const [range] = CSS.highlights.get('search-hit-now') ?? [];
        if (!range) return false;
        const hit = range.getBoundingClientRect(), pane = document.querySelector('.pane').getBoundingClientRect();
        return range.toString() === 'needle-{run}' && hit.top >= pane.top && hit.bottom <= pane.bottom;
    }})()"""
    tab.until(inside)


def test_arrows_choose_among_hits_and_more_can_be_had(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans([span(run, f"{run} {n:02}", at=n / 100) for n in range(60)])
    tab.open("/")
    search(tab, run)
    options = tab.page.locator(".palette li.hit")
    expect(options).to_have_count(50)
    expect(tab.page.get_by_role("dialog")).to_contain_text("60 spans")
    tab.press("ArrowDown", "ArrowDown")
    chosen = tab.page.locator(".palette [aria-selected=true] strong")
    expect(chosen).to_have_text(f"{run} 57")
    tab.page.get_by_role("button", name="Show more").click()
    expect(options).to_have_count(60)
    tab.page.get_by_role("combobox", name="Search and commands").focus()
    tab.press("Enter")
    expect(tab.page.locator("[role=row][aria-selected=true]")).to_contain_text(f"{run} 57")


def test_fields_beside_the_text_narrow_the_search_and_only_the_text_is_marked(stack: Stack, tab: Tab) -> None:
    run = new_id()
    failed: dict[str, Any] = {"status": "error", "span_type": "tool_use", "error_message": f"Zebra {run} fell"}
    stack.post_spans([span(run, f"well {run}", attributes={"x": f"zebra {run}"}), span(run, f"fell {run}", **failed)])
    tab.open("/")
    search(tab, f"zebra {run}")
    dialog = tab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 spans")
    tab.page.keyboard.type(" status:error type:tool")
    tab.expect("422")
    expect(dialog.get_by_role("alert")).to_contain_text("there is no type 'tool'")
    tab.page.keyboard.type("_use")
    expect(dialog).to_contain_text("1 span")
    hit = tab.page.locator(".palette li.hit")
    expect(hit.locator("mark")).to_have_text(f"Zebra {run}")
    hit.click()
    expect(tab.page.locator("[role=row][aria-selected=true]")).to_contain_text(f"fell {run}")
    tab.page.wait_for_function(f"{MARKED} > 0")


def test_nothing_found_and_a_search_that_fails_are_said(stack: Stack, tab: Tab) -> None:
    tab.open("/")
    search(tab, "nobody-wrote-this")
    dialog = tab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Nothing that is stored holds “nobody-wrote-this”")
    tab.expect("500")
    broken = {"status": 500, "body": '{"detail": "The scan broke."}', "content_type": "application/json"}
    tab.page.route("**/v1/search*", lambda route: route.fulfill(**broken))
    tab.page.keyboard.type("!")
    expect(dialog.get_by_role("alert")).to_have_text("The scan broke.")


def test_what_is_found_is_text(stack: Stack, open_tab: OpenTab) -> None:
    run = new_id()
    evil = f"<img src=x onerror=window.violations.push(1)> {run}"
    stack.post_spans([span(run, evil, error_message=evil, status="error")])
    tab = open_tab(stack.url).open("/")
    search(tab, run)
    expect(tab.page.locator(".palette li.hit")).to_contain_text("<img src=x")
    assert tab.page.locator(".palette img").count() == 0
