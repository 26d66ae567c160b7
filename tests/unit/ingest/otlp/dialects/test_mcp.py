from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tests.unit.ingest.otlp.dialects.spans import ERROR, junk, mapped, span

CALL: dict[str, Any] = {
    "mcp.method.name": "tools/call",
    "mcp.session.id": "191c4850af6c49e08843a3f6c80e5046",
    "mcp.protocol.version": "2025-06-18",
    "jsonrpc.request.id": "7",
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": "lookup",
    "gen_ai.tool.call.arguments": '{"q":"Peru"}',
    "gen_ai.tool.call.result": '{"content":[{"type":"text","text":"Lima"}]}',
    "network.transport": "pipe",
}

CASES = {
    "a tool": span("tools/call lookup", CALL),
    "a session": span("initialize", {"mcp.method.name": "initialize", "mcp.session.id": "x"}),
}


def test_a_tool() -> None:
    found = mapped(CASES["a tool"])
    assert found["beacon.dialect"] == "mcp"
    assert (found["span_type"], found["name"], found["tool.name"]) == ("tool_use", "lookup", "lookup")
    assert found["tool.input"] == '{"q":"Peru"}'
    assert found["tool.output"] == '{"content":[{"type":"text","text":"Lima"}]}'
    assert (found["tool.framework"], found["tool.call_id"]) == ("mcp", "7")
    assert "session.id" not in found  # a connection's, not a conversation's
    assert {key: found[key] for key in CALL} == CALL


def test_a_tool_that_answers_with_an_error() -> None:
    found = mapped(span("tools/call lookup", CALL | {"error.type": "tool_error"}))
    assert (found["status"], found["error_message"]) == ("error", "the tool lookup answered with an error")
    told = mapped(
        span("tools/call lookup", CALL | {"error.type": "tool_error"}, status=ERROR, status_message="no such city")
    )
    assert told["error_message"] == "no such city"
    timeout = mapped(span("tools/call lookup", CALL | {"error.type": "timeout"}, status=ERROR))
    assert timeout["error_message"] == "timeout"


@pytest.mark.parametrize(
    ("method", "more", "span_type", "chain_type"),
    [
        ("resources/read", {"mcp.resource.uri": "file:///a.txt"}, "chain", "resource"),
        ("prompts/get", {"gen_ai.prompt.name": "greet"}, "chain", "prompt"),
        ("tools/list", {}, "custom", None),
        ("initialize", {}, "custom", None),
        ("notifications/progress", {}, "custom", None),
        (7, {}, "custom", None),
    ],
)
def test_methods(method: Any, more: dict[str, str], span_type: str, chain_type: str | None) -> None:
    found = mapped(span("x", {"mcp.method.name": method, **more}))
    assert (found["span_type"], found.get("chain.type")) == (span_type, chain_type)
    if more:
        assert found["chain.input"] in more.values()


@pytest.mark.parametrize("said", [7, "7"])
def test_the_id_of_a_request(said: Any) -> None:
    assert mapped(span("x", CALL | {"jsonrpc.request.id": said}))["tool.call_id"] == "7"


NAMES = [*CALL, "mcp.resource.uri", "mcp.tool.name", "error.type", "mcp.request.id", "gen_ai.prompt.name"]


@pytest.mark.parametrize("method", ["tools/call", "resources/read", "initialize"])
@given(attributes=junk(NAMES))
def test_any_values_are_read(method: str, attributes: dict[str, Any]) -> None:
    mapped(span("x", {"mcp.method.name": method} | attributes))
