"""The list of traces: live, filtered, sorted, reached to its last row."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.runs import Span, new_id, refund_agent, span
from tests.e2e.tab import OpenTab, Tab
from tests.stack import MakeStack, Stack

pytestmark = pytest.mark.browser


def test_a_first_span_takes_the_place_of_the_ways_to_send_one(make_stack: MakeStack, open_tab: OpenTab) -> None:
    stack = make_stack().start()
    tab = open_tab(stack.url).open()
    ways = tab.page.locator(".ways")
    expect(ways).to_contain_text(f'backend_url="{stack.url}"')
    expect(ways).to_contain_text(f"OTEL_EXPORTER_OTLP_ENDPOINT={stack.url}")
    expect(ways).to_contain_text(f"curl {stack.url}/v1/spans")
    stack.post_spans([span("first", "hello")])
    expect(tab.page.get_by_role("row", name="hello")).to_be_visible()
    expect(ways).to_have_count(0)


def test_traces_appear_and_change_as_they_are_posted(stack: Stack, tab: Tab) -> None:
    tab.open()
    expect(tab.page.locator(".live")).to_have_text("live")
    run = new_id()
    stack.post_spans([span(run, f"agent {run}", lasts=None, status="unset")])
    row = tab.page.get_by_role("row").filter(has_text=f"agent {run}")
    expect(row).to_contain_text("running")
    stack.post_spans([{**span(run, f"agent {run}"), "status": "error"}, span(run, "tool", parent=f"agent {run}")])
    expect(row).to_have_count(1)  # the same trace, not another row
    expect(row.locator(".cell-spans")).to_have_text("2")
    expect(row).to_contain_text("1 error")
    assert stack.ask("DELETE", f"/v1/traces/{run}").status == 200
    expect(row).to_have_count(0)


def test_a_filter_is_in_the_address_and_survives_a_reload(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans([span(run, f"good {run}"), *refund_agent(f"{run}-bad")])
    tab.open()
    expect(tab.page.get_by_role("row").filter(has_text=f"good {run}")).to_be_visible()
    tab.press("/")
    tab.page.keyboard.type("status:error")
    tab.until("new URLSearchParams(location.search).get('filter') === 'status:error'")
    expect(tab.page.get_by_role("row").filter(has_text=f"good {run}")).to_have_count(0)
    expect(tab.page.get_by_role("row").filter(has_text="support_agent").first).to_be_visible()
    tab.page.reload()
    expect(tab.page.get_by_role("combobox", name="Filter")).to_have_value("status:error")
    expect(tab.page.get_by_role("row").filter(has_text="support_agent").first).to_be_visible()
    # what comes live is judged too
    stack.post_spans([span(f"{run}-2", f"good again {run}"), span(f"{run}-3", f"bad again {run}", status="error")])
    expect(tab.page.get_by_role("row").filter(has_text=f"bad again {run}")).to_be_visible()
    expect(tab.page.get_by_role("row").filter(has_text=f"good again {run}")).to_have_count(0)


def test_the_models_of_a_trace_stand_in_its_row_and_filter_the_list(stack: Stack, tab: Tab) -> None:
    run = new_id()
    mine, theirs = f"model-of-{run}", f"other-of-{run}"

    def call(trace: str, name: str, model: str) -> Span:
        return span(trace, name, span_type="llm_call", attributes={"llm.model": model})

    stack.post_spans([call(f"{run}-1", f"one {run}", mine), call(f"{run}-2", f"two {run}", theirs)])
    tab.open(f"/?filter={run}")
    row = tab.page.get_by_role("row").filter(has_text=f"one {run}")
    expect(row.locator(".cell-model")).to_have_text(mine)
    # a second model joins live, and is counted behind the one of most calls
    stack.post_spans([call(f"{run}-1", "again", mine), call(f"{run}-1", "third", theirs)])
    expect(row.locator(".cell-model")).to_have_text(f"{mine}+1")
    row.locator(".cell-model button").click()
    tab.until("new URLSearchParams(location.search).get('filter').includes('model:model-of-')")
    expect(tab.page.locator(".rows-seen .cell-name a")).to_have_text([f"one {run}"])
    # what comes live is judged by its models too
    stack.post_spans([call(f"{run}-3", f"three {run}", theirs), call(f"{run}-4", f"four {run}", mine)])
    expect(tab.page.get_by_role("row").filter(has_text=f"four {run}")).to_be_visible()
    expect(tab.page.get_by_role("row").filter(has_text=f"three {run}")).to_have_count(0)
    row.locator(".cell-name a").click()
    expect(tab.page.locator(".trace-head .models")).to_have_text(f"{mine}, {theirs}")


def test_what_is_wrong_in_a_filter_is_marked_and_said(tab: Tab) -> None:
    tab.open("/?filter=stats:error")
    expect(tab.page.get_by_role("alert")).to_contain_text("did you mean status:")
    expect(tab.page.locator(".filter-marks mark")).to_have_text("stats")


def test_completion_by_keyboard(stack: Stack, tab: Tab) -> None:
    stack.post_spans([span(new_id(), "one", status="error")])
    tab.open()
    tab.press("/")
    tab.page.keyboard.type("sta")
    expect(tab.page.get_by_role("listbox", name="Completions").get_by_role("option")).to_have_count(1)
    tab.press("ArrowDown", "Enter")
    expect(tab.page.get_by_role("combobox", name="Filter")).to_have_value("status:")
    tab.press("ArrowDown", "Enter")
    expect(tab.page.get_by_role("combobox", name="Filter")).to_have_value("status:error ")
    assert tab.query["filter"] == "status:error"


def test_no_match_says_which_part_keeps_everything_out(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans([span(run, f"lonely {run}")])
    tab.open(f"/?filter={run}+status:error")
    expect(tab.page.get_by_role("heading", name="No trace matches")).to_be_visible()
    drop = tab.page.locator(".drops li").filter(has_text="status:error")
    expect(drop).to_contain_text("1 trace")
    drop.get_by_role("button").click()
    expect(tab.page.get_by_role("row").filter(has_text=f"lonely {run}")).to_be_visible()
    assert tab.query["filter"] == run


def test_sorting_is_in_the_address(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans([span(f"{run}-{n}", f"{run} lasts {n}", lasts=n) for n in (2, 9, 4)])
    tab.open(f"/?filter={run}")
    tab.page.get_by_role("button", name="Duration").click()
    tab.until("location.search.includes('sort=-duration_ms')")
    expect(tab.page.locator(".rows-seen .cell-name a")).to_have_text([f"{run} lasts {n}" for n in (9, 4, 2)])
    tab.page.get_by_role("button", name="Duration").click()
    expect(tab.page.locator(".rows-seen .cell-name a")).to_have_text([f"{run} lasts {n}" for n in (2, 4, 9)])
    tab.page.reload()
    expect(tab.page.get_by_role("columnheader", name="Duration")).to_have_attribute("aria-sort", "ascending")
    expect(tab.page.locator(".rows-seen .cell-name a")).to_have_text([f"{run} lasts {n}" for n in (2, 4, 9)])


def test_keys_move_through_the_list_and_open_a_trace(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans([span(f"{run}-{n}", f"{run} {n}") for n in range(3)])
    tab.open(f"/?filter={run}")
    rows = tab.page.locator(".rows-seen [role=row]")
    expect(rows).to_have_count(3)
    names = tab.rows()
    tab.press("j", "j", "k", "j")
    expect(tab.page.locator("[role=row][aria-selected=true]")).to_contain_text(names[1])
    tab.press("Enter")
    expect(tab.page.locator(".trace-head h1")).to_have_text(names[1])
    tab.press("Escape")
    expect(tab.page.get_by_role("grid")).to_be_visible()


def test_new_traces_wait_while_somebody_reads_further_down(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans([span(f"{run}-{n}", f"{run} {n}") for n in range(120)])
    tab.open(f"/?filter={run}")
    expect(tab.page.locator(".rows-seen [role=row]").first).to_be_visible()
    tab.page.locator(".trace-table").evaluate("e => e.scrollTop = 1200")
    tab.until("document.querySelector('.rows-seen').style.transform !== 'translateY(0px)'")
    top = tab.rows()[0]
    stack.post_spans([span(f"{run}-new{n}", f"{run} new {n}") for n in range(3)])
    pill = tab.page.get_by_role("button", name=re.compile("Paused, 3 new"))
    expect(pill).to_be_visible()
    assert tab.rows()[0] == top
    pill.click()
    expect(tab.page.locator(".rows-seen .cell-name a").first).to_contain_text("new")
    expect(pill).to_have_count(0)


def test_rows_far_down_are_fetched_again_with_the_list(make_stack: MakeStack, open_tab: OpenTab) -> None:
    """They are asked for by their place, which the next answer for the whole list may have moved."""
    stack = make_stack().start()
    for batch in range(2):
        stack.post_spans([span(f"t{batch * 1000 + n}", f"trace {batch * 1000 + n}") for n in range(1000)])
    tab = open_tab(stack.url).open("/?filter=type:custom")
    expect(tab.page.locator(".list-count")).to_have_text("2,000 match")
    tab.press("End")
    last = tab.page.get_by_role("link", name="trace 0", exact=True)
    expect(last).to_be_visible()
    tab.requests.clear()
    # only the server can tell whether this belongs here: the page asks for everything again
    stack.post_spans([span("other", "other", span_type="tool_use")])
    tab.until_asked("/v1/traces?", "offset=")
    expect(last).to_be_visible()
    expect(tab.page.locator(".rows-seen .coming")).to_have_count(0)


@pytest.mark.parametrize("column", ["Started", "Duration", "Spans", "Tokens", "Cost"])
def test_every_column_with_figures_orders_the_list(stack: Stack, tab: Tab, column: str) -> None:
    run = new_id()
    for n in (2, 3, 1):  # each figure grows with n, and the order in which they come is another
        calls = {"llm.tokens.total": n * 100, "llm.cost_usd": n / 10}
        stack.post_spans(
            [
                span(f"{run}-{n}", f"{run} {n}", at=n, lasts=n),
                *(span(f"{run}-{n}", f"step {i}", parent=f"{run} {n}", at=n, lasts=0) for i in range(n)),
                span(f"{run}-{n}", "call", parent=f"{run} {n}", at=n, lasts=0, span_type="llm_call", attributes=calls),
            ]
        )
    tab.open(f"/?filter={run}")
    expect(tab.page.locator(".rows-seen .cell-name a")).to_have_count(3)
    heading = tab.page.get_by_role("columnheader", name=column)
    for order, places in (("descending", (3, 2, 1)), ("ascending", (1, 2, 3))):
        heading.get_by_role("button").click()
        expect(heading).to_have_attribute("aria-sort", order)
        expect(tab.page.locator(".rows-seen .cell-name a")).to_have_text([f"{run} {n}" for n in places])


@pytest.mark.parametrize("way", ["key", "crumb"])
def test_the_way_back_from_a_trace_leads_to_the_list_as_it_was(stack: Stack, tab: Tab, way: str) -> None:
    run = new_id()
    stack.post_spans([span(f"{run}-{n}", f"{run} {n}", lasts=n) for n in (1, 2)])
    tab.open(f"/?filter={run}&sort=duration_ms")
    tab.page.get_by_role("link", name=f"{run} 1").click()
    expect(tab.page.locator(".trace-head h1")).to_have_text(f"{run} 1")
    if way == "key":
        tab.press("Escape")
    else:
        tab.page.get_by_role("navigation", name="Where you are").get_by_role("link", name="Traces").click()
    expect(tab.page.locator(".rows-seen .cell-name a")).to_have_text([f"{run} {n}" for n in (1, 2)])
    assert tab.query == {"filter": run, "sort": "duration_ms"}


def test_the_neighbours_of_a_trace_are_those_of_the_list_it_was_opened_from(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans([span(f"{run}-{n}", f"{run} {n}", lasts=n) for n in (1, 2)])
    tab.open(f"/traces/{run}-1")
    expect(tab.page.locator(".trace-head h1")).to_have_text(f"{run} 1")
    tab.press("]")
    expect(tab.page.get_by_text("this one was opened by its link")).to_be_visible()
    tab.open(f"/?filter={run}&sort=duration_ms")
    tab.page.get_by_role("link", name=f"{run} 1").click()
    expect(tab.page.locator(".trace-head h1")).to_have_text(f"{run} 1")
    tab.press("]")
    expect(tab.page.locator(".trace-head h1")).to_have_text(f"{run} 2")
    tab.press("]")
    expect(tab.page.get_by_text("No trace of the list stands after this one")).to_be_visible()
    tab.press("[")
    expect(tab.page.locator(".trace-head h1")).to_have_text(f"{run} 1")


def test_the_way_back_leads_to_the_row_the_list_was_left_at(make_stack: MakeStack, open_tab: OpenTab) -> None:
    stack = make_stack().start()
    stack.post_spans([span(f"t{n}", f"trace {n:03}", at=n / 1_000) for n in range(400)])
    tab = open_tab(stack.url).open()
    tab.until("document.querySelectorAll('.rows-seen [role=row]').length > 20")
    tab.page.evaluate("document.querySelector('.trace-table').scrollTop = 6000")
    link = tab.page.get_by_role("link", name="trace 140")
    expect(link).to_be_visible()
    top = tab.page.evaluate("document.querySelector('.trace-table').scrollTop")
    link.click()
    expect(tab.page.locator(".trace-head h1")).to_have_text("trace 140")
    tab.page.go_back()
    expect(link).to_be_in_viewport()
    assert abs(tab.page.evaluate("document.querySelector('.trace-table').scrollTop") - top) < 30
