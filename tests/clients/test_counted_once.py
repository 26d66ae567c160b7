"""Two instrumentations at once tell of each call twice: both are shown, and one is paid for."""

from __future__ import annotations

import subprocess
from typing import Any, NamedTuple

import pytest

from tests.clients.environments import python_of
from tests.clients.expected import PROGRAMS
from tests.clients.test_clients import RUN_S, traces
from tests.fake_provider import FakeProvider, Reply
from tests.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.clients]

REPLIES = (
    Reply(text="21 °C and sunny.", tokens_input=120, tokens_output=30),
    Reply(text="Still 21 °C and sunny.", tokens_input=160, tokens_output=12),
)
TOKENS = sum(reply.tokens_input + reply.tokens_output for reply in REPLIES)


class Pair(NamedTuple):
    """A program that makes the calls of REPLIES, how many spans each of them is told in, and what they cost in US
    dollars."""

    lock: str
    program: str
    spans: int
    cost: float


PAIRS = (
    Pair("langchain", "langchain_openai_both.py", 2, (280 * 0.15 + 42 * 0.60) / 1e6),
    Pair("anthropic", "anthropic_both.py", 2, 0.0),  # the SDK tells that the server is on this machine
)


@pytest.fixture(params=PAIRS, ids=lambda pair: pair.lock)
def pair(request: pytest.FixtureRequest) -> Pair:
    found: Pair = request.param
    return found


def run(pair: Pair, stack: Stack) -> dict[str, Any]:
    """The one trace of the program's run."""
    python = python_of(pair.lock)
    before = traces(stack)
    with FakeProvider() as provider:
        provider.script(*REPLIES)
        env = {key: value for key, value in stack.env.items() if not key.startswith(("OTEL_", "PYTHON"))}
        env |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": stack.url,
            "OTEL_SERVICE_NAME": pair.lock,
            "OPENAI_BASE_URL": provider.base_url(),
            "OPENAI_API_KEY": "sk-nothing",
            "ANTHROPIC_BASE_URL": provider.url,
            "ANTHROPIC_API_KEY": "sk-nothing",
        }
        command = [str(python), str(PROGRAMS / pair.program)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=RUN_S)
        assert done.returncode == 0, done.stderr
        assert len(provider.requests) == len(REPLIES)
    [trace_id] = traces(stack) - before
    found = stack.ask("GET", f"/v1/traces/{trace_id}").json
    assert isinstance(found, dict)
    return found


def test_both_are_shown_and_one_counts(pair: Pair, shared: Stack) -> None:
    trace = run(pair, shared)
    calls = [span for span in trace["spans"] if span["span_type"] == "llm_call"]
    assert len(calls) == pair.spans * len(REPLIES), [span["name"] for span in calls]
    assert len({span["attributes"]["beacon.scope"] for span in calls}) == pair.spans
    assert trace["total_tokens"] == TOKENS
    assert trace["total_cost_usd"] == pytest.approx(pair.cost, abs=1e-12)
    assert trace["unpriced_count"] == 0
