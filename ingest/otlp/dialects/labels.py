"""Tags that a client gave without a value, and properties it gave with one, as tags of the trace. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beacon.contract.otlp_values import clean_text
from ingest.otlp.values import as_list, as_text, as_words

TAGS_MAX = 32
"""Tags that one span adds to its trace; a loop that makes up a tag a round is no way to find a trace again."""
NAME_CHARS_MAX = 200
VALUE_CHARS_MAX = 2_000

SET = "true"
"""The value of a tag that was given none."""


def labels(value: Any, separator: str | None = None) -> dict[str, str]:
    """`["prod", "eu"]`, its JSON text, or (with a `separator`) "prod, eu" as tags."""
    listed: list[Any] | None = as_list(value)
    if listed is None:
        text = as_text(value)
        if text is None:
            return {}
        listed = text.split(separator) if separator is not None else [text]
    names = [one.strip() for one in listed if isinstance(one, str)]
    return {clean_text(name): SET for name in names[:TAGS_MAX] if 0 < len(name) <= NAME_CHARS_MAX}


def properties(found: Mapping[str, Any]) -> dict[str, str]:
    """Named values as tags; what is too long for a tag, or is a structure, is none."""
    tags: dict[str, str] = {}
    for name, value in found.items():
        if len(tags) == TAGS_MAX:
            break
        words = as_words(value) if isinstance(value, str | int | float | bool) else None
        if words and 0 < len(name) <= NAME_CHARS_MAX and len(words) <= VALUE_CHARS_MAX:
            tags[clean_text(name)] = words
    return tags


def below(attributes: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The attributes whose names start with `prefix`, without it."""
    start = len(prefix)
    return {key[start:]: value for key, value in attributes.items() if key.startswith(prefix) and len(key) > start}
