"""A tool of a demo agent: what the model is told of it, and what it does. Every tool is a pure function of its
arguments and of what the run has done so far, so that a run can be compared with the next."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from beacon.contract.records import SpanType

World = dict[str, Any]
"""What the tools of one run have done: empty when it begins."""

TOLD_MAX = 300


class Deed(Struct, frozen=True, kw_only=True):
    """What a tool does underneath: a file read, a command run, a page opened. `given` are the attributes of its span
    when it begins, `came` those it ends with; `error` ends it in error. `seconds` at a natural pace."""

    type: SpanType
    name: str
    given: dict[str, Any]
    came: dict[str, Any] = {}
    error: str | None = None
    seconds: float = 0.3


class Outcome(Struct, frozen=True, kw_only=True):
    """What comes back: `output` is a JSON value for the model; `error` ends the tool's span in error, and is what the
    model is told; `fatal`: the agent gives up with it."""

    output: Any = None
    deeds: tuple[Deed, ...] = ()
    error: str | None = None
    fatal: bool = False
    seconds: float = 0.2


class Tool(Struct, frozen=True, kw_only=True):
    """`parameters`: each argument's JSON schema by its name; all are required."""

    name: str
    description: str
    parameters: dict[str, dict[str, Any]]
    run: Callable[[Mapping[str, Any], World], Outcome]

    @property
    def schema(self) -> dict[str, Any]:
        """As OpenAI's chat API takes it."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": {
                    "type": "object",
                    "properties": self.parameters,
                    "required": list(self.parameters),
                    "additionalProperties": False,
                },
            },
        }


def use(tools: Mapping[str, Tool], name: str, arguments: str, world: World) -> Outcome:
    """Run the tool a model asked for. What a model gets wrong (an unknown tool, arguments that do not fit) is an error
    it is told of, as an agent that goes on needs it."""
    tool = tools.get(name)
    if tool is None:
        return Outcome(error=f"There is no tool {name[:80]!r}; there are {', '.join(tools)}.", seconds=0.0)
    try:
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError) as e:
        return Outcome(error=f"The arguments are not JSON: {str(e)[:TOLD_MAX]}.", seconds=0.0)
    if not isinstance(given, dict):
        return Outcome(error="The arguments are not a JSON object.", seconds=0.0)
    wrong = [key for key, schema in tool.parameters.items() if not _fits(given.get(key), schema)]
    if wrong:
        return Outcome(error=f"{', '.join(wrong)}: missing, or not as the tool's schema says.", seconds=0.0)
    return tool.run(given, world)


_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "number": (int, float), "integer": (int,), "array": (list,)}


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    if isinstance(value, bool) or not isinstance(value, _TYPES[schema["type"]]):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    return not isinstance(value, list) or all(_fits(item, schema["items"]) for item in value)


def text(description: str, *choices: str) -> dict[str, Any]:
    """The JSON schema of a text, or of one of `choices`."""
    return {"type": "string", "description": description} | ({"enum": list(choices)} if choices else {})


def file_read(path: str, content: str, seconds: float = 0.15) -> Deed:
    """A file that is read."""
    return Deed(
        type="file_operation",
        name=f"read {path}",
        given={"file.operation": "read", "file.path": path},
        came={"file.content": content, "file.size_bytes": len(content.encode())},
        seconds=seconds,
    )


def command(line: str, stdout: str, *, returncode: int = 0, stderr: str = "", seconds: float = 1.0) -> Deed:
    """A command that runs to its end; one that fails ends its span in error."""
    return Deed(
        type="shell_command",
        name=line.split()[0],
        given={"shell.command": line},
        came={"shell.returncode": returncode, "shell.stdout": stdout, "shell.stderr": stderr},
        error=f"exit status {returncode}: {stderr.strip().splitlines()[-1]}" if returncode and stderr.strip() else None,
        seconds=seconds,
    )
