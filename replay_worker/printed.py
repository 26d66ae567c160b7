"""Python objects as their printed form, read back.

Clients that record messages with `json.dumps(…, default=str)` leave an assistant's turn as the text its SDK object
prints: `ToolUseBlock(id='toolu_1', input={'city': 'Paris'}, name='get_weather', type='tool_use')`, or pydantic's
`parts=[Part(text='hi')] role='user'`. Such a text has all that was sent, so that it can be replayed. Nothing is
evaluated: only names, calls with keywords, and literals are read.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

LENGTH_MAX = 1_000_000
"""Characters of one printed object that are worth a parser's time."""

SIGNS_MAX = 40_000
"""Commas, brackets and the like in it, each a node for the parser: 0.1 s in which nothing else runs. A megabyte of
prose has half as many."""

_SIGNS = ",([{=:"

_LOOKS_PRINTED = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\(|[a-z_][a-z0-9_]*=[\[\]{}'\"A-Z0-9-]")


_ADDRESS = re.compile(r"<[\w. ]+ at 0x[0-9a-f]+>")


def holds_addresses(text: str) -> bool:
    """Whether `text` is a printed object with one inside that said no more than where it was: `Part(x=<X at 0x7f>)`."""
    return len(text) <= LENGTH_MAX and _LOOKS_PRINTED.match(text) is not None and _ADDRESS.search(text) is not None


def read_printed(text: str) -> dict[str, Any] | None:
    """The fields of the object that printed `text`, those that are None left out; None when it is not such a text."""
    if len(text) > LENGTH_MAX or _LOOKS_PRINTED.match(text) is None or sum(map(text.count, _SIGNS)) > SIGNS_MAX:
        return None
    for source in (text, f"_({_with_commas(text)})"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a strange escape in somebody's text is no news for our log
                tree = ast.parse(source, mode="eval").body
            if isinstance(tree, ast.Call) and (tree.keywords or not tree.args):
                found = _value(tree)
                return found if isinstance(found, dict) and found else None
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call):
        if node.args or not isinstance(node.func, ast.Name | ast.Attribute):
            raise ValueError
        fields = {keyword.arg: _value(keyword.value) for keyword in node.keywords if keyword.arg}
        return {name: value for name, value in fields.items() if value is not None}
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {
            ast.literal_eval(key): _value(value)
            for key, value in zip(node.keys, node.values, strict=True)
            if key is not None
        }
    return ast.literal_eval(node)


_MARK = re.compile(
    r"""'(?:[^'\\]|\\.)*(?:'|\\?\Z)|"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[(\[{]|[)\]}]|(?<![\w.])[A-Za-z_]\w*(?==(?!=))""",
    re.DOTALL,
)
"""A text in quotes, to its end or to that of the whole; a bracket; the name of a field. One look at each character,
where Python's own tokenizer took 3 s for a megabyte, which every call of its worker waited for."""


def _with_commas(text: str) -> str:
    """`a=1 b='x'` as `a=1, b='x'`: pydantic puts spaces between fields."""
    out: list[str] = []
    depth = 0
    last_end = 0
    for match in _MARK.finditer(text):
        mark = match[0][0]
        if mark in "([{":
            depth += 1
        elif mark in ")]}":
            depth -= 1
        elif mark not in "'\"" and depth == 0 and match.start():
            out.append(text[last_end : match.start()])
            last_end = match.start()
    out.append(text[last_end:])
    return ", ".join(out)
