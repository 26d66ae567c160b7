"""The recorded model: bodies of the three APIs, played through the providers' own code."""

from __future__ import annotations

import asyncio
import json

import pytest

from beacon.errors import UpstreamFailed
from beacon.scenarios import CARDS, Card
from replay_worker.demo.scenario import load_scenario
from replay_worker.demo.tools import use
from replay_worker.providers.calls import Completion, ModelCall
from replay_worker.providers.recorded import recorded_answers, recorded_endpoint, recorded_model, turns_said


async def said(card: Card, turns_before: int, pace: float = 0.0) -> tuple[Completion, list[str]]:
    """The turn of the recording that follows so many of the model's, and its text as it came."""
    messages: list[dict[str, object]] = [{"role": "user", "content": card.task}]
    for _ in range(turns_before):
        messages += [{"role": "assistant", "content": "…"}, {"role": "user", "content": "…"}]
    pieces: list[str] = []
    async with recorded_model(card.key, pace) as model:
        call = ModelCall(model=card.model, messages=messages)
        answer = await model.call(recorded_endpoint(card.provider), call, pieces.append)
    return answer, pieces


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.key)
def test_every_turn_is_read_whole(card: Card) -> None:
    tools = {tool.name: tool for tool in load_scenario(card.key).tools}
    turns = len(recorded_answers(card.key))
    assert 4 <= turns <= 5
    for turn in range(turns):
        answer, pieces = asyncio.run(said(card, turn))
        assert "".join(pieces) == answer.text
        assert answer.text or answer.tool_calls
        assert (answer.tokens_input or 0) > 100
        assert (answer.tokens_output or 0) > 10
        assert answer.model is not None
        assert answer.model.startswith(card.model)
        assert answer.finish_reason == ("tool_calls" if answer.tool_calls else "stop")
        for call in answer.tool_calls:
            outcome = use(tools, call["function"]["name"], call["function"]["arguments"], {"stamped": True})
            assert outcome.error is None or card.key == "flaky_deploy"
        again, _ = asyncio.run(said(card, turn))
        assert (again.text, again.tokens_output) == (answer.text, answer.tokens_output)


def test_beyond_its_end_the_recording_fails_as_a_provider_does() -> None:
    with pytest.raises(UpstreamFailed, match="ends after 4 turns"):
        asyncio.run(said(CARDS[0], 4))


def test_the_pace_is_what_the_setting_says() -> None:
    quick, _ = asyncio.run(said(CARDS[2], 0))
    paced, _ = asyncio.run(said(CARDS[2], 0, pace=0.2))
    assert paced.latency_ms > quick.latency_ms + 0.2 * 700


@pytest.mark.parametrize(
    ("body", "turns"),
    [
        ({"messages": [{"role": "user"}]}, 0),
        ({"messages": [{"role": "user"}, {"role": "assistant"}, {"role": "tool"}]}, 1),
        ({"contents": [{"role": "user"}, {"role": "model"}, {"role": "user"}, {"role": "model"}]}, 2),
        ({}, 0),
    ],
)
def test_turns_are_counted_in_every_shape(body: object, turns: int) -> None:
    assert turns_said(json.dumps(body).encode()) == turns
