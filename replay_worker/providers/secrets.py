"""Keeping a key out of what comes back: a server may repeat what it was sent."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from replay_worker.providers.calls import Completion

SECRET_FROM = 8
"""Characters from which a key is one: local servers are called with words ("ollama", "none", "EMPTY") in its place, and
an answer may say those."""

HIDDEN = "[API key]"


def scrubbed(text: str, key: str | None) -> str:
    """`text` without `key`."""
    if key is None or len(key) < SECRET_FROM:
        return text
    for form in (key, quote(key, safe="")):
        text = text.replace(form, HIDDEN)
    return _escaped(key).sub(HIDDEN, text) if "\\u00" in text or "\\/" in text else text


def scrubbed_body(body: bytes, key: str | None, *, cut: bool = False) -> bytes:
    """`body` without `key`: before anything is read from it or cut, since half a key is found by nobody. `cut`: it ends
    where reading stopped, so an end that may be the key's beginning goes too."""
    if key is None or len(key) < SECRET_FROM:
        return body
    for form in {key.encode(), quote(key, safe="").encode()}:
        body = body.replace(form, HIDDEN.encode())
        if cut:
            longest = min(len(form) - 1, len(body))
            half = next((size for size in range(longest, 0, -1) if form.startswith(body[-size:])), 0)
            body = body[: len(body) - half]
    if b"\\u00" in body or b"\\/" in body:
        body = _escaped(key).sub(HIDDEN, body.decode("latin-1")).encode("latin-1")
    return body


def _escaped(key: str) -> re.Pattern[str]:
    """The key as a JSON text may write it: some servers escape `-`, `/` or every character, and what is decoded later
    may be cut in the middle of it."""
    return re.compile("".join(rf"(?:{re.escape(c)}|\\{re.escape(c)}|\\u(?i:{ord(c):04x}))" for c in key))


def scrub(completion: Completion, key: str | None) -> None:
    """Take `key` out of everything that the answer says."""
    completion.text = scrubbed(completion.text, key)
    if completion.reasoning is not None:
        completion.reasoning = scrubbed(completion.reasoning, key)
    if completion.model is not None:
        completion.model = scrubbed(completion.model, key)
    completion.tool_calls = _scrubbed_in(completion.tool_calls, key)


def _scrubbed_in(value: Any, key: str | None) -> Any:
    if isinstance(value, str):
        return scrubbed(value, key)
    if isinstance(value, list):
        return [_scrubbed_in(item, key) for item in value]
    if isinstance(value, dict):
        return {_scrubbed_in(name, key): _scrubbed_in(item, key) for name, item in value.items()}
    return value


class StreamScrubber:
    """Takes a key out of text that comes in pieces: an end that may be the beginning of the key waits for the next."""

    def __init__(self, key: str | None) -> None:
        self._key = key if key is not None and len(key) >= SECRET_FROM else None
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be shown."""
        if self._key is None:
            return piece
        text = (self._held + piece).replace(self._key, HIDDEN)
        longest = min(len(self._key) - 1, len(text))
        held = next((size for size in range(longest, 0, -1) if self._key.startswith(text[-size:])), 0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def end(self) -> str:
        """What was held back."""
        held, self._held = self._held, ""
        return held
