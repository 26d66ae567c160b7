"""What every program asks the model, in the same order: programs and tests read it, so it needs nothing but Python.

`ASK` is answered with a tool call, `ANSWER` carries the tool's result, `STREAM` streams, `LOOK` holds an image,
`FAIL` is refused by the provider.
"""

from __future__ import annotations

import base64
from typing import Any

MODEL = "gpt-4o-mini"
SESSION = "weather-42"
USER = "u-7"
TEMPERATURE = 0.2
MAX_TOKENS = 50

SYSTEM = "You are terse."
QUESTION = "What is the weather in Paris? ☀"
COUNT = "Count to three."
LOOK_AT = "What is in the picture?"
REFUSED = "This one is refused."

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
CITY = {"city": "Paris"}
REPORT = "21 °C and sunny"

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")
IMAGE = "data:image/png;base64," + base64.b64encode(PIXEL).decode()


def get_weather(city: str) -> str:
    """The weather in a city."""
    assert city == CITY["city"]
    return REPORT


def asking() -> list[dict[str, Any]]:
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]


def counting() -> list[dict[str, Any]]:
    return [{"role": "user", "content": COUNT}]


def looking() -> list[dict[str, Any]]:
    parts = [{"type": "text", "text": LOOK_AT}, {"type": "image_url", "image_url": {"url": IMAGE}}]
    return [{"role": "user", "content": parts}]


def refused() -> list[dict[str, Any]]:
    return [{"role": "user", "content": REFUSED}]
