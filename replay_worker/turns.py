"""What a model does in one turn, as one message: OpenAI's Responses API records it as a message, then an item a call.
Pure.

Source: https://platform.openai.com/docs/api-reference/responses/create (`input`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_CALL_ITEMS = ("function_call", "custom_tool_call")
_OUTPUT_ITEMS = ("function_call_output", "custom_tool_call_output")


def turns(recorded: list[Any]) -> Iterator[tuple[int, Any]]:
    """`recorded` with its indices, items among it as messages in the shape of the chat API. A model's reasoning is left
    out: without what OpenAI kept of it, it cannot be sent again."""
    turn: tuple[int, Any] | None = None
    for index, item in enumerate(recorded):
        kind = item.get("type") if isinstance(item, dict) and "role" not in item else None
        if kind == "reasoning":
            continue
        if kind in _CALL_ITEMS:
            said = turn[1] if turn is not None and _is_models(turn[1]) else {"role": "assistant", "content": None}
            first = turn[0] if turn is not None and _is_models(turn[1]) else index
            if turn is not None and not _is_models(turn[1]):
                yield turn
            turn = first, {**said, "tool_calls": [*(said.get("tool_calls") or ()), _call_item(item)]}
            continue
        if turn is not None:
            yield turn
        if kind in _OUTPUT_ITEMS:
            item = {"role": "tool", "tool_call_id": item.get("call_id"), "content": item.get("output")}
        turn = index, item
    if turn is not None:
        yield turn


def _is_models(item: Any) -> bool:
    return (
        isinstance(item, dict) and item.get("role") == "assistant" and isinstance(item.get("tool_calls"), list | None)
    )


def _call_item(item: dict[str, Any]) -> dict[str, Any]:
    call_id = item.get("call_id") or item.get("id")
    if item["type"] == "custom_tool_call":
        return {"id": call_id, "type": "custom", "custom": {"name": item.get("name"), "input": item.get("input")}}
    return {"id": call_id, "type": "function", "function": {k: item[k] for k in ("name", "arguments") if k in item}}
