"""What is asked for in a search, or in the list of traces: texts and fields, in one small language. Pure.

    timeout                         that text
    status:error type:tool_use      fields; all must hold
    "connection reset" -"retried"   quoted texts; - for not
    cost>0.01 duration>=2s since:2h comparisons

What is between two terms and no term itself is one text, as it stands: `web search` is that phrase, and a question
without any term is looked for to the letter. What only looks like a term (`http://x`, `status: y`, `a:b`) is text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

from beacon.contract.records import SpanType, Status
from beacon.contract.units import pico_from_usd
from beacon.errors import Invalid

TERMS_MAX = 20

Op = Literal[":", ">", ">=", "<", "<="]


class Text(NamedTuple):
    """A text to be found, as it was written; `negated`: that must not be there."""

    text: str
    negated: bool = False

    @property
    def folded(self) -> str:
        return self.text.casefold()


class Field(NamedTuple):
    """`value` is a str, or whole nanoseconds, picodollars, tokens for duration, since and until (of the Unix epoch),
    cost, tokens. `*` in a model or session stands for anything."""

    name: str
    op: Op
    value: str | int
    negated: bool = False


class Asked(NamedTuple):
    texts: tuple[Text, ...]
    fields: tuple[Field, ...]


def parse(q: str, now_ns: int) -> Asked:
    """What `q` asks for; times like `2h` count back from `now_ns`. Raises `Invalid` that says what is wrong at which
    character (the first is 1)."""
    found = list(_TERM.finditer(q))
    if not found:
        return Asked((Text(q),), ())
    if len(found) > TERMS_MAX:
        raise _wrong(f"is more than {TERMS_MAX} terms", found[TERMS_MAX].start())
    starts = [0, *(match.end() for match in found)]
    stops = [*(match.start() for match in found), len(q)]
    between = [q[start:stop].strip() for start, stop in zip(starts, stops, strict=True)]
    texts = [Text(text) for text in between if text]
    fields: list[Field] = []
    for match in found:
        negated = match["not"] is not None
        if match["field"] is not None:
            fields.append(_field(match, negated, now_ns))
        else:
            texts.append(Text(_text(match, "quoted") if match["word"] is None else match["word"], negated))
    return Asked(tuple(texts), tuple(fields))


_QUOTED = r'"(?:[^"\\]|\\.)*"(?!\S)'
_TERM = re.compile(
    rf"""
    (?<!\S)(?P<not>-)?(?:
        (?P<field>status|type|model|name|tag|session|since|until|cost|duration|tokens)(?P<op>:|>=|<=|>|<|=)(?P<value>{_QUOTED}|[^\s"]\S*)
      | (?P<quoted>{_QUOTED})
      | (?(not)(?P<word>[^\W\d_]\S+)|(?!))
    )
    """,
    re.VERBOSE,
)


def _text(match: re.Match[str], group: str) -> str:
    """What a term says, its quotes taken off."""
    said: str = match[group]
    if said.startswith('"'):
        said = re.sub(r"\\(.)", r"\1", said[1:-1], flags=re.DOTALL)
    if not said:
        raise _wrong("is an empty text", match.start(group))
    return said


def _field(match: re.Match[str], negated: bool, now_ns: int) -> Field:
    name = match["field"]
    value = _text(match, "value")
    op: Op = _OPS[match["op"]]
    at = match.start("value")
    if op != ":" and name not in _COMPARED:
        raise _wrong(f"{name} is not a number; write {name}:{value}", match.start("op"))
    return Field(name, op, _VALUES[name](value, at, now_ns), negated)


def _wrong(what: str, at: int) -> Invalid:
    said = f"at character {at + 1}: {what}"
    return Invalid(f"query.q: {said}.", [("query.q", said)])


# ---------------------------------------------------------------- values


def _any(value: str, at: int, now_ns: int) -> str:
    return value


def _one_of(kind: Any, word: str) -> Callable[[str, int, int], str]:
    known: tuple[str, ...] = get_args(kind)

    def read(value: str, at: int, now_ns: int) -> str:
        if value.lower() not in known:
            raise _wrong(f"there is no {word} {value[:40]!r}; there is {', '.join(known)}", at)
        return value.lower()

    return read


def _usd(value: str, at: int, now_ns: int) -> int:
    number = _number(value.removeprefix("$"))
    if number is None:
        raise _wrong(f"{value[:40]!r} is no amount of US dollars; write 0.01 or $2", at)
    return min(pico_from_usd(number), INT64_MAX)


def _tokens(value: str, at: int, now_ns: int) -> int:
    thousands = value[-1:] in ("k", "K")
    number = _number(value[:-1] if thousands else value)
    if number is None:
        raise _wrong(f"{value[:40]!r} is no number of tokens; write 500 or 10k", at)
    return min(round(number * (1_000 if thousands else 1)), INT64_MAX)


def _duration(value: str, at: int, now_ns: int) -> int:
    return _span_of_time(value, at, "write 300ms, 2s or 1.5m")


def _since(value: str, at: int, now_ns: int) -> int:
    if re.fullmatch(r"\d{9,}(?:\.\d+)?", value):
        return min(round(float(value) * 1e9), INT64_MAX)
    if re.match(r"\d{4}-", value):
        try:
            seconds = datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError, OSError):
            raise _wrong(f"{value[:40]!r} is no date; write 2026-11-23 or 2026-11-23T14:30Z", at) from None
        # a date without a zone means the clock on the wall of whoever asks, and this is their machine
        return min(max(round(seconds * 1e9), 0), INT64_MAX)
    return max(0, now_ns - _span_of_time(value, at, "write 30m, 2h, 7d, a date, or seconds since 1970"))


_UNITS = {"ms": 1e6, "s": 1e9, "m": 60e9, "min": 60e9, "h": 3600e9, "d": 86_400e9, "w": 604_800e9}


def _span_of_time(value: str, at: int, like: str) -> int:
    match = re.fullmatch(r"([\d.]+)([a-z]+)", value.lower())
    number = None if match is None else _number(match[1])
    if match is None or number is None or match[2] not in _UNITS:
        raise _wrong(f"{value[:40]!r} is no time; {like}", at)
    return min(round(number * _UNITS[match[2]]), INT64_MAX)


def _number(said: str) -> float | None:
    return float(said) if re.fullmatch(r"\d{1,18}(?:\.\d{1,18})?|\.\d{1,18}", said, re.ASCII) else None


INT64_MAX = 2**63 - 1

_VALUES: Mapping[str, Callable[[str, int, int], str | int]] = {
    "status": _one_of(Status, "status"),
    "type": _one_of(SpanType, "type"),
    "model": _any,
    "name": _any,
    "tag": _any,
    "session": _any,
    "since": _since,
    "until": _since,
    "cost": _usd,
    "duration": _duration,
    "tokens": _tokens,
}
_COMPARED = ("cost", "duration", "tokens")
_OPS: Mapping[str, Op] = {":": ":", "=": ":", ">": ">", ">=": ">=", "<": "<", "<=": "<="}
