"""Two instrumentations at once tell of each call twice: both are shown, and one is paid for."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.clients.running import run
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


def test_both_are_shown_and_one_counts(pair: Pair, shared: Stack) -> None:
    with FakeProvider() as provider:
        provider.script(*REPLIES)
        trace = run(pair.lock, (pair.program,), pair.lock, shared, provider)
        assert len(provider.requests) == len(REPLIES)
    calls = [span for span in trace["spans"] if span["span_type"] == "llm_call"]
    assert len(calls) == pair.spans * len(REPLIES), [span["name"] for span in calls]
    assert len({span["attributes"]["beacon.scope"] for span in calls}) == pair.spans
    assert trace["total_tokens"] == TOKENS
    assert trace["total_cost_usd"] == pytest.approx(pair.cost, abs=1e-12)
    assert trace["unpriced_count"] == 0
