"""The Model Context Protocol (https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/mcp.md):
a request to a server of tools, or the server's own span of it. Only `tools/call` is the use of a tool.
"""

from __future__ import annotations

from typing import Any

from ingest.otlp.dialects import genai
from ingest.otlp.facts import Facts
from ingest.otlp.records import OtlpSpan
from ingest.otlp.values import as_text, first_of

NAME = "mcp"

FRAMEWORK = "mcp"

_MARKERS = ("mcp.method.name", "mcp.session.id", "mcp.protocol.version")
_STATUS_ERROR = 2

_CHAINS: dict[str, str] = {
    "resources/read": "resource",
    "prompts/get": "prompt",
}


def matches(span: OtlpSpan) -> bool:
    attributes = span.attributes
    return any(marker in attributes for marker in _MARKERS)


def read(span: OtlpSpan) -> Facts:
    attributes = span.attributes
    facts = genai.read(span)
    # the session of a protocol: one for each connection, not one for each conversation with a user
    method = as_text(attributes.get("mcp.method.name")) or ""
    if method == "tools/call":
        facts.span_type = "tool_use"
        facts.tool_name = facts.tool_name or as_text(attributes.get("mcp.tool.name"))
        facts.name = facts.tool_name
        facts.framework = FRAMEWORK
        facts.tool_call_id = facts.tool_call_id or _request_id(attributes)
        if attributes.get("error.type") == "tool_error":
            # the tool said so in its answer, and the protocol went well
            facts.failed = True
            if span.status_code != _STATUS_ERROR or not span.status_message:
                facts.error_message = f"the tool {facts.tool_name or ''} answered with an error".replace("  ", " ")
    elif method in _CHAINS:
        facts.span_type, facts.chain_type = "chain", _CHAINS[method]
        facts.chain_input = first_of(attributes, ("mcp.resource.uri", "gen_ai.prompt.name", "mcp.prompt.name"))
    else:
        facts.span_type = "custom"
    return facts


def _request_id(attributes: dict[str, Any]) -> str | None:
    value = first_of(attributes, ("jsonrpc.request.id", "mcp.request.id"))
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
