"""Pydantic Logfire and pydantic-ai (https://logfire.pydantic.dev, https://ai.pydantic.dev/logfire/).

Three things are Logfire's own. A pending span is a copy of a span, sent when that one starts, under an id of its own. A
streamed call is two spans: one of the request, which ends when the stream opens, and later a log that has what was
answered; both have the same parent, and the log repeats the request. And values are JSON text, even lists of texts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ingest.otlp.bodies import read_answer, read_request, tokens_of_usage
from ingest.otlp.dialects import genai
from ingest.otlp.dialects.labels import labels
from ingest.otlp.facts import Facts, StandsFor
from ingest.otlp.messages import answer_of, last_words, messages_of, tools_of
from ingest.otlp.records import OtlpSpan
from ingest.otlp.span_types import span_type_of
from ingest.otlp.values import as_dict, as_list, as_number, as_text, first_of, json_text, parsed

NAME = "logfire"

_MARKERS = frozenset(
    {"logfire.span_type", "logfire.msg", "logfire.msg_template", "logfire.level_num", "logfire.json_schema"}
)
_SCOPES = ("logfire", "pydantic-ai", "pydantic_ai")

ERROR_LEVEL = 17
"""From here on `logfire.level_num` is an error (OpenTelemetry's severity numbers)."""

_STATUS_ERROR = 2

STREAMED = "streaming response from "
LINKED = "beacon.linked"
"""Two spans with the same value are the request and the streamed answer of one call, in traces of their own."""

_ALL_MESSAGES = ("pydantic_ai.all_messages", "all_messages", "all_messages_events")


def matches(span: OtlpSpan) -> bool:
    return span.scope.name.startswith(_SCOPES) or not _MARKERS.isdisjoint(span.attributes)


def read(span: OtlpSpan) -> Facts:
    attributes = span.attributes
    facts = genai.read(span)
    facts.stands_for = _pending(span)
    facts.name = as_text(attributes.get("logfire.msg"))
    facts.tags = _tags(span)
    level = as_number(attributes.get("logfire.level_num"))
    facts.failed = level is not None and level >= ERROR_LEVEL
    _read_bodies(attributes, facts)
    _read_raw_usage(attributes, facts)
    if span.scope.name.startswith(("pydantic-ai", "pydantic_ai")) or _is_agent(attributes):
        _read_agent(span, facts)
    _read_stream(span, facts)
    return facts


def _pending(span: OtlpSpan) -> StandsFor | None:
    """The span that a pending span announces: its id stands in the place of the parent's."""
    attributes = span.attributes
    if attributes.get("logfire.span_type") != "pending_span" or span.parent_span_id is None:
        return None
    parent = attributes.get("logfire.pending_parent_id")
    parent = parent.strip().lower() if isinstance(parent, str) else ""
    known = len(parent) == 16 and all(digit in "0123456789abcdef" for digit in parent) and parent.strip("0") != ""
    return StandsFor(span_id=span.parent_span_id, parent_span_id=parent if known else None)


def _tags(span: OtlpSpan) -> dict[str, str]:
    found = labels(span.attributes.get("logfire.tags"))
    if span.scope.name.startswith("logfire."):
        found.pop("LLM", None)  # Logfire's own, on every call of a model
    return found


# ---------------------------------------------------------------- a call of a model


def _read_bodies(attributes: Mapping[str, Any], facts: Facts) -> None:
    """`request_data` and `response_data`: at version 1 of Logfire's conventions the whole of both, later a part."""
    request = as_dict(attributes.get("request_data"))
    if request is not None:
        before = facts.prompt
        read_request(facts, request)
        facts.prompt = before or facts.prompt
        facts.model = facts.model or facts.request_model
    _read_events(attributes, facts)
    response = as_dict(attributes.get("response_data"))
    if response is None:
        return
    if isinstance(response.get("combined_chunk_content"), str):
        facts.completion = facts.completion or as_text(response["combined_chunk_content"])
    else:
        whole = (
            response if "message" in response or "text" not in response else {"message": {"content": response["text"]}}
        )
        read_answer(facts, whole)
        facts.finish_reason = facts.finish_reason or as_text(response.get("finish_reason"))
    usage = as_dict(response.get("usage"))
    if usage is not None and facts.tokens is None:
        facts.tokens = tokens_of_usage(usage)


def _read_events(attributes: Mapping[str, Any], facts: Facts) -> None:
    """`events`: the conversation as a list of OpenTelemetry's old events; what comes last is the answer."""
    if facts.prompt is not None and facts.completion is not None:
        return
    events = [one for one in as_list(attributes.get("events")) or [] if isinstance(one, dict)]
    if not events:
        return
    asked, answered = _parted(events)
    facts.prompt = facts.prompt or messages_of(asked) or None
    if answered and facts.completion is None and facts.tool_calls is None:
        choice = next((one for one in answered if isinstance(one.get("message"), dict)), None)
        answer = answer_of(choice if choice is not None else [{**one, "role": "assistant"} for one in answered])
        facts.completion, facts.tool_calls = answer.completion, answer.tool_calls
        facts.reasoning = facts.reasoning or answer.reasoning
        facts.finish_reason = facts.finish_reason or answer.finish_reason


def _parted(events: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Events as (asked, answered): the answer is the choices, or what the assistant says at the end."""
    end = len(events)
    while end and _answers(events[end - 1]):
        end -= 1
    return events[:end], events[end:]


def _answers(event: dict[str, Any]) -> bool:
    return event.get("event.name") == "gen_ai.choice" or event.get("role") == "assistant"


def _read_raw_usage(attributes: Mapping[str, Any], facts: Facts) -> None:
    """`gen_ai.usage.raw` is the provider's own usage: it has what came from a cache, and what was reasoned."""
    usage = as_dict(attributes.get("gen_ai.usage.raw"))
    said = tokens_of_usage(usage) if usage is not None else None
    if said is None:
        return
    if facts.tokens is None:
        facts.tokens = said
        return
    for name in said.__struct_fields__:
        if getattr(facts.tokens, name) is None:
            setattr(facts.tokens, name, getattr(said, name))


# ---------------------------------------------------------------- an answer that was streamed


def _read_stream(span: OtlpSpan, facts: Facts) -> None:
    attributes = span.attributes
    is_log = attributes.get("logfire.span_type") == "log"
    if "request_data" not in attributes:
        return
    if is_log:
        if not _is_streamed_answer(span):
            return
    elif _is_answered(span, facts) or not _is_call(span, facts):
        return
    digest = request_digest(attributes)
    if span.parent_span_id is None:
        facts.more = {**facts.more, LINKED: digest}
        if is_log:
            facts.span_type = "llm_call"  # the only one that knows what was spent
        return
    address = f"input:{span.parent_span_id}:{digest}"
    if is_log:
        facts.tells, facts.span_type = address, "custom"
    else:
        facts.listens = [*facts.listens, address]


def _is_streamed_answer(span: OtlpSpan) -> bool:
    template = span.attributes.get("logfire.msg_template")
    return span.name.startswith(STREAMED) or (isinstance(template, str) and template.startswith(STREAMED))


def _is_answered(span: OtlpSpan, facts: Facts) -> bool:
    """Whether no answer is to come for this call: it has one, or it failed before there could be one (the same request
    may be tried again, and succeed)."""
    return (
        facts.completion is not None
        or bool(facts.tool_calls)
        or facts.tokens is not None
        or facts.failed
        or span.status_code == _STATUS_ERROR
    )


def _is_call(span: OtlpSpan, facts: Facts) -> bool:
    if span_type_of(span.attributes, span.name).span_type == "llm_call":
        return True
    return facts.request_model is not None and "gen_ai.operation.name" not in span.attributes


def request_digest(attributes: Mapping[str, Any]) -> str:
    """The same for the two spans of a streamed call: of all that is said of the request. `events` counts without the
    answer at its end, which the second of the two has and the first has not."""
    events = as_list(attributes.get("events"))
    asked = None
    if events is not None:
        asked = _parted([one for one in events if isinstance(one, dict)])[0]
    parts = [
        attributes.get("request_data"),
        attributes.get("gen_ai.system_instructions"),
        attributes.get("gen_ai.input.messages"),
        asked,
    ]
    digest = hashlib.blake2b(digest_size=12)
    for part in parts:
        text = part if isinstance(part, str) else json_text(part)
        digest.update(text.encode(errors="replace"))
        digest.update(b"\0")
    return digest.hexdigest()


# ---------------------------------------------------------------- pydantic-ai


def _is_agent(attributes: Mapping[str, Any]) -> bool:
    return any(name in attributes for name in _ALL_MESSAGES) or "agent_name" in attributes


def _read_agent(span: OtlpSpan, facts: Facts) -> None:
    """`invoke_agent`, before version 3 `agent run`; `execute_tool`, before `running tool`."""
    attributes = span.attributes
    operation = attributes.get("gen_ai.operation.name")
    if operation == "chat" and span.scope.name.startswith("pydantic"):
        _read_model_request(attributes, facts)
        facts.step_name = None
        return
    is_tool = operation == "execute_tool" or span.name.startswith("running tool")
    if is_tool:
        tool = facts.tool_name
        if span.name in ("running tools", "running {tools=}") and tool is None:
            facts.span_type, facts.chain_type = "chain", "tools"
        else:
            facts.span_type, facts.name = "tool_use", tool or facts.name
        facts.step_name = None
        return
    if operation == "invoke_agent" or _is_agent(attributes) or span.name.startswith(("agent run", "invoke_agent ")):
        facts.span_type, facts.framework = "agent_step", "pydantic-ai"
        facts.step_name = as_text(first_of(attributes, ("gen_ai.agent.name", "agent_name"))) or facts.step_name
        messages = messages_of(first_of(attributes, _ALL_MESSAGES))
        facts.agent_input = last_words(messages) if messages else None
        output = attributes.get("final_result")
        facts.agent_output = output if output not in (None, "") else last_words(messages, "assistant")
        # before version 5 the sum stood under gen_ai.usage.*
        facts.agent_tokens, facts.tokens = facts.agent_tokens or facts.tokens, None
        facts.model = facts.model or as_text(attributes.get("model_name"))
        facts.cost_usd = facts.cost_source = None
        facts.prompt = facts.completion = facts.tool_calls = None
        run = as_text(attributes.get("gen_ai.agent.call.id"))
        if run is not None:
            facts.more = {**facts.more, "agent.run_id": run}


def _read_model_request(attributes: Mapping[str, Any], facts: Facts) -> None:
    """`model_request_parameters`: the tools of versions that knew no `gen_ai.tool.definitions`."""
    parameters = as_dict(attributes.get("model_request_parameters"))
    if parameters is None or facts.tools is not None:
        return
    listed = [
        one
        for name in ("function_tools", "output_tools")
        for one in as_list(parsed(parameters.get(name))) or []
        if isinstance(one, dict)
    ]
    facts.tools = tools_of(listed) or None
