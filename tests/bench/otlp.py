"""The workload's spans as an OTLP trace export request, in protobuf written by hand (a few fields, no dependency) and
in JSON.

Field numbers are those of opentelemetry/proto/trace/v1/trace.proto and common/v1/common.proto. What a span's attributes
are is a function of its own: `mixed` puts the text into `input.value` and `output.value`, as OpenInference has it, with
the GenAI numbers and the rest beside it; `gen_ai` is what OpenTelemetry's conventions say now; `plain` has no word of
GenAI in it, as spans of a web server and a database.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import msgspec

from tests.bench.workload import Span, encode

Value = str | int | float
Form = Callable[[Span], dict[str, Value]]

_INPUT_OUTPUT = {
    "agent_step": ("agent.input", "agent.output"),
    "llm_call": ("llm.prompt", "llm.completion"),
    "tool_use": ("tool.input", "tool.output"),
    "chain": ("chain.input", "chain.output"),
    "file_operation": ("file.path", "file.content"),
    "shell_command": ("shell.command", "shell.stdout"),
}
_GEN_AI = {
    "llm.provider": "gen_ai.provider.name",
    "llm.model": "gen_ai.request.model",
    "llm.tokens.input": "gen_ai.usage.input_tokens",
    "llm.tokens.output": "gen_ai.usage.output_tokens",
    "llm.tool_calls": "llm.tools",
}
_OPERATION = {"agent_step": "invoke_agent", "llm_call": "chat", "tool_use": "execute_tool"}

_LENGTH_DELIMITED = 2
_FIXED_64 = 1


def mixed(span: Span) -> dict[str, Value]:
    """Text as OpenInference has it, numbers as GenAI."""
    source = span.attributes
    into, out = _INPUT_OUTPUT[span.span_type]
    attributes: dict[str, Value] = {"input.value": source[into], "output.value": source[out]}
    if span.span_type in _OPERATION:
        attributes["gen_ai.operation.name"] = _OPERATION[span.span_type]
    # all that Beacon is sent: what has no name in the conventions goes by its own
    return attributes | {_GEN_AI.get(key, key): value for key, value in source.items() if key not in (into, out)}


def gen_ai(span: Span) -> dict[str, Value]:
    """The conventions' current form, content on the span (semantic-conventions-genai)."""
    source = span.attributes
    if span.span_type == "llm_call":
        return _chat(source)
    if span.span_type == "tool_use":
        return {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": source["tool.name"],
            "gen_ai.tool.call.arguments": source["tool.input"],
            "gen_ai.tool.call.result": source["tool.output"],
        }
    if span.span_type == "agent_step":
        return {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": source["agent.step_name"],
            "gen_ai.input.messages": _messages([{"role": "user", "content": source["agent.input"]}]),
            "gen_ai.output.messages": _messages([{"role": "assistant", "content": source["agent.output"]}]),
        }
    return dict(source)


def plain(span: Span) -> dict[str, Value]:
    """A span of something else, of about the same size."""
    text = max((value for value in span.attributes.values() if isinstance(value, str)), key=len)
    return {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.path": f"/orders/{span.span_id}",
        "server.address": "127.0.0.1",
        "server.port": 8080,
        "db.system.name": "postgresql",
        "db.query.text": text,
    }


def render(spans: list[Span], form: Form = mixed) -> bytes:
    """An ExportTraceServiceRequest with one resource and one scope."""
    scope_spans = b"".join(_bytes(2, _span(span, form(span))) for span in spans)
    resource = _bytes(1, _attribute("service.name", "agent"))
    return _bytes(1, _bytes(1, resource) + _bytes(2, scope_spans))


def render_json(spans: list[Span], form: Form) -> bytes:
    """The same request as OTLP JSON."""
    resource = {"attributes": [_json_attribute("service.name", "agent")]}
    listed = [_json_span(span, form(span)) for span in spans]
    return encode({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {}, "spans": listed}]}]})


def _chat(source: dict[str, Any]) -> dict[str, Value]:
    answer = {"role": "assistant", "content": source["llm.completion"]}
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": source["llm.provider"],
        "gen_ai.request.model": source["llm.model"],
        "gen_ai.response.model": source["llm.model"],
        "gen_ai.request.temperature": source["llm.temperature"],
        "gen_ai.request.max_tokens": source["llm.max_tokens"],
        "gen_ai.usage.input_tokens": source["llm.tokens.input"],
        "gen_ai.usage.output_tokens": source["llm.tokens.output"],
        "gen_ai.input.messages": _messages(_decode(source["llm.prompt"])),
        "gen_ai.output.messages": _messages([answer], source["llm.finish_reason"]),
    }


def _messages(messages: list[dict[str, Any]], finish_reason: str | None = None) -> str:
    ended = {} if finish_reason is None else {"finish_reason": finish_reason}
    return encode(
        [
            {"role": message["role"], "parts": [{"type": "text", "content": message["content"]}]} | ended
            for message in messages
        ]
    ).decode()


_decode = msgspec.json.Decoder().decode


def _span(span: Span, attributes: dict[str, Value]) -> bytes:
    parent = bytes.fromhex(span.parent_span_id) if span.parent_span_id else b""
    status = _varint_field(3, _status(span))
    return b"".join(
        (
            _bytes(1, bytes.fromhex(span.trace_id)),
            _bytes(2, bytes.fromhex(span.span_id)),
            _bytes(4, parent) if parent else b"",
            _bytes(5, span.name.encode()),
            _varint_field(6, 1),
            _nanoseconds(7, span.start_time),
            _nanoseconds(8, span.end_time),
            *(_bytes(9, _attribute(key, value)) for key, value in attributes.items()),
            _bytes(15, status),
        )
    )


def _json_span(span: Span, attributes: dict[str, Value]) -> dict[str, Any]:
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": span.parent_span_id or "",
        "name": span.name,
        "kind": 1,
        "startTimeUnixNano": str(round(span.start_time * 1e6) * 1000),
        "endTimeUnixNano": str(round(span.end_time * 1e6) * 1000),
        "attributes": [_json_attribute(key, value) for key, value in attributes.items()],
        "status": {"code": _status(span)},
    }


def _status(span: Span) -> int:
    return 2 if span.status == "error" else 1


def _json_attribute(key: str, value: Value) -> dict[str, Any]:
    if isinstance(value, str):
        return {"key": key, "value": {"stringValue": value}}
    if isinstance(value, float):
        return {"key": key, "value": {"doubleValue": value}}
    return {"key": key, "value": {"intValue": str(value)}}


def _attribute(key: str, value: Value) -> bytes:
    if isinstance(value, str):
        any_value = _bytes(1, value.encode())
    elif isinstance(value, float):
        any_value = _varint(4 << 3 | _FIXED_64) + struct.pack("<d", value)
    else:
        any_value = _varint_field(3, value)
    return _bytes(1, key.encode()) + _bytes(2, any_value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | _LENGTH_DELIMITED) + _varint(len(value)) + value


def _varint_field(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _nanoseconds(field: int, seconds: float) -> bytes:
    return _varint(field << 3 | _FIXED_64) + struct.pack("<Q", round(seconds * 1e6) * 1000)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
