"""axe-core finds nothing serious, in either theme, at every width; keys and sheets work."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.runs import new_id, refund_agent
from tests.e2e.tab import OpenTab, Tab
from tests.stack import MakeStack, Stack

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "hub" / "ui" / "node_modules" / "axe-core" / "axe.min.js"

GRAVE = ("serious", "critical")


def violations(tab: Tab) -> list[str]:
    """What axe-core finds on the page as it is now, each with the elements it is about."""
    tab.page.evaluate(AXE.read_text("utf-8"))
    found = tab.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{v['id']} ({v['impact']}): {node['html'][:160]} {node['failureSummary'][:300]}"
        for v in found["violations"]
        if v["impact"] in GRAVE
        for node in v["nodes"]
    ]


@pytest.fixture(scope="module")
def run(stack: Stack) -> str:
    run = new_id()
    stack.post_spans(refund_agent(run))
    assert stack.ask("PUT", f"/v1/traces/{run}/tags", {"tags": {"env": "prod"}}).status == 200
    return run


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [1440, 1024, 375])
def test_nothing_serious_on_any_page(stack: Stack, run: str, open_tab: OpenTab, scheme: str, width: int) -> None:
    tab = open_tab(stack.url, width=width, color_scheme=scheme)
    tab.open()
    expect(tab.page.get_by_role("row").filter(has_text="support_agent").first).to_be_visible()
    tab.press("j")
    assert violations(tab) == []
    overflow = "document.documentElement.scrollWidth > innerWidth"
    assert not tab.page.evaluate(overflow)
    tab.open(f"/traces/{run}")
    expect(tab.page.get_by_role("tabpanel", name="Content")).to_be_visible()
    assert violations(tab) == []
    assert not tab.page.evaluate(overflow)
    tab.press("?")
    expect(tab.page.get_by_role("dialog", name="Keys")).to_be_visible()
    assert violations(tab) == []
    tab.press("Escape", "Control+k")
    expect(tab.page.get_by_role("dialog", name="Search and commands")).to_be_visible()
    assert violations(tab) == []
    tab.press("Escape")
    tab.open("/?filter=nobody+status:bad")
    expect(tab.page.get_by_role("alert").first).to_be_visible()
    assert violations(tab) == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_nothing_serious_where_nothing_is(make_stack: MakeStack, open_tab: OpenTab, scheme: str) -> None:
    stack = make_stack().start()
    tab = open_tab(stack.url, color_scheme=scheme).open()
    expect(tab.page.get_by_role("heading", name="Waiting for the first span")).to_be_visible()
    assert violations(tab) == []
    tab.expect("404")
    tab.open("/traces/nothing")
    expect(tab.page.get_by_role("heading", name="There is no such trace")).to_be_visible()
    assert violations(tab) == []


def test_a_theme_is_kept_and_there_before_the_first_paint(stack: Stack, open_tab: OpenTab) -> None:
    tab = open_tab(stack.url, color_scheme="light").open()
    background = "getComputedStyle(document.body).backgroundColor"
    expect(tab.page.locator(".live")).to_be_visible()
    assert tab.page.evaluate(background) == "rgb(255, 255, 255)"
    tab.press("Control+k")
    tab.page.keyboard.type("theme dark")
    tab.press("Enter")
    tab.until(f"{background} === 'rgb(15, 17, 21)'")
    # told by the first thing that runs, before the page's own code has come
    tab.page.route("**/app.js", lambda route: route.abort())
    tab.expect("ERR_FAILED")
    tab.page.reload()
    assert tab.page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert tab.page.evaluate(background) == "rgb(15, 17, 21)"


def test_every_key_in_the_sheet_is_a_command_that_runs(stack: Stack, run: str, tab: Tab) -> None:
    tab.open(f"/traces/{run}")
    expect(tab.page.locator("[role=row][aria-selected=true]")).to_be_visible()
    tab.press("?")
    sheet = tab.page.get_by_role("dialog", name="Keys")
    for title in ("Next error", "Back to the list", "Search and commands", "Go to traces"):
        expect(sheet).to_contain_text(title)
    tab.press("Escape")
    expect(sheet).to_have_count(0)
    tab.press("g", "t")
    expect(tab.page.get_by_role("grid")).to_be_visible()
    tab.press("?")
    expect(sheet).to_contain_text("Filter the list")
    expect(sheet).not_to_contain_text("Next error")


def test_single_keys_are_letters_while_somebody_types(stack: Stack, run: str, tab: Tab) -> None:
    tab.open()
    tab.press("/")
    tab.page.keyboard.type("jek?gt")
    expect(tab.page.get_by_role("combobox", name="Filter")).to_have_value("jek?gt")
    expect(tab.page.get_by_role("dialog")).to_have_count(0)


def test_motion_stops_for_who_wants_none(stack: Stack, open_tab: OpenTab) -> None:
    run = new_id()
    stack.post_spans([{**refund_agent(run)[0], "end_time": None, "status": "unset", "error_message": None}])
    tab = open_tab(stack.url, reduced_motion="reduce").open(f"/traces/{run}")
    expect(tab.page.locator(".bar-running")).to_be_visible()
    assert tab.page.evaluate("document.getAnimations().length") == 0
