"""A recorded call made again: through hub, ingest, worker and a provider that behaves as each test says."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fake_provider import Reply
from tests.processes import wait_for
from tests.system.lab import KEY, USER, Lab, open_lab
from tests.system.live import Live

TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@pytest.fixture(scope="module")
def shared_lab() -> Iterator[Lab]:
    with open_lab(BEACON_REPLAY_WORKERS="2") as lab:
        yield lab


@pytest.fixture
def lab(shared_lab: Lab) -> Lab:
    shared_lab.fake.requests.clear()
    shared_lab.fake.default = Reply()
    return shared_lab


def joined(hunks: list[dict[str, str]], without: str) -> str:
    return "".join(hunk["text"] for hunk in hunks if hunk["op"] != without)


def test_what_was_recorded_is_sent_again_and_the_answer_compared(lab: Lab) -> None:
    span_id = lab.record(
        [{"role": "system", "content": "Be terse."}, USER],
        temperature=0.2,
        max_tokens=50,
        top_p=0.9,
        seed=7,
        tools=json.dumps([TOOL]),
        tool_choice="auto",
        response_format=json.dumps({"type": "json_object"}),
    )
    lab.fake.script(Reply(text="It is 21C in Paris.", tokens_input=20, tokens_output=8))
    answer = lab.replay(span_id)
    assert answer.status == 200, answer.body
    (request,) = lab.fake.requests
    assert request.path == "/v1/chat/completions"
    assert request.key == KEY
    sent = {
        "model": "fake-large",
        "messages": [{"role": "system", "content": "Be terse."}, USER],
        "temperature": 0.2,
        "max_tokens": 50,
        "top_p": 0.9,
        "seed": 7,
        "tools": [TOOL],
        "tool_choice": "auto",
        "response_format": {"type": "json_object"},
    }
    assert sent.items() <= request.json.items()
    got = answer.json
    assert got["original_span_id"] == span_id
    expected = {"llm.completion": "It is 21C in Paris.", "llm.tokens.input": 20, "llm.tokens.output": 8}
    assert expected.items() <= got["new_output"].items()
    assert got["new_output"]["llm.cost_usd"] == 0.0, "a server on this machine costs nothing"
    diff = got["diff"]
    assert diff["changed"]
    assert joined(diff["hunks"], "insert") == diff["old_completion"] == "It is 18C in Paris."
    assert joined(diff["hunks"], "delete") == diff["new_completion"] == "It is 21C in Paris."
    assert {"op": "delete", "text": "18C"} in diff["hunks"]
    (run,) = lab.replays(span_id)
    assert run["replay_id"] == got["replay_id"]
    trace = lab.stack.ask("GET", f"/v1/traces/{span_id}").json
    assert (trace["span_count"], trace["total_cost_usd"], trace["total_tokens"]) == (1, 0.25, 19)


def test_modifications_are_merged_and_a_changed_prompt_is_kept_as_a_version(lab: Lab) -> None:
    span_id = lab.record(temperature=0.2, max_tokens=50)
    prompt = json.dumps([{"role": "user", "content": "Weather in Rome?"}])
    answer = lab.replay(span_id, modified_attributes={"llm.prompt": prompt, "llm.temperature": 1, "llm.model": "other"})
    assert answer.status == 200, answer.body
    body = lab.fake.requests[0].json
    assert body["model"] == "other"
    assert body["messages"] == [{"role": "user", "content": "Weather in Rome?"}]
    assert (body["temperature"], body["max_tokens"]) == (1, 50)
    (version,) = lab.stack.ask("GET", f"/v1/spans/{span_id}/prompt-versions").json["versions"]
    assert (version["prompt_text"], version["label"]) == (prompt, "Replay")
    recorded = lab.stack.ask("GET", f"/v1/spans/{span_id}").json["attributes"]
    assert recorded["llm.temperature"] == 0.2, "the recorded span stays as it is"


def test_tool_calls_are_kept(lab: Lab) -> None:
    lab.fake.script(Reply(text="", tool_calls=[("get_weather", {"city": "Paris"})]))
    got = lab.replay(lab.record(tools=[TOOL])).json["new_output"]
    (call,) = got["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
    assert got["llm.finish_reason"] == "tool_calls"


def test_a_conversation_with_tools_is_sent_as_it_was(lab: Lab) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
    messages: list[dict[str, Any]] = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "18C"},
    ]
    assert lab.replay(lab.record(messages)).status == 200
    assert lab.fake.requests[0].json["messages"] == messages


def test_googles_signatures_go_back_to_the_model_that_gave_them(lab: Lab) -> None:
    recorded: list[dict[str, Any]] = [
        {"role": "user", "parts": [{"text": "Weather?"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": {}}, "thoughtSignature": "c2ln"}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "response": {"t": 18}}}]},
    ]
    span_id = lab.record(recorded)
    assert lab.replay(span_id).status == 200
    assert lab.replay(span_id, modified_attributes={"llm.model": "fake-large"}).status == 200
    assert lab.replay(span_id, modified_attributes={"llm.model": "fake-small"}).status == 200
    signed = ["c2ln" in request.body.decode() for request in lab.fake.requests]
    assert signed == [True, True, False], "another model refuses a signature that is not its own"


@pytest.mark.parametrize(
    ("messages", "named"),
    [
        ([USER, {"role": "tool", "tool_call_id": "c1", "content": "18C"}], "messages[1]"),
        (
            [
                USER,
                USER,
                {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}]},
            ],
            "messages[2]",
        ),
    ],
)
def test_a_tool_message_without_its_other_half_is_refused_before_any_call(
    lab: Lab, messages: list[dict[str, Any]], named: str
) -> None:
    answer = lab.replay(lab.record(messages))
    assert answer.status == 400
    assert named in answer.json["detail"]
    assert lab.calls() == 0


def test_n_runs_side_by_side_and_one_that_fails_sinks_nobody(lab: Lab) -> None:
    span_id = lab.record()
    lab.fake.script(
        Reply(text="one", gate="runs"), Reply(status=400, error="not today"), Reply(text="two", gate="runs")
    )
    call = lab.replay_soon(span_id, n=3)
    lab.fake.wait(lambda: lab.calls() == 3 and lab.fake.in_flight() == 2, "all runs at once")
    lab.fake.open("runs")
    got = call.result().json
    outputs = [run["new_output"]["llm.completion"] for run in got["runs"] if "new_output" in run]
    (failed,) = [run for run in got["runs"] if "error" in run]
    assert sorted(outputs) == ["one", "two"]
    assert failed["error"]["status"] in (400, 502)
    assert "not today" in failed["error"]["detail"]
    assert got["new_output"]["llm.completion"] in outputs
    assert len(lab.replays(span_id)) == 3


def test_when_every_run_fails_so_does_the_replay(lab: Lab) -> None:
    lab.fake.default = Reply(status=400, error="never")
    answer = lab.replay(lab.record(), n=2)
    assert answer.status == 502
    assert "never" in answer.json["detail"]


def test_runs_that_may_cost_more_than_the_cap_are_refused_before_the_first() -> None:
    with open_lab(BEACON_SPEND_CAP_USD="0.25") as lab:
        span_id = lab.record(max_tokens=1_000)
        prices = {"fake-large": {"input_usd_per_million": 1, "output_usd_per_million": 100}}
        (lab.stack.home / "prices.json").write_text(json.dumps(prices))
        assert lab.replay(span_id, n=2).status == 200
        lab.fake.requests.clear()
        refused = lab.replay(span_id, n=3)
        assert refused.status == 400
        assert "$0.31" in refused.json["detail"] or "$0.30" in refused.json["detail"]
        assert "BEACON_SPEND_CAP_USD" in refused.json["detail"]
        for limit in ({"llm.max_tokens": 1e9}, {"llm.max_completion_tokens": "1000000000"}, {"llm.max_tokens": None}):
            assert lab.replay(span_id, n=2, modified_attributes=limit).status == 400, limit
        assert lab.calls() == 0
        assert len(lab.replays(span_id)) == 2


def test_text_is_streamed_while_the_model_speaks(lab: Lab) -> None:
    span_id = lab.record()
    lab.fake.script(Reply(pieces=["It ", "is ", "21C."], gate="rest", gate_after=1))
    with Live(lab.stack) as live:
        with lab.streaming("/v1/replay", {"span_id": span_id, "stream": True}) as events:
            assert next(events) == ("delta", {"run": 0, "text": "It "})
            assert lab.fake.in_flight() == 1, "the model has more to say"
            lab.fake.open("rest")
            *deltas, (name, result) = list(events)
        assert {name for name, _ in deltas} == {"delta"}
        assert "".join(delta["text"] for _, delta in deltas) == "is 21C."
        assert name == "result"
        assert result["new_output"]["llm.completion"] == "It is 21C."
        wait_for(
            lambda: any(
                e.get("event") == "job_updated" and e.get("job", {}).get("state") == "done" for e in live.events
            ),
            "job_updated",
        )
    assert lab.fake.requests[0].streamed


def test_without_stream_the_provider_is_not_asked_to(lab: Lab) -> None:
    assert lab.replay(lab.record()).status == 200
    assert not lab.fake.requests[0].streamed


def test_a_rate_limit_is_waited_out(lab: Lab) -> None:
    lab.fake.script(Reply(status=429, headers={"retry-after": "1"}, error="slow down"), Reply(text="now"))
    began = time.monotonic()
    answer = lab.replay(lab.record())
    assert answer.json["new_output"]["llm.completion"] == "now"
    assert time.monotonic() - began >= 1.0
    assert lab.calls() == 2


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(status=500, error="our disk burns"), "our disk burns"),
        (Reply(status=401, error="bad key", echo_key=True), "bad key"),
        (Reply(body=b"<html>it works</html>"), ""),
        (Reply(close=True), ""),
    ],
    ids=["500", "401", "garbage", "closed"],
)
def test_a_provider_that_fails_is_a_502_in_its_own_words(lab: Lab, reply: Reply, says: str) -> None:
    lab.fake.default = reply
    span_id = lab.record()
    answer = lab.replay(span_id)
    assert answer.status == 502, answer.body
    assert says in answer.json["detail"]
    assert KEY not in answer.body.decode()
    assert lab.replays(span_id) == [] or all("error" in run for run in lab.replays(span_id))


def test_a_stream_that_is_cut_is_no_answer(lab: Lab) -> None:
    lab.fake.script(Reply(pieces=["half ", "an ", "answer"], cut_after=2))
    answer = lab.replay(lab.record(), stream=True)
    assert "event: error" in answer.body.decode()
    assert "event: result" not in answer.body.decode()
    assert lab.calls() == 1, "a call whose answer has begun is not made again"


def test_a_huge_answer_arrives_whole(lab: Lab) -> None:
    lab.fake.script(Reply(huge=2 * 1024 * 1024))
    got = lab.replay(lab.record()).json
    assert len(got["new_output"]["llm.completion"]) == 2 * 1024 * 1024
    assert joined(got["diff"]["hunks"], "delete") == got["new_output"]["llm.completion"]


def test_a_recorded_server_on_this_machine_is_called_without_a_key(lab: Lab) -> None:
    lab.fake.key = None
    try:
        span_id = lab.record(provider="elsewhere", base_url=lab.fake.base_url())
        assert lab.replay(span_id).status == 200
    finally:
        lab.fake.key = KEY
    assert lab.fake.requests[0].key is None


def test_a_recorded_server_elsewhere_is_never_called(lab: Lab) -> None:
    span_id = lab.record(base_url="https://evil.example/v1")
    refused = lab.replay(span_id)
    assert refused.status == 400
    assert "evil.example" in refused.json["detail"]
    assert lab.calls() == 0, "nor another server in its place"


def test_the_same_idempotency_key_is_the_same_call(lab: Lab) -> None:
    span_id = lab.record()
    headers = {"idempotency-key": "once-" + span_id}
    first, second = lab.replay(span_id, headers), lab.replay(span_id, headers)
    assert first.json["replay_id"] == second.json["replay_id"]
    assert lab.calls() == 1


def test_two_hundred_calls_run_side_by_side(lab: Lab) -> None:
    lab.fake.default = Reply(text="done", gate="all")
    span_id = lab.record()
    calls = [lab.replay_soon(span_id) for _ in range(200)]
    lab.fake.wait(lambda: lab.fake.in_flight() == 200, "200 calls in flight", 60.0)
    lab.fake.open("all")
    assert {call.result().status for call in calls} == {200}
    assert lab.calls() == 200
