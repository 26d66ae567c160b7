"""What msgspec says of a wrong value, in words that a reader of JSON knows. Pure."""

from __future__ import annotations

import re

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}

_EXPECTED = re.compile(
    r"^Expected `(?P<kinds>[^`]+)`(?:, got `(?P<got>[^`]+)`| (?P<limit>of length )?(?P<op>[<>]=?) (?P<n>.+))?$"
)
_MISSING = re.compile(r"^Object missing required field `(?P<name>[^`]+)`$")
_BOUNDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}


def plainly(message: str) -> str:
    """`message` of a msgspec.ValidationError without its place, reworded where it has a known form:
    "Expected `int`, got `str`" is "must be a whole number, not text"."""
    if missing := _MISSING.match(message):
        return f"{missing['name']} is missing"
    found = _EXPECTED.match(message)
    if found is None:
        return message
    kinds = found["kinds"].split(" | ")
    wanted = " or ".join(_KINDS.get(kind, kind) for kind in kinds)
    if found["got"] is not None:
        return f"must be {wanted}, not {_KINDS.get(found['got'], found['got'])}"
    if found["op"] is None:
        return f"must be {wanted}"
    if found["limit"] is not None and (found["op"], found["n"]) == (">=", "1"):
        return "may not be empty"
    bound = f"{_BOUNDS[found['op']]} {found['n']}"
    if found["limit"] is None:
        return f"must be {bound}"
    of = "entries" if kinds[0] in ("array", "object") else "characters"
    return f"must have {bound} {of}"
