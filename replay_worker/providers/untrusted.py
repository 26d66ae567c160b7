"""Reading what a server sent, which may be anything: a value of the wrong type counts as not there."""

from __future__ import annotations

import json
from typing import Any, cast

import msgspec

from beacon.errors import UpstreamFailed

DEPTH_MAX = 100
"""Levels of lists and objects of an answer that are kept: an answer is walked and written by recursion."""

SHOWN = 200
"""Characters of an unreadable answer that are shown."""


def decode(body: bytes | str) -> dict[str, Any]:
    """A JSON object. Raises `UpstreamFailed` that shows how the body begins when it is none."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        value = _decode_leniently(body)
    if not isinstance(value, dict):
        raise UpstreamFailed(f"its answer is JSON, but no object: {_beginning(body)}")
    if _brackets(body) > DEPTH_MAX and deeper_than(value, DEPTH_MAX):
        return cast("dict[str, Any]", _pruned(value, DEPTH_MAX))
    return value


def _brackets(body: bytes | str) -> int:
    if isinstance(body, bytes):
        return body.count(b"{") + body.count(b"[")
    return body.count("{") + body.count("[")


def deeper_than(value: Any, levels: int) -> bool:
    """Whether lists and objects nest more than `levels` deep in `value`; without recursion."""
    layer = [value]
    for _ in range(levels + 1):
        layer = [
            inner
            for one in layer
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not layer:
            return False
    return any(isinstance(one, dict | list) for one in layer)


def _pruned(value: Any, levels: int) -> Any:
    """`value` with null for what lies deeper: the answer is paid for, and what nests so deeply says nothing."""
    if isinstance(value, dict):
        return {key: _pruned(inner, levels - 1) for key, inner in value.items()} if levels else None
    if isinstance(value, list):
        return [_pruned(inner, levels - 1) for inner in value] if levels else None
    return value


def _decode_leniently(body: bytes | str) -> Any:
    """What msgspec refuses and other decoders take, such as half of a surrogate pair, which becomes U+FFFD."""
    try:
        return _mended(json.loads(body))
    except (ValueError, RecursionError):
        raise UpstreamFailed(f"its answer is not JSON: {_beginning(body)}") from None


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return value


def _beginning(body: bytes | str) -> str:
    if not body:
        return "it is empty"
    text = body[: 4 * SHOWN].decode("utf-8", "replace") if isinstance(body, bytes) else body
    return repr(text[:SHOWN])


def fields(value: Any) -> dict[str, Any]:
    """`value` where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects in `value`, where it is a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def name(value: Any) -> str | None:
    """A text that says something."""
    return value if isinstance(value, str) and value else None


def count(value: Any) -> int | None:
    """A number of tokens."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value < 1e15 else None


def arguments(value: Any) -> str:
    """The arguments of a tool call as JSON text; a server that sends an object means its JSON."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode({} if value is None else value).decode()


def require_answer(said: bool, calls: bool, finish: str | None, reason: object) -> None:
    """Raises `UpstreamFailed` for an answer without text and tool calls, unless the limit on tokens or a filter
    explains it."""
    if not said and not calls and finish not in ("length", "content_filter"):
        why = f" (it gave {str(reason)[:100]!r} as the reason it stopped)" if reason else ""
        raise UpstreamFailed(f"its answer has neither text nor a tool call{why}")
