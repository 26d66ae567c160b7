"""What a span did in a few words, for a row of a tree: `gpt-4o → lookup_order(4711)`, `grep -rn TODO src`. Pure.

Made when it is read, from the few attributes that say it: a column would cost every span that is stored 100 bytes and
2 us, for the few that are looked at. msgspec skips the rest of the text, prompts above all, without making objects.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct, field

LABEL_MAX = 120
"""Characters of a label."""

_ARGUMENT_MAX = 60
_TOOLS_SHOWN = 3
_MAIN_ARGUMENTS = (
    "query",
    "q",
    "question",
    "command",
    "cmd",
    "path",
    "file_path",
    "file",
    "url",
    "name",
    "id",
    "expression",
)
"""Names of arguments that say most, first first; else the first that is a text or a number."""

_SPACES = re.compile(r"\s+")


class _Said(Struct):
    """The attributes a label is made of, whatever they hold."""

    model: Any = field(default=None, name="llm.model")
    completion: Any = field(default=None, name="llm.completion")
    tool_calls: Any = field(default=None, name="llm.tool_calls")
    tool: Any = field(default=None, name="tool.name")
    tool_input: Any = field(default=None, name="tool.input")
    command: Any = field(default=None, name="shell.command")
    file_operation: Any = field(default=None, name="file.operation")
    path: Any = field(default=None, name="file.path")
    action: Any = field(default=None, name="browser.action")
    selector: Any = field(default=None, name="browser.selector")
    url: Any = field(default=None, name="browser.url")
    step: Any = field(default=None, name="agent.step_name")


_decode = msgspec.json.Decoder(_Said).decode


def label_of(span_type: str, name: str, attributes: bytes) -> str | None:
    """The label of a span of this type and name with this JSON text of attributes; None where the name says as much."""
    try:
        said = _decode(attributes)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):  # stored by an older version, or deeper than it reads
        return None
    made = _of_type(span_type, name, said)
    return None if made is None or made == name else _cut(made, LABEL_MAX)


def _of_type(span_type: str, name: str, said: _Said) -> str | None:
    match span_type:
        case "llm_call":
            return _call(_words(said.model) or name, said)
        case "tool_use":
            tool = _words(said.tool) or name
            argument = _argument(said.tool_input)
            return f"{tool}({argument})" if argument else tool
        case "shell_command":
            return _words(said.command)
        case "file_operation":
            return _joined(said.file_operation, said.path)
        case "browser_action":
            return _joined(said.action, said.selector or said.url)
        case "agent_step":
            return _words(said.step)
    return None


def _call(model: str, said: _Said) -> str:
    tools = _called(said.tool_calls)
    if tools:
        more = f" +{len(tools) - _TOOLS_SHOWN}" if len(tools) > _TOOLS_SHOWN else ""
        return f"{model} → {', '.join(tools[:_TOOLS_SHOWN])}{more}"
    answer = _words(said.completion)
    return f"{model}: {answer}" if answer else model


def _called(value: Any) -> list[str]:
    calls = _structure(value)
    found = []
    for call in calls if isinstance(calls, list) else ():
        if not isinstance(call, dict):
            continue
        function = call.get("function")
        at = function if isinstance(function, dict) else call
        name = _words(at.get("name"))
        if name:
            argument = _argument(at.get("arguments"))
            found.append(f"{name}({argument})" if argument else name)
    return found


def _argument(value: Any) -> str | None:
    """The one argument that says most."""
    found = _structure(value)
    if isinstance(found, dict):
        scalars = {
            str(key): inner
            for key, inner in found.items()
            if isinstance(inner, str | int | float) and not isinstance(inner, bool) and inner != ""
        }
        if not scalars:
            return "…" if found else None
        key = next((key for key in _MAIN_ARGUMENTS if key in scalars), next(iter(scalars)))
        found = scalars[key]
    if isinstance(found, list):
        return "…" if found else None
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return None
    return _cut(_SPACES.sub(" ", str(found)[: 4 * _ARGUMENT_MAX]).strip(), _ARGUMENT_MAX)


def _structure(value: Any) -> Any:
    """JSON text of a list or an object as what it says; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return msgspec.json.decode(value)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return value
    return value


def _joined(*values: Any) -> str | None:
    return " ".join(filter(None, map(_words, values))) or None


def _words(value: Any) -> str | None:
    """The beginning of a text, on one line."""
    if not isinstance(value, str):
        return None
    return _SPACES.sub(" ", value[: 4 * LABEL_MAX]).strip() or None


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"
