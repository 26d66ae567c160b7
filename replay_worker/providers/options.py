"""The options of a ModelCall as they are read for providers other than the one they were named by: tools, tool choice,
response format, sampling parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from beacon.errors import BadRequest

NEUTRAL: dict[str, Any] = {
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "logprobs": False,
    "n": 1,
    "parallel_tool_calls": True,
    "logit_bias": {},
    "repetition_penalty": 1,
    "min_p": 0,
    "modalities": ["text"],
}
"""Values that ask for nothing: a provider that does not know the parameter does it all the same."""

OWN_FIELDS = ("model", "messages", "input", "contents", "system", "tools", "tool_choice", "response_format", "stream")
"""What stands beside the parameters, and must not be put over it by one of them."""


ENUM = "text/x.enum"
"""Google's form of an answer that is one of several words
(https://ai.google.dev/gemini-api/docs/structured-output)."""

_GOOGLE_TYPES = frozenset({"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"})


class Function(NamedTuple):
    name: str
    description: str | None
    parameters: dict[str, Any] | None
    strict: bool | None


class JsonFormat(NamedTuple):
    """An answer in JSON; `schema` None: of any shape."""

    schema: dict[str, Any] | None
    name: str | None = None
    strict: bool | None = None
    description: str | None = None


def read_tools(tools: list[dict[str, Any]] | None) -> list[Function | dict[str, Any]]:
    """Functions, and the tools that are none as they are."""
    found: list[Function | dict[str, Any]] = []
    for index, tool in enumerate(tools or ()):
        function = tool.get("function") if tool.get("type", "function") == "function" else None
        if not isinstance(function, dict):
            found.append(tool)
            continue
        if not isinstance(function.get("name"), str):
            raise BadRequest(f"tools[{index}] is a function without a name.")
        found.append(
            Function(function["name"], function.get("description"), function.get("parameters"), function.get("strict"))
        )
    return found


def read_choice(choice: Any, provider: str) -> tuple[str, str | None] | None:
    """(auto, none, required or function, the function's name); None where nothing was chosen. Raises `BadRequest`."""
    kind = choice.get("type") if isinstance(choice, dict) else choice
    if kind is None:
        return None
    if kind in ("auto", "none", "required", "any"):
        return ("required" if kind == "any" else str(kind)), None
    if isinstance(choice, dict) and kind in ("function", "tool"):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, dict) else choice.get("name")
        if isinstance(name, str) and name:
            return "function", name
    raise BadRequest(
        f"tool_choice {str(choice)[:100]} is one that {provider} cannot take; use auto, none, required or a function."
    )


def read_format(response_format: Any, provider: str) -> JsonFormat | None:
    """None for text. Raises `BadRequest` for what is neither text, json_object nor json_schema."""
    if response_format is None:
        return None
    given = response_format if isinstance(response_format, dict) else {"type": response_format}
    if given.get("type") == "text":
        return None
    if given.get("type") == "json_object":
        return JsonFormat(None)
    if given.get("type") == "json_schema":
        said = given.get("json_schema")
        said = said if isinstance(said, dict) else given
        if isinstance(said.get("schema"), dict):
            return JsonFormat(said["schema"], said.get("name"), said.get("strict"), said.get("description"))
    raise BadRequest(
        f"response_format {str(response_format)[:100]} is one that {provider} cannot take; use text, json_object, or "
        "json_schema with a schema."
    )


def is_googles(schema: Any) -> bool:
    """Whether a schema is written in the way of Google's own API, which names types in capitals
    (https://ai.google.dev/api/caching#Schema)."""
    return isinstance(schema, dict) and isinstance(schema.get("type"), str) and schema["type"] in _GOOGLE_TYPES


def json_schema(schema: Any) -> Any:
    """`schema` as JSON Schema says it, where it is written in the way of Google's own API."""
    if not is_googles(schema):
        return schema
    found = {key: value for key, value in schema.items() if key not in ("nullable", "propertyOrdering")}
    kind = schema["type"].lower()
    found["type"] = [kind, "null"] if schema.get("nullable") is True else kind
    if isinstance(schema.get("properties"), dict):
        found["properties"] = {name: json_schema(inner) for name, inner in schema["properties"].items()}
    if "items" in schema:
        found["items"] = json_schema(schema["items"])
    if isinstance(schema.get("anyOf"), list):
        found["anyOf"] = [json_schema(inner) for inner in schema["anyOf"]]
    return found


def wanted(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that ask for something, with one limit on tokens, as `max_tokens`. Raises `BadRequest` for two
    limits that differ and for a name that is no parameter."""
    asked = {name: value for name, value in params.items() if value is not None}
    for name in OWN_FIELDS:
        if name in asked:
            raise BadRequest(f"{name} is no parameter: it stands beside them. Remove it from the parameters.")
    limits = [asked.pop(name) for name in ("max_tokens", "max_completion_tokens", "max_output_tokens") if name in asked]
    if limits:
        if any(limit != limits[0] for limit in limits):
            raise BadRequest("max_tokens and max_completion_tokens differ; both limit the answer, so give one of them.")
        asked["max_tokens"] = limits[0]
    return asked


def translated(asked: dict[str, Any], names: Mapping[str, str], provider: str) -> dict[str, Any]:
    """`asked` by the provider's names. Raises `BadRequest` that names a parameter it does not have."""
    found = {}
    for name, value in asked.items():
        if name in names:
            found[names[name]] = value
        elif name not in NEUTRAL or value != NEUTRAL[name]:
            raise BadRequest(
                f"The parameter {name[:60]} is one that {provider} does not have. Remove it, or choose another model."
            )
    return found


def stops(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
