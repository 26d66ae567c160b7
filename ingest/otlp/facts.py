"""What a dialect finds out about a span, in Beacon's words; `ingest/otlp/mapping.py` makes attributes of it. Pure."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from beacon.contract.records import SpanType

Message = dict[str, Any]
"""A message as OpenAI's chat completions have it: role, content, tool_calls, tool_call_id, name, reasoning_content."""


class Tokens(Struct):
    """Tokens of one call; None is not known. `input` includes what was read from and written to a cache, `output` what
    was reasoned."""

    input: int | None = None
    output: int | None = None
    total: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


class StandsFor(Struct):
    """The span that a pending span is an open copy of."""

    span_id: str
    parent_span_id: str | None


class Facts(Struct, kw_only=True):
    """None, or empty, is: the span does not say."""

    span_type: SpanType | None = None
    name: str | None = None  # where the span's own is a template or says less
    # a call of a model
    provider: str | None = None  # as it was said; mapping gives it its canonical name
    model: str | None = None  # that answered, else that was asked
    request_model: str | None = None
    prompt: list[Message] | None = None
    completion: str | None = None
    reasoning: str | None = None
    tool_calls: list[dict[str, Any]] | None = None  # [{id, type: "function", function: {name, arguments: text}}]
    tools: list[dict[str, Any]] | None = None  # as OpenAI has them: {type: "function", function: {...}}
    tool_choice: Any = None
    response_format: Any = None
    tokens: Tokens | None = None
    cost_usd: float | None = None
    cost_source: str | None = None  # the attribute that said so
    temperature: float | None = None
    max_tokens: int | None = None
    params: dict[str, Any] = {}  # other sampling parameters, by OpenAI's names
    finish_reason: str | None = None  # as it was said
    base_url: str | None = None
    ttft_ms: float | None = None
    stream: bool | None = None
    # a tool
    tool_name: str | None = None
    tool_input: Any = None
    tool_output: Any = None
    tool_call_id: str | None = None
    # an agent, a chain
    framework: str | None = None
    step_name: str | None = None
    agent_input: Any = None
    agent_output: Any = None
    agent_tokens: Tokens | None = None  # a sum over its calls: shown, never counted
    chain_type: str | None = None
    chain_input: Any = None
    chain_output: Any = None
    # of any span
    session_id: str | None = None
    user_id: str | None = None
    error_message: str | None = None
    failed: bool = False  # the dialect says so, though the status does not
    tags: dict[str, str] = {}  # for the trace
    more: dict[str, Any] = {}  # further attributes of Beacon's, by their whole names
    listens: list[str] = []  # addresses of content that comes apart from the span (ingest/otlp/contents.py)
    stands_for: StandsFor | None = None  # this span is an open copy of another, sent when that one started
    tells: str | None = None  # what this span says of a call goes to that address too (a streamed answer's sibling)
