"""Lists that came as numbered attributes: `gen_ai.prompt.0.role`, `llm.input_messages.1.message.content`. Pure.

A hostile `gen_ai.prompt.4000000000.role` costs one entry, not a list of that length: entries are kept by their number
and put in its order, without gaps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INDEX_MAX = 4_096
"""Numbers from here on are left out, as no conversation is that long; so is every name below them."""

DEPTH_MAX = 16
"""Names in one key: `llm.output_messages.0.message.tool_calls.0.tool_call.function.name` has six below its prefix."""

VALUE = "value"
"""Where a value stands whose key has others below it (`tool` beside `tool.name`)."""


def unflattened(attributes: Mapping[str, Any], prefix: str) -> Any:
    """What stands below `prefix` (without its last dot) as dicts, and as lists where all names are numbers; None where
    nothing does. `{"p.0.role": "user", "p.1.role": "tool"}`, "p" gives `[{"role": "user"}, {"role": "tool"}]`.

    One pass over `attributes`, whatever the names are.
    """
    dotted = prefix + "."
    start = len(dotted)
    root: dict[str, Any] = {}
    for key, value in attributes.items():
        if key.startswith(dotted):
            _put(root, key[start:].split(".", DEPTH_MAX), value)
    return _listed(root) if root else None


def indexed(attributes: Mapping[str, Any], prefix: str) -> list[Any]:
    """The numbered entries below `prefix`, in the order of their numbers; empty where there are none."""
    found = unflattened(attributes, prefix)
    return found if isinstance(found, list) else []


class _Node(dict[str, Any]):
    """An object that keys were put together to; a dict that is a value is no _Node."""


def _put(root: dict[str, Any], names: list[str], value: Any) -> None:
    if any(_is_number(name) and (len(name) > 4 or int(name) >= INDEX_MAX) for name in names):
        return
    at = root
    for name in names[:-1]:
        below = at.get(name)
        if not isinstance(below, _Node):
            at[name] = below_new = _Node()
            if below is not None:
                below_new[VALUE] = below
            below = below_new
        at = below
    last = names[-1]
    if isinstance(at.get(last), _Node):
        at[last].setdefault(VALUE, value)
    else:
        at[last] = value


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal()


def _listed(node: dict[str, Any]) -> Any:
    """`node` with lists where all names are numbers; at most DEPTH_MAX levels deep, so that recursion is safe."""
    whole = {name: _listed(below) if isinstance(below, _Node) else below for name, below in node.items()}
    numbers = [name for name in whole if _is_number(name)]
    if numbers and all(name == VALUE or _is_number(name) for name in whole):
        return [whole[name] for name in sorted(numbers, key=int)]
    return whole
