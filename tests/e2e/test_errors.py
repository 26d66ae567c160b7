"""What fails says what failed, and what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.runs import new_id, refund_agent, span
from tests.e2e.tab import AWAY, OpenTab, Tab
from tests.stack import MakeStack, Stack

pytestmark = pytest.mark.browser

DROP = """([name, text, where]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name, { type: "application/json" }));
    const target = document.querySelector(where ?? ".traces");
    for (const kind of ["dragover", "drop"])
        target.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def exported(stack: Stack, run: str) -> str:
    stack.post_spans(refund_agent(run))
    text = stack.ask("GET", f"/v1/traces/{run}/export").body.decode()
    assert stack.ask("DELETE", f"/v1/traces/{run}").status == 200
    return text


def test_an_export_dropped_on_the_list_is_imported_and_opens(stack: Stack, tab: Tab) -> None:
    run = new_id()
    text = exported(stack, run)
    tab.open()
    tab.page.evaluate(DROP, ["trace.json", text])
    expect(tab.page.locator(".trace-head h1")).to_have_text("support_agent")
    assert tab.page.url.startswith(f"{stack.url}/traces/{run}")


@pytest.mark.parametrize("where", [".trace-head", ".top", ".rail"])
def test_a_file_may_be_dropped_anywhere(stack: Stack, tab: Tab, where: str) -> None:
    """A browser leaves the page for a file that nobody takes."""
    run, other = new_id(), new_id()
    text = exported(stack, run)
    stack.post_spans([span(other, f"open {other}")])
    tab.open(f"/traces/{other}")
    expect(tab.page.locator(".trace-head h1")).to_have_text(f"open {other}")
    tab.page.evaluate(DROP, ["trace.json", text, where])
    expect(tab.page.locator(".trace-head h1")).to_have_text("support_agent")
    tab.page.evaluate(DROP, ["bad.json", "{", where])
    tab.expect("422")
    expect(tab.page.get_by_role("alert", name="Import refused")).to_contain_text("bad.json was not imported.")


def test_a_bad_import_names_the_field_or_the_line(stack: Stack, tab: Tab, tmp_path: Path) -> None:
    run = new_id()
    whole = json.loads(exported(stack, run))
    whole["spans"][2]["start_time"] = "yesterday"
    tab.expect("40[09]|422")
    tab.open()
    tab.page.evaluate(DROP, ["bad.json", json.dumps(whole)])
    alert = tab.page.get_by_role("alert", name="Import refused")
    expect(alert).to_contain_text("bad.json was not imported.")
    expect(alert.locator("code")).to_have_text("spans[2].start_time")
    assert stack.ask("GET", f"/v1/traces/{run}").status == 404
    alert.get_by_role("button", name="Dismiss").click()
    expect(alert).to_have_count(0)
    file = tmp_path / "broken.json"
    file.write_text('{"version": "1",\n "format": beacon}')
    tab.page.get_by_label("Files to import").first.set_input_files(file)
    expect(alert).to_contain_text("That is line 2, column 12")
    tab.page.evaluate(DROP, ["empty.json", '{"traces": []}'])
    expect(alert).to_contain_text("The file holds no trace")
    tab.page.evaluate(DROP, ["other.json", '{"hello": 1}'])
    expect(alert).to_contain_text("export of format")


def test_a_beacon_that_is_away_says_when_it_is_tried_again(make_stack: MakeStack, open_tab: OpenTab) -> None:
    stack = make_stack().start()
    stack.post_spans([span("one", "one")])
    tab = open_tab(stack.url)
    tab.expect(AWAY)
    tab.open()
    expect(tab.page.get_by_role("row", name="one")).to_be_visible()
    with stack.without("hub"):
        banner = tab.page.locator(".banner-away")
        expect(banner).to_contain_text("Beacon does not answer")
        expect(banner).to_contain_text(re.compile(r"Trying again in \d+ s\."))
        expect(tab.page.get_by_role("row", name="one")).to_be_visible()  # what was read stays
    stack.wait_healthy()
    expect(banner).to_have_count(0, timeout=20_000)


def test_a_call_of_a_model_that_failed_says_who_and_why(stack: Stack, tab: Tab) -> None:
    run = new_id()
    said = "429 Too Many Requests: Rate limit reached for gpt-4o"
    attributes = {"llm.provider": "openai", "llm.model": "gpt-4o", "llm.prompt": "[]"}
    stack.post_spans(
        [span(run, "ask", span_type="llm_call", status="error", error_message=said, attributes=attributes)]
    )
    tab.open(f"/traces/{run}")
    pane = tab.page.get_by_role("region", name="Span", exact=True)
    expect(pane).to_contain_text(said)
    expect(pane.locator(".facts")).to_contain_text("provideropenai")


def test_a_span_that_cannot_be_read_is_not_asked_for_without_end(stack: Stack, tab: Tab) -> None:
    run = new_id()
    stack.post_spans([span(run, "one", lasts=None, status="unset", attributes={"key": "value of it"})])
    asked: list[str] = []

    def fail(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=500, json={"detail": "A bug, in the log under 1a2b."})

    tab.page.route("**/v1/spans/*", fail)
    tab.expect("500")
    tab.open(f"/traces/{run}")
    pane = tab.page.get_by_role("region", name="Span", exact=True)
    expect(pane.get_by_role("alert")).to_contain_text("under 1a2b")
    # every one of these draws the page anew
    for n in range(5):
        stack.post_spans([span(run, f"more {n}")])
        expect(tab.page.get_by_role("row", name=f"more {n}")).to_be_visible()
    assert len(asked) <= 2
    tab.page.unroute("**/v1/spans/*")
    pane.get_by_role("button", name="Try again").click()
    expect(pane).to_contain_text("value of it")


def test_a_full_disk_is_said_and_what_is_shown_stays(stack: Stack, tab: Tab) -> None:
    run = new_id()
    text = exported(stack, run)
    stack.post_spans([span(new_id(), "kept")])
    full = "The disk is full: nothing can be stored. Make room, then try again."
    tab.expect("503")
    tab.open()
    answer = {
        "status": 503, "headers": {"retry-after": "5"}, "body": json.dumps({"detail": full}),
        "content_type": "application/json",
    }  # fmt: skip
    tab.page.route("**/v1/traces/import", lambda route: route.fulfill(**answer))
    tab.page.evaluate(DROP, ["trace.json", text])
    expect(tab.page.get_by_role("alert", name="Import refused")).to_contain_text(full)
    tab.page.unroute("**/v1/traces/import")
    tab.page.evaluate(DROP, ["trace.json", text])
    expect(tab.page.locator(".trace-head h1")).to_have_text("support_agent")


def test_a_demo_runs_with_no_key_and_is_watched_live(make_stack: MakeStack, open_tab: OpenTab) -> None:
    stack = make_stack().start()
    stack.wait_healthy()
    tab = open_tab(stack.url).open()
    ways = tab.page.locator(".ways")
    expect(ways).to_contain_text("beacon run python agent.py")
    expect(ways.locator("section")).to_have_count(3)
    tab.page.get_by_role("button", name="Run a demo agent (no key needed)").click()
    tab.until("location.pathname.startsWith('/traces/')")
    expect(tab.page.locator(".trace-head")).not_to_contain_text("running", timeout=60_000)
    expect(tab.page.locator(".rows-seen [role=row]").nth(2)).to_be_visible()
    expect(tab.page.locator(".trace-head")).to_contain_text("ok")


def test_a_token_is_asked_for_and_kept_for_the_tab(make_stack: MakeStack, open_tab: OpenTab) -> None:
    stack = make_stack(BEACON_TOKEN="s3cret").start()
    stack.post_spans([span("secret", "secret trace")])
    tab = open_tab(stack.url)
    tab.expect("401|WebSocket connection to")
    tab.open("/traces/secret")
    form = tab.page.get_by_role("form", name="Token")
    expect(form).to_be_visible()
    assert "secret trace" not in tab.page.content()
    form.get_by_label("Token").fill("wrong")
    tab.press("Enter")
    expect(tab.page.get_by_role("alert")).to_contain_text("not the right one")
    form.get_by_label("Token").fill("s3cret")
    tab.press("Enter")
    expect(tab.page.locator(".trace-head h1")).to_have_text("secret trace")
    expect(tab.page.locator(".live")).to_have_text("live")
    stack.post_spans([span("secret", "child", parent="secret trace")])
    expect(tab.page.locator(".rows-seen [role=row]")).to_have_count(2)  # the websocket has it too
    other = open_tab(stack.url)
    other.expect("401|WebSocket connection to")
    other.open()
    expect(other.page.get_by_role("form", name="Token")).to_be_visible()
