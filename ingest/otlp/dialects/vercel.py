"""The Vercel AI SDK (https://ai-sdk.dev/docs/ai-sdk-core/telemetry): the spans of versions 3 to 6, which version 7
calls legacy, and version 7's, which are OpenTelemetry's GenAI spans.

An outer span (`ai.generateText`, version 7's `invoke_agent`) sums up the tokens of the calls below it: they are shown
there, and counted where they were spent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.otlp.dialects import genai
from ingest.otlp.dialects.labels import below, labels, properties
from ingest.otlp.facts import Facts, Tokens
from ingest.otlp.messages import answer_of, messages_of, tool_calls_of, tools_of
from ingest.otlp.records import OtlpSpan
from ingest.otlp.span_types import span_type_of
from ingest.otlp.values import as_count, as_dict, as_list, as_number, as_text, as_words, first_of, parsed

NAME = "vercel"

_MARKERS = frozenset({
    "ai.operationId", "ai.model.id", "ai.model.provider", "aisdk.model.id", "aisdk.model.provider", "ai.toolCall.name",
    "ai.prompt.messages", "ai.telemetry.functionId",
})  # fmt: skip

_SCOPES = frozenset({"ai", "gen_ai"})

FRAMEWORK = "vercel-ai"

_METADATA = "ai.telemetry.metadata."
_SESSIONS = ("sessionId", "session_id", "session.id", "threadId", "thread_id", "conversationId", "chatId")
_USERS = ("userId", "user_id", "user.id")

_SETTINGS = {
    "topP": "top_p",
    "topK": "top_k",
    "seed": "seed",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
    "stopSequences": "stop",
}

_TEXTS = ("ai.response.text", "ai.result.text", "ai.response.object", "ai.result.object")
_FINISHES = ("ai.response.finishReason", "ai.finishReason")
_CALLS = ("ai.response.toolCalls", "ai.result.toolCalls")


def matches(span: OtlpSpan) -> bool:
    return span.scope.name in _SCOPES or not _MARKERS.isdisjoint(span.attributes)


def read(span: OtlpSpan) -> Facts:
    attributes = span.attributes
    facts = genai.read(span)
    typed = span_type_of(attributes, span.name)
    facts.span_type, facts.chain_type = typed.span_type, typed.chain_type
    if attributes.get("gen_ai.operation.name") == "agent_step":
        facts.span_type = "agent_step"
    _read_metadata(attributes, facts)
    function = as_text(attributes.get("ai.telemetry.functionId"))
    if facts.span_type == "tool_use":
        _read_tool(attributes, facts)
        return facts
    _read_call(attributes, facts)
    if facts.span_type == "agent_step":
        facts.framework = FRAMEWORK
        facts.step_name = function or facts.step_name or _operation(attributes)
        facts.agent_input = facts.agent_input or _said_to_agent(attributes, facts)
        facts.agent_output = facts.completion or facts.tool_calls
        facts.agent_tokens, facts.tokens = facts.agent_tokens or facts.tokens, None
        facts.cost_usd = facts.cost_source = None
        facts.prompt = facts.completion = facts.tool_calls = None  # they stand in agent.input and agent.output
    elif facts.span_type == "chain" or (function is not None and facts.step_name is None):
        facts.step_name = function or facts.step_name
    return facts


def _operation(attributes: Mapping[str, Any]) -> str | None:
    said = as_text(first_of(attributes, ("ai.operationId", "operation.name")))
    return said.split(" ", 1)[0] if said is not None else None


def _read_metadata(attributes: Mapping[str, Any], facts: Facts) -> None:
    found = below(attributes, _METADATA)
    facts.session_id = facts.session_id or as_text(first_of(found, _SESSIONS))
    facts.user_id = facts.user_id or as_text(first_of(found, _USERS))
    named = {name: value for name, value in found.items() if name not in (*_SESSIONS, *_USERS, "tags")}
    facts.tags = {**properties(named), **labels(found.get("tags"))}


# ---------------------------------------------------------------- a call of a model


def _read_call(attributes: Mapping[str, Any], facts: Facts) -> None:
    get = attributes.get
    said_provider = as_text(first_of(attributes, ("ai.model.provider", "aisdk.model.provider")))
    facts.provider = said_provider or facts.provider
    asked = as_text(first_of(attributes, ("ai.model.id", "aisdk.model.id")))
    facts.request_model = facts.request_model or asked
    facts.model = as_text(first_of(attributes, ("ai.response.model", "gen_ai.response.model"))) or asked or facts.model
    facts.prompt = messages_of(get("ai.prompt.messages")) or messages_of(get("ai.prompt")) or facts.prompt
    said = as_text(first_of(attributes, _TEXTS))
    facts.completion = said if said is not None else facts.completion
    facts.reasoning = _reasoning(get("ai.response.reasoning")) or facts.reasoning
    facts.tool_calls = tool_calls_of(first_of(attributes, _CALLS)) or facts.tool_calls
    facts.tools = tools_of(get("ai.prompt.tools")) or facts.tools
    choice = parsed(get("ai.prompt.toolChoice"))
    if choice is not None:
        facts.tool_choice = _tool_choice(choice)
    schema = as_dict(get("ai.schema"))
    if schema is not None:
        name = as_text(get("ai.schema.name")) or "answer"
        facts.response_format = {"type": "json_schema", "json_schema": {"name": name, "schema": schema}}
    facts.finish_reason = (
        as_text(get("ai.response.finishReason")) or as_text(get("ai.finishReason")) or facts.finish_reason
    )
    _read_settings(attributes, facts)
    facts.tokens = _tokens(attributes, facts.tokens)
    first = as_number(first_of(attributes, ("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk")))
    facts.ttft_ms = float(first) if first is not None and first >= 0 else facts.ttft_ms
    operation = _operation(attributes)
    if operation is not None and operation.startswith(("ai.streamText", "ai.streamObject")):
        facts.stream = True


def _reasoning(value: Any) -> str | None:
    """A text, or (version 5) a list of parts."""
    listed = as_list(value)
    if listed is None:
        return as_text(value)
    return answer_of([{"role": "assistant", "parts": listed}]).reasoning


def _tool_choice(choice: Any) -> Any:
    """`{"type": "auto"}` is "auto"; `{"type": "tool", "toolName": …}` one function."""
    if not isinstance(choice, dict):
        return choice
    if choice.get("type") == "tool" and isinstance(choice.get("toolName"), str):
        return {"type": "function", "function": {"name": choice["toolName"]}}
    return choice["type"] if choice.get("type") in ("auto", "none", "required") else choice


def _read_settings(attributes: Mapping[str, Any], facts: Facts) -> None:
    if facts.temperature is None:
        temperature = as_number(attributes.get("ai.settings.temperature"))
        facts.temperature = float(temperature) if temperature is not None else None
    if facts.max_tokens is None:
        facts.max_tokens = as_count(first_of(attributes, ("ai.settings.maxOutputTokens", "ai.settings.maxTokens")))
    said = {
        name: value
        for key, name in _SETTINGS.items()
        if (value := attributes.get(f"ai.settings.{key}")) not in (None, "")
    }
    facts.params = {**said, **facts.params}


def _tokens(attributes: Mapping[str, Any], found: Tokens | None) -> Tokens | None:
    """`ai.usage.*` over what `gen_ai.usage.*` says. With Anthropic, versions before 6 left what came from the cache,
    and went into it, out of the input: the provider's own figures say so."""

    def count(*names: str) -> int | None:
        return as_count(first_of(attributes, tuple(f"ai.usage.{name}" for name in names)))

    given = count("inputTokens", "promptTokens", "tokens")
    tokens = Tokens(
        input=given,
        output=count("outputTokens", "completionTokens"),
        total=count("totalTokens"),
        cache_read=count("inputTokenDetails.cacheReadTokens", "cachedInputTokens"),
        cache_write=count("inputTokenDetails.cacheWriteTokens"),
        reasoning=count("outputTokenDetails.reasoningTokens", "reasoningTokens"),
    )
    if found is not None:
        for name in Tokens.__struct_fields__:
            if getattr(tokens, name) is None:
                setattr(tokens, name, getattr(found, name))
    _add_cache_of_anthropic(attributes, tokens)
    return tokens if tokens != Tokens() else None


def _add_cache_of_anthropic(attributes: Mapping[str, Any], tokens: Tokens) -> None:
    metadata = as_dict(attributes.get("ai.response.providerMetadata")) or {}
    anthropic = as_dict(metadata.get("anthropic"))
    if anthropic is None:
        return
    usage = as_dict(anthropic.get("usage")) or {}
    read = as_count(first_of(usage, ("cache_read_input_tokens",)))
    written = as_count(first_of({**anthropic, **usage}, ("cache_creation_input_tokens", "cacheCreationInputTokens")))
    read = read if read is not None else as_count(anthropic.get("cacheReadInputTokens"))
    if read is None:
        read = tokens.cache_read
    apart = as_count(usage.get("input_tokens"))  # what Anthropic itself calls input: without the cache
    if tokens.input is not None and (read or written):
        if apart is not None:
            without_cache = tokens.input == apart
        else:
            # version 4 knows no cachedInputTokens, and gives Anthropic's input as it came
            without_cache = tokens.cache_read is None or tokens.input < (read or 0) + (written or 0)
        if without_cache:
            tokens.input += (read or 0) + (written or 0)
            tokens.total = None if tokens.total is None else tokens.input + (tokens.output or 0)
    tokens.cache_read = tokens.cache_read if tokens.cache_read is not None else read
    tokens.cache_write = tokens.cache_write if tokens.cache_write is not None else written


# ---------------------------------------------------------------- a tool, an agent


def _read_tool(attributes: Mapping[str, Any], facts: Facts) -> None:
    get = attributes.get
    name = as_text(get("ai.toolCall.name"))
    if name is not None:
        facts.name = facts.tool_name = name
    facts.tool_call_id = as_text(get("ai.toolCall.id")) or facts.tool_call_id
    given, got = get("ai.toolCall.args"), get("ai.toolCall.result")
    facts.tool_input = given if given not in (None, "") else facts.tool_input
    facts.tool_output = got if got not in (None, "") else facts.tool_output
    facts.framework = FRAMEWORK


def _said_to_agent(attributes: Mapping[str, Any], facts: Facts) -> Any:
    """What the user asked for: `prompt` of `{"system", "prompt", "messages"}`, else the last message of the user."""
    whole = as_dict(attributes.get("ai.prompt"))
    if whole is not None and isinstance(whole.get("prompt"), str):
        return whole["prompt"]
    for message in reversed(facts.prompt or []):
        if message.get("role") == "user":
            return as_words(message.get("content"))
    return None
