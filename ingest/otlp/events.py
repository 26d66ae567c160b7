"""GenAI content in events, of a span or of the log: what OpenTelemetry's older conventions put there instead of into
attributes. Pure.

Three forms: one event with all the attributes (gen_ai.client.inference.operation.details); one event a message
(gen_ai.user.message … gen_ai.choice, up to 1.36), its fields in the body, in attributes, or as JSON text in the
attribute `gen_ai.event.content`; one event for the prompt and one for the completion (gen_ai.content.prompt and
gen_ai.content.completion).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from ingest.otlp.facts import Message
from ingest.otlp.finish import finish_reason
from ingest.otlp.messages import EVENT_ROLES, Answer, answer_of, messages_of
from ingest.otlp.records import Event
from ingest.otlp.values import as_count, as_dict, first_of, parsed

DETAILS = "gen_ai.client.inference.operation.details"
CHOICE = "gen_ai.choice"
PROMPT = "gen_ai.content.prompt"
COMPLETION = "gen_ai.content.completion"

NAMES = frozenset({DETAILS, PROMPT, COMPLETION, *EVENT_ROLES})


class Said(Struct):
    """What events say. `attributes`: of the event that has all of them; `choice`: which answer `answer` is, from 0."""

    messages: list[Message] = []
    answer: Answer | None = None
    choice: int = 0
    attributes: Mapping[str, Any] = {}


def read_events(events: list[Event]) -> Said | None:
    """What the events of a span say together, in their order; None where none is one of NAMES."""
    found: Said | None = None
    for event in events:
        one = read_event(event.name, None, event.attributes)
        if one is None:
            continue
        if found is None:
            found = Said([])
        found.messages.extend(one.messages)
        found.attributes = found.attributes or one.attributes
        if one.answer is not None and (found.answer is None or one.choice < found.choice):
            found.answer, found.choice = one.answer, one.choice
    return found


def read_event(name: str, body: Any, attributes: Mapping[str, Any]) -> Said | None:
    """What one event says; None where it is none of NAMES."""
    if name not in NAMES:
        return None
    if name == DETAILS:
        inner = as_dict(body)
        return Said(attributes={**inner, **attributes} if inner else attributes)
    if name == PROMPT:
        return Said(messages_of(first_of(attributes, ("gen_ai.prompt", "gen_ai.event.content")) or parsed(body)))
    if name == COMPLETION:
        said = first_of(attributes, ("gen_ai.completion", "gen_ai.event.content")) or parsed(body)
        return Said(answer=answer_of(said)) if said else Said()
    fields = _fields(body, attributes)
    if name == CHOICE:
        return _choice(fields)
    message = {"role": EVENT_ROLES[name], **{key: value for key, value in fields.items() if value is not None}}
    return Said(messages_of([message]))


def _fields(body: Any, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """A message's fields: of the body, else of the attribute that holds the body, else of the attributes."""
    for said in (body, attributes.get("gen_ai.event.content")):
        fields = as_dict(said)
        if fields is not None:
            return fields
        if isinstance(said, str) and said:
            return {"content": said}
    return {key: value for key, value in attributes.items() if key in _FIELDS}


_FIELDS = frozenset(
    {"role", "content", "tool_calls", "id", "name", "index", "finish_reason", "message", "tool_call_id"}
)


def _choice(fields: dict[str, Any]) -> Said:
    """`{index, finish_reason, message: {role, content, tool_calls}}`; some have the message's fields beside `index`."""
    inner = parsed(fields.get("message"))
    if isinstance(inner, str):
        inner = {"content": inner}
    if not isinstance(inner, dict):
        inner = {name: fields[name] for name in ("content", "tool_calls") if fields.get(name) is not None}
    if isinstance(fields.get("tool_calls"), list | str) and not inner.get("tool_calls"):
        inner = {**inner, "tool_calls": fields["tool_calls"]}
    answer = answer_of({**inner, "role": "assistant"})
    answer.finish_reason = finish_reason(fields.get("finish_reason")) or answer.finish_reason
    return Said(answer=answer, choice=as_count(fields.get("index")) or 0)
