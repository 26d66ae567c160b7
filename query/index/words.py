"""What of a span goes into the index, and how a text that is looked for is found in it. Pure.

The index knows the words of a span: what stands between separators in its folded text. A text without a separator is in
a span exactly when it is in one of its words; of a text with some, its first part ends a word, its last begins one and
those between are words, in every span that has it (and in some that have not).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from query.matching import is_verbatim, texts_of

WORD_MAX = 2_048
"""Characters. Longer words (base64, minified code) are left out, and their spans looked at in every search: pictures of
a browser would fill the index with what nobody looks for."""

TEXT_MAX = 4 * 1024 * 1024
"""Characters of a span; a larger one is looked at in every search."""

_QUOTES = '"\\'
_IDEOGRAPHIC = "\u3000、。，！？；：「」『』（）《》〈〉【】…"
"""Separators beyond white space: JSON within a text is full of the first, and Chinese has no spaces, but these."""

NOT_VERBATIM = _IDEOGRAPHIC[2]
"""A word no text has: of the spans whose attributes are not verbatim (query.matching.is_verbatim)."""

_SEPARATOR = re.compile(f"[\x00-\x20\x7f{re.escape(_QUOTES)}{_IDEOGRAPHIC}]")
_LONG = re.compile(rf"[^\x00-\x20\x7f{re.escape(_QUOTES)}]{{{WORD_MAX + 1},}}")

_WORD_CHARS = "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"
TOKENIZER = "ascii tokenchars '" + _WORD_CHARS.replace("'", "''") + "'"
"""FTS5's name for these words: every character beyond ASCII is part of one."""


class Words(NamedTuple):
    """The folded text of a span, and whether that is all of it."""

    text: str
    whole: bool


def words_of(name: str, error: str | None, trace_name: str | None, attributes: bytes) -> Words:
    """The words of a span; `trace_name` where the span stands for its trace and has another name."""
    texts = [name]
    if error is not None:
        texts.append(error)
    if trace_name is not None:
        texts.append(trace_name)
    texts += texts_of(attributes)
    text = "\n".join(texts)
    if len(text) > TEXT_MAX:
        return Words("", False)
    text = text.casefold()
    if not text.isascii():
        for separator in _IDEOGRAPHIC:  # str.translate took 300 µs for 2.6 KB, this takes 5
            if separator in text:
                text = text.replace(separator, " ")
    # a word of 2,048 has all of a stretch of 1,024 that begins at a multiple of that
    if not is_verbatim(attributes):
        text += "\n" + NOT_VERBATIM
    if any(" " not in text[at : at + 1_024] for at in range(0, len(text) - 1_023, 1_024)):
        text, dropped = _LONG.subn(" ", text)
        return Words(text, not dropped)
    return Words(text, True)


class Piece(NamedTuple):
    """A part of a text that is looked for. `begins`, `ends`: a word begins, ends with it."""

    text: str
    begins: bool
    ends: bool

    @property
    def pattern(self) -> bytes:
        """What is looked for in words that stand between line feeds."""
        return b"\n" * self.begins + self.text.encode() + b"\n" * self.ends


def pieces(folded: str) -> list[Piece]:
    """The parts of a folded text between separators; empty where there is nothing but those."""
    parts = _SEPARATOR.split(folded)
    last = len(parts) - 1
    return [Piece(part, begins=i > 0, ends=i < last) for i, part in enumerate(parts) if part]
