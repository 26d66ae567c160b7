"""Replay: a recorded call edited and run again, against a provider that is a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.e2e.tab import OpenTab, Tab
from tests.fake_provider import Reply
from tests.stack import MakeStack
from tests.system.lab import Lab, open_lab

pytestmark = pytest.mark.browser

TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
MESSAGES = [{"role": "system", "content": "Be terse."}, {"role": "user", "content": "Weather in Paris?"}]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with open_lab() as lab:
        yield lab


@pytest.fixture
def replay(lab: Lab, open_tab: OpenTab) -> Tab:
    """The replay of a recorded call, opened by its key."""
    lab.fake.requests.clear()
    lab.fake.default = Reply()
    return enter(lab, open_tab)


def enter(lab: Lab, open_tab: OpenTab, **attributes: Any) -> Tab:
    call = lab.record(MESSAGES, temperature=0.5, tools=json.dumps([TOOL]), **attributes)
    tab = open_tab(lab.stack.url).open(f"/traces/{call}")
    expect(tab.page.locator("[role=row][aria-selected=true]")).to_be_visible()
    tab.press("r")
    expect(tab.page.get_by_role("textbox", name="Message 1", exact=True)).to_have_value("Be terse.")
    return tab


def sent(lab: Lab, at: int = -1) -> Any:
    return [request for request in lab.fake.requests if request.method == "POST"][at].json


def result(tab: Tab) -> Locator:
    return tab.page.get_by_role("region", name="What came back")


def test_messages_are_edited_as_cards_and_what_was_edited_is_sent(lab: Lab, replay: Tab) -> None:
    page = replay.page
    page.get_by_role("textbox", name="Message 2", exact=True).fill("Weather in Rome?")
    page.get_by_role("button", name="Add a message").click()
    expect(page.get_by_role("textbox", name="Message 3", exact=True)).to_be_focused()
    page.keyboard.type("And in Oslo?")
    page.get_by_role("button", name="Move message 3 up").click()
    page.get_by_role("button", name="Remove message 1").click()
    page.get_by_role("combobox", name="Role of message 1").select_option("assistant")
    page.get_by_label("Model").fill("fake-small")
    page.get_by_label("Temperature").fill("0")
    page.get_by_label("Max tokens").fill("77")
    page.get_by_label("Tools (1)").uncheck()
    lab.fake.script(Reply(text="It is 21C in Rome."))
    page.keyboard.press("Control+Enter")
    expect(result(replay).locator("ins").first).to_have_text("21C")
    body = sent(lab)
    assert body["model"] == "fake-small"
    assert (body["temperature"], body["max_tokens"]) == (0, 77)
    assert body["messages"] == [
        {"role": "assistant", "content": "And in Oslo?"},
        {"role": "user", "content": "Weather in Rome?"},
    ]
    assert "tools" not in body


def test_the_answer_is_compared_word_by_word_and_in_figures(lab: Lab, replay: Tab) -> None:
    lab.fake.script(Reply(text="It is 21C in Paris.", tokens_input=20, tokens_output=9))
    page = replay.page
    expect(page.locator(".replay-price")).to_contain_text("Costs nothing")  # said before the click
    page.get_by_role("button", name="Run", exact=False).first.click()
    expect(result(replay).locator("del")).to_have_text(["18C"])
    expect(result(replay).locator("ins")).to_have_text(["21C"])
    figures = page.locator(".replay-figures")
    expect(figures.get_by_role("row", name="Output tokens").get_by_role("cell")).to_have_text(["7", "9"])
    expect(figures.get_by_role("row", name="Input tokens").get_by_role("cell")).to_have_text(["12", "20"])
    expect(figures.get_by_role("row", name="Cost").get_by_role("cell")).to_have_text(["$0.2500", "$0"])
    expect(figures.get_by_role("row", name="Latency").get_by_role("cell").first).to_have_text("1.0 s")
    page.get_by_role("button", name="Side by side").click()
    expect(page.get_by_role("region", name="Recorded", exact=True)).to_have_text("RecordedIt is 18C in Paris.")
    expect(page.get_by_role("region", name="This run", exact=True)).to_have_text("This runIt is 21C in Paris.")


def test_text_is_shown_as_it_is_written_and_cancel_ends_the_call(lab: Lab, replay: Tab) -> None:
    lab.fake.script(Reply(pieces=["Paris ", "is ", "mild."], gate="rest", gate_after=1))
    replay.page.get_by_role("button", name="Run", exact=False).first.click()
    expect(result(replay)).to_contain_text("Paris")
    expect(result(replay).get_by_role("timer")).to_contain_text("s")
    lab.fake.wait(lambda: lab.fake.requests, "the call")
    result(replay).get_by_role("button", name="Cancel").click()
    expect(result(replay)).to_contain_text("Cancelled")
    call = next(request for request in lab.fake.requests if request.method == "POST")
    lab.fake.wait(lambda: call.disconnected, "the call to be given up")
    lab.fake.open("rest")
    expect(replay.page.get_by_role("button", name="Run", exact=False).first).to_be_enabled()
    lab.job("replay", "cancelled")


def test_every_run_is_kept_and_two_can_be_compared(lab: Lab, replay: Tab) -> None:
    page = replay.page
    page.get_by_role("spinbutton", name="Runs").fill("2")
    lab.fake.script(Reply(text="It is 1C in Paris."), Reply(text="It is 2C in Paris."))
    page.get_by_role("button", name="Run 2 times").click()
    runs = page.get_by_role("region", name="Runs", exact=True)
    expect(runs.get_by_role("listitem")).to_have_count(2)
    page.get_by_role("spinbutton", name="Runs").fill("1")
    page.get_by_label("Model").fill("fake-small")
    lab.fake.script(Reply(text="It is 3C in Paris."))
    page.get_by_role("button", name="Run", exact=False).first.click()
    expect(runs.get_by_role("listitem")).to_have_count(3)
    replay.page.reload()  # the address says that the replay is open, and the server has the runs
    expect(runs.get_by_role("listitem")).to_have_count(3)
    expect(runs.get_by_role("listitem").first).to_contain_text("model fake-small")
    runs.get_by_role("checkbox").nth(0).check()
    runs.get_by_role("checkbox").nth(1).check()
    both = result(replay).locator(".outcome-one")
    expect(both).to_have_count(2)
    expect(both.nth(0).locator("ins")).to_have_text("3C")
    expect(page.locator(".replay-figures tbody tr").first.get_by_role("cell")).to_have_count(3)


def test_a_provider_that_refuses_is_named_with_its_status_and_words(lab: Lab, replay: Tab) -> None:
    lab.fake.script(Reply(status=400, error="max_tokens is too large"))
    replay.page.get_by_role("button", name="Run", exact=False).first.click()
    alert = result(replay).get_by_role("alert")
    expect(alert).to_contain_text("lab did not answer (status 502)")
    expect(alert).to_contain_text("max_tokens is too large")
    expect(alert).to_contain_text("400")
    lab.fake.script(Reply(text="Now it works."))
    alert.get_by_role("button", name="Try again").click()
    expect(result(replay)).to_contain_text("Now it works.")


def test_what_cannot_be_sent_is_said_before_it_is(replay: Tab) -> None:
    page = replay.page
    run = page.get_by_role("button", name="Run", exact=False).first
    page.get_by_label("Temperature").fill("hot")
    expect(page.get_by_role("alert")).to_have_text("The temperature is a number from 0 to 2.")
    expect(run).to_be_disabled()
    page.get_by_role("button", name="As recorded").click()
    expect(run).to_be_enabled()
    replay.press("Escape")
    expect(page.get_by_role("region", name="Replay", exact=True)).to_have_count(0)
    assert "replay" not in replay.query


def test_without_a_key_it_is_asked_for_in_place(make_stack: MakeStack, open_tab: OpenTab) -> None:
    stack = make_stack().start()
    call = {
        "trace_id": "call", "span_id": "call", "span_type": "llm_call", "name": "ask", "status": "ok",
        "start_time": 1, "end_time": 2,
        "attributes": {
            "llm.provider": "openai", "llm.model": "gpt-4o", "llm.prompt": json.dumps(MESSAGES),
            "llm.tokens.input": 1000, "llm.tokens.output": 100,
        },
    }  # fmt: skip
    stack.post_spans([call])
    tab = open_tab(stack.url).open("/traces/call?span=call&replay=1")
    field = tab.page.get_by_role("textbox", name="API key for openai")
    expect(tab.page.get_by_role("form", name="API key of openai")).to_contain_text("There is no API key for openai")
    run = tab.page.get_by_role("button", name="Run", exact=False).first
    expect(run).to_be_disabled()
    expect(tab.page.locator(".replay-price")).to_have_text("$0.0035")
    field.fill("sk-0123456789-0123456789-abcd")
    tab.press("Enter")
    expect(run).to_be_enabled()
    expect(field).to_have_count(0)
    saved = stack.ask("GET", "/v1/settings/api-keys").json
    assert next(one for one in saved if one["provider"] == "openai")["masked_key"].endswith("abcd")


def test_only_calls_of_a_model_can_be_run_again(lab: Lab, open_tab: OpenTab) -> None:
    span = {
        "trace_id": "tool-only", "span_id": "tool", "span_type": "tool_use", "name": "tool", "status": "ok",
        "start_time": 1, "end_time": 2,
    }  # fmt: skip
    lab.stack.post_spans([span])
    tab = open_tab(lab.stack.url).open("/traces/tool-only?span=tool&replay=1")
    expect(tab.page.get_by_role("heading", name="Only a call of a model can be run again")).to_be_visible()


def test_calls_and_parts_are_cards_too_and_nothing_is_escaped(lab: Lab, open_tab: OpenTab) -> None:
    lab.fake.requests.clear()
    lab.fake.default = Reply()
    called = {
        "id": "c1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Par\\u00eds"}'},
    }
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "Where is this?"}, image]},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "c1", "content": "18C"},
    ]
    call = lab.record(messages, tools=json.dumps([TOOL]))
    tab = open_tab(lab.stack.url).open(f"/traces/{call}")
    expect(tab.page.locator("[role=row][aria-selected=true]")).to_be_visible()
    tab.press("r")
    arguments = tab.page.get_by_role("textbox", name="Arguments of get_weather, call 1 of message 2")
    expect(arguments).to_have_value('{\n  "city": "París"\n}')
    arguments.fill('{"city": "Oslo"')
    expect(tab.page.get_by_role("alert").first).to_contain_text("The arguments of get_weather are not JSON any more")
    arguments.fill('{"city": "Oslo"}')
    tab.page.get_by_role("textbox", name="Text, part 1 of message 1").fill("And this?")
    tab.press("Control+Enter")
    lab.wait_calls(1)
    asked = sent(lab)["messages"]
    assert asked[0]["content"] == [{"type": "text", "text": "And this?"}, image]
    assert asked[1]["tool_calls"] == [{**called, "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}]
    assert asked[2]["content"] == "18C"


def test_what_was_edited_is_there_after_the_page_was_loaded_again(replay: Tab) -> None:
    edited = replay.page.get_by_role("textbox", name="Message 2", exact=True)
    edited.fill("Weather in Rome?")
    replay.until("Object.values(sessionStorage).some((kept) => kept.includes('Rome'))")
    replay.page.reload()
    expect(edited).to_have_value("Weather in Rome?")
    replay.page.get_by_role("button", name="As recorded").click()
    expect(edited).to_have_value("Weather in Paris?")
    replay.page.reload()
    expect(edited).to_have_value("Weather in Paris?")


def test_nothing_is_run_before_its_price_was_asked_for(lab: Lab, open_tab: OpenTab) -> None:
    lab.fake.requests.clear()
    tab = open_tab(lab.stack.url)
    held: list[Route] = []
    tab.page.route("**/v1/models", lambda route: held.append(route))
    tab.expect("503")
    call = lab.record(MESSAGES)
    tab.open(f"/traces/{call}")
    expect(tab.page.locator("[role=row][aria-selected=true]")).to_be_visible()
    tab.press("r")
    price = tab.page.locator(".replay-price")
    run = tab.page.get_by_role("button", name="Run", exact=False).first
    expect(price).to_have_text("Asking what it costs…")
    expect(run).to_be_disabled()
    tab.press("Control+Enter")
    tab.until_told(lambda: held, "the price to be asked for")
    held[0].fulfill(status=503, json={"detail": "No worker is there."}, headers={"retry-after": "1"})
    expect(price).to_have_text("What it costs could not be read now.")
    assert lab.calls() == 0
    tab.page.unroute("**/v1/models")
    tab.page.get_by_role("button", name="Ask again").click()
    expect(price).to_have_text("Costs nothing: it runs on this machine.")
    expect(run).to_be_enabled()
