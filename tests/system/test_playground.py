"""The playground through the whole stack: real traces, live while the model still thinks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fake_provider import Reply
from tests.processes import wait_for
from tests.system.lab import Lab, open_lab
from tests.system.live import Live


@pytest.fixture(scope="module")
def shared_lab() -> Iterator[Lab]:
    with open_lab() as lab:
        yield lab


@pytest.fixture
def lab(shared_lab: Lab) -> Lab:
    shared_lab.fake.requests.clear()
    shared_lab.fake.default = Reply()
    return shared_lab


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "lab/fake-large", "messages": [{"role": "user", "content": text}], **more}


def test_a_chat_is_live_from_its_first_moment(lab: Lab) -> None:
    lab.fake.script(Reply(text="Hello.", gate="hello", tokens_input=9, tokens_output=2))
    with Live(lab.stack) as live:
        call = lab.soon("POST", "/v1/playground/chat", chat("Hi"))
        lab.wait_calls(1)

        def created() -> list[dict[str, Any]]:
            return [event["span"] for event in live.events if event.get("event") == "span_created"]

        wait_for(lambda: len(created()) == 2, "both spans")
        assert not call.done()
        assert {span["span_type"] for span in created()} == {"agent_step", "llm_call"}
        assert all(span["end_time"] is None and span["status"] == "unset" for span in created())
        lab.fake.open("hello")
        got = call.result().json
        assert got["message"] == {"role": "assistant", "content": "Hello."}
        assert (got["metrics"]["input_tokens"], got["metrics"]["output_tokens"]) == (9, 2)
        assert got["metrics"]["latency_ms"] > 0
        ended = {span["span_id"] for span in lab.spans(got["trace_id"]) if span["status"] == "ok"}
        wait_for(
            lambda: (
                {event["span_id"] for event in live.events if event.get("updates", {}).get("status") == "ok"} == ended
            ),
            "both to have ended",
        )
    trace = lab.stack.ask("GET", f"/v1/traces/{got['trace_id']}").json
    assert (trace["total_tokens"], trace["status"], trace["running_count"]) == (11, "ok", 0)


def test_a_conversation_keeps_one_trace(lab: Lab) -> None:
    first = lab.stack.ask("POST", "/v1/playground/chat", chat("Hi")).json
    again = chat("And?", conversation_id=first["conversation_id"])
    again["messages"] = [{"role": "user", "content": "Hi"}, first["message"], *again["messages"]]
    second = lab.stack.ask("POST", "/v1/playground/chat", again).json
    assert second["trace_id"] == first["trace_id"]
    assert [span["span_type"] for span in lab.spans(first["trace_id"])].count("llm_call") == 2
    assert [message["role"] for message in lab.fake.requests[1].json["messages"]] == ["user", "assistant", "user"]


def test_a_chat_is_streamed_on_request(lab: Lab) -> None:
    lab.fake.script(Reply(pieces=["Hel", "lo."], gate="lo", gate_after=1))
    with lab.streaming("/v1/playground/chat", chat("Hi", stream=True)) as events:
        assert next(events) == ("delta", {"run": 0, "text": "Hel"})
        lab.fake.open("lo")
        assert next(events) == ("delta", {"run": 0, "text": "lo."})
        (name, result), *more = list(events)
    assert (name, more) == ("result", [])
    assert result["message"]["content"] == "Hello."


def test_a_chat_that_fails_is_a_502_and_its_spans_are_in_error(lab: Lab) -> None:
    lab.fake.default = Reply(status=400, error="no such thing")
    answer = lab.stack.ask("POST", "/v1/playground/chat", chat("Hi", conversation_id="failing"))
    assert answer.status == 502
    assert "no such thing" in answer.json["detail"]
    trace_id = lab.job("chat", "failed")["trace_id"]
    assert {span["status"] for span in lab.spans(trace_id)} == {"error"}
    assert all("no such thing" in span["error_message"] for span in lab.spans(trace_id))


def test_a_chat_that_was_recorded_can_be_replayed(lab: Lab) -> None:
    got = lab.stack.ask("POST", "/v1/playground/chat", chat("Hi", params={"temperature": 0.5})).json
    (span,) = [span for span in lab.spans(got["trace_id"]) if span["span_type"] == "llm_call"]
    assert lab.replay(span["span_id"]).status == 200
    first, second = (request.json for request in lab.fake.requests)
    assert first == second


def test_one_failed_model_does_not_sink_a_comparison_and_all_do(lab: Lab) -> None:
    body = {"models": ["lab/fake-large", "lab/fake-small"], "messages": [{"role": "user", "content": "Hi"}]}
    lab.fake.script(Reply(status=400, error="broken"), model="fake-small")
    lab.fake.script(Reply(text="fine"), model="fake-large")
    got = lab.stack.ask("POST", "/v1/playground/compare", body).json
    good, failed = got["results"]
    assert (good["model"], good["completion"]) == ("lab/fake-large", "fine")
    assert "broken" in failed["error"]
    assert sorted(span["status"] for span in lab.spans(got["trace_id"])) == ["error", "ok", "ok"]
    lab.fake.default = Reply(status=400, error="broken")
    assert lab.stack.ask("POST", "/v1/playground/compare", body).status == 502


def test_prompts_are_compared_on_one_model(lab: Lab) -> None:
    body = {"model": "lab/fake-large", "prompts": ["one", "two"], "system_prompt": "Be terse."}
    got = lab.stack.ask("POST", "/v1/playground/compare-prompts", body).json
    assert [(run["prompt"], run["completion"]) for run in got["results"]] == [
        ("one", "This is fake-large. You said: one"),
        ("two", "This is fake-large. You said: two"),
    ]
    assert len(lab.spans(got["trace_id"])) == 3
