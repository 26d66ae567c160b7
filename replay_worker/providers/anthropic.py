"""Anthropic's Messages API.

Request and answer: https://docs.anthropic.com/en/api/messages; stream:
https://docs.anthropic.com/en/docs/build-with-claude/streaming; answers in JSON by a schema and effort:
https://platform.claude.com/docs/en/build-with-claude/structured-outputs; models:
https://docs.anthropic.com/en/api/models-list; versions: https://docs.anthropic.com/en/api/versioning.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from beacon.errors import BadRequest, UpstreamFailed
from beacon.keys import Endpoint
from replay_worker.providers.calls import Completion, FinishReason, HttpRequest, ModelCall
from replay_worker.providers.content import Media, Other, Part, Text, cannot, read_arguments, read_parts
from replay_worker.providers.errors import error_in, message_of
from replay_worker.providers.headers import keyed
from replay_worker.providers.options import (
    Function,
    json_schema,
    read_choice,
    read_format,
    read_tools,
    stops,
    translated,
    wanted,
)
from replay_worker.providers.sse import Event
from replay_worker.providers.untrusted import arguments, count, decode, fields, name, objects, text

PROVIDER = "Anthropic"

VERSION = "2023-06-01"

MAX_TOKENS = 8_192
"""`max_tokens` where none was asked for, since the API demands one: what every model from Claude 3.5 on can give."""

MAX_TOKENS_BEFORE = 4_096
"""What the models before can give at most; they refuse more with a 400."""

_BEFORE = re.compile(r"claude-(v?[12]\b|instant|3-(opus|sonnet|haiku))")

MODELS_PAGE = 1_000

OWN_PARTS = ("thinking", "redacted_thinking", "document", "search_result", "server_tool_use", "web_search_tool_result")
"""Parts of a recorded message that go back as they came; thinking has to, with its signature
(https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking)."""

PARAMS = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "stop": "stop_sequences",
    "thinking": "thinking",
    "metadata": "metadata",
    "service_tier": "service_tier",
    "output_config": "output_config",
    "container": "container",
    "context_management": "context_management",
    "mcp_servers": "mcp_servers",
    "inference_geo": "inference_geo",
}

FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


# ---------------------------------------------------------------- request


def build_request(endpoint: Endpoint, call: ModelCall, stream: bool) -> HttpRequest:
    """POST v1/messages. System messages, wherever they stand, become the request's `system`."""
    system, messages = _messages(call.messages)
    body: dict[str, Any] = {"model": call.model, "max_tokens": default_max_tokens(call.model), "messages": messages}
    if system:
        plain = len(system) == 1 and set(system[0]) == {"type", "text"}
        body["system"] = system[0]["text"] if plain else system
    if call.tools:
        body["tools"] = [_tool(tool) for tool in read_tools(call.tools)]
    body |= _params(call)
    if stream:
        body["stream"] = True
    return HttpRequest(
        method="POST", url=f"{_base(endpoint)}/messages", headers=_headers(endpoint), body=msgspec.json.encode(body)
    )


def default_max_tokens(model: str) -> int:
    """`max_tokens` of a call that sets none."""
    return MAX_TOKENS_BEFORE if _BEFORE.search(model) else MAX_TOKENS


def _base(endpoint: Endpoint) -> str:
    return endpoint.base_url if endpoint.base_url.endswith("/v1") else f"{endpoint.base_url}/v1"


def _headers(endpoint: Endpoint) -> dict[str, str]:
    return keyed(endpoint, "x-api-key") | {"anthropic-version": VERSION}


def _params(call: ModelCall) -> dict[str, Any]:
    asked = wanted(call.params)
    parallel = asked.pop("parallel_tool_calls", None)
    effort = asked.pop("reasoning_effort", None)
    user = asked.pop("user", None)
    body = translated(asked, PARAMS, PROVIDER)
    if "stop_sequences" in body:
        body["stop_sequences"] = stops(body["stop_sequences"])
    temperature = body.get("temperature")
    if isinstance(temperature, int | float) and temperature > 1:
        raise BadRequest(f"temperature is {temperature}; {PROVIDER} takes 0 to 1.")
    if user is not None:
        body["metadata"] = {**fields(body.get("metadata")), "user_id": user}
    if effort is not None:
        body["output_config"] = {**fields(body.get("output_config")), "effort": effort}
    form = read_format(call.response_format, PROVIDER)
    if form is not None:
        if form.schema is None:
            raise BadRequest(
                f"response_format json_object is one that {PROVIDER} does not have; use json_schema with a schema."
            )
        json_format = {"type": "json_schema", "schema": json_schema(form.schema)}
        body["output_config"] = {**fields(body.get("output_config")), "format": json_format}
    choice = _tool_choice(call.tool_choice)
    if parallel is False and call.tools and (choice is None or choice["type"] != "none"):
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    return body | ({"tool_choice": choice} if choice else {})


def _tool_choice(choice: Any) -> dict[str, Any] | None:
    found = read_choice(choice, PROVIDER)
    if found is None:
        return None
    kind, function = found
    said: dict[str, Any] = {"type": "tool", "name": function} if function else {"type": kind}
    if kind == "required":
        said = {"type": "any"}
    if isinstance(choice, dict) and isinstance(choice.get("disable_parallel_tool_use"), bool):
        said["disable_parallel_tool_use"] = choice["disable_parallel_tool_use"]
    return said


def _tool(tool: Function | dict[str, Any]) -> dict[str, Any]:
    if not isinstance(tool, Function):
        if isinstance(tool.get("custom"), dict):
            raise BadRequest(
                f"The tool {str(tool['custom'].get('name'))[:60]!r} takes any text, which {PROVIDER} does not have. "
                "Remove it, or choose another model."
            )
        return tool
    schema = json_schema(tool.parameters) or {"type": "object", "properties": {}}
    found = {"name": tool.name, "description": tool.description, "input_schema": schema, "strict": tool.strict or None}
    return {key: value for key, value in found.items() if value is not None}


def _messages(messages: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(system blocks, messages). The results of tools that were called together stand in one message."""
    system: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    results: list[dict[str, Any]] | None = None
    for index, message in enumerate(messages):
        where, role = f"messages[{index}]", message.get("role")
        for key in ("audio", "reasoning_content", "reasoning", *(("name",) if role != "tool" else ())):
            if message.get(key):
                raise cannot(PROVIDER, where, f"the field {key}")
        parts = read_parts(message.get("content"), where)
        if role == "tool":
            if results is None:
                results = []
                found.append({"role": "user", "content": results})
            results.append(_result(message, parts, where))
            continue
        results = None
        if role in ("system", "developer"):
            system += _blocks(parts, where)
            continue
        blocks = _blocks(parts, where)
        if not parts and message.get("refusal"):
            blocks = [{"type": "text", "text": message["refusal"]}]
        for call in message.get("tool_calls") or ():
            call_id, function, given = read_arguments(call, where, PROVIDER)
            blocks.append({"type": "tool_use", "id": call_id, "name": function, "input": given})
        found.append({"role": role, "content": blocks})
    return system, found


def _result(message: dict[str, Any], parts: list[Part], where: str) -> dict[str, Any]:
    plain = all(isinstance(part, Text) for part in parts)
    content: Any = "\n".join(part.text for part in parts if isinstance(part, Text)) if plain else _blocks(parts, where)
    result = {"type": "tool_result", "tool_use_id": message.get("tool_call_id"), "content": content}
    return result | ({"is_error": True} if message.get("is_error") else {})


def _blocks(parts: list[Part], where: str) -> list[dict[str, Any]]:
    """Content blocks; an empty text is left out, since Anthropic refuses one."""
    return [_block(part, where) for part in parts if not (isinstance(part, Text) and not part.text)]


def _block(part: Part, where: str) -> dict[str, Any]:
    if isinstance(part, Other):
        if part.kind in OWN_PARTS:
            return part.part
        raise cannot(PROVIDER, where, f"a part of the type {part.kind}")
    cache = {"cache_control": part.cache_control} if part.cache_control else {}
    if isinstance(part, Text):
        return {"type": "text", "text": part.text, **cache}
    kind = _kind(part, where)
    source = (
        {"type": "url", "url": part.url}
        if part.url
        else {"type": "base64", "media_type": part.media_type, "data": part.data}
    )
    return {"type": kind, "source": source, **cache}


def _kind(part: Media, where: str) -> str:
    if part.kind == "image":
        return "image"
    if part.kind == "file" and (part.media_type in ("application/pdf", None)):
        return "document"
    raise cannot(PROVIDER, where, f"a part of the type {part.media_type or part.kind}")


# ---------------------------------------------------------------- answer


def parse_response(body: bytes) -> Completion:
    answer = decode(body)
    error_in(answer)
    if not isinstance(answer.get("content"), list):
        raise UpstreamFailed("its answer has no content")
    blocks = objects(answer["content"])
    calls = [
        _call(i, block, arguments(block.get("input")))
        for i, block in enumerate(one for one in blocks if one.get("type") == "tool_use")
    ]
    said = "".join(text(block.get("text")) for block in blocks if block.get("type") == "text")
    thought = "".join(text(block.get("thinking")) for block in blocks if block.get("type") == "thinking")
    return _completion(answer, said, thought, calls, answer.get("stop_reason"), fields(answer.get("usage")))


def _completion(
    answer: dict[str, Any], said: str, thought: str, calls: list[dict[str, Any]], reason: Any, usage: dict[str, Any]
) -> Completion:
    """An answer without text and tool calls is one here: a model that has nothing to add ends its turn like that
    (https://docs.anthropic.com/en/api/handling-stop-reasons)."""
    fresh, cached = count(usage.get("input_tokens")), count(usage.get("cache_read_input_tokens"))
    written = count(usage.get("cache_creation_input_tokens"))
    return Completion(
        text=said,
        tool_calls=calls,
        finish_reason=FINISH.get(reason, "other") if isinstance(reason, str) else None,
        reasoning=thought or None,
        tokens_input=None if fresh is None else fresh + (cached or 0) + (written or 0),
        tokens_output=count(usage.get("output_tokens")),
        tokens_cached=cached,
        tokens_cache_write=written,
        tokens_reasoning=count(fields(usage.get("output_tokens_details")).get("thinking_tokens")),
        model=name(answer.get("model")),
    )


def _call(index: int, block: dict[str, Any], given: str) -> dict[str, Any]:
    function = {"name": text(block.get("name")), "arguments": given}
    return {"id": name(block.get("id")) or f"call_{index + 1}", "type": "function", "function": function}


# ---------------------------------------------------------------- stream


class MessageStream:
    """Blocks by their index, between `message_start` and `message_stop`; kinds of events not known here are to be
    passed over, says the documentation."""

    def __init__(self) -> None:
        self.done = False
        self._message: dict[str, Any] | None = None
        self._usage: dict[str, Any] = {}
        self._reason: Any = None
        self._blocks: dict[int, dict[str, Any]] = {}
        self._pieces: dict[int, list[str]] = {}

    def feed(self, event: Event) -> list[str]:
        said = decode(event.data)
        kind = said.get("type") or event.name
        if kind == "error":
            raise UpstreamFailed(f"it failed: {message_of(said)}")
        if kind == "message_start":
            self._message = fields(said.get("message"))
            self._count(self._message.get("usage"))
        elif kind == "content_block_start":
            block = fields(said.get("content_block"))
            self._blocks[count(said.get("index")) or 0] = block
            return self._add(said, block)
        elif kind == "content_block_delta":
            return self._add(said, fields(said.get("delta")))
        elif kind == "message_delta":
            self._reason = fields(said.get("delta")).get("stop_reason") or self._reason
            self._count(said.get("usage"))
        elif kind == "message_stop":
            self.done = True
        return []

    def result(self) -> Completion:
        if not self.done or self._message is None:
            raise UpstreamFailed("its stream ended before the answer did")
        blocks = sorted(self._blocks.items())
        called = [(index, block) for index, block in blocks if block.get("type") == "tool_use"]
        calls = [
            _call(i, block, self._joined(index) or arguments(block.get("input")))
            for i, (index, block) in enumerate(called)
        ]
        said = "".join(self._joined(index) for index, block in blocks if block.get("type") == "text")
        thought = "".join(self._joined(index) for index, block in blocks if block.get("type") == "thinking")
        return _completion(self._message, said, thought, calls, self._reason, self._usage)

    def _add(self, said: dict[str, Any], piece: dict[str, Any]) -> list[str]:
        index = count(said.get("index")) or 0
        kind = fields(self._blocks.get(index)).get("type")
        key = {"text": "text", "thinking": "thinking", "tool_use": "partial_json"}.get(str(kind))
        new = text(piece.get(key)) if key else ""
        if new:
            self._pieces.setdefault(index, []).append(new)
        return [new] if new and kind == "text" else []

    def _joined(self, index: int) -> str:
        return "".join(self._pieces.get(index, ()))

    def _count(self, usage: Any) -> None:
        """The counts of `message_delta` are of the whole answer, and null where nothing is said."""
        self._usage |= {key: value for key, value in fields(usage).items() if value is not None}


def new_parser() -> MessageStream:
    return MessageStream()


# ---------------------------------------------------------------- models


def models_request(endpoint: Endpoint) -> HttpRequest:
    url = f"{_base(endpoint)}/models?limit={MODELS_PAGE}"
    return HttpRequest(method="GET", url=url, headers=_headers(endpoint))


def parse_models(body: bytes) -> list[str]:
    answer = decode(body)
    error_in(answer)
    if not isinstance(answer.get("data"), list):
        raise UpstreamFailed("its list of models has no data")
    return [found for entry in objects(answer["data"]) if (found := name(entry.get("id")))]
