"""What a provider says when it fails, as one sentence of bounded length.

Shapes: OpenAI `{"error": {"message", …}}`, Anthropic `{"type": "error", "error": {"type", "message"}}`, Google
`{"error": {"code", "message", "status"}}` or a list of one, FastAPI servers `{"detail": …}`, Ollama `{"error": "…"}`.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from beacon.errors import UpstreamFailed

MESSAGE_MAX = 500
"""Characters of a provider's own message that are kept: some answer with a whole web page."""

PAGE_BYTES = 4_096
"""Bytes of a page that are looked through for words: taking out its tags costs the square of them, and 64 KB of `<`
held up every job of a worker for 2.3 s."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\s]+")
_TAGS = re.compile(r"<(style|script)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)


def error_in(answer: dict[str, Any]) -> None:
    """Raises `UpstreamFailed` for an answer with status 200 that is an error all the same: gateways send such, and
    every stream that breaks after its first event."""
    error = answer.get("error")
    if error:
        raise UpstreamFailed(f"it failed: {message_of(answer)}")


def message_of(answer: Any) -> str:
    """The provider's own words in a decoded answer."""
    if isinstance(answer, list) and answer:
        return message_of(answer[0])
    if isinstance(answer, str):
        return trimmed(answer)
    if isinstance(answer, dict):
        for key in ("error", "message", "detail", "msg"):
            if isinstance(answer.get(key), str | dict | list) and answer[key]:
                return message_of(answer[key])
    return trimmed(json.dumps(answer, ensure_ascii=False, default=str))


def message_in(body: bytes) -> str:
    """The provider's own words in the body of an answer whose status says that it failed."""
    try:
        return message_of(msgspec.json.decode(body))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        page = body[:PAGE_BYTES].decode("utf-8", "replace")
        return trimmed(_TAGS.sub(" ", page)) or "it said nothing more"


def trimmed(message: str) -> str:
    """One line, at most MESSAGE_MAX characters."""
    line = _UNPRINTABLE.sub(" ", message[: 20 * MESSAGE_MAX]).strip()
    return line if len(line) <= MESSAGE_MAX else line[: MESSAGE_MAX - 1] + "…"
