"""The workload's spans as an OTLP trace export request in protobuf, written by hand: a few fields, no dependency.

Field numbers are those of opentelemetry/proto/trace/v1/trace.proto and common/v1/common.proto. The text of a span goes
into `input.value` and `output.value`, as OpenInference has it, with the GenAI numbers and the rest beside it.
"""

from __future__ import annotations

import struct
from typing import Any

from tests.bench.workload import Span

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


def render(spans: list[Span]) -> bytes:
    """An ExportTraceServiceRequest with one resource and one scope."""
    scope_spans = b"".join(_bytes(2, _span(span)) for span in spans)
    resource = _bytes(1, _attribute("service.name", "agent"))
    return _bytes(1, _bytes(1, resource) + _bytes(2, scope_spans))


def _span(span: Span) -> bytes:
    parent = bytes.fromhex(span.parent_span_id) if span.parent_span_id else b""
    status = _varint_field(3, 2) if span.status == "error" else _varint_field(3, 1)
    return b"".join(
        (
            _bytes(1, bytes.fromhex(span.trace_id)),
            _bytes(2, bytes.fromhex(span.span_id)),
            _bytes(4, parent) if parent else b"",
            _bytes(5, span.name.encode()),
            _varint_field(6, 1),
            _nanoseconds(7, span.start_time),
            _nanoseconds(8, span.end_time),
            *(_bytes(9, _attribute(key, value)) for key, value in _attributes(span).items()),
            _bytes(15, status),
        )
    )


def _attributes(span: Span) -> dict[str, Any]:
    source = span.attributes
    into, out = _INPUT_OUTPUT[span.span_type]
    attributes: dict[str, Any] = {"input.value": source[into], "output.value": source[out]}
    if span.span_type in _OPERATION:
        attributes["gen_ai.operation.name"] = _OPERATION[span.span_type]
    # all that Beacon is sent: what has no name in the conventions goes by its own
    return attributes | {_GEN_AI.get(key, key): value for key, value in source.items() if key not in (into, out)}


def _attribute(key: str, value: str | int | float) -> bytes:
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
