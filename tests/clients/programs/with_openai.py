"""The whole conversation with OpenAI's own client, for the instrumentations that wrap it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import asked
import openai


@contextmanager
def no_span(name: str, call_id: str, arguments: str) -> Iterator[Callable[[str], None]]:
    """For a client that has no span for a tool."""
    yield lambda result: None


def converse(
    tool_span: Callable[[str, str, str], AbstractContextManager[Callable[[str], None]]] = no_span,
) -> None:
    """Every call that `asked` names. `tool_span` is a context around the tool's work, given its name, the call's id and
    arguments, that takes the result."""
    client = openai.OpenAI(max_retries=0)
    settings = {"model": asked.MODEL, "temperature": asked.TEMPERATURE, "max_tokens": asked.MAX_TOKENS}
    messages = asked.asking()
    first = client.chat.completions.create(messages=messages, tools=[asked.TOOL], **settings)
    [call] = first.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == asked.CITY
    with tool_span(call.function.name, call.id, call.function.arguments) as result:
        report = asked.get_weather(**json.loads(call.function.arguments))
        result(report)
    function = {"name": call.function.name, "arguments": call.function.arguments}
    messages += [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": call.id, "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": call.id, "content": report},
    ]
    client.chat.completions.create(messages=messages, tools=[asked.TOOL], **settings)
    options = {"include_usage": True}
    for _ in client.chat.completions.create(messages=asked.counting(), stream=True, stream_options=options, **settings):
        pass
    client.chat.completions.create(messages=asked.looking(), **settings)
    try:
        client.chat.completions.create(messages=asked.refused(), **settings)
    except openai.BadRequestError:
        pass
    else:
        raise AssertionError("the provider was to refuse this")
