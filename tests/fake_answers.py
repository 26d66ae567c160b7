"""What the fake provider says, in the words of each of the four APIs.

Shapes: https://platform.openai.com/docs/api-reference/chat, https://platform.openai.com/docs/api-reference/responses,
https://docs.anthropic.com/en/api/messages with /messages-streaming, https://ai.google.dev/api/generate-content.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Api = Literal["chat", "responses", "anthropic", "google"]


@dataclass
class Reply:
    """One answer, and how it misbehaves. Times in seconds.

    `text` None: "This is MODEL. You said: LAST USER TEXT". `pieces`: how the text is streamed (default: word by word).
    `tool_calls`: (name, arguments). `finish`: stop, length, tool_calls or content_filter. Tokens by Beacon's rule:
    cached ones are part of the input, reasoning ones of the output; each API says them its own way.

    `status` other than 200 answers with `error` in the provider's shape, and with `headers` (Retry-After).
    `first_byte_s`: pause before the first byte. `piece_s`: pause before each streamed piece (a call that does not
    stream waits first_byte_s alone). `cut_after`: the connection breaks after so many pieces (in the middle of an
    answer that is not streamed); `ends_early`: the body ends there in good order, without the last events.
    `gate`: the first byte is sent when the test opens the gate of that name (`fake.open`); with `gate_after`, the rest
    after so many streamed pieces. `hang_after`: nothing comes after so many pieces, for ever (0: nothing but the
    headers). `hang`: not even headers. `close`: the connection closes without an answer. `chunk`: bytes at a time the
    body is sent in. `body`: sent instead of an answer, whatever it is. `huge`: that many bytes of text. `echo_key`: the
    key that came is put into the text or the error.
    """

    text: str | None = None
    pieces: list[str] | None = None
    tool_calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    reasoning: str | None = None
    finish: str | None = None
    tokens_input: int = 12
    tokens_output: int = 7
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    status: int = 200
    error: str = "The fake provider was told to fail."
    headers: dict[str, str] = field(default_factory=dict)
    first_byte_s: float = 0.0
    piece_s: float = 0.0
    cut_after: int | None = None
    ends_early: bool = False
    hang_after: int | None = None
    hang: bool = False
    gate: str | None = None
    gate_after: int | None = None
    close: bool = False
    chunk: int | None = None
    body: bytes | None = None
    huge: int = 0
    echo_key: bool = False

    @property
    def finished(self) -> str:
        return self.finish or ("tool_calls" if self.tool_calls else "stop")

    def split(self) -> list[str]:
        """The text as it is streamed."""
        if self.pieces is not None:
            return self.pieces
        return [piece for piece in _words(self.text or "") if piece]


def _words(text: str) -> Iterator[str]:
    start = 0
    while (end := text.find(" ", start)) >= 0:
        yield text[start : end + 1]
        start = end + 1
    yield text[start:]


def error_body(api: Api, status: int, message: str) -> dict[str, Any]:
    if api == "anthropic":
        kinds = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}
        return {"type": "error", "error": {"type": kinds.get(status, "api_error"), "message": message}}
    if api == "google":
        return {"error": {"code": status, "message": message, "status": "UNAVAILABLE"}}
    return {"error": {"message": message, "type": "fake_error", "param": None, "code": None}}


def model_list(api: Api, models: list[str]) -> dict[str, Any]:
    if api == "google":
        methods = ["generateContent", "countTokens"]
        return {"models": [{"name": f"models/{name}", "supportedGenerationMethods": methods} for name in models]}
    if api == "anthropic":
        data = [{"type": "model", "id": name, "display_name": name} for name in models]
        return {"data": data, "has_more": False, "first_id": None, "last_id": None}
    return {"object": "list", "data": [{"id": name, "object": "model", "owned_by": "fake"} for name in models]}


def whole(api: Api, model: str, reply: Reply) -> dict[str, Any]:
    """The answer of a call that does not stream."""
    return {"chat": _chat, "responses": _responses, "anthropic": _anthropic, "google": _google}[api](model, reply)


def stream(api: Api, model: str, reply: Reply, include_usage: bool = True) -> Iterator[tuple[bool, bytes]]:
    """The events of a streamed answer: (whether it is a piece of text, its bytes)."""
    if api == "chat":
        yield from _chat_stream(model, reply, include_usage)
    elif api == "responses":
        yield from _responses_stream(model, reply)
    elif api == "anthropic":
        yield from _anthropic_stream(model, reply)
    else:
        yield from _google_stream(model, reply)


def _data(value: Any, event: str | None = None) -> bytes:
    text = json.dumps(value, ensure_ascii=False)
    return (f"event: {event}\n" if event else "").encode() + b"data: " + text.encode() + b"\n\n"


def _arguments(arguments: dict[str, Any]) -> str:
    return json.dumps(arguments, ensure_ascii=False)


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


# ---------------------------------------------------------------- OpenAI chat completions


def _chat_usage(reply: Reply) -> dict[str, Any]:
    return {
        "prompt_tokens": reply.tokens_input,
        "completion_tokens": reply.tokens_output,
        "total_tokens": reply.tokens_input + reply.tokens_output,
        "prompt_tokens_details": {"cached_tokens": reply.tokens_cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reply.tokens_reasoning, "audio_tokens": 0},
    }


def _chat(model: str, reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.tool_calls:
        message["tool_calls"] = [
            {"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": _arguments(arguments)}}
            for i, (name, arguments) in enumerate(reply.tool_calls)
        ]
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finished}],
        "usage": _chat_usage(reply),
    }


def _chat_stream(model: str, reply: Reply, include_usage: bool) -> Iterator[tuple[bool, bytes]]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        return _data({**head, "choices": choices})

    head = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": model}
    yield False, chunk({"role": "assistant", "content": ""})
    for piece in _halves(reply.reasoning or ""):
        if piece:
            yield False, chunk({"reasoning_content": piece})
    for piece in reply.split():
        yield True, chunk({"content": piece})
    for i, (name, arguments) in enumerate(reply.tool_calls):
        function = {"name": name, "arguments": ""}
        yield False, chunk({"tool_calls": [{"index": i, "id": f"call_{i}", "type": "function", "function": function}]})
        for piece in _halves(_arguments(arguments)):
            yield False, chunk({"tool_calls": [{"index": i, "function": {"arguments": piece}}]})
    yield False, chunk({}, reply.finished)
    if include_usage:
        yield False, _data({**head, "choices": [], "usage": _chat_usage(reply)})
    yield False, b"data: [DONE]\n\n"


# ---------------------------------------------------------------- OpenAI Responses


def _responses(model: str, reply: Reply) -> dict[str, Any]:
    output: list[dict[str, Any]] = []
    if reply.reasoning:
        output.append(
            {"type": "reasoning", "id": "rs_0", "summary": [{"type": "summary_text", "text": reply.reasoning}]}
        )
    if reply.text:
        part = {"type": "output_text", "text": reply.text, "annotations": []}
        message = {"type": "message", "id": "msg_0", "status": "completed", "role": "assistant", "content": [part]}
        output.append(message)
    for i, (name, arguments) in enumerate(reply.tool_calls):
        call = {"type": "function_call", "id": f"fc_{i}", "call_id": f"call_{i}", "status": "completed", "name": name}
        output.append({**call, "arguments": _arguments(arguments)})
    why = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(reply.finished)
    return {
        "id": "resp_fake",
        "object": "response",
        "status": "incomplete" if why else "completed",
        "error": None,
        "incomplete_details": {"reason": why} if why else None,
        "model": model,
        "output": output,
        "usage": {
            "input_tokens": reply.tokens_input,
            "input_tokens_details": {"cached_tokens": reply.tokens_cached},
            "output_tokens": reply.tokens_output,
            "output_tokens_details": {"reasoning_tokens": reply.tokens_reasoning},
            "total_tokens": reply.tokens_input + reply.tokens_output,
        },
    }


def _responses_stream(model: str, reply: Reply) -> Iterator[tuple[bool, bytes]]:
    def event(kind: str, **fields: Any) -> bytes:
        return _data({"type": kind, **fields}, kind)

    done = _responses(model, reply)
    started = {**done, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    yield False, event("response.created", response=started)
    yield False, event("response.in_progress", response=started)
    for i, item in enumerate(done["output"]):
        at = {"output_index": i, "item_id": item["id"]}
        yield False, event("response.output_item.added", output_index=i, item={**item, "status": "in_progress"})
        if item["type"] == "reasoning":
            for piece in _halves(reply.reasoning or ""):
                yield False, event("response.reasoning_summary_text.delta", **at, summary_index=0, delta=piece)
        elif item["type"] == "message":
            for piece in reply.split():
                yield True, event("response.output_text.delta", **at, content_index=0, delta=piece)
            yield False, event("response.output_text.done", **at, content_index=0, text=reply.text)
        else:
            for piece in _halves(item["arguments"]):
                yield False, event("response.function_call_arguments.delta", **at, delta=piece)
            yield False, event("response.function_call_arguments.done", **at, arguments=item["arguments"])
        yield False, event("response.output_item.done", output_index=i, item=item)
    yield False, event(f"response.{done['status']}", response=done)


# ---------------------------------------------------------------- Anthropic Messages


def _anthropic_usage(reply: Reply) -> dict[str, Any]:
    return {
        "input_tokens": reply.tokens_input - reply.tokens_cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": reply.tokens_cached,
        "output_tokens": reply.tokens_output,
    }


def _stop_reason(reply: Reply) -> str:
    reasons = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
    return reasons[reply.finished]


def _anthropic(model: str, reply: Reply) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if reply.reasoning:
        content.append({"type": "thinking", "thinking": reply.reasoning, "signature": "fake-signature"})
    if reply.text:
        content.append({"type": "text", "text": reply.text})
    for i, (name, arguments) in enumerate(reply.tool_calls):
        content.append({"type": "tool_use", "id": f"call_{i}", "name": name, "input": arguments})
    return {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": _stop_reason(reply),
        "stop_sequence": None,
        "usage": _anthropic_usage(reply),
    }


def _anthropic_stream(model: str, reply: Reply) -> Iterator[tuple[bool, bytes]]:
    def event(kind: str, **fields: Any) -> bytes:
        return _data({"type": kind, **fields}, kind)

    done = _anthropic(model, reply)
    usage = _anthropic_usage(reply)
    started = {**done, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield False, event("message_start", message=started)
    yield False, event("ping")
    for i, block in enumerate(done["content"]):
        if block["type"] == "thinking":
            yield False, event("content_block_start", index=i, content_block={**block, "thinking": "", "signature": ""})
            for piece in _halves(block["thinking"]):
                yield False, event("content_block_delta", index=i, delta={"type": "thinking_delta", "thinking": piece})
            signed = {"type": "signature_delta", "signature": block["signature"]}
            yield False, event("content_block_delta", index=i, delta=signed)
        elif block["type"] == "text":
            yield False, event("content_block_start", index=i, content_block={"type": "text", "text": ""})
            for piece in reply.split():
                yield True, event("content_block_delta", index=i, delta={"type": "text_delta", "text": piece})
        else:
            yield False, event("content_block_start", index=i, content_block={**block, "input": {}})
            for piece in _halves(_arguments(block["input"])):
                delta = {"type": "input_json_delta", "partial_json": piece}
                yield False, event("content_block_delta", index=i, delta=delta)
        yield False, event("content_block_stop", index=i)
    ended = {"stop_reason": done["stop_reason"], "stop_sequence": None}
    yield False, event("message_delta", delta=ended, usage={"output_tokens": reply.tokens_output})
    yield False, event("message_stop")


# ---------------------------------------------------------------- Google generateContent


def _google_usage(reply: Reply) -> dict[str, Any]:
    usage = {
        "promptTokenCount": reply.tokens_input,
        "candidatesTokenCount": reply.tokens_output - reply.tokens_reasoning,
        "totalTokenCount": reply.tokens_input + reply.tokens_output,
    }
    if reply.tokens_cached:
        usage["cachedContentTokenCount"] = reply.tokens_cached
    if reply.tokens_reasoning:
        usage["thoughtsTokenCount"] = reply.tokens_reasoning
    return usage


def _google_finish(reply: Reply) -> str:
    return {"length": "MAX_TOKENS", "content_filter": "SAFETY"}.get(reply.finished, "STOP")


def _google_parts(reply: Reply, texts: list[str]) -> list[tuple[bool, dict[str, Any]]]:
    parts: list[tuple[bool, dict[str, Any]]] = []
    if reply.reasoning:
        parts.append((False, {"text": reply.reasoning, "thought": True}))
    parts += [(True, {"text": text}) for text in texts if text]
    parts += [(False, {"functionCall": {"name": name, "args": arguments}}) for name, arguments in reply.tool_calls]
    return parts


def _google(model: str, reply: Reply) -> dict[str, Any]:
    parts = [part for _, part in _google_parts(reply, [reply.text or ""])]
    candidate = {"content": {"parts": parts, "role": "model"}, "finishReason": _google_finish(reply), "index": 0}
    return {"candidates": [candidate], "usageMetadata": _google_usage(reply), "modelVersion": model}


def _google_stream(model: str, reply: Reply) -> Iterator[tuple[bool, bytes]]:
    for is_text, part in _google_parts(reply, reply.split()):
        candidate = {"content": {"parts": [part], "role": "model"}, "index": 0}
        yield is_text, _data({"candidates": [candidate], "modelVersion": model})
    last = {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": _google_finish(reply), "index": 0}
    yield False, _data({"candidates": [last], "usageMetadata": _google_usage(reply), "modelVersion": model})
