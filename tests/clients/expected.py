"""The one table of what every client is asked, what it was answered, and what of it each client does not tell.

A call's facts, by name (`FACTS` says which of Beacon's attributes each is read from): what a client leaves out stands
in `UNTOLD`, with what Beacon shows instead, so that a fact which a newer version does tell makes a test fail too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.clients.programs import asked
from tests.fake_provider import Reply

PROGRAMS = Path(__file__).parent / "programs"

Facts = dict[str, Any]

CALL = {"id": "call_0", "name": "get_weather", "arguments": asked.CITY}

REPLIES = (
    Reply(
        tool_calls=[("get_weather", asked.CITY)],
        tokens_input=120,
        tokens_output=30,
        tokens_cached=64,
        tokens_reasoning=8,
    ),
    Reply(text="21 °C and sunny in Paris.", tokens_input=160, tokens_output=12, tokens_cached=128),
    Reply(text="one two three", tokens_input=15, tokens_output=5),
    Reply(text="A single pixel.", tokens_input=80, tokens_output=6),
    Reply(status=400, error="I do not like this."),
)
"""What the provider says to the calls, in their order."""

PER_MILLION_USD = {"input": 0.15, "cached": 0.075, "output": 0.60}
"""gpt-4o-mini: https://openai.com/api/pricing."""


def _answered(reply: Reply) -> Facts:
    fresh = reply.tokens_input - reply.tokens_cached
    prices = PER_MILLION_USD
    cost = fresh * prices["input"] + reply.tokens_cached * prices["cached"] + reply.tokens_output * prices["output"]
    return {
        "status": "ok",
        "error": None,
        "completion": reply.text,
        "tool_calls": [CALL] if reply.tool_calls else None,
        "finish": reply.finished,
        "tokens": (reply.tokens_input, reply.tokens_output, reply.tokens_input + reply.tokens_output),
        "cached": reply.tokens_cached,
        "reasoned": reply.tokens_reasoning,
        "cost": round(cost / 1_000_000, 12),
    }


_REQUEST: Facts = {
    "type": "llm_call",
    "provider": "openai",
    "model": asked.MODEL,
    "temperature": asked.TEMPERATURE,
    "max_tokens": asked.MAX_TOKENS,
    "tools": None,
}
_SYSTEM = {"role": "system", "content": asked.SYSTEM}
_QUESTION = {"role": "user", "content": asked.QUESTION}
_CALLED = {"role": "assistant", "tool_calls": [CALL]}
_REPORT = {"role": "tool", "tool_call_id": CALL["id"], "content": asked.REPORT}
_PICTURE = asked.looking()[0]
_NOTHING: Facts = dict.fromkeys(("completion", "tool_calls", "finish", "tokens", "cost"))

ASKED: dict[str, Facts] = {
    "ask": {
        **_REQUEST,
        "prompt": [_SYSTEM, _QUESTION],
        "tools": [asked.TOOL["function"]],
        **_answered(REPLIES[0]),
    },
    "answer": {
        **_REQUEST,
        "prompt": [_SYSTEM, _QUESTION, _CALLED, _REPORT],
        "tools": [asked.TOOL["function"]],
        **_answered(REPLIES[1]),
    },
    "stream": {**_REQUEST, "prompt": asked.counting(), **_answered(REPLIES[2])},
    "look": {**_REQUEST, "prompt": [_PICTURE], **_answered(REPLIES[3])},
    "refused": {
        **_REQUEST,
        "prompt": asked.refused(),
        **_NOTHING,
        "status": "error",
        "error": "I do not like this.",
        "cached": 0,
        "reasoned": 0,
    },
}
"""Each call by its name, in the order the programs make them."""

STEPS = tuple(ASKED)


class Client(NamedTuple):
    """How a client is run. `lock` names its requirements, `program` its script in programs/ with arguments; `tool` and
    `agent` say whether it has spans for the tool's work and the whole run."""

    lock: str
    program: tuple[str, ...]
    env: Mapping[str, str] = MappingProxyType({})
    tool: bool = False
    agent: bool = True
    base_url: bool = False
    first_word: bool = False
    untold: Mapping[str, Facts] = MappingProxyType({})


def _capture(mode: str | None) -> dict[str, str]:
    return {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": mode} if mode else {}


_CONTENTS: Facts = dict.fromkeys(("prompt", "completion", "tool_calls", "tools"))
_LOCAL = {step: {"cost": 0.0} for step in STEPS if ASKED[step]["tokens"]}
"""A client that tells the base URL tells of a server on this machine, and that costs nothing."""


def _with(*untold: Mapping[str, Facts]) -> dict[str, Facts]:
    return {step: {name: value for one in untold for name, value in one.get(step, {}).items()} for step in STEPS}


_GENAI = Client("genai-openai", ("genai_openai.py",), base_url=True, first_word=True, untold=_LOCAL)

CLIENTS: dict[str, Client] = {
    "sdk-proto": Client("sdk-proto", ("by_hand.py", "proto"), tool=True),
    "sdk-json": Client("sdk-json", ("by_hand.py", "json"), tool=True),
    "openinference": Client("openinference", ("openinference_openai.py",), tool=True, first_word=True),
    "openllmetry": Client(
        "openllmetry",
        ("openllmetry_openai.py",),
        base_url=True,
        untold=_with(_LOCAL, {"look": {"prompt": None}}),  # a message with an image is left out whole
    ),
    "openllmetry-indexed": Client(
        "openllmetry-indexed",
        ("openllmetry_openai.py",),
        base_url=True,
        untold=_with(
            _LOCAL,
            {
                "ask": {"reasoned": 0},
                "stream": {"tokens": None, "cost": None},  # usage of a stream is counted by tiktoken, where wanted
                "look": {"prompt": [{"role": "user"}]},  # an image takes the content of its message along
            },
        ),
    ),
    "genai-default": _GENAI._replace(untold=_with(_LOCAL, dict.fromkeys(STEPS, _CONTENTS))),
    "genai-span": _GENAI._replace(env=_capture("SPAN_ONLY")),
    "genai-event": _GENAI._replace(env=_capture("EVENT_ONLY")),
    "pydantic-ai": Client(
        "pydantic-ai",
        ("pydantic_agent.py",),
        tool=True,
        base_url=True,
        first_word=True,
        untold={  # a cost of its own it tells
            "answer": {"prompt": [_SYSTEM, _QUESTION, _CALLED, {**_REPORT, "name": CALL["name"]}]},
            "refused": {"prompt": None},  # messages are written when there is an answer
        },
    ),
    "logfire": Client("logfire", ("logfire_openai.py",), agent=False),
}


def expected(client: str, step: str) -> Facts:
    """What Beacon is to show of this call by this client."""
    return {**ASKED[step], **CLIENTS[client].untold.get(step, {})}


# ---------------------------------------------------------------- what Beacon shows, as facts


def facts_of(span: dict[str, Any]) -> Facts:
    """A span that Beacon gives back, as facts."""
    attributes = span["attributes"]
    tokens = tuple(attributes.get(f"llm.tokens.{name}") for name in ("input", "output", "total"))
    cost = attributes.get("llm.cost_usd")
    return {
        "type": span["span_type"],
        "status": span["status"],
        "error": _quoted(span["error_message"]),
        "provider": attributes.get("llm.provider"),
        "model": attributes.get("llm.model"),
        "prompt": _messages(attributes.get("llm.prompt")),
        "tools": [tool["function"] for tool in _list(attributes.get("llm.tools"))] or None,
        "temperature": attributes.get("llm.temperature"),
        "max_tokens": attributes.get("llm.max_tokens"),
        "completion": attributes.get("llm.completion") or None,
        "tool_calls": [_call(call) for call in _list(attributes.get("llm.tool_calls"))] or None,
        "finish": attributes.get("llm.finish_reason"),
        "tokens": None if tokens == (None, None, None) else tokens,
        "cached": attributes.get("llm.tokens.cache_read") or 0,
        "reasoned": attributes.get("llm.tokens.reasoning") or 0,
        "cost": None if cost is None else round(cost, 12),
    }


def _list(text: str | None) -> list[Any]:
    found = json.loads(text) if text else []
    assert isinstance(found, list), found
    return found


def _messages(text: str | None) -> list[Facts] | None:
    """Messages without what is empty: clients differ in whether they write a null."""
    return [_message(message) for message in _list(text)] if text else None


def _message(message: Facts) -> Facts:
    kept = {name: value for name, value in message.items() if value not in (None, "", [])}
    if "tool_calls" in kept:
        kept["tool_calls"] = [_call(call) for call in kept["tool_calls"]]
    return kept


def _call(call: Facts) -> Facts:
    assert call["type"] == "function", call
    function = call["function"]
    assert isinstance(function["arguments"], str), "OpenAI has arguments as JSON text"
    return {"id": call["id"], "name": function["name"], "arguments": json.loads(function["arguments"])}


def _quoted(error: str | None) -> str | None:
    """What the provider said, out of the client's own words around it."""
    said = REPLIES[-1].error
    return said if error and said in error else error
