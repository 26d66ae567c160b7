"""Demo agents on the whole stack: offline on the recorded model, and on a provider's."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from beacon.scenarios import CARDS
from tests.fake_answers import Reply
from tests.fake_provider import FakeProvider, Received
from tests.processes import wait_for
from tests.stack import MakeStack, Stack
from tests.system.live import Live

RUN_S = 60.0


@pytest.fixture(scope="module")
def offline() -> Iterator[Stack]:
    """A stack without any key, whose recorded model hardly pauses."""
    stack = Stack(BEACON_DEMO_PACE="0.01").start()
    try:
        stack.wait_healthy()
        yield stack
    finally:
        stack.destroy()


def started(stack: Stack, scenario: str) -> str:
    answer = stack.ask("POST", "/v1/demo/run", {"scenario": scenario})
    assert answer.status == 200, answer.body
    trace_id: str = answer.json["trace_id"]
    return trace_id


def root_of(trace: dict[str, Any]) -> dict[str, Any]:
    (root,) = [span for span in trace["spans"] if span["parent_span_id"] is None]
    return root  # type: ignore[no-any-return]


def job_of(stack: Stack, trace_id: str) -> dict[str, Any]:
    (job,) = [job for job in stack.ask("GET", "/v1/jobs").json["jobs"] if job["trace_id"] == trace_id]
    return job  # type: ignore[no-any-return]


def finished(stack: Stack, trace_id: str) -> dict[str, Any]:
    """The trace, once its job is over."""
    wait_for(lambda: job_of(stack, trace_id)["finished_at"], "the demo to end", RUN_S)
    trace: dict[str, Any] = stack.ask("GET", f"/v1/traces/{trace_id}").json
    return trace


def of_type(trace: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [span for span in trace["spans"] if span["span_type"] == kind]


# ---------------------------------------------------------------- recorded


def test_the_cards_say_that_there_is_no_key(offline: Stack) -> None:
    cards = offline.ask("GET", "/v1/demo/scenarios").json
    assert {"research_assistant", "code_reviewer", "trip_planner"} <= {card["key"] for card in cards}
    assert not any(card["api_key_configured"] for card in cards)


@pytest.mark.parametrize(
    ("scenario", "status", "calls", "also"),
    [
        ("research_assistant", "ok", 4, {"file_operation"}),
        ("code_reviewer", "ok", 4, {"file_operation", "shell_command"}),
        ("trip_planner", "ok", 4, {"browser_action"}),
        ("flaky_deploy", "error", 5, {"file_operation", "shell_command"}),
        ("endless_search", "error", 5, set()),
    ],
)
def test_a_scenario_runs_offline_and_grows_live(
    offline: Stack, scenario: str, status: str, calls: int, also: set[str]
) -> None:
    with Live(offline) as live:
        trace_id = started(offline, scenario)
        first = offline.ask("GET", f"/v1/traces/{trace_id}").json
        assert root_of(first)["attributes"]["demo.scenario"] == scenario, "the root is stored before the answer"
        trace = finished(offline, trace_id)
        assert offline.ask("GET", f"/v1/traces/{trace_id}").json["running_count"] == 0
        live.wait(
            lambda: any(
                event["span_id"] == root_of(trace)["span_id"] and event["updates"].get("end_time")
                for event in live.of("span_updated")
            ),
            "the end of the root on the websocket",
        )
        events = [e for e in live.events if e.get("event") in ("span_created", "span_updated")]
    # the trace
    assert trace["status"] == status
    root = root_of(trace)
    assert (root["status"], root["end_time"] == trace["end_time"]) == (status, True)
    assert job_of(offline, trace_id)["state"] == "done"
    kinds = {span["span_type"] for span in trace["spans"]}
    assert kinds == {"agent_step", "llm_call", "tool_use"} | also
    assert len(of_type(trace, "llm_call")) == calls
    assert all(span["attributes"]["demo.recorded"] is True for span in trace["spans"])
    assert all(span["end_time"] is not None and span["status"] != "unset" for span in trace["spans"])
    # the totals
    attributes = [span["attributes"] for span in of_type(trace, "llm_call")]
    assert trace["total_tokens"] == sum(a["llm.tokens.input"] + a["llm.tokens.output"] for a in attributes) > 1_000
    assert trace["total_cost_usd"] == pytest.approx(sum(a["llm.cost_usd"] for a in attributes))
    assert trace["total_cost_usd"] > 0
    assert trace["unpriced_count"] == 0
    # the conversation that was really had
    prompts = [json.loads(a["llm.prompt"]) for a in attributes]
    for before, after in pairwise(prompts):
        assert after[: len(before)] == before
        assert after[len(before)]["role"] == "assistant"
        assert {message["role"] for message in after[len(before) + 1 :]} == {"tool"}
    assert all(json.loads(a["llm.tools"]) for a in attributes)
    called = [call for a in attributes for call in json.loads(a.get("llm.tool_calls", "[]"))]
    assert [call["function"]["name"] for call in called] == [
        span["attributes"]["tool.name"] for span in of_type(trace, "tool_use")
    ]
    if status == "ok":
        assert attributes[-1]["llm.completion"] == root["attributes"]["agent.output"]
        assert attributes[-1]["llm.finish_reason"] == "stop"
    # live: each span running first, parents before children, and the root's end last
    created = [e["span"] for e in events if e["event"] == "span_created" and e["span"]["trace_id"] == trace_id]
    assert [span["span_id"] for span in created].count(root["span_id"]) == 1
    assert len(created) == len(trace["spans"])
    assert all(span["end_time"] is None and span["status"] == "unset" for span in created)
    seen: set[str | None] = {None}
    for span in created:
        assert span["parent_span_id"] in seen
        seen.add(span["span_id"])
    ends = [e["span_id"] for e in events if e["event"] == "span_updated" and e["updates"].get("end_time")]
    own = [span_id for span_id in ends if span_id in seen]
    assert own[-1] == root["span_id"]
    assert len(own) == len(created)


def test_the_failing_one_has_a_cause_to_find(offline: Stack) -> None:
    trace = finished(offline, started(offline, "flaky_deploy"))
    root = root_of(trace)
    assert "HealthCheckFailed" in root["error_message"]
    tools = [(s["attributes"]["tool.name"], s["status"]) for s in of_type(trace, "tool_use")]
    assert tools == [
        ("read_file", "ok"), ("run_migrations", "error"), ("run_migrations", "ok"), ("roll_out", "ok"),
        ("check_health", "error"),
    ]  # fmt: skip
    (stamp,) = [s for s in of_type(trace, "shell_command") if "stamp" in s["attributes"]["shell.command"]]
    assert "without running it" in stamp["attributes"]["shell.stdout"]


def test_the_looping_one_repeats_itself_until_its_limit(offline: Stack) -> None:
    trace = finished(offline, started(offline, "endless_search"))
    assert "StepLimitReached" in root_of(trace)["error_message"]
    assert (
        len({(s["attributes"]["tool.input"], s["attributes"]["tool.output"]) for s in of_type(trace, "tool_use")}) == 1
    )
    assert len(of_type(trace, "tool_use")) == 5


def test_its_text_streams_like_any_other_jobs(offline: Stack) -> None:
    with Live(offline) as live:
        trace_id = started(offline, "code_reviewer")
        finished(offline, trace_id)
        live.wait(lambda: "test_it_gives_up" in streamed(live, trace_id), "the review's last words")
    assert streamed(live, trace_id).startswith("I'll start with what the branch changes.")


def streamed(live: Live, trace_id: str) -> str:
    deltas = [event for event in live.of("job_updated") if event.get("trace_id") == trace_id and "delta" in event]
    return "".join(event["delta"]["text"] for event in deltas)


def test_an_unknown_scenario_is_refused(offline: Stack) -> None:
    answer = offline.ask("POST", "/v1/demo/run", {"scenario": "nobody"})
    assert answer.status == 400
    assert "research_assistant" in answer.json["detail"]


# ---------------------------------------------------------------- on a provider's model


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    with FakeProvider(models=tuple(card.model for card in CARDS)) as provider:
        yield provider


def asked_for(fake: FakeProvider) -> list[Received]:
    """The calls of a model; the lists of models left out."""
    return [request for request in fake.requests if request.method == "POST"]


@pytest.fixture
def paid(make_stack: MakeStack, fake: FakeProvider) -> Stack:
    """A stack whose OpenAI key is the fake provider's."""
    stack = make_stack(
        BEACON_DEMO_PACE="0", OPENAI_API_KEY="sk-of-the-demo-0123456789", OPENAI_BASE_URL=fake.base_url("openai")
    ).start()
    stack.wait_healthy()
    return stack


def test_with_a_key_the_real_model_decides(paid: Stack, fake: FakeProvider) -> None:
    cards = {card["key"]: card for card in paid.ask("GET", "/v1/demo/scenarios").json}
    assert cards["research_assistant"]["api_key_configured"]
    assert not cards["trip_planner"]["api_key_configured"]
    fake.script(
        Reply(text="Let me see.", tool_calls=[("calculate", {"expression": "6 * 7"}), ("fly", {})], tokens_input=100),
        Reply(text="It is 42.", tokens_input=150, tokens_output=5),
    )
    trace = finished(paid, started(paid, "research_assistant"))
    assert trace["status"] == "error"  # a tool that does not exist is an error, which the agent got over
    assert root_of(trace)["status"] == "ok"
    assert root_of(trace)["attributes"]["agent.output"] == "It is 42."
    assert not any("demo.recorded" in span["attributes"] for span in trace["spans"])
    one, two = asked_for(fake)
    assert {tool["function"]["name"] for tool in one.json["tools"]} == {"search_library", "read_article", "calculate"}
    told = [message for message in two.json["messages"] if message["role"] == "tool"]
    assert json.loads(told[0]["content"]) == {"value": 42.0}
    assert "no tool 'fly'" in json.loads(told[1]["content"])["error"]


def test_a_server_that_does_not_have_the_model_leaves_the_demo_to_the_recording(
    paid: Stack, fake: FakeProvider
) -> None:
    fake.models = ["llama3.2"]
    trace = finished(paid, started(paid, "research_assistant"))
    assert root_of(trace)["status"] == "ok"
    assert all(span["attributes"]["demo.recorded"] is True for span in trace["spans"])
    assert asked_for(fake) == []


def test_a_real_model_that_never_stops_is_stopped(paid: Stack, fake: FakeProvider) -> None:
    fake.default = Reply(tool_calls=[("search_archive", {"query": "again"})])
    trace = finished(paid, started(paid, "endless_search"))
    assert "StepLimitReached" in root_of(trace)["error_message"]
    assert len(asked_for(fake)) == 5


def test_an_answer_is_no_success_where_the_goal_was_missed(paid: Stack, fake: FakeProvider) -> None:
    fake.script(Reply(text="All is deployed and healthy."))
    trace = finished(paid, started(paid, "flaky_deploy"))
    assert "DeploymentFailed" in root_of(trace)["error_message"]


def test_a_provider_that_fails_ends_the_spans_in_error(paid: Stack, fake: FakeProvider) -> None:
    fake.default = Reply(status=400, error="The model is overfed.")
    trace_id = started(paid, "research_assistant")
    trace = finished(paid, trace_id)
    assert {span["status"] for span in trace["spans"]} == {"error"}
    assert all("overfed" in span["error_message"] for span in trace["spans"])
    job = job_of(paid, trace_id)
    assert (job["state"], job["error"]["status"]) == ("failed", 502)


def test_a_demo_whose_trace_is_deleted_does_not_bring_it_back(paid: Stack, fake: FakeProvider) -> None:
    fake.default = Reply(tool_calls=[("search_archive", {"query": "x"})], gate="deleted")
    trace_id = started(paid, "endless_search")
    wait_for(lambda: len(asked_for(fake)) == 1, "the first call")
    job_id = job_of(paid, trace_id)["job_id"]
    assert paid.ask("DELETE", f"/v1/traces/{trace_id}").status == 200
    wait_for(lambda: paid.ask("GET", f"/v1/jobs/{job_id}").json["finished_at"], "the job to end")
    fake.open("deleted")
    wait_for(lambda: all(request.ended_at for request in asked_for(fake)), "the calls to end")
    assert len(asked_for(fake)) < 5
    assert paid.ask("GET", f"/v1/traces/{trace_id}").status == 404


def test_a_cancelled_demo_ends_its_spans(paid: Stack, fake: FakeProvider) -> None:
    fake.default = Reply(hang=True)
    trace_id = started(paid, "research_assistant")
    wait_for(lambda: len(asked_for(fake)) == 1, "the first call")
    (name,) = [name for name in paid.pids() if name.startswith("replay_worker")]
    pid = paid.kill(name, signal.SIGSTOP)  # what it would say itself comes later: ingest knows whose spans they are
    try:
        assert paid.ask("DELETE", f"/v1/jobs/{job_of(paid, trace_id)['job_id']}").status == 200
        trace = paid.ask("GET", f"/v1/traces/{trace_id}").json
    finally:
        os.kill(pid, signal.SIGCONT)
    assert [span["span_type"] for span in trace["spans"]] == ["agent_step", "agent_step", "llm_call"]
    assert {(span["status"], span["error_message"]) for span in trace["spans"]} == {("error", "The job was cancelled.")}
    assert trace["running_count"] == 0
    wait_for(lambda: asked_for(fake)[0].disconnected, "the upstream connection to close")
