"""Keeping a key out of what comes back: a server may repeat what it was sent."""

from __future__ import annotations

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
    return text


def scrub(completion: Completion, key: str | None) -> None:
    """Take `key` out of everything that the answer says."""
    completion.text = scrubbed(completion.text, key)
    if completion.reasoning is not None:
        completion.reasoning = scrubbed(completion.reasoning, key)
    if completion.model is not None:
        completion.model = scrubbed(completion.model, key)
    for call in completion.tool_calls:
        call["id"] = scrubbed(call["id"], key)
        function = call["function"]
        call["function"] = {name: scrubbed(value, key) for name, value in function.items()}


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
