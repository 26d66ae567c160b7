"""Takes a body apart that is no strict JSON, so that one bad span does not sink its batch: clients such as beacon-sdk
never send a batch again. Pure, and slow: only what a strict decoder has refused comes here.
"""

from __future__ import annotations

import json
import re
from typing import Any

from beacon.contract.limits import ATTRIBUTES_DEPTH_MAX

SEPARATE_MAX = 8 * 1024 * 1024
"""Bytes of a body that is worth taking apart in Python."""

TOO_DEEP = f"nested more than {ATTRIBUTES_DEPTH_MAX} levels deep"


class SpanWrong(ValueError):
    """One span that cannot be kept: `loc` is the place inside it, `msg` says what is wrong."""

    def __init__(self, loc: str, msg: str) -> None:
        super().__init__(f"{loc}: {msg}")
        self.loc = loc
        self.msg = msg


def separate_spans(body: bytes) -> list[bytes | SpanWrong] | None:
    """The spans of `body`, each as strict JSON text or as what is wrong with it; None when it is no list of spans even
    with allowances made. Handled are what `json.dumps` writes and is no JSON (NaN, infinities, halves of surrogate
    pairs), and spans nested deeper than any decoder follows."""
    if len(body) > SEPARATE_MAX:
        return None
    try:
        # decoded here: given bytes, json would take UTF-16 and UTF-32 too
        spans = json.loads(body.decode("utf-8-sig", "surrogatepass"))["spans"]
    except RecursionError:
        return _cut(body)
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return [_strict(span) for span in spans] if isinstance(spans, list) else None


def _strict(span: Any) -> bytes | SpanWrong:
    """`span` as JSON text, or the field that cannot be."""
    fields = span.items() if isinstance(span, dict) else [("", span)]
    for name, value in fields:
        try:
            json.dumps([name, value], ensure_ascii=False, allow_nan=False).encode()
        except UnicodeEncodeError:
            return SpanWrong(name, "holds half of a surrogate pair (\\ud800-\\udfff), which is no character")
        except ValueError:
            return SpanWrong(name, "holds NaN or an infinite number, which JSON does not have")
        except RecursionError:
            return SpanWrong(name, TOO_DEEP)
    return json.dumps(span, ensure_ascii=False).encode()


_MARK = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_LIST = re.compile(rb'\s*\{\s*"spans"\s*:\s*\[\s*')
_NEXT = re.compile(rb"\s*,\s*")
_END = re.compile(rb"\s*\]")

_SPAN_DEPTH_MAX = ATTRIBUTES_DEPTH_MAX + 1


def _cut(body: bytes) -> list[bytes | SpanWrong] | None:
    """The objects of a list that is too deep to decode, found by counting brackets. None unless `body` is
    `{"spans": [{...}, ...` with balanced brackets."""
    head = _LIST.match(body)
    if head is None:
        return None
    found: list[bytes | SpanWrong] = []
    at = head.end()
    while True:
        end, depth = _object_end(body, at)
        if end is None:
            return None
        found.append(body[at:end] if depth <= _SPAN_DEPTH_MAX else SpanWrong("attributes", TOO_DEEP))
        following = _NEXT.match(body, end)
        if following is None:
            return found if _END.match(body, end) else None
        at = following.end()


def _object_end(body: bytes, start: int) -> tuple[int | None, int]:
    """Where the object that begins at `start` ends, and how deep it nests; None when it does not end or is none."""
    if body[start : start + 1] != b"{":
        return None, 0
    depth = deepest = 0
    for mark in _MARK.finditer(body, start):
        if mark[0] in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark[0] in b"]}":
            depth -= 1
            if depth == 0:
                return mark.end(), deepest
    return None, deepest
