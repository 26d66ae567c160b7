"""LiveKit Agents (https://docs.livekit.io/agents, telemetry/trace_types.py). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.otlp.dialects.frameworks.put import put
from ingest.otlp.facts import Facts
from ingest.otlp.messages import messages_of, tool_calls_of
from ingest.otlp.records import OtlpSpan
from ingest.otlp.values import as_bool, as_dict, as_list, as_number, as_text, as_words, first_of, parsed


def _of_livekit(attributes: Mapping[str, Any], name: str) -> Any:
    """Since 1.5 what a user said or heard is marked: `lk.pii.chat_ctx`, before `lk.chat_ctx`."""
    return first_of(attributes, (f"lk.pii.{name}", f"lk.{name}"))


def read(span: OtlpSpan, facts: Facts) -> None:
    attributes = span.attributes
    tool = as_text(attributes.get("lk.function_tool.name"))
    if tool is not None:
        facts.span_type, facts.chain_type = "tool_use", None
        facts.tool_name = facts.name = tool
        facts.tool_call_id = facts.tool_call_id or as_text(attributes.get("lk.function_tool.id"))
        put(facts, _of_livekit(attributes, "function_tool.arguments"), _of_livekit(attributes, "function_tool.output"))
        facts.failed = as_bool(attributes.get("lk.function_tool.is_error")) is True
        if facts.failed:
            facts.error_message = as_words(facts.tool_output)
        return
    context = _of_livekit(attributes, "chat_ctx")
    text = as_text(_of_livekit(attributes, "response.text"))
    calls = _livekit_calls(_of_livekit(attributes, "response.function_calls"))
    first = as_number(attributes.get("lk.response.ttft"))
    if first is not None and first >= 0:
        facts.ttft_ms = facts.ttft_ms or first * 1000.0
    if context is not None or text is not None or calls:
        items = as_dict(context)
        said = [_livekit_item(one) for one in as_list(items.get("items")) or []] if items is not None else context
        messages = messages_of(said)
        if facts.span_type == "llm_call":
            facts.prompt = facts.prompt or messages or None
            facts.completion = facts.completion or text
            facts.tool_calls = facts.tool_calls or calls or None
        else:  # the call itself is a span below this one
            facts.span_type, facts.chain_type = "chain", span.name
            facts.chain_input, facts.chain_output = messages or None, text or calls or None
        return
    name = as_text(first_of(attributes, ("lk.agent_name", "lk.agent_label")))
    given = _of_livekit(attributes, "user_input") or _of_livekit(attributes, "user_transcript")
    if facts.span_type == "custom" and (name is not None or given is not None):
        facts.span_type, facts.step_name = "agent_step", name or span.name
        facts.agent_input = given


def _livekit_item(item: Any) -> Any:
    """A chat item, which is told apart by `type`: message, function_call, function_call_output."""
    if not isinstance(item, dict):
        return item
    if item.get("type") == "message":
        return {"role": item.get("role"), "content": item.get("content")}
    return {name: value for name, value in item.items() if name != "id"}


def _livekit_calls(value: Any) -> list[dict[str, Any]]:
    """A list of calls, or of their JSON texts."""
    return [call for one in as_list(value) or [] for call in tool_calls_of(_livekit_item(parsed(one)))]
