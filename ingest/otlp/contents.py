"""GenAI content that travels apart from its span, in log records or a sibling span, and how it is laid over the span.
Pure.

Content may come before its span, after it, twice, and in any order; the span may be sent again. So contents are kept,
each as JSON text, and laid over the span's own attributes anew whenever either arrives. What came from them is listed
in the attribute `beacon.from_logs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from ingest.otlp.arrived import Content
from ingest.otlp.attributes import beacon_attributes
from ingest.otlp.dialects import genai
from ingest.otlp.events import read_event
from ingest.otlp.facts import Facts, Message
from ingest.otlp.messages import messages_of
from ingest.otlp.records import LogRecord
from ingest.otlp.values import json_text

FROM_LOGS = "beacon.from_logs"

OWN_ADDRESS = "span:"
"""How the address of content begins that names its span."""

_CALL_KEYS = ("llm.completion", "llm.reasoning", "llm.tool_calls", "llm.finish_reason")


class _Told(Struct, omit_defaults=True):
    """What one piece of content says: Beacon's attributes, or messages of the prompt, or one choice of the answer (in
    `attributes`, with its number). `order` is the record's place in its request."""

    order: int = 0
    attributes: dict[str, Any] = {}
    messages: list[Message] = []
    choice: int | None = None


_decode = msgspec.json.Decoder(_Told).decode


# ---------------------------------------------------------------- what comes


def map_log(record: LogRecord) -> Content | None:
    """What a log record says of its span; None for a record that is no GenAI event or says nothing."""
    said = read_event(record.event_name, record.body, record.attributes)
    if said is None:
        return None
    told = _Told(order=record.index, messages=said.messages)
    if said.attributes:
        told.attributes = _of_call(genai.read_attributes(said.attributes))
    elif said.answer is not None:
        answer = said.answer
        told.choice = said.choice
        told.attributes = _of_call(
            Facts(
                completion=answer.completion,
                reasoning=answer.reasoning,
                tool_calls=answer.tool_calls,
                finish_reason=answer.finish_reason,
            )
        )
    if not told.messages and not told.attributes:
        return None
    return Content(record.trace_id, OWN_ADDRESS + record.span_id, record.time_ns, json_text(msgspec.to_builtins(told)))


def _of_call(facts: Facts) -> dict[str, Any]:
    return beacon_attributes(facts, "llm_call", {}, 0, None)


def content_of(trace_id: str, address: str, time_ns: int, attributes: Mapping[str, Any]) -> Content:
    """Beacon's `attributes` of a call as content for the span that listens to `address`."""
    return Content(trace_id, address, time_ns, json_text(msgspec.to_builtins(_Told(attributes=dict(attributes)))))


# ---------------------------------------------------------------- how it is laid over


def with_contents(
    attributes: dict[str, Any], contents: Iterable[Content], start_ns: int | None = None
) -> dict[str, Any]:
    """A span's `attributes` with what `contents` say where it says nothing itself.

    What lies over it already (listed in `beacon.from_logs`) is taken off first, so that it does not matter in which
    order contents and span arrive, nor how often: the same contents give the same attributes. Without contents
    `attributes` come back as they are, as those of an imported span must. A text that is no content is left out.

    `start_ns`, when the span started, decides between several contents of one address that is not the span's own (the
    same question asked twice under one parent): the first that came after it counts.
    """
    told = _in_order(_answering(contents, start_ns))
    if not told:
        return attributes
    listed = attributes.get(FROM_LOGS)
    laid_before = {key for key in listed if isinstance(key, str)} if isinstance(listed, list) else set()
    own = {key: value for key, value in attributes.items() if key != FROM_LOGS and key not in laid_before}
    laid = {key: value for key, value in _laid(told).items() if key not in own}
    return {**own, **laid, FROM_LOGS: list(laid)} if laid else own


def _answering(contents: Iterable[Content], start_ns: int | None) -> list[Content]:
    """`contents` with one alone of each address that is not a span's own."""
    kept: list[Content] = []
    shared: dict[str, Content] = {}
    for content in sorted(contents, key=lambda one: (one.time_ns, one.text)):
        if content.address.startswith(OWN_ADDRESS):
            kept.append(content)
        elif content.address not in shared or (start_ns is not None and shared[content.address].time_ns < start_ns):
            shared[content.address] = content
    return [*kept, *shared.values()]


def _in_order(contents: Iterable[Content]) -> list[_Told]:
    """By time, then by their place in a request; what came twice, perhaps in requests cut otherwise, once."""
    found: list[tuple[int, int, str, _Told]] = []
    for content in contents:
        try:
            told = _decode(content.text)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue
        order, told.order = told.order, 0
        found.append((content.time_ns, order, json_text(msgspec.to_builtins(told)), told))
    found.sort(key=lambda one: one[:3])
    seen: set[tuple[int, str]] = set()
    kept = []
    for time_ns, _, text, told in found:
        if (time_ns, text) not in seen:
            seen.add((time_ns, text))
            kept.append(told)
    return kept


def _laid(told: list[_Told]) -> dict[str, Any]:
    """What they say together: of each attribute the latest, of choices the first by number, of messages all."""
    laid: dict[str, Any] = {}
    messages: list[Message] = []
    choices: list[tuple[int, dict[str, Any]]] = []
    for one in told:
        messages += one.messages
        if one.choice is not None:
            choices.append((one.choice, one.attributes))
        else:
            laid |= one.attributes
    if messages and "llm.prompt" not in laid:
        # anew, as a tool's result finds its call by name only when both are there
        laid["llm.prompt"] = json_text(messages_of(messages))
    if choices:
        first = min(choices, key=lambda one: one[0])[1]
        for key in _CALL_KEYS:
            if key in first:
                laid.setdefault(key, first[key])
    return laid
