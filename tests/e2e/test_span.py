"""One span beside the tree: each type in its own way, a call to a model as the conversation it was."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.runs import Span, new_id, span
from tests.e2e.tab import OpenTab, Tab
from tests.stack import Stack

pytestmark = pytest.mark.browser

REMOTE = "https://example.com/leak.png?what=secret"


def pane(tab: Tab) -> Locator:
    return tab.page.get_by_role("region", name="Span", exact=True)


def card(tab: Tab, role: str) -> Locator:
    """Cards of a role, in their order."""
    return pane(tab).get_by_role("region", name=role, exact=True)


def png() -> str:
    """A picture of one red point, in base64."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    picture = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + picture).decode()


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {
        "id": f"call_{name}",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments)},
    }


TURNS: list[dict[str, Any]] = [
    {"role": "system", "content": "You are a support agent.\n" + "Be kind to everybody who asks. " * 40},
    {"role": "user", "content": "Refund **order 4711**, please."},
    {"role": "assistant", "content": None, "tool_calls": [call("lookup_order", order_id=4711)]},
    {"role": "tool", "tool_call_id": "call_lookup_order", "content": json.dumps({"order_id": 4711, "state": "paid"})},
    {"role": "assistant", "content": None, "tool_calls": [call("check_policy", order_id=4711)]},
    {"role": "tool", "tool_call_id": "call_check_policy", "content": '{"allowed": true}'},
]


def llm(run: str, name: str, at: float, messages: list[dict[str, Any]], completion: str | None, **more: Any) -> Span:
    attributes = {"llm.model": "gpt-4o", "llm.prompt": json.dumps(messages), "llm.completion": completion} | more
    return span(run, name, parent="agent", at=at, span_type="llm_call", attributes=attributes)


def loop(run: str) -> list[Span]:
    """An agent that asks a model three times, each time with what has happened since."""
    asked = [{"llm.tool_calls": json.dumps(TURNS[at]["tool_calls"])} for at in (2, 4)]
    return [
        span(run, "agent", lasts=9, span_type="agent_step"),
        llm(run, "first", 0.1, TURNS[:2], None, **asked[0]),
        llm(run, "second", 3, TURNS[:4], None, **asked[1]),
        llm(
            run, "third", 6, TURNS, "# Done\n\nThe refund is *on its way*.",
            **{
                "llm.reasoning": "The policy allows it.",
                "llm.temperature": 0.2,
                "llm.finish_reason": "stop",
                "llm.tools": json.dumps([{"type": "function", "function": {"name": "lookup_order"}}]),
            },
        ),
    ]  # fmt: skip


# ---------------------------------------------------------------- a call to a model


def test_a_call_reads_as_a_conversation(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans(loop(run))
    tab.open(f"/traces/{run}?span={run}-third&messages=all")
    system = card(tab, "system")
    expect(system).to_contain_text("You are a support agent.")  # its first words
    button = system.get_by_role("button", name="system")
    expect(button).to_have_attribute("aria-expanded", "false")
    assert len(system.inner_text()) < 300
    button.click()
    expect(system).to_contain_text("Be kind to everybody who asks. Be kind")
    expect(card(tab, "user").locator("strong")).to_have_text("order 4711")
    first = card(tab, "assistant").first.get_by_role("group", name="Call of lookup_order")
    expect(first).to_contain_text("order_id: 4711")
    expect(first.get_by_role("group", name="Result").first).to_contain_text('state: "paid"')
    expect(card(tab, "tool")).to_have_count(0)  # each stands with its call
    second = card(tab, "assistant").nth(1).get_by_role("group", name="Call of check_policy")
    expect(second.get_by_role("group", name="Result").first).to_contain_text("allowed: true")
    answer = card(tab, "answer")
    expect(answer.locator("em")).to_have_text("on its way")
    expect(answer).to_contain_text("Reasoning")
    expect(answer.get_by_text("The policy allows it.")).to_be_hidden()
    answer.get_by_text("Reasoning").click()
    expect(answer.get_by_text("The policy allows it.")).to_be_visible()
    expect(pane(tab)).to_contain_text("Tools it was offered")
    assert '\\"' not in pane(tab).inner_text()
    pane(tab).get_by_role("button", name="Raw text").click()
    expect(answer).to_contain_text("# Done")
    expect(answer.locator("em")).to_have_count(0)


def test_what_has_changed_since_the_call_before(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans(loop(run))
    tab.open(f"/traces/{run}?span={run}-third")
    which = pane(tab).get_by_role("group", name="Which messages")
    expect(which.get_by_role("button", name="+2 since #3")).to_have_attribute("aria-pressed", "true")
    expect(pane(tab)).to_contain_text("4 older messages, as in #3")
    expect(card(tab, "user")).to_have_count(0)
    expect(card(tab, "assistant")).to_have_count(1)
    expect(card(tab, "assistant")).to_contain_text("allowed: true")
    expect(card(tab, "answer")).to_contain_text("on its way")
    which.get_by_role("button", name="All 6").click()
    expect(card(tab, "user")).to_have_count(1)
    assert tab.query["messages"] == "all"
    tab.page.go_back()
    expect(card(tab, "user")).to_have_count(0)
    tab.press("L")
    expect(which.get_by_role("button", name="+2 since #2")).to_be_visible()
    tab.press("L")  # the first of all: nothing before it
    expect(which).to_have_count(0)
    expect(card(tab, "user")).to_have_count(1)


def test_a_result_whose_call_is_older_says_whose_it_is(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans(
        [
            span(run, "agent", lasts=9, span_type="agent_step"),
            llm(run, "one", 0, TURNS[:3], None),
            llm(run, "two", 2, TURNS[:4], "Paid."),
        ]
    )
    tab.open(f"/traces/{run}?span={run}-two")
    expect(pane(tab)).to_contain_text("+1 since #2")
    expect(card(tab, "tool")).to_contain_text("result of lookup_order")
    expect(card(tab, "tool")).to_contain_text('state: "paid"')


def test_pictures_of_a_text_are_shown_and_others_never_fetched(stack: Stack, tab: Tab) -> None:
    run = new_id()
    content = [
        {"type": "text", "text": f"Look: ![here]({REMOTE}) [a link](https://example.com/) [x](javascript:alert(1))"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png()}"}},
        {"type": "image_url", "image_url": {"url": REMOTE}},
    ]
    stack.post_spans([llm(run, "seen", 0, [{"role": "user", "content": content}], "Nice <b onclick=alert(1)>bold</b>")])
    tab.open(f"/traces/{run}")
    user = card(tab, "user")
    expect(user.get_by_role("img", name="Image of the message")).to_be_visible()
    tab.until("document.querySelector('.picture img').naturalWidth === 1")
    expect(user.locator("img")).to_have_count(1)
    expect(user).to_contain_text(f"image, not loaded: {REMOTE}")
    expect(user.get_by_role("link", name="image: here")).to_have_attribute("href", REMOTE)
    link = user.get_by_role("link", name="a link")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    expect(user.locator("a[href^='javascript']")).to_have_count(0)
    expect(card(tab, "answer")).to_contain_text("<b onclick=alert(1)>bold</b>")


# ---------------------------------------------------------------- every other type


def show(stack: Stack, tab: Tab, span_type: str, attributes: dict[str, Any], **fields: Any) -> Locator:
    run = new_id()
    stack.post_spans([span(run, "it", span_type=span_type, attributes=attributes, **fields)])
    tab.open(f"/traces/{run}")
    content = pane(tab).get_by_role("tabpanel", name="Content")
    expect(content).to_be_visible()
    assert '\\"' not in content.inner_text()
    return content


def test_a_tool_shows_what_went_in_and_came_out(stack: Stack, tab: Tab) -> None:
    rows = [{"id": i, "deep": {"er": {"still": "here"}}} for i in range(250)]
    tool = {"tool.name": "search", "tool.input": '{"query": "refund \\"now\\""}', "tool.output": json.dumps(rows)}
    content = show(stack, tab, "tool_use", tool)
    expect(content.get_by_role("region", name="Input")).to_contain_text('query: "refund "now""')
    output = content.get_by_role("region", name="Output")
    items = output.locator(".json > ul > li")
    expect(items).to_have_count(100)
    output.get_by_role("button", name="Show 100 more of 250").click()
    expect(items).to_have_count(200)
    expect(output).not_to_contain_text("er: ")
    items.first.get_by_role("button").click()
    items.first.get_by_role("button", name="deep").click()
    items.first.get_by_role("button", name="er").click()
    expect(output).to_contain_text('still: "here"')
    output.get_by_role("button", name="Raw").click()
    expect(output).to_contain_text('"deep": {"er"')


def test_a_tree_folds_below_its_second_level(stack: Stack, tab: Tab) -> None:
    content = show(stack, tab, "tool_use", {"tool.input": {"one": {"two": {"three": "bottom"}}}})
    tree = content.get_by_role("group", name="Input")
    expect(tree.get_by_role("button", name="two")).to_have_attribute("aria-expanded", "false")
    expect(tree).not_to_contain_text("bottom")
    tree.get_by_role("button", name="two").click()
    expect(tree).to_contain_text('three: "bottom"')


def test_a_command_shows_how_it_ended_and_what_it_wrote(stack: Stack, tab: Tab) -> None:
    content = show(
        stack, tab, "shell_command",
        {
            "shell.command": "make test", "shell.returncode": 2,
            "shell.stdout": "\x1b[32mok\x1b[0m 3\n10 %\r50 %\r100 %\n", "shell.stderr": "\x1b]0;title\x07boom",
        },
    )  # fmt: skip
    expect(content).to_contain_text("$ make test")
    expect(content).to_contain_text("✗ return code 2")
    expect(content.get_by_role("region", name="Standard output").locator("pre")).to_have_text("ok 3\n100 %\n")
    expect(content.get_by_role("region", name="Standard error").locator("pre")).to_have_text("boom")


def test_a_file_shows_its_path_and_content(stack: Stack, tab: Tab) -> None:
    content = show(
        stack, tab, "file_operation",
        {"file.operation": "read", "file.path": "src/app.py", "file.size_bytes": 12, "file.content": "print('hi')\n"},
    )  # fmt: skip
    for said in ("read", "src/app.py", "12 B", "print('hi')"):
        expect(content).to_contain_text(said)


def test_a_browser_action_shows_the_page(stack: Stack, tab: Tab) -> None:
    content = show(
        stack, tab, "browser_action",
        {
            "browser.action": "click", "browser.url": "https://shop.example/", "browser.selector": "#buy",
            "browser.page_title": "Shop", "browser.screenshot": png(),
        },
    )  # fmt: skip
    for said in ("click", "https://shop.example/", "#buy"):
        expect(content).to_contain_text(said)
    expect(content.get_by_role("img", name="Screenshot of Shop")).to_be_visible()
    tab.until("document.querySelector('.picture img').naturalWidth === 1")


def test_a_step_of_an_agent_shows_its_thought(stack: Stack, tab: Tab) -> None:
    content = show(
        stack, tab, "agent_step",
        {"agent.thought": "Look it up", "agent.input": '{"goal": "refund"}', "agent.output": "done", "team": "red"},
    )  # fmt: skip
    expect(content.get_by_role("region", name="Thought")).to_contain_text("Look it up")
    expect(content.get_by_role("region", name="Input")).to_contain_text('goal: "refund"')
    expect(content.get_by_role("region", name="Output")).to_contain_text("done")
    content.get_by_text("Other attributes (1)").click()
    expect(content).to_contain_text("red")


def test_a_chain_shows_its_type(stack: Stack, tab: Tab) -> None:
    content = show(stack, tab, "chain", {"chain.type": "map", "chain.input": "[1, 2]", "chain.output": "3"})
    expect(content).to_contain_text("map")
    expect(content.get_by_role("region", name="Input")).to_contain_text("0: 1")


def test_a_custom_span_shows_its_attributes(stack: Stack, tab: Tab) -> None:
    content = show(stack, tab, "custom", {"shop.cart": '{"items": 3}', "note": "hello"})
    attributes = content.get_by_role("region", name="Attributes")
    expect(attributes).to_contain_text("items: 3")
    expect(attributes).to_contain_text("hello")


# ---------------------------------------------------------------- what every span has


def test_an_error_says_what_and_where(stack: Stack, tab: Tab) -> None:
    lines = "\n".join(f'  File "/app/agent.py", line {n}, in step_{n}\n    go()' for n in range(1, 60))
    show(
        stack, tab, "tool_use", {},
        status="error", error_message=f"Traceback (most recent call last):\n{lines}\nValueError: no such order",
    )  # fmt: skip
    box = pane(tab).get_by_role("region", name="Error")
    expect(box.locator(".failed-message")).to_contain_text("ValueError: no such order")
    expect(box).to_contain_text("agent.py:59 in step_59")
    expect(box.get_by_text("Traceback (most recent call last)")).to_be_hidden()
    box.get_by_text("Traceback, 120 lines").click()
    expect(box.get_by_text("Traceback (most recent call last)")).to_be_visible()


def test_an_exception_among_the_events_is_the_error(stack: Stack, tab: Tab) -> None:
    stack_trace = 'Traceback\n  File "a.py", line 7, in f\n    g()\nKeyError'
    said = [
        {"key": "exception.type", "value": {"stringValue": "KeyError"}},
        {"key": "exception.message", "value": {"stringValue": "order"}},
        {"key": "exception.stacktrace", "value": {"stringValue": stack_trace}},
    ]  # fmt: skip
    event = {"name": "exception", "timeUnixNano": "1700000001500000000", "attributes": said}
    trace_id = new_id("")[1:].ljust(32, "0")
    sent = {
        "traceId": trace_id, "spanId": "00f067aa0ba902b7", "name": "otel", "status": {"code": 2},
        "startTimeUnixNano": "1700000001000000000", "endTimeUnixNano": "1700000002000000000", "events": [event],
    }  # fmt: skip
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [sent]}]}]}
    assert stack.ask("POST", "/v1/traces", body).status == 200
    tab.open(f"/traces/{trace_id}")
    box = pane(tab).get_by_role("region", name="Error")
    expect(box).to_contain_text("KeyError: order")
    expect(box).to_contain_text("a.py:7 in f")
    pane(tab).get_by_role("tab", name="Events 1").click()
    expect(pane(tab).get_by_role("tabpanel", name="Events")).to_contain_text("+500 ms")
    assert tab.query["tab"] == "events"


def test_running_and_interrupted_spans_say_so(stack: Stack, tab: Tab) -> None:
    show(stack, tab, "tool_use", {}, lasts=None, status="unset")
    expect(pane(tab)).to_contain_text("It is still running")


def test_tabs_are_in_the_address(stack: Stack, tab: Tab, open_tab: OpenTab) -> None:
    run = new_id()
    stack.post_spans(loop(run))
    tab.open(f"/traces/{run}?span={run}-third")
    tabs = pane(tab).get_by_role("tablist", name="Parts of the span")
    tabs.get_by_role("tab", name="Attributes").click()
    expect(pane(tab).get_by_role("tabpanel", name="Attributes")).to_contain_text("llm.finish_reason")
    tabs.get_by_role("tab", name="Raw").click()
    expect(pane(tab).get_by_role("tabpanel", name="Raw")).to_contain_text('"span_type": "llm_call"')
    other = open_tab(stack.url)
    other.page.goto(tab.page.url)
    expect(pane(other).get_by_role("tabpanel", name="Raw")).to_contain_text('"span_type": "llm_call"')
    tab.page.go_back()
    expect(pane(tab).get_by_role("tabpanel", name="Attributes")).to_be_visible()
    tab.page.go_forward()
    tab.page.reload()
    expect(pane(tab).get_by_role("tabpanel", name="Raw")).to_be_visible()
    tabs.get_by_role("tab", name="Raw").focus()
    tab.press("ArrowRight")
    expect(pane(tab).get_by_role("tabpanel", name="Content")).to_be_visible()


def test_long_texts_are_cut_and_very_long_ones_drawn_where_they_are_seen(stack: Stack, tab: Tab) -> None:
    text = "\n".join(f"line {i}" for i in range(5_000))
    content = show(stack, tab, "tool_use", {"tool.output": text, "tool.input": "x\n" * 100})
    output = content.get_by_role("region", name="Output")
    assert output.locator("pre").inner_text().count("\n") == 29
    output.get_by_role("button", name="Show all (49 KB)").click()
    whole = output.get_by_role("region", name="Text of 5,000 lines")
    expect(whole).to_contain_text("line 40")
    assert whole.inner_text().count("\n") < 100
    whole.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    expect(whole).to_contain_text("line 4999")
    content.get_by_role("region", name="Input").get_by_role("button", name="Show all").click()
    assert content.get_by_role("region", name="Input").locator("pre").inner_text().count("x") == 100
