"""Why a model stopped, in the words of OpenAI's chat API. Pure."""

from __future__ import annotations

from typing import Any

from ingest.otlp.values import parsed

NAMES = {
    "tool_call": "tool_calls",
    "tool-calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "function_calls": "tool_calls",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "complete": "stop",
    "completed": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_context_window_exceeded": "length",
    "model_length": "length",
    "content-filter": "content_filter",
    "content_filtered": "content_filter",
    "refusal": "content_filter",
    "guardrail_intervened": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "image_safety": "content_filter",
    "malformed_function_call": "error",
    "unexpected_tool_call": "error",
}
"""What providers call it (Anthropic, Google, Bedrock, Cohere, Hugging Face), and instrumentations: `tool_call` stands
in OpenTelemetry's messages and pydantic-ai's, `tool-calls` in the Vercel AI SDK's."""

_UNSAID = frozenset({"", "null", "none", "unknown", "unspecified", "finish_reason_unspecified"})


def finish_reason(said: Any) -> str | None:
    """The reason of the first choice: `said` may be one, a list of them, or the JSON text of a list. A word that is not
    known stays as it is, in lower case."""
    value = parsed(said)
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    if not isinstance(value, str) or len(value) > 200:
        return None
    word = value.strip().rsplit(".", 1)[-1].lower()  # an enum's printed name: FinishReason.STOP
    return None if word in _UNSAID else NAMES.get(word, word)
