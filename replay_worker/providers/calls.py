"""One call of a model, in one shape for every provider: what is asked, and what came back."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "error", "other"]


class ModelCall(Struct, kw_only=True):
    """`messages` and `tools` in the shape of OpenAI's chat API (content may be a list of parts, images among them);
    `params` by its parameter names. `api`: whether OpenAI is asked by chat completions or by its Responses API."""

    model: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None
    response_format: Any = None
    params: dict[str, Any] = {}
    api: Literal["chat", "responses"] = "chat"


class Completion(Struct, kw_only=True):
    """`tool_calls` as `{"id", "type": "function", "function": {"name", "arguments": JSON text}}`. Cached tokens are
    part of `tokens_input`, reasoning tokens of `tokens_output`; None where the provider did not say."""

    text: str
    tool_calls: list[dict[str, Any]] = []
    finish_reason: FinishReason | None = None
    reasoning: str | None = None
    tokens_input: int | None = None
    tokens_output: int | None = None
    tokens_cached: int | None = None
    tokens_reasoning: int | None = None
    model: str | None = None
    latency_ms: float = 0.0
    first_text_ms: float | None = None
