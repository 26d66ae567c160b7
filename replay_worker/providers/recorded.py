"""The recorded model: provider's streamed answers from files, played at a natural pace, without a network.

It stands where the network would: requests are built, sent, streamed and read by the providers' own code.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files

import httpx2 as httpx

from beacon.catalog import PROVIDERS
from beacon.keys import Endpoint
from replay_worker.providers.client import Providers

THINKING_S = 0.7
"""Seconds until the first event of an answer at a natural pace."""

BETWEEN_EVENTS_S = 0.03
"""Seconds between two events of a stream: a word or two."""

BASE_URL = "http://recorded.invalid"
"""Where requests are addressed to, and never go: a name that no resolver knows (RFC 6761, 6.4)."""


def recorded_endpoint(provider: str) -> Endpoint:
    """Where the recorded model of `provider` (openai, anthropic, google) is called: in its own API, without a key."""
    return Endpoint(provider=provider, style=PROVIDERS[provider].style, base_url=BASE_URL, needs_key=False, local=False)


@asynccontextmanager
async def recorded_model(scenario: str, pace: float) -> AsyncIterator[Providers]:
    """Calls the recorded model of `scenario`; `pace` is the factor on its pauses, 0 for none."""
    providers = Providers(transport=RecordedTransport(recorded_answers(scenario), pace))
    try:
        yield providers
    finally:
        await providers.aclose()


def recorded_answers(scenario: str) -> list[bytes]:
    """The bodies of the scenario's answers, in the order of its turns."""
    folder = files("replay_worker.demo").joinpath("recordings", scenario)
    bodies: list[bytes] = []
    while (body := folder.joinpath(f"{len(bodies) + 1}.sse")).is_file():
        bodies.append(body.read_bytes())
    return bodies


class RecordedTransport(httpx.AsyncBaseTransport):
    """Answers a conversation's n-th turn with the n-th of `answers`, whatever was said. Turns are counted in the
    request, so that one that is sent again gets the same answer."""

    def __init__(self, answers: Sequence[bytes], pace: float) -> None:
        self._answers = answers
        self._pace = pace

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        turn = turns_said(await request.aread())
        if turn >= len(self._answers):
            wrong = {"error": {"message": f"The recording ends after {len(self._answers)} turns.", "code": 404}}
            return httpx.Response(404, json=wrong)
        head = {"content-type": "text/event-stream; charset=utf-8"}
        return httpx.Response(200, headers=head, stream=_Played(self._answers[turn], self._pace))


class _Played(httpx.AsyncByteStream):
    def __init__(self, body: bytes, pace: float) -> None:
        self._body = body
        self._pace = pace

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await asyncio.sleep(THINKING_S * self._pace)
        for event in events(self._body):
            yield event
            await asyncio.sleep(BETWEEN_EVENTS_S * self._pace)


def turns_said(body: bytes) -> int:
    """How often the model has spoken in a request of OpenAI's, Anthropic's or Google's shape."""
    asked = json.loads(body)
    said = asked.get("messages") or asked.get("contents") or []
    return sum(1 for message in said if message.get("role") in ("assistant", "model"))


def events(body: bytes) -> list[bytes]:
    """The events of a stream, each with the blank line that ends it."""
    blank = b"\r\n\r\n" if b"\r\n\r\n" in body else b"\n\n"
    return [event + blank for event in body.split(blank) if event]
