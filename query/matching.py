"""What search means by a match: a case-insensitive (Unicode case folding) substring of a text, and where it stands.

`str.casefold` maps character by character, so the folded text of "Straße" is that of its characters one after the
other; that is what lets an offset in folded text be brought back to the text itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

import msgspec

CONTEXT_CHARS = 60
"""Characters shown on each side of a match, before whitespace is collapsed."""

NESTED_MAX = 3
"""How many times JSON text inside JSON text is opened: a message list holds tool calls that hold arguments."""

# Characters outside ASCII whose case folding holds ASCII letters: ß is ss, the Kelvin sign is k, ﬁ is fi
FOLD_TO_ASCII = (
    "\u00df\u0130\u0149\u017f\u01f0\u1e96\u1e97\u1e98\u1e99\u1e9a\u1e9e\u212a\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06"
)
_FOLDED_LETTERS = frozenset("afhijklnstwy")

# Categories no case folding leads to: letters without case (CJK, Arabic, Hebrew, Thai, ...), punctuation, symbols
_CASELESS = frozenset(("Lo", "Nd", "No", "Pc", "Pd", "Ps", "Pe", "Po", "Pi", "Pf", "Sm", "Sc", "Zs"))

_COMMON_FIRST = " ,:etaoinsrh.lducmf-pgwbyvk"


class Match(NamedTuple):
    """`text[start:end]` is what matched; offsets are characters. `text` is cut to what `context` looks at."""

    text: str
    start: int
    end: int


def find(text: str, folded: str) -> Match | None:
    """The first place in `text` whose case folding is (or, where one character folds to several, covers) `folded`."""
    if text.isascii():
        at = text.lower().find(folded)
        return None if at < 0 else _cut(text, at, at + len(folded))
    whole = text.casefold()
    at = whole.find(folded)
    if at < 0:
        return None
    if len(whole) == len(text):  # every character folds to at least one, so here each folds to exactly one
        return _cut(text, at, at + len(folded))
    return _cut(text, *_unfold(text, at, at + len(folded)))


def _cut(text: str, start: int, end: int) -> Match:
    # one character more on each side, by which `context` sees that the text goes on
    low = max(0, start - CONTEXT_CHARS - 1)
    return Match(text[low : end + CONTEXT_CHARS + 1], start - low, end - low)


def _unfold(text: str, start: int, end: int) -> tuple[int, int]:
    """The characters of `text` that the folded characters [start, end) come from."""
    at = 0
    first = last = -1
    for i, char in enumerate(text):
        if first < 0 and at <= start < at + len(char.casefold()):
            first = i
        at += len(char.casefold())
        if at >= end:
            last = i
            break
    return first, last + 1


def context(match: Match) -> tuple[str, tuple[int, int]]:
    """(the words around a match, the match's [start, end) characters in them): whitespace collapsed, an ellipsis
    where the text goes on."""
    text, start, end = match
    before = text[max(0, start - CONTEXT_CHARS) : start]
    after = text[end : end + CONTEXT_CHARS]
    if start > CONTEXT_CHARS:
        # begin with a whole word, unless there is only one
        before = "…" + (re.sub(r"^\S*\s+", "", before) or before)
    if end + CONTEXT_CHARS < len(text):
        after = (re.sub(r"\s+\S*$", "", after) or after) + "…"
    left = _collapse(before).lstrip()
    middle = _collapse(text[start:end])
    right = _collapse(after).rstrip()
    if left.endswith(" ") and middle.startswith(" "):
        left = left[:-1]
    if middle.endswith(" ") and right.startswith(" "):
        right = right[1:]
    return left + middle + right, (len(left), len(left) + len(middle))


def _collapse(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def find_in_attributes(raw: bytes, folded: str) -> tuple[str, Match] | None:
    """(top-level key, match) of the first match in the keys and decoded values of the JSON object `raw`."""
    try:
        decoded = _decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        # The writer lets no such text in; a file that was edited by hand is still searched, as it stands
        match = find(raw.decode("utf-8", "replace"), folded)
        return None if match is None else ("", match)
    if not isinstance(decoded, dict):
        decoded = {"": decoded}
    for key, value in decoded.items():
        for text in chain((key,), _texts(value, NESTED_MAX)):
            match = find(text, folded)
            if match is not None:
                return key, match
    return None


# Floats are searched as they were written: 1e-05 and 0.00001 are one number and two texts
_decode = msgspec.json.Decoder(float_hook=str).decode


def _texts(value: Any, nested: int) -> Iterator[str]:
    """Every text inside a decoded value, in order: keys, strings, numbers as written, true and false. A string that is
    JSON text itself (`llm.prompt` is) gives what it holds first, then itself."""
    stack = [(value, nested)]  # not recursive: JSON text inside a string may be nested as deep as it likes
    while stack:
        value, nested = stack.pop()
        if isinstance(value, str):
            inner = _inner_json(value) if nested else None
            if inner is None:
                yield value
            else:
                stack += ((value, 0), (inner, nested - 1))
        elif isinstance(value, dict):
            for key, inner in reversed(value.items()):
                stack += ((inner, nested), (key, 0))
        elif isinstance(value, list):
            stack += ((inner, nested) for inner in reversed(value))
        elif value is not None:
            yield ("true" if value else "false") if isinstance(value, bool) else str(value)


def _inner_json(text: str) -> Any:
    """What `text` decodes to when it is a JSON object or array, else None."""
    if text[:1] not in ("{", "[") or text[-1:] not in ("}", "]"):
        return None
    try:
        return _decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return None


class Probe(NamedTuple):
    """A cheap condition that every stored text with a match fulfils, so that few need decoding.

    `sql(column)` is for plain text columns and `attributes_sql` for the JSON text of `a.attributes`, with the
    parameter `:like`. They run in SQLite, with the interpreter's lock free: 0.38 s for 100,000 spans (356 MB), where
    the same in Python took 0.69 s and held the lock. `might_match` looks closer at what they let through.
    """

    like: str
    letters_fold: bool
    run: bytes
    escapes: re.Pattern[bytes]

    def sql(self, column: str, parameter: str = "like") -> str:
        """For `column`, with the run to look for in the parameter of that name."""
        if not self.run and not self.letters_fold:
            return "1"
        # a text of another length in bytes than in characters is not ASCII (or holds a NUL, where LIKE stops)
        other = f"length({column}) <> length(CAST({column} AS BLOB))"
        return f"({column} LIKE :{parameter} ESCAPE '\\' OR {other})" if self.run else other

    @property
    def attributes_sql(self) -> str:
        if not self.run and not self.letters_fold:
            return "1"
        parts = [r"a.attributes LIKE '%\u%'"]
        if self.run:
            parts.insert(0, r"a.attributes LIKE :like ESCAPE '\'")
        if self.letters_fold:
            parts.append("length(a.attributes) <> length(CAST(a.attributes AS BLOB))")
        return f"({' OR '.join(parts)})"

    def might_match(self, raw: bytes) -> bool:
        """Whether the JSON text `raw` can hold a match: the run itself, or an escape or a special character that may
        become part of it."""
        if not self.run or self.run in raw.lower() or self.escapes.search(raw) is not None:
            return True
        return self.letters_fold and _SPECIALS.search(raw) is not None


def probe(folded: str) -> Probe:
    """The probe for a needle (case-folded, not empty).

    It rests on the longest run of the needle's characters that JSON text can hold unescaped and in known forms: ASCII
    (upper or lower case: LIKE and bytes.lower fold it) but for quote, backslash, slash and control characters, and
    characters without case. A text that matches without that run holds part of it escaped (\\u0041), or as one of
    FOLD_TO_ASCII.
    """
    runs = _runs(folded)
    if not runs:
        # Nothing but escaped characters: no condition. Letters with case beyond ASCII: only texts that hold such
        return Probe("", not folded.isascii(), b"", _escapes(set()))
    run = max(runs, key=lambda r: (not r.isascii(), len(r)))
    run = _from_rare_start(run)
    like = "%" + re.sub(r"([%_\\])", r"\\\1", run) + "%"
    letters_fold = not _FOLDED_LETTERS.isdisjoint(run)
    # 005c: an escaped backslash may begin an escape of the JSON text inside
    codes = {"005c", *(f"{unit:04x}" for char in run if not char.isascii() for unit in _utf16(char))}
    if any(char.isascii() for char in run):
        codes.add("00[2-7]")
    if letters_fold:
        codes |= {f"{ord(char):04x}" for char in FOLD_TO_ASCII}
    return Probe(like, letters_fold, run.encode(), _escapes(codes))


_SPECIALS = re.compile("|".join(FOLD_TO_ASCII).encode())


def _escapes(codes: set[str]) -> re.Pattern[bytes]:
    """Finds a JSON escape of one of `codes` (hex, lower case). Grouped by their first half, and with both cases of a
    digit spelled out: a plain alternation under IGNORECASE took twenty times as long on text that is all escapes."""
    halves: dict[str, list[str]] = {}
    for code in sorted(codes):
        halves.setdefault(code[:2], []).append(code[2:])
    grouped = "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in halves.items())
    digits = re.sub("[a-f]", lambda digit: f"[{digit[0]}{digit[0].upper()}]", grouped)
    return re.compile(rf"\\u(?:{digits})".encode())


def _runs(folded: str) -> list[str]:
    runs: list[str] = []
    run = ""
    for char in folded:
        if _is_plain(char):
            run += char
        elif run:
            runs.append(run)
            run = ""
    return [*runs, run] if run else runs


def _is_plain(char: str) -> bool:
    if char.isascii():
        return " " <= char <= "~" and char not in '"\\/'
    return unicodedata.category(char) in _CASELESS and char.casefold() == char


def _from_rare_start(run: str) -> str:
    """`run` from its rarest character on, at least four characters: LIKE looks for the first character of its pattern
    before anything else, and 0.12 s instead of 0.31 s is what a rare one gave."""
    starts = range(max(1, len(run) - 3))
    best = max(starts, key=lambda i: (_rarity(run[i]), -i))
    return run[best:]


def _rarity(char: str) -> int:
    at = _COMMON_FIRST.find(char)
    return len(_COMMON_FIRST) if at < 0 else at


def _utf16(char: str) -> Iterator[int]:
    raw = char.encode("utf-16-be")
    for i in range(0, len(raw), 2):
        yield int.from_bytes(raw[i : i + 2], "big")
