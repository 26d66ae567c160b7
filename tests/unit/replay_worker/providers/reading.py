"""The recorded shapes, and streams read in any pieces."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from beacon.keys import Endpoint
from replay_worker.providers.calls import Completion, HttpRequest, ModelCall, StreamParser
from replay_worker.providers.sse import SseParser

SHAPES = Path(__file__).parent / "shapes"

KEY = "sk-a-key-that-is-long-enough"


def answer(name: str) -> bytes:
    """The body of an answer."""
    recorded = json.loads((SHAPES / f"{name}.json").read_text("utf-8"))
    assert recorded["source"].startswith("https://")
    return json.dumps(recorded["answer"]).encode()


def body(name: str) -> bytes:
    """The body of a streamed answer."""
    recorded = (SHAPES / f"{name}.sse").read_bytes()
    assert recorded.startswith(b": https://")
    return recorded


def read(parser: StreamParser, pieces: Iterable[bytes]) -> tuple[Completion, str]:
    """The whole answer, and the text as it came."""
    sse, said = SseParser(), ""
    for piece in pieces:
        for event in sse.feed(piece):
            said += "".join(parser.feed(event))
    return parser.result(), said


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """`data` cut at these places."""
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def call(*messages: dict[str, Any], **fields: Any) -> ModelCall:
    return ModelCall(**{"model": "m", "messages": list(messages) or [{"role": "user", "content": "Hi"}], **fields})


def endpoint(style: Any, base_url: str, key: str | None = KEY) -> Endpoint:
    return Endpoint(provider=style, style=style, base_url=base_url, key=key)


def sent(request: HttpRequest) -> Any:
    return json.loads(request.body)


TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "https://example.org/a.jpg"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "R0lGODlh"}},
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": "corner"}'}},
            {"id": "c2", "type": "function", "function": {"name": "ask", "arguments": ""}},
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": '{"seen": "a cat"}'},
    {"role": "tool", "tool_call_id": "c2", "content": "nobody there", "is_error": True},
    {"role": "assistant", "content": "A cat."},
    {"role": "user", "content": "Sure?"},
]
"""A conversation with everything in it that every provider takes."""

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "look",
            "description": "Looks.",
            "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
        },
    },
    {"type": "function", "function": {"name": "ask"}},
]

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}

JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "thing", "schema": SCHEMA, "strict": True}}
