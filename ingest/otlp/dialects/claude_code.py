"""Claude Code (https://code.claude.com/docs/en/monitoring-usage, traces): spans with attributes of its own.

`input_tokens` is what Anthropic's API says: without the tokens that were read from and written to a cache, which are
most of them. Content is there only where the user asked for it; what is not stands as `<REDACTED>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.otlp.dialects import genai
from ingest.otlp.facts import Facts, Tokens
from ingest.otlp.messages import answer_of, messages_of
from ingest.otlp.records import OtlpSpan
from ingest.otlp.values import as_bool, as_count, as_number, as_text, first_of

NAME = "claude_code"

FRAMEWORK = "claude-code"
REDACTED = "<REDACTED>"

_PREFIX = "claude_code."
_KINDS = frozenset({"interaction", "llm_request", "tool", "tool.execution", "tool.blocked_on_user", "hook"})
_TOOL_OUTPUT = "tool.output"
_DETAILS = ("full_command", "file_path", "skill_name", "subagent_type")


def matches(span: OtlpSpan) -> bool:
    kind = span.attributes.get("span.type")
    return span.name.startswith(_PREFIX) or (isinstance(kind, str) and kind.startswith(_PREFIX))


def read(span: OtlpSpan) -> Facts:
    attributes = span.attributes
    base = genai.read(span)
    facts = Facts(session_id=base.session_id, user_id=base.user_id, framework=FRAMEWORK)
    kind = _kind(span)
    if kind == "llm_request":
        _read_call(attributes, facts, base)
    elif kind == "tool":
        facts.span_type = "tool_use"
        facts.tool_name = as_text(attributes.get("tool_name")) or base.tool_name
        facts.name = facts.tool_name
        facts.tool_call_id = as_text(first_of(attributes, ("tool_use_id", "gen_ai.tool.call.id")))
        facts.tool_input = _tool_input(attributes)
        facts.tool_output = _tool_output(span)
    elif kind == "interaction":
        facts.span_type = "agent_step"
        facts.step_name = as_text(first_of(attributes, ("agent.name", "gen_ai.agent.name"))) or "interaction"
        facts.agent_input = _content(attributes, "user_prompt") or _content(attributes, "new_context")
        facts.agent_output = _content(attributes, "response.model_output")
    else:
        facts.span_type = "custom"
    if as_bool(attributes.get("success")) is False:
        facts.failed = True
        facts.error_message = as_text(attributes.get("error"))
    return facts


def _kind(span: OtlpSpan) -> str:
    """`span.type` with or without the prefix; the name where it is neither."""
    for said in (span.attributes.get("span.type"), span.name):
        if isinstance(said, str) and said.removeprefix(_PREFIX) in _KINDS:
            return said.removeprefix(_PREFIX)
    return ""


def _content(attributes: Mapping[str, Any], key: str) -> Any:
    value = attributes.get(key)
    return None if value in (None, "", REDACTED) else value


def _read_call(attributes: Mapping[str, Any], facts: Facts, base: Facts) -> None:
    facts.span_type = "llm_call"
    facts.provider = base.provider or "anthropic"
    facts.model = base.model or as_text(attributes.get("model"))
    facts.request_model = base.request_model or as_text(attributes.get("model"))
    # what is new since the call before: never the whole conversation
    facts.prompt = base.prompt or messages_of(_content(attributes, "new_context")) or None
    answer = answer_of(_content(attributes, "response.model_output"))
    facts.completion = base.completion or answer.completion
    facts.tool_calls = base.tool_calls or answer.tool_calls
    facts.reasoning = base.reasoning or answer.reasoning
    facts.finish_reason = base.finish_reason or as_text(attributes.get("stop_reason"))
    first = as_number(attributes.get("ttft_ms"))
    facts.ttft_ms = float(first) if first is not None and first >= 0 else base.ttft_ms
    facts.tokens = _tokens(attributes) or base.tokens
    facts.stream = base.stream


def _tokens(attributes: Mapping[str, Any]) -> Tokens | None:
    uncached = as_count(attributes.get("input_tokens"))
    made = as_count(attributes.get("output_tokens"))
    read = as_count(attributes.get("cache_read_tokens"))
    written = as_count(attributes.get("cache_creation_tokens"))
    if uncached is None and made is None and read is None and written is None:
        return None
    given = None if uncached is None else uncached + (read or 0) + (written or 0)
    return Tokens(input=given, output=made, cache_read=read, cache_write=written)


def _tool_input(attributes: Mapping[str, Any]) -> Any:
    given = _content(attributes, "tool_input")
    if given is not None:
        return given
    details = {name: value for name in _DETAILS if (value := _content(attributes, name)) is not None}
    return details or None


def _tool_output(span: OtlpSpan) -> Any:
    for event in span.events:
        if event.name == _TOOL_OUTPUT:
            for name in ("output", "content", "diff"):
                value = _content(event.attributes, name)
                if value is not None:
                    return value
    return _content(span.attributes, "new_context")
