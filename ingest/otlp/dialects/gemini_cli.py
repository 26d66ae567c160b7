"""Gemini CLI (https://github.com/google-gemini/gemini-cli/blob/main/docs/cli/telemetry.md): OpenTelemetry's GenAI
attributes with operations of its own, and messages in the form of Google's API, a content for each piece that came.
"""

from __future__ import annotations

from typing import Any

from ingest.otlp.bodies import prompt_of, read_request
from ingest.otlp.dialects import genai
from ingest.otlp.facts import Facts
from ingest.otlp.messages import answer_of, messages_of, tools_of
from ingest.otlp.records import OtlpSpan
from ingest.otlp.values import as_dict, as_list, as_text, first_of

NAME = "gemini_cli"

FRAMEWORK = "gemini-cli"

_SPAN_TYPES: dict[str, Any] = {
    "llm_call": "llm_call",
    "tool_call": "tool_use",
    "agent_call": "agent_step",
    "user_prompt": "agent_step",
}
"""gen_ai.operation.name; the others (system_prompt, schedule_tool_calls) are steps of the program itself."""

_GIVEN = ("gen_ai.input.messages", "input-json")
_GOT = ("gen_ai.output.messages", "output-json")


def matches(span: OtlpSpan) -> bool:
    return span.scope.name == FRAMEWORK or span.attributes.get("gen_ai.agent.name") == FRAMEWORK


def read(span: OtlpSpan) -> Facts:
    attributes = span.attributes
    facts = genai.read(span)
    operation = attributes.get("gen_ai.operation.name")
    span_type = _SPAN_TYPES.get(operation) if isinstance(operation, str) else None
    given, got = first_of(attributes, _GIVEN), first_of(attributes, _GOT)
    facts.span_type = span_type or "custom"
    if span_type != "agent_step":
        facts.step_name = None
    if span_type == "llm_call":
        facts.provider = facts.provider or "google"
        _read_call(attributes, facts, given, got)
        return facts
    facts.prompt = facts.completion = facts.tool_calls = facts.reasoning = None
    facts.agent_tokens, facts.tokens = facts.agent_tokens or facts.tokens, None
    if span_type == "tool_use":
        facts.tool_name = facts.tool_name or as_text(attributes.get("tool_name"))
        facts.name = facts.tool_name
        facts.tool_input = facts.tool_input if facts.tool_input is not None else given
        facts.tool_output = facts.tool_output if facts.tool_output is not None else got
    elif span_type == "agent_step":
        facts.framework = FRAMEWORK
        facts.agent_input, facts.agent_output = given, got
    return facts


def _read_call(attributes: dict[str, Any], facts: Facts, given: Any, got: Any) -> None:
    request = as_dict(given)
    if request is not None:
        read_request(facts, request)
        facts.prompt = prompt_of(request) or facts.prompt
    else:
        facts.prompt = messages_of(given) or facts.prompt
    system = attributes.get("gen_ai.system_instructions")
    if system is not None and facts.prompt and facts.prompt[0].get("role") != "system":
        facts.prompt = [*_system(system), *facts.prompt]
    listed = as_list(got)
    if listed is not None:
        parts = [part for one in listed if isinstance(one, dict) for part in _parts(one)]
        if parts:
            got = [{"role": "model", "parts": parts}]
    answer = answer_of(got)
    facts.completion = answer.completion or facts.completion
    facts.reasoning = answer.reasoning or facts.reasoning
    facts.tool_calls = answer.tool_calls or facts.tool_calls
    facts.finish_reason = facts.finish_reason or answer.finish_reason
    facts.tools = facts.tools or tools_of(attributes.get("gen_ai.tool.definitions")) or None


def _system(said: Any) -> list[dict[str, Any]]:
    text = "\n".join(
        words for message in messages_of(said, "system") if isinstance(words := message.get("content"), str) and words
    )
    return [{"role": "system", "content": text}] if text else []


def _parts(content: dict[str, Any]) -> list[Any]:
    """The parts of a content, or of the first candidate of a response."""
    candidates = as_list(content.get("candidates"))
    if candidates:
        content = as_dict(candidates[0]) or {}
        content = as_dict(content.get("content")) or {}
    return as_list(content.get("parts")) or []
