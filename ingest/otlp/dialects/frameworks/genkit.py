"""Genkit (https://genkit.dev): an action has its whole input and output as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.otlp.bodies import read_options
from ingest.otlp.dialects.frameworks.put import put
from ingest.otlp.facts import Facts, Tokens
from ingest.otlp.messages import answer_of, messages_of, tools_of
from ingest.otlp.records import OtlpSpan
from ingest.otlp.values import as_count, as_dict, as_list, as_text, first_of, parsed

_GENKIT_CHAINS = frozenset({"flow", "retriever", "reranker", "indexer", "evaluator", "prompt", "util", "flowstep"})


def read(span: OtlpSpan, facts: Facts) -> None:
    """https://genkit.dev: an action has its whole input and output as JSON."""
    attributes = span.attributes
    subtype = as_text(first_of(attributes, ("genkit:metadata:subtype", "genkit:type"))) or ""
    name = as_text(attributes.get("genkit:name"))
    given, got = attributes.get("genkit:input"), attributes.get("genkit:output")
    facts.session_id = facts.session_id or as_text(attributes.get("genkit:sessionId"))
    facts.failed = attributes.get("genkit:state") == "error"
    if subtype == "model":
        facts.span_type = "llm_call"
        _read_genkit_model(facts, name, as_dict(given) or {}, as_dict(got) or {})
    elif subtype in ("tool", "tool.v2"):
        facts.span_type, facts.tool_name, facts.name = "tool_use", name or span.name, name
        put(facts, given, got)
    elif subtype == "agent" or subtype == "executable-prompt":
        facts.span_type, facts.step_name = "agent_step", name
        put(facts, given, got)
    elif subtype in _GENKIT_CHAINS:
        facts.span_type, facts.chain_type = "chain", subtype
        facts.step_name = name
        put(facts, given, got)


def _read_genkit_model(facts: Facts, name: str | None, request: Mapping[str, Any], response: Mapping[str, Any]) -> None:
    """`vertexai/gemini-2.5-flash`: who answers, and the model."""
    if name is not None:
        provider, found, model = name.partition("/")
        facts.provider = facts.provider or (provider if found else None)
        facts.request_model = facts.request_model or (model if found else name)
    facts.model = facts.model or facts.request_model
    facts.prompt = messages_of([_genkit_message(one) for one in as_list(request.get("messages")) or []]) or None
    facts.tools = tools_of(request.get("tools")) or None
    facts.tool_choice = parsed(request.get("toolChoice"))
    config = as_dict(request.get("config"))
    if config is not None:
        read_options(facts, config)
    output = as_dict(request.get("output")) or {}
    if output.get("format") == "json" or as_dict(output.get("schema")) is not None:
        schema = as_dict(output.get("schema"))
        facts.response_format = (
            {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
            if schema is not None
            else {"type": "json_object"}
        )
    candidate = (as_list(response.get("candidates")) or [None])[0]
    said = as_dict(response.get("message")) or (candidate.get("message") if isinstance(candidate, dict) else None)
    if isinstance(said, dict):
        answer = answer_of([_genkit_message(said)])
        facts.completion, facts.reasoning, facts.tool_calls = answer.completion, answer.reasoning, answer.tool_calls
    facts.finish_reason = as_text(response.get("finishReason")) or facts.finish_reason
    usage = as_dict(response.get("usage"))
    if usage is not None:
        tokens = Tokens(
            input=as_count(usage.get("inputTokens")),
            output=as_count(usage.get("outputTokens")),
            total=as_count(usage.get("totalTokens")),
            cache_read=as_count(usage.get("cachedContentTokens")),
            reasoning=as_count(usage.get("thoughtsTokens")),
        )
        if tokens.reasoning is not None and tokens.output is not None:
            tokens.output += tokens.reasoning
        facts.tokens = tokens if tokens != Tokens() else facts.tokens


def _genkit_message(message: Any) -> Any:
    """Parts are told apart by the field they have: text, reasoning, media, toolRequest, toolResponse."""
    if not isinstance(message, dict):
        return message
    listed = as_list(message.get("content"))
    if listed is None:
        return message
    return {"role": message.get("role"), "parts": [_genkit_part(one) for one in listed]}


def _genkit_part(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    call, result, media = part.get("toolRequest"), part.get("toolResponse"), part.get("media")
    if isinstance(call, dict):
        return {"type": "tool_call", "id": call.get("ref"), "name": call.get("name"), "arguments": call.get("input")}
    if isinstance(result, dict):
        return {
            "type": "tool_call_response",
            "id": result.get("ref"),
            "name": result.get("name"),
            "response": result.get("output"),
        }
    if isinstance(media, dict):
        return {"type": "uri", "uri": media.get("url"), "mime_type": media.get("contentType")}
    if isinstance(part.get("reasoning"), str):
        return {"type": "reasoning", "content": part["reasoning"]}
    return part
