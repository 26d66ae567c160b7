"""Two runs beside each other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.runs import Span, new_id, refund_agent, span
from tests.e2e.tab import OpenTab, Tab
from tests.stack import Stack

pytestmark = pytest.mark.browser


def agent(run: str, name: str, *, city: str = "Paris", later: float = 0.0, retried: bool = False) -> list[Span]:
    """An agent that asks a model, looks the weather up, saves it, and answers. `later`: seconds after the others."""
    failed: Span = {"status": "error", "error_message": "Timeout: no answer"}

    def call(at: float, step: str, said: str, prompt: str) -> Span:
        messages = json.dumps([{"role": "user", "content": prompt}])
        attributes = {
            "llm.model": "gpt-4o", "llm.prompt": messages, "llm.completion": said,
            "llm.tokens.input": 90, "llm.tokens.output": 10, "llm.cost_usd": 0.002,
        }  # fmt: skip
        return span(run, step, parent=name, at=later + at, span_type="llm_call", attributes=attributes)

    def tool(at: float, step: str, given: Any, came: str, **more: Any) -> Span:
        attributes = {"tool.name": step.split()[0], "tool.input": json.dumps(given), "tool.output": came}
        return span(run, step, parent=name, at=later + at, span_type="tool_use", attributes=attributes, **more)

    save = tool(4, "save", {"key": "weather"}, "saved")
    tries = [{**save, "span_id": f"{run}-first-try", **failed}] if retried else []
    return [
        span(run, name, at=later, lasts=9 if retried else 8, span_type="agent_step"),
        call(1, "think", "I will look it up.", "Weather?"),
        tool(2, "get_weather", {"city": city}, f"18C in {city}, with a light wind from the west"),
        *tries,
        {**save, "start_time": save["start_time"] + 1, "end_time": save["end_time"] + 1},
        call(6, "answer", f"It is 18C in {city}.", f"It is 18C in {city}."),
    ]


def rows(tab: Tab) -> list[str]:
    """What became of each step, and its name."""
    return [
        " ".join(texts)
        for texts in tab.page.evaluate("""[...document.querySelectorAll(".step-table .rows-seen [role=row]")]
            .map((row) => [".change .unseen", ".span-name"].map((part) => row.querySelector(part).textContent))
        """)
    ]


def chosen(tab: Tab) -> Locator:
    return tab.page.locator(".step-table [role=row][aria-selected=true]")


def pane(tab: Tab) -> Locator:
    return tab.page.get_by_role("region", name="Step", exact=True)


def two_runs(stack: Stack) -> tuple[str, str, str]:
    """Ids of two runs of one agent, the second in Rome and with a retry; and the agent's name."""
    a, b, name = new_id("a"), new_id("b"), new_id("weather")
    stack.post_spans(agent(a, name))
    stack.post_spans(agent(b, name, city="Rome", later=5, retried=True))
    return a, b, name


def test_two_ticked_runs_open_at_the_first_difference_word_by_word(stack: Stack, tab: Tab) -> None:
    a, b, name = two_runs(stack)
    tab.open(f"/?filter={name}")
    boxes = tab.page.get_by_role("checkbox", name=f"Choose {name}")
    expect(boxes).to_have_count(2)
    boxes.first.check()
    tab.press("c")
    expect(tab.page.locator(".toast")).to_contain_text("Tick two traces")
    boxes.last.check()
    tab.page.get_by_role("button", name="Compare").click()
    expect(tab.page.get_by_role("treegrid", name="Steps of both runs")).to_be_visible()
    assert (tab.query["a"], tab.query["b"]) == (a, b)  # the earlier one is A
    expect(tab.page.get_by_role("status").filter(has_text="Comparing")).to_have_count(0)
    assert rows(tab) == [
        f"same {name}", "same think", "changed get_weather", "retry save", "same save", "changed answer",
    ]  # fmt: skip
    expect(tab.page.get_by_role("button", name="First difference")).to_contain_text("changed get_weather")
    expect(chosen(tab)).to_contain_text("get_weather")
    expect(pane(tab)).to_contain_text("It differs in: arguments, result.")
    result = pane(tab).get_by_role("region", name="result")
    expect(result.locator("del")).to_have_text(["Paris"])
    expect(result.locator("ins")).to_have_text(["Rome"])


def test_both_runs_in_figures_and_how_they_differ(stack: Stack, tab: Tab) -> None:
    a, b, _ = two_runs(stack)
    tab.open(f"/compare?a={a}&b={b}")
    table = tab.page.get_by_role("region", name="Both runs in figures").get_by_role("row")
    expect(table.nth(1).get_by_role("cell")).to_have_text(["8.0 s", "5", "2", "2", "0", "200", "$0.0040"])
    expect(table.nth(2).get_by_role("cell")).to_have_text(["9.0 s", "6", "2", "3", "1", "200", "$0.0040"])
    delta = ["+1.0 s +13 %", "+1 +20 %", "same", "+1 +50 %", "+1", "same", "same"]
    expect(table.nth(3).get_by_role("cell")).to_have_text(delta)
    tab.page.get_by_role("button", name="Swap").click()
    expect(table.nth(1).get_by_role("cell").first).to_have_text("9.0 s")
    assert (tab.query["a"], tab.query["b"]) == (b, a)


def test_keys_go_through_the_differences_and_the_address_keeps_the_step(
    stack: Stack, tab: Tab, open_tab: OpenTab
) -> None:
    a, b, _ = two_runs(stack)
    tab.open(f"/compare?a={a}&b={b}")
    expect(tab.page.locator(".compare-bar")).to_contain_text("changed 2")
    expect(chosen(tab)).to_contain_text("get_weather")
    tab.press("d")
    expect(chosen(tab)).to_contain_text("retry")
    expect(pane(tab)).to_contain_text("has no such step")
    tab.press("d")
    expect(chosen(tab)).to_contain_text("answer")
    tab.press("d")  # around
    expect(chosen(tab)).to_contain_text("get_weather")
    tab.press("j", "j")
    expect(chosen(tab)).to_contain_text("same")
    tab.press("D")
    expect(chosen(tab)).to_contain_text("retry")
    tab.press("f")
    expect(chosen(tab)).to_contain_text("get_weather")
    tab.press("D")
    expect(chosen(tab)).to_contain_text("answer")
    tab.press("o")
    expect(tab.page.locator(".step-table .rows-seen [role=row]")).to_have_count(4)  # three, and the root above them
    other = open_tab(stack.url)
    other.page.goto(tab.page.url)
    expect(chosen(other)).to_contain_text("answer")
    expect(other.page.locator(".step-table .rows-seen [role=row]")).to_have_count(4)
    other.page.get_by_role("link", name="#6").click()  # into the run it belongs to
    expect(other.page.locator("[data-span][aria-selected=true]")).to_contain_text("answer")


def test_a_run_is_compared_with_its_baseline_or_an_earlier_one_of_its_name(stack: Stack, tab: Tab) -> None:
    a, b, name = two_runs(stack)
    base = new_id("base")
    stack.post_spans(refund_agent(base))
    assert stack.ask("PUT", f"/v1/traces/{base}/tags", {"tags": {"baseline": "true"}}).status == 200
    tab.open(f"/traces/{b}")
    expect(tab.page.locator("[data-span][aria-selected=true]")).to_be_visible()
    tab.press("c")
    expect(tab.page.get_by_role("heading", name=f"Compare “{name}” with")).to_be_visible()
    expect(tab.page.get_by_role("region", name="The baseline").get_by_role("link")).to_have_text(["support_agent"])
    tab.page.get_by_role("region", name="Runs of the same name").get_by_role("link", name=name).click()
    expect(chosen(tab)).to_contain_text("get_weather")
    assert (tab.query["a"], tab.query["b"]) == (a, b)


def test_what_was_said_decides_where_the_rows_read_the_same(stack: Stack, tab: Tab) -> None:
    a, b, name = new_id("a"), new_id("b"), new_id("long")
    text = "the same words " * 40
    for run, end in ((a, "one"), (b, "two")):
        stack.post_spans(
            [
                span(run, name, span_type="agent_step"),
                span(run, "read", parent=name, span_type="tool_use", attributes={"tool.output": text + end}),
            ]
        )  # fmt: skip
    tab.open(f"/compare?a={a}&b={b}")
    expect(tab.page.get_by_role("button", name="First difference")).to_contain_text("changed read")
    expect(pane(tab).locator("ins")).to_have_text(["two"])


def test_runs_that_did_the_same_say_so_and_one_that_is_gone_too(stack: Stack, tab: Tab) -> None:
    a, b, name = new_id("a"), new_id("b"), new_id("same")
    stack.post_spans(agent(a, name))
    stack.post_spans(agent(b, name, later=3))
    tab.open(f"/compare?a={a}&b={b}")
    expect(tab.page.locator(".compare-bar")).to_contain_text("Both runs did the same")
    tab.press("d")
    expect(tab.page.locator(".toast")).to_contain_text("Both runs did the same")
    tab.expect("404")
    tab.open(f"/compare?a=nobody&b={b}")
    expect(tab.page.get_by_role("heading", name="There is no run A")).to_be_visible()
    tab.page.get_by_role("link", name="Choose another run").click()
    expect(tab.page.get_by_role("heading", name=f"Compare “{name}” with")).to_be_visible()


def test_two_runs_of_five_thousand_spans_keep_the_page_small(stack: Stack, tab: Tab) -> None:
    a, b = new_id("a"), new_id("b")
    for run, moved in ((a, 0), (b, 1)):
        spans = [span(run, "agent", lasts=5_000, span_type="agent_step")]
        spans += [
            span(run, f"step {i}", parent="agent", at=i, span_type="tool_use", attributes={"tool.input": str(i % 50)})
            for i in range(5_000 - 1)
            if moved == 0 or i % 100 != 7
        ]
        stack.post_spans(spans)
    tab.open(f"/compare?a={a}&b={b}")
    expect(tab.page.get_by_role("button", name="First difference")).to_contain_text("only in A step 7")
    expect(tab.page.locator(".compare-bar")).to_contain_text("only in A 50")
    assert tab.page.evaluate("document.querySelectorAll('*').length") <= 1_000
