"""What agents write is hostile: it is shown, it does nothing, and the page stays one that can be used."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Dialog, Locator, Page, Request, expect

from tests.e2e.hostile import ALL, MARKUP, SIGNS, TEXTS, conversation, event, nested, otlp, types
from tests.e2e.runs import Span, new_id, span
from tests.e2e.tab import Tab
from tests.stack import Stack

pytestmark = pytest.mark.browser

MEGABYTES_10 = 10 * 1024 * 1024

NODES_MAX = 4_000
"""Elements in the page with any one span open, whatever it holds: above some ten thousand every key takes long."""

HARM = r"""() => {
    const found = [];
    if (window.pwned !== undefined) found.push("a script has run");
    const say = (element, why) => found.push(`${why}: ${element.outerHTML.slice(0, 200)}`);
    const never = "script, iframe, frame, object, embed, base, meta, link, style, math, template, video, audio, portal";
    for (const element of document.body.querySelectorAll(never))
        if (!(element.matches("script[src]") && element.parentElement === document.body)) say(element, "not allowed");
    const drawn = new Set(["svg", "path", "text", "circle", "rect", "line", "g", "polyline"]);
    for (const element of document.querySelectorAll("svg, svg *"))
        if (!drawn.has(element.localName)) say(element, "not of this page's drawings");
    for (const element of document.querySelectorAll("form, dialog, [contenteditable], [autofocus]"))
        if (!element.getAttribute("aria-label")) say(element, "not a form of this page");
    for (const element of document.body.querySelectorAll("*"))
        for (const { name, value } of element.attributes)
            if (/^on|^(srcset|srcdoc|formaction|background|ping|xlink:href|action)$/.test(name) ||
                (name === "style" && /url|expression/i.test(value)) ||
                (name === "id" && element.closest(".md"))) say(element, name);
    for (const image of document.images)
        if (!/^data:image\/(png|jpeg|gif|webp|avif)[;,]/i.test(image.src)) say(image, "a picture from elsewhere");
    for (const link of document.querySelectorAll("a")) {
        const own = link.origin === location.origin && !link.target && !link.closest(".md");
        const rel = new Set(link.rel.split(" "));
        const away = /^(https?|mailto):$/.test(link.protocol) && link.target === "_blank" && rel.has("noopener") &&
            rel.has("noreferrer");
        if (!own && !away) say(link, "a link that is not inert");
    }
    return found;
}"""
"""What of the page as it is now came from markup in a text, or would go elsewhere; nothing when all is well."""


class Guard:
    """A tab whose page may open no dialog and no window, and goes nowhere but where the test goes."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.page = tab.page
        self.wrong: list[str] = []
        self.opened = 0
        self._loads = 0
        self.page.on("dialog", self._dialog)
        self.page.on("popup", lambda page: self.wrong.append(f"a new window: {page.url}"))
        self.page.on("download", lambda download: self.wrong.append(f"a download: {download.url}"))
        self.page.on("request", self._request)

    def open(self, address: str) -> None:
        self.opened += 1
        self.tab.open(address)

    def check(self, *places: str) -> None:
        """Nothing has happened, and nothing in the page could."""
        assert self.page.evaluate(HARM) == [], places
        assert self.wrong == [], places
        assert self._loads == self.opened, f"the page was loaded {self._loads} times, not {self.opened}: {places}"

    def _dialog(self, dialog: Dialog) -> None:
        self.wrong.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        self._loads += request.is_navigation_request()


@pytest.fixture
def guard(tab: Tab) -> Guard:
    return Guard(tab)


def pane(page: Page) -> Locator:
    return page.get_by_role("region", name="Span", exact=True)


def unfold(page: Page) -> None:
    """Open everything of the span that is folded."""
    page.evaluate("document.querySelectorAll('.pane details').forEach(one => { one.open = true; })")
    for _ in range(3):
        page.evaluate("document.querySelectorAll('.pane [aria-expanded=false]').forEach(one => one.click())")


def show_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('.pane .more').forEach(one => one.click())")


# ---------------------------------------------------------------- markup


def test_markup_in_any_field_of_any_span_is_text(stack: Stack, guard: Guard) -> None:
    run = new_id()
    stack.post_spans(types(run))
    for tag in ({"<b onclick=alert(1)>": MARKUP[2]}, {"\u202e": MARKUP[0]}, {ALL[:200]: ALL[:2_000]}):
        assert stack.ask("PUT", f"/v1/traces/{run}/tags", {"tags": tag}).status == 200
    notes = [{"id": "1", "text": ALL[:100_000], "created_at": 1}]
    assert stack.ask("PUT", f"/v1/spans/{run}-llm_call/annotations", {"annotations": notes}).status == 200
    page = guard.page
    for span_type in ("llm_call", "agent_step", "tool_use", "chain", "browser_action", "file_operation",
                      "shell_command", "custom"):  # fmt: skip
        for part in ("content", "attributes", "events", "raw"):
            guard.open(f"/traces/{run}?span={run}-{span_type}&tab={part}")
            expect(page.get_by_role("tabpanel")).to_be_visible()
            unfold(page)
            show_all(page)
            if part == "content":
                expect(page.get_by_role("tabpanel")).to_contain_text("<script>window.pwned=1</script>")
            guard.check(span_type, part)


def test_a_conversation_that_means_harm_can_be_read(stack: Stack, guard: Guard) -> None:
    run = new_id()
    stack.post_spans([span(run, "call", span_type="llm_call", attributes=conversation())])
    page = guard.page
    guard.open(f"/traces/{run}")
    talk = page.get_by_role("group", name="Conversation")
    expect(talk.get_by_role("region", name="answer")).to_be_visible()
    expect(talk.locator(".md a").first).to_be_visible()
    expect(talk.locator("section.turn")).to_have_count(len(json.loads(conversation()["llm.prompt"])) + 1)  # the answer
    for element in talk.locator(".turn").all():
        classes = set((element.get_attribute("class") or "").split())
        assert classes <= {
            "turn",
            "answer",
            *(f"role-{r}" for r in ["system", "user", "assistant", "tool", "other", "developer"]),
        }
    unfold(page)
    guard.check("markdown")
    leaks = page.locator(".md a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert leaks
    assert all(re.match(r"(https?|mailto):", href) for href in leaks), leaks
    page.get_by_role("button", name="Raw text").click()
    expect(talk.locator(".md")).to_have_count(0)
    guard.check("raw text")
    page.get_by_role("button", name="Raw text").click()


def test_names_that_mean_harm_are_names_in_list_tree_search_and_title(stack: Stack, guard: Guard) -> None:
    runs = [new_id() for _ in TEXTS]
    spans: list[Span] = []
    for run, text in zip(runs, TEXTS, strict=True):
        made = span(run, "it", status="error", error_message=text, attributes={"session.id": text})
        spans.append({**made, "name": text})
    stack.post_spans(spans)
    for run, text in zip(runs[::7], TEXTS[::7], strict=True):
        assert stack.ask("PUT", f"/v1/traces/{run}/tags", {"tags": {text[:200]: text}}).status == 200
    page = guard.page
    guard.open("/?filter=%3Cscript%3Ewindow.pwned%3D1%3C%2Fscript%3E")
    expect(page.locator(".rows-seen [role=row]").first).to_be_visible()
    guard.check("filtered")
    guard.open("/")
    expect(page.locator(".rows-seen [role=row]").first).to_be_visible()
    guard.check("list")
    guard.tab.press("End")
    guard.check("end of the list")
    for query in ("window.pwned", "onerror", "leak.example", "javascript:"):
        guard.tab.press("Control+k")
        page.get_by_role("combobox", name="Search and commands").fill(query)
        expect(page.locator(".palette li.hit mark").first).to_have_text(query, ignore_case=True)
        guard.check("search", query)
        guard.tab.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    for run, text in list(zip(runs, TEXTS, strict=True))[::4]:
        guard.open(f"/traces/{run}?q=pwned")
        expect(page.get_by_role("tabpanel")).to_be_visible()
        guard.check("trace", text)


def test_addresses_that_mean_harm_are_said_and_do_nothing(stack: Stack, guard: Guard) -> None:
    run = new_id()
    stack.post_spans([span(run, "one")])
    guard.tab.expect("404|422")
    page = guard.page
    evil = "%3Cimg%20src%3Dx%20onerror%3Dwindow.pwned%3D1%3E"
    for address in (
        f"/traces/{evil}",
        f"/traces/{run}?span={evil}&tab={evil}&view=__proto__&window={evil}&q={evil}&path={evil}",
        f"/traces/{run}?tab=constructor&view=constructor&span={run}-one&replay={evil}&messages={evil}",
        f"/?filter={evil}&sort={evil}",
        "/?filter=%00%E2%80%AEstatus:error%20tag:__proto__=constructor&sort=constructor",
        "/?filter=%ED%A0%80&sort=__proto__",
    ):
        guard.open(address)
        expect(page.get_by_role("main")).not_to_be_empty()
        guard.check(address)
        expect(page.get_by_role("heading", name="This view has failed")).to_have_count(0)
    page.evaluate("history.pushState(null, '', '/traces/%E0%A4%A'); dispatchEvent(new PopStateEvent('popstate'))")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()


def test_a_failure_that_means_harm_is_said_as_text(stack: Stack, guard: Guard) -> None:
    run = new_id()
    stack.post_spans([span(run, "one")])
    page = guard.page
    guard.tab.expect("400|500|ERR_")
    refused = {"status": 400, "content_type": "application/json", "body": json.dumps({"detail": ALL})}
    page.route("**/v1/search*", lambda route: route.fulfill(**refused))
    page.route("**/v1/traces/import", lambda route: route.fulfill(**refused))
    guard.open("/")
    guard.tab.press("Control+k")
    page.get_by_role("combobox", name="Search and commands").fill("x")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("window.pwned=1")
    guard.check("search refused")
    guard.tab.press("Escape")
    page.get_by_label("Files to import").first.set_input_files(
        {"name": f"{MARKUP[2]}.json", "mimeType": "application/json", "buffer": b'{"format": "beacon"}'}
    )
    expect(page.get_by_role("alert", name="Import refused")).to_contain_text("window.pwned=1")
    guard.check("import refused")
    page.route("**/v1/traces/*?fields=light", lambda route: route.fulfill(**refused))
    guard.open(f"/traces/{run}")
    expect(page.get_by_role("alert")).to_contain_text("window.pwned=1")
    guard.check("trace refused")


def test_a_replay_of_a_call_that_means_harm(stack: Stack, guard: Guard) -> None:
    run = new_id()
    stack.post_spans([span(run, "call", span_type="llm_call", attributes=conversation())])
    guard.open(f"/traces/{run}?span={run}-call&replay=1")
    page = guard.page
    page.get_by_role("button", name="Edit message 1").click()
    expect(page.get_by_role("textbox", name="Message 1", exact=True)).to_be_visible()
    guard.check("replay")
    for element in page.locator("li.card").all():
        classes = set((element.get_attribute("class") or "").split())
        assert classes <= {"card", *(f"card-{role}" for role in ("system", "user", "assistant", "tool", "other"))}


# ---------------------------------------------------------------- signs


def test_a_name_written_from_right_to_left_turns_nothing_around_it(stack: Stack, guard: Guard) -> None:
    """Neither what stands beside it, nor what is said about it in a sentence or in the title of the window."""
    run = new_id()
    evil = f"\u202e\u2067elif{run[-6:]} exe."
    stack.post_spans(
        [
            {**span(run, "root", lasts=9), "name": evil, "span_id": f"{run}-root"},
            span(run, "child", parent="root", at=1, attributes={evil: "1", "plain": "2"}),
        ]
    )
    page = guard.page
    guard.open(f"/traces/{run}?span={run}-child&tab=attributes")
    expect(page.get_by_role("tabpanel")).to_be_visible()
    places = """() => [...document.querySelectorAll(".rows-seen [role=row]")].map(row =>
        [".cell-bar", ".cell-duration", ".type"].map(cell => Math.round(row.querySelector(cell)
            .getBoundingClientRect().right)))"""
    root, child = page.evaluate(places)
    assert root[:2] == child[:2]
    assert root[2] < child[2]  # a step further in, and still before the name
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", page.title()), ascii(page.title())
    page.evaluate("navigator.clipboard.writeText = () => Promise.resolve()")
    page.get_by_role("button", name=re.compile("^Copy .*exe")).click()
    toast = page.locator(".toast span").first
    expect(toast).to_contain_text("Copied")
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", toast.inner_text())
    guard.tab.press("Control+k")
    page.get_by_role("combobox", name="Search and commands").fill(f"{run}")
    page.get_by_role("combobox", name="Search and commands").fill(f"elif{run[-6:]}")
    hit = page.locator(".palette li.hit").filter(has=page.locator("strong", has_text="child"))
    expect(hit).to_be_visible()
    order = hit.locator(".hit-where").evaluate(
        """where => {
            const text = [...where.childNodes].find(node => node.nodeType === 3 && node.data.includes("›"));
            const range = document.createRange();
            const at = text.data.indexOf("›");
            range.setStart(text, at);
            range.setEnd(text, at + 1);
            const box = (of) => of.getBoundingClientRect();
            return [box(where).left, box(range).left, box(where.querySelector("strong")).left];
        }"""
    )
    assert order == sorted(order), order
    guard.check()


def test_signs_that_are_none_stay_what_they_are(stack: Stack, guard: Guard) -> None:
    run = new_id()
    stack.post_spans(
        [
            {
                **span(run, f"s{i}", span_type="shell_command", attributes={"shell.stdout": text, text: text}),
                "name": text,
            }
            for i, text in enumerate(SIGNS)
        ]
    )
    page = guard.page
    for i in range(len(SIGNS)):
        guard.open(f"/traces/{run}?span={run}-s{i}")
        expect(page.get_by_role("tabpanel")).to_be_visible()
        assert page.locator(".rows-seen [role=row]").first.evaluate("row => row.offsetHeight") < 40
        shown = page.get_by_role("region", name="Standard output").inner_text()
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown), ascii(shown)
        guard.check(SIGNS[i])


# ---------------------------------------------------------------- sizes


def large(run: str) -> list[Span]:
    """One span for each way of being too much."""
    line = "x" * MEGABYTES_10
    lines = "a line of an agent that says a lot\n" * (MEGABYTES_10 // 35)
    keys = {f"key {i}": i for i in range(100_000)}
    many = {f"attribute.{i}": {f"k{j}": list(range(30)) for j in range(20)} for i in range(300)}
    turns = [{"role": "user", "content": "again"}, {"role": "assistant", "content": "and again"}] * 10_000
    calls = [{"id": f"c{i}", "function": {"name": "t", "arguments": "{}"}} for i in range(9_000)]
    results = [{"role": "tool", "tool_call_id": f"d{i}", "content": "r"} for i in range(9_000)]
    parts = [{"type": "text", "text": f"**{i}**"} for i in range(20_000)]
    tree = {f"k{i}": {f"l{j}": j for j in range(100)} for i in range(20)}
    trees = [{"role": "user", "content": json.dumps(tree)}] * 60
    trouble = "Traceback (most recent call last):\n" + '  File "a.py", line 1, in f\n' * 300_000 + "E: x"
    made: dict[str, dict[str, Any]] = {
        "prompt-10MB": {"span_type": "llm_call", "attributes": {"llm.prompt": lines, "llm.completion": line}},
        "message-10MB": {"span_type": "llm_call", "attributes": {"llm.prompt": [{"role": "user", "content": lines}]}},
        "messages-20000": {"span_type": "llm_call", "attributes": {"llm.prompt": turns}},
        "calls-9000": {"span_type": "llm_call", "attributes": {"llm.prompt": [{"tool_calls": calls}, *results]}},
        "parts-20000": {"span_type": "llm_call", "attributes": {"llm.prompt": [{"role": "user", "content": parts}]}},
        "trees-60": {"span_type": "llm_call", "attributes": {"llm.prompt": trees}},
        "output-10MB": {"span_type": "tool_use", "attributes": {"tool.input": lines, "tool.output": line}},
        "terminal-10MB": {"span_type": "shell_command", "attributes": {"shell.stdout": "\x1b[1m.\r" * 2_000_000}},
        "error-10MB": {"status": "error", "error_message": line},
        "trace-9MB": {"status": "error", "error_message": trouble},
        "keys-100000": {"span_type": "tool_use", "attributes": {"tool.input": json.dumps(keys), "tool.output": keys}},
        "deep-10000": {"span_type": "tool_use", "attributes": {"tool.input": nested(10_000), "x": nested(10_000)}},
        "deep-prompt": {
            "span_type": "llm_call",
            "attributes": {
                "llm.prompt": json.dumps([{"role": "user", "content": nested(10_000)}]),
                "llm.tool_calls": json.dumps([{"id": "a", "function": {"name": "t", "arguments": nested(10_000)}}]),
                "llm.completion": nested(10_000),
            },
        },
        "attributes-5000": {"attributes": {f"attribute.{i}": "value" for i in range(5_000)}},
        "trees-300": {"attributes": many},
        "long-name": {"name": "n" * 10_000, "attributes": {"k" * 1_000_000: "v"}},
        "markdown": {"span_type": "llm_call", "attributes": {"llm.completion": "*a _b " * 1_900}},
        "brackets": {"span_type": "llm_call", "attributes": {"llm.completion": "[" * 11_900}},
        "quotes": {"span_type": "llm_call", "attributes": {"llm.completion": ">" * 11_900}},
    }  # fmt: skip
    return [{**span(run, name, at=i), **fields} for i, (name, fields) in enumerate(made.items())]


@pytest.fixture(scope="module")
def heavy(stack: Stack) -> str:
    run = new_id()
    spans = large(run)
    for at in range(0, len(spans), 4):
        stack.post_spans(spans[at : at + 4])
    return run


@pytest.mark.parametrize("name", [one["span_id"].removeprefix("x-") for one in large("x")])
def test_a_span_of_any_size_leaves_a_page_that_can_be_used(stack: Stack, guard: Guard, heavy: str, name: str) -> None:
    page = guard.page
    for part in ("content", "attributes", "raw"):
        guard.open(f"/traces/{heavy}?span={heavy}-{name}&tab={part}")
        expect(page.get_by_role("tabpanel")).to_be_visible()
        expect(page.get_by_role("heading", name="This view has failed")).to_have_count(0)
        nodes = page.evaluate("document.querySelectorAll('*').length")
        assert nodes <= NODES_MAX, (part, nodes)
        chosen = page.locator("[role=row][aria-selected=true]")
        expect(chosen).to_have_count(1)
        at = chosen.get_attribute("aria-rowindex")
        guard.tab.press("k" if name == "quotes" else "j")
        expect(chosen).not_to_have_attribute("aria-rowindex", at or "")
    if name.startswith(("prompt", "message", "calls", "parts", "deep-p")):
        guard.open(f"/traces/{heavy}?span={heavy}-{name}&replay=1")
        expect(page.get_by_role("region", name="What is sent")).to_be_visible()
        assert page.evaluate("document.querySelectorAll('*').length") <= NODES_MAX
        page.get_by_label("Model").fill("typed")
        expect(page.get_by_label("Model")).to_have_value("typed")
    guard.check(name)


def test_a_hundred_thousand_events_are_a_page_of_them(stack: Stack, guard: Guard) -> None:
    trace_id = new_id("")[1:].ljust(32, "0")
    events = [event(ALL, {text: text for text in TEXTS}), *(event(f"e{i}", {"a": str(i)}) for i in range(100_000))]
    wide = [event(f"w{i}", {f"k{j}": "v" for j in range(100)}) for i in range(200)]
    for one, those in (("00f067aa0ba902b7", events), ("00f067aa0ba902b8", wide)):
        assert stack.ask("POST", "/v1/traces", otlp(trace_id, one, those), timeout=60).status == 200
        guard.open(f"/traces/{trace_id}?span={one}&tab=events")
        expect(guard.page.get_by_role("tabpanel", name="Events").locator(".event").first).to_be_visible()
        assert guard.page.evaluate("document.querySelectorAll('*').length") <= NODES_MAX
        guard.page.locator(".events > .more").click()
        guard.check("events")
        assert guard.page.evaluate("document.querySelectorAll('*').length") <= 2 * NODES_MAX
