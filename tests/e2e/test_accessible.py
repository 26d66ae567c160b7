"""axe-core finds nothing serious, in either theme, at every width and zoom; everything can be done with keys."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.runs import Span, new_id, refund_agent, span
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


def grave(tab: Tab) -> list[str]:
    """The same in both themes, which a page that follows the system changes as it stands."""
    found: list[str] = []
    for scheme, background in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(15, 17, 21)")):
        tab.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        tab.until(f"getComputedStyle(document.body).backgroundColor === '{background}'")
        found += [f"{scheme}: {one}" for one in violations(tab)]
    return found


UNREACHED = r"""() => {
    const wide = document.documentElement.scrollWidth > innerWidth ? ["the page scrolls sideways"] : [];
    const top = document.querySelector("dialog[open]") ?? document;
    const found = [...top.querySelectorAll("a, button, input, select, textarea, summary, [tabindex='0']")]
        .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.matches(".skip, .skip *, :disabled"))
        .filter((one) => !one.closest("[role=row], [role=listbox], [inert], .unseen"))
        .filter((one) => {
            one.scrollIntoView({ block: "nearest", inline: "nearest" });
            const { left, right, top, bottom, width, height } = one.getBoundingClientRect();
            if (width < 2 || height < 2 || left < -1 || right > innerWidth + 1) return true;
            const x = (left + right) / 2, y = (Math.max(0, top) + Math.min(innerHeight, bottom)) / 2;
            const hit = document.elementFromPoint(x, y);
            return hit === null || !(one.contains(hit) || hit.contains(one) || one.closest("label")?.contains(hit));
        });
    return [...wide, ...found.map((one) => one.outerHTML.slice(0, 200))];
}"""
"""What there is to click or type in that cannot be brought into sight, or lies under something else."""

FOCUSED = r"""() => {
    const one = document.activeElement;
    if (one === null || one === document.body) return null;
    let ring = false;
    for (let at = one; at !== null && !ring; at = at.parentElement) {
        if (at !== one && !at.matches(".filter, .filter *, label, label *")) break;
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(at);
        ring = (outlineStyle !== "none" && parseFloat(outlineWidth) >= 1) || boxShadow !== "none";
    }
    one.dataset.visited = "1";
    return { name: one.ariaLabel ?? one.textContent.trim().slice(0, 40), ring, html: one.outerHTML.slice(0, 150) };
}"""

LEFT_OUT = r"""() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
    .filter((one) => one.tabIndex >= 0 && !one.disabled && !one.dataset.visited)
    .filter((one) => one.type !== "file" && !one.closest("[inert]"))
    .filter((one) => one.checkVisibility({ visibilityProperty: true }))
    .map((one) => one.outerHTML.slice(0, 150))"""


def walk(tab: Tab) -> list[dict[str, Any]]:
    """Every stop of the Tab key from the top of the page, until it leaves the page."""
    tab.page.locator(".skip").focus()
    stops: list[dict[str, Any]] = [tab.page.evaluate(FOCUSED)]
    for _ in range(300):
        tab.press("Tab")
        stop = tab.page.evaluate(FOCUSED)
        if stop is None or (stops and stop["html"] == stops[0]["html"] and len(stops) > 3):
            return stops
        stops.append(stop)
    raise AssertionError("the Tab key goes on for ever")


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


def of_every_type(run: str) -> list[Span]:
    """A span of each type as agents send them, one of them running, the root failed."""
    messages = [
        {"role": "system", "content": "You are terse."},
        {"role": "user", "content": "# Refund\n\n- **4711** [policy](https://a.example/) `now`\n\n| a |\n|---|\n| 1 |"},
        {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "pay", "arguments": '{"id": 4711}'}}]},
        {"role": "tool", "tool_call_id": "c", "content": '{"state": "paid", "more": [1, 2, {"deep": true}]}'},
    ]  # fmt: skip
    said: dict[str, dict[str, Any]] = {
        "llm_call": {
            "llm.provider": "openai", "llm.model": "gpt-4o", "llm.prompt": json.dumps(messages),
            "llm.completion": "It is *paid*.", "llm.reasoning": "Look.", "llm.tools": "[]", "llm.tokens.input": 10,
        },
        "tool_use": {"tool.name": "pay", "tool.input": '{"id": 4711}', "tool.output": "x\n" * 60},
        "agent_step": {"agent.thought": "Think", "agent.input": "a", "agent.output": "b", "other": 1},
        "chain": {"chain.type": "map", "chain.input": "[1]", "chain.output": "2"},
        "browser_action": {"browser.action": "click", "browser.url": "https://a.example", "browser.screenshot": "no"},
        "file_operation": {"file.operation": "read", "file.path": "a.py", "file.size_bytes": 3, "file.content": "abc"},
        "shell_command": {"shell.command": "ls", "shell.returncode": 1, "shell.stdout": "a", "shell.stderr": "b"},
        "custom": {"one": 1, "two": {"three": [4]}},
    }  # fmt: skip
    failed: Span = {"status": "error", "error_message": "Traceback (most recent call last):\n  x\n  y\nValueError: no"}
    spans = [span(run, "root", lasts=12, span_type="agent_step", **failed)]
    spans += [
        span(run, name, parent="root", at=1 + at, span_type=name, attributes=fields)
        for at, (name, fields) in enumerate(said.items())
    ]
    return [*spans, span(run, "runs", parent="root", at=9, lasts=None, status="unset", span_type="tool_use")]


@pytest.fixture(scope="module")
def every_type(stack: Stack) -> str:
    run = new_id("every")
    stack.post_spans(of_every_type(run))
    return run


def test_nothing_serious_in_any_view_of_a_span(stack: Stack, every_type: str, tab: Tab) -> None:
    tab.open(f"/traces/{every_type}")
    panel = tab.page.get_by_role("tabpanel")
    names = [one["span_id"] for one in of_every_type(every_type)]
    for name in names:
        tab.page.evaluate(
            f"history.replaceState(null, '', '?span={name}'); dispatchEvent(new PopStateEvent('popstate'))"
        )
        expect(tab.page.locator(f'[data-span="{name}"][aria-selected=true]')).to_be_visible()
        expect(panel).to_be_visible()
        tab.page.evaluate("document.querySelectorAll('.pane details').forEach(one => { one.open = true; })")
        assert grave(tab) == [], name
    tab.open(f"/traces/{every_type}?span={every_type}-llm_call")
    for part in ("Attributes", "Events", "Raw"):
        tab.page.get_by_role("tab", name=part).click()
        expect(tab.page.get_by_role("tabpanel", name=part)).to_be_visible()
        assert grave(tab) == [], part


def test_nothing_serious_in_any_view_of_a_trace(stack: Stack, every_type: str, tab: Tab) -> None:
    tab.open(f"/traces/{every_type}?path=critical&window=1,4")
    expect(tab.page.get_by_role("tabpanel")).to_be_visible()
    assert grave(tab) == []
    for at in range(tab.page.get_by_role("tablist", name="Views of the trace").get_by_role("tab").count()):
        view = tab.page.get_by_role("tablist", name="Views of the trace").get_by_role("tab").nth(at)
        view.click()
        expect(view).to_have_attribute("aria-selected", "true")
        assert grave(tab) == [], view.inner_text()
    tab.open(f"/traces/{every_type}?span=nobody")
    expect(tab.page.get_by_role("heading", name="There is no such span")).to_be_visible()
    assert grave(tab) == []
    tab.open(f"/traces/{every_type}?span={every_type}-llm_call&replay=1")
    expect(tab.page.get_by_role("form", name="API key of openai")).to_be_visible()
    assert grave(tab) == []
    tab.page.get_by_label("Temperature").fill("hot")
    expect(tab.page.get_by_role("alert")).to_be_visible()
    assert grave(tab) == []


def test_nothing_serious_in_what_comes_on_top_or_goes_wrong(stack: Stack, every_type: str, tab: Tab) -> None:
    page = tab.page
    tab.open("/")
    tab.press("/")
    page.keyboard.type("sta")
    expect(page.get_by_role("listbox", name="Completions")).to_be_visible()
    assert grave(tab) == []
    tab.open("/")
    tab.press("Control+k")
    page.keyboard.type("every")
    assert grave(tab) == []
    page.keyboard.type(" nothing of this kind")
    expect(page.get_by_role("dialog")).to_contain_text("Nothing that is stored holds")
    assert grave(tab) == []
    tab.press("Escape")
    tab.expect("40[049]|422")
    page.get_by_label("Files to import").first.set_input_files(
        {"name": "bad.json", "mimeType": "application/json", "buffer": b'{"format": "other"}'}
    )
    expect(page.get_by_role("alert", name="Import refused")).to_be_visible()
    assert grave(tab) == []
    tab.open(f"/traces/{every_type}")
    page.get_by_role("button", name="Copy the trace id").click()  # refused or not: it is said
    expect(page.locator(".toast")).to_be_visible()
    assert grave(tab) == []
    page.evaluate("history.pushState(null, '', '/nowhere'); dispatchEvent(new PopStateEvent('popstate'))")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    assert grave(tab) == []


def test_nothing_serious_where_a_token_is_asked_for(make_stack: MakeStack, open_tab: OpenTab) -> None:
    tab = open_tab(make_stack(BEACON_TOKEN="s3cret").start().url)
    tab.expect("401|WebSocket connection to")
    tab.open()
    expect(tab.page.get_by_role("form", name="Token")).to_be_visible()
    assert grave(tab) == []
    tab.page.get_by_label("Token").last.fill("wrong")
    tab.press("Enter")
    expect(tab.page.get_by_role("alert")).to_be_visible()
    assert grave(tab) == []


# ---------------------------------------------------------------- zoom, narrow screens, motion


@pytest.mark.parametrize(("width", "height", "scale"), [(720, 450, 2.0), (375, 667, 1.0)])
def test_everything_can_be_reached_at_200_percent_and_on_a_phone(
    stack: Stack, every_type: str, open_tab: OpenTab, width: int, height: int, scale: float
) -> None:
    tab = open_tab(stack.url, width=width, height=height, device_scale_factor=scale)
    tab.open()
    expect(tab.page.get_by_role("row").filter(has_text="root").first).to_be_visible()
    assert tab.page.evaluate(UNREACHED) == []
    tab.press("?")
    expect(tab.page.get_by_role("dialog", name="Keys")).to_be_visible()
    assert tab.page.evaluate(UNREACHED) == []
    tab.press("Escape", "Control+k")
    expect(tab.page.get_by_role("dialog", name="Search and commands")).to_be_visible()
    assert tab.page.evaluate(UNREACHED) == []
    for address in ("?tab=attributes", f"?span={every_type}-llm_call", f"?span={every_type}-llm_call&replay=1"):
        tab.open(f"/traces/{every_type}{address}")
        landmark = tab.page.get_by_role("region", name="What is sent") if "replay" in address else None
        expect(landmark or tab.page.get_by_role("tabpanel")).to_be_visible()
        assert tab.page.evaluate(UNREACHED) == [], address


def test_motion_stops_for_who_wants_none(stack: Stack, open_tab: OpenTab) -> None:
    run = new_id()
    stack.post_spans([{**refund_agent(run)[0], "end_time": None, "status": "unset", "error_message": None}])
    tab = open_tab(stack.url, reduced_motion="reduce").open(f"/traces/{run}")
    moving = "document.getAnimations().filter(one => one.playState === 'running').length"
    expect(tab.page.locator(".bar-running")).to_be_visible()
    assert tab.page.evaluate(moving) == 0
    tab.press("?")
    expect(tab.page.get_by_role("dialog")).to_be_visible()
    assert tab.page.evaluate(moving) == 0
    tab.press("Escape", "Control+k")
    expect(tab.page.get_by_role("dialog", name="Search and commands")).to_be_visible()
    assert tab.page.evaluate(moving) == 0
    tab.open()
    expect(tab.page.locator(".outcome-running").first).to_be_visible()
    assert tab.page.evaluate(moving) == 0


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize(
    "address", ["/", "/traces/{run}?span={run}-llm_call", "/traces/{run}?span={run}-llm_call&replay=1"]
)
def test_the_tab_key_reaches_everything_and_shows_where_it_is(
    stack: Stack, every_type: str, tab: Tab, address: str
) -> None:
    tab.open(address.format(run=every_type))
    ready = {"/": "grid", "replay": "form"}.get("replay" if "replay" in address else address, "tabpanel")
    expect(tab.page.get_by_role(ready).first).to_be_visible()  # type: ignore[arg-type]
    stops = walk(tab)
    names = [stop["name"] for stop in stops]
    assert names[0] == "Skip to the content"
    assert [stop["html"] for stop in stops if not stop["ring"]] == []
    assert tab.page.evaluate(LEFT_OUT) == []
    top = [names.index(name) for name in ("Traces", "HTTP API", "Keys")]
    assert top == sorted(top)
    if address == "/":
        assert names.index("Keys") < names.index("Filter") < names.index("Traces", 2)


def test_what_comes_on_top_keeps_the_focus_and_gives_it_back(stack: Stack, every_type: str, tab: Tab) -> None:
    tab.open(f"/traces/{every_type}?span={every_type}-llm_call")
    page = tab.page
    expect(page.get_by_role("tabpanel")).to_be_visible()
    for button, dialog in (("Keys", "Keys"), (re.compile("^Search"), "Search and commands")):
        opener = page.get_by_role("banner").get_by_role("button", name=button)
        opener.focus()
        tab.press("Enter")
        expect(page.get_by_role("dialog", name=dialog)).to_be_visible()
        for _ in range(6):
            tab.press("Tab")
            assert page.evaluate(
                "document.activeElement === document.body || document.activeElement.closest('dialog') !== null"
            )
        tab.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(opener).to_be_focused()
    page.get_by_role("treegrid").focus()
    tab.press("r")
    expect(page.get_by_role("region", name="Replay", exact=True)).to_be_visible()
    tab.until("document.activeElement.closest('.replay') !== null")
    tab.press("Escape")
    expect(page.get_by_role("treegrid")).to_be_focused()
    tab.press("Enter")
    expect(page.get_by_role("region", name="Span", exact=True)).to_be_focused()


def test_the_skip_link_leads_to_the_content(stack: Stack, tab: Tab) -> None:
    tab.open()
    tab.press("Tab", "Enter")
    expect(tab.page.get_by_role("main")).to_be_focused()
