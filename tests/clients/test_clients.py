"""Each client runs its program once; what Beacon shows of it is compared, field by field, with what was asked."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.clients.expected import ASKED, CALL, CLIENTS, REPLIES, STEPS, expected, facts_of
from tests.clients.programs import asked
from tests.clients.running import run
from tests.fake_provider import FakeProvider
from tests.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.clients]


class Told(NamedTuple):
    """What came of a client's run: its one trace as Beacon shows it, and the provider it talked to."""

    client: str
    trace: dict[str, Any]
    provider_url: str

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The spans of calls, in the order of time."""
        spans = [span for span in self.trace["spans"] if span["span_type"] == "llm_call"]
        return sorted(spans, key=lambda span: span["start_time"])

    def call(self, step: str) -> dict[str, Any]:
        calls = self.calls
        assert len(calls) == len(STEPS), [span["name"] for span in calls]
        return calls[STEPS.index(step)]

    def only(self, span_type: str) -> dict[str, Any]:
        [found] = [span for span in self.trace["spans"] if span["span_type"] == span_type]
        assert isinstance(found, dict)
        return found


@pytest.fixture(scope="module", params=CLIENTS)
def told(request: pytest.FixtureRequest, shared: Stack) -> Told:
    """One run of the client, as a user would start it: with the lines docs/integrations.md gives."""
    name: str = request.param
    client = CLIENTS[name]
    with FakeProvider() as provider:
        provider.script(*REPLIES)
        trace = run(client.lock, client.program, name, shared, provider, **client.env)
        assert [one.model for one in provider.requests] == [asked.MODEL] * len(STEPS)
        return Told(name, trace, provider.url)


@pytest.mark.parametrize("step", STEPS)
def test_a_call_reads_as_it_was_asked_and_answered(told: Told, step: str) -> None:
    assert facts_of(told.call(step)) == expected(told.client, step)


def test_every_span_has_ended_and_has_a_place(told: Told) -> None:
    spans = told.trace["spans"]
    known = {span["span_id"] for span in spans}
    roots = [span for span in spans if span["parent_span_id"] is None]
    assert len(roots) == 1
    assert {span["parent_span_id"] for span in spans if span is not roots[0]} <= known
    for span in spans:
        assert roots[0]["start_time"] <= span["start_time"] <= span["end_time"] <= roots[0]["end_time"]
        assert span["status"] in ("ok", "error"), "nothing is left unset that has ended"
        assert span["sdk_language"] == "python"


def test_the_trace_counts_each_paid_call_once(told: Told) -> None:
    facts = [expected(told.client, step) for step in STEPS]
    assert told.trace["total_tokens"] == sum(one["tokens"][2] for one in facts if one["tokens"])
    cost = sum(one["cost"] for one in facts if one["cost"] is not None)
    assert told.trace["total_cost_usd"] == pytest.approx(cost, abs=1e-12)
    assert told.trace["running_count"] == 0
    assert told.trace["status"] == "error", "one of the calls was refused"


def test_the_session_and_the_service_are_known(told: Told) -> None:
    assert told.trace["session_id"] == asked.SESSION
    assert told.client in told.trace["tags"].values(), "service.name is a tag"


def test_the_work_of_the_tool_is_a_span(told: Told) -> None:
    if not CLIENTS[told.client].tool:
        assert not [span for span in told.trace["spans"] if span["span_type"] == "tool_use"]
        return
    tool = told.only("tool_use")
    assert tool["attributes"]["tool.name"] == CALL["name"]
    assert tool["status"] == "ok"
    said = tool["attributes"]["tool.input"]
    assert "Paris" in (said if isinstance(said, str) else str(said))
    assert asked.REPORT in tool["attributes"]["tool.output"]


def test_the_agent_is_a_step(told: Told) -> None:
    agents = [span for span in told.trace["spans"] if span["span_type"] == "agent_step"]
    if not CLIENTS[told.client].agent:
        assert agents == []
        return
    assert {span["attributes"]["agent.step_name"] for span in agents} <= {"weather", "plain"}
    assert "weather" in {span["attributes"]["agent.step_name"] for span in agents}


def test_a_local_server_can_be_called_again(told: Told) -> None:
    bases = {span["attributes"].get("llm.base_url") for span in told.calls}
    if CLIENTS[told.client].base_url:
        [base] = bases
        assert base.startswith(told.provider_url)
    else:
        assert bases == {None}


def test_the_first_word_is_timed(told: Told) -> None:
    first = told.call("stream")["attributes"].get("llm.ttft_ms")
    if CLIENTS[told.client].first_word:
        assert 0 < first < 60_000
    else:
        assert first is None


def test_the_table_names_calls_and_facts_that_exist() -> None:
    for client in CLIENTS.values():
        for step, facts in client.untold.items():
            assert set(facts) <= set(ASKED[step])
