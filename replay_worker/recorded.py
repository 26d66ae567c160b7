"""A recorded llm_call as a call that can be made again: its attributes become a ModelCall. Where it is made is
`beacon.recorded`'s to say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from beacon.errors import BadRequest
from replay_worker.messages import openai_messages
from replay_worker.providers.calls import ModelCall
from replay_worker.providers.options import ENUM
from replay_worker.providers.untrusted import deeper_than

NUMBERS = {
    "temperature": float,
    "top_p": float,
    "top_k": int,
    "max_tokens": int,
    "max_completion_tokens": int,
    "seed": int,
    "frequency_penalty": float,
    "presence_penalty": float,
    "repetition_penalty": float,
    "min_p": float,
    "top_logprobs": int,
}

NUMBER_MAX = 2**53
"""What every JSON reader takes for a whole number."""

OTHERS = (
    "stop", "logprobs", "logit_bias", "user", "service_tier", "reasoning_effort", "reasoning", "verbosity", "thinking",
    "parallel_tool_calls", "modalities", "audio", "prediction", "metadata", "safety_settings", "web_search_options",
)  # fmt: skip
"""Request parameters recorded as `llm.NAME`; other `llm.` keys say what came back, or how long it took."""

OTHER_NAMES = {
    "stop_sequences": "stop",
    "max_output_tokens": "max_tokens",
    "maxOutputTokens": "max_tokens",
    "topP": "top_p",
    "topK": "top_k",
    "stopSequences": "stop",
}
"""What other providers and instrumentations call them."""

NOT_PARAMS = frozenset(
    {"model", "messages", "contents", "system", "input", "instructions", "prompt", "tools", "tool_choice", "n",
     "stream", "stream_options", "response_format", "api_key", "extra_headers", "headers", "base_url", "timeout",
     "config", "choice.count", "candidate_count", "candidateCount", "previous_response_id", "store", "background",
     "generationConfig", "generation_config", "toolConfig", "tool_config", "systemInstruction", "system_instruction",
     "responseMimeType", "response_mime_type", "responseSchema", "response_schema", "responseJsonSchema"}
)  # fmt: skip
"""Stand elsewhere in a ModelCall, or are not for a replay: `n` runs are asked for as such, a key never travels in a
span, and nothing of what was recorded changes what a provider keeps."""

DEPTH_MAX = 100
"""Levels of lists and objects. JSON is written and walked by recursion, which ends at some 1,000."""

CUT_OFF = "[TRUNCATED]"
"""What beacon-sdk puts in the place of a long prompt's end."""


def model_call(attributes: Mapping[str, Any]) -> ModelCall:
    """What `attributes` (an llm_call's, with modifications merged) asked for. Raises `BadRequest` for what cannot be
    asked again: no prompt, no model, a prompt that was cut off, messages that do not go together."""
    model = attributes.get("llm.request_model") or attributes.get("llm.model")
    if not isinstance(model, str) or not model.strip():
        raise BadRequest("The span has no llm.model, so that nobody knows which model to call; set llm.model.")
    body, messages = _prompt(attributes.get("llm.prompt"))
    asked = _in_one_piece(attributes)
    if previous := body.get("previous_response_id") or asked.get("previous_response_id"):
        raise BadRequest(
            f"This call went on from {str(previous)[:60]}, a conversation that the provider keeps and the span does "
            "not hold; set llm.prompt to the whole of it."
        )
    given = {**_of_google(body), **body, **asked}
    tools = _tools(_first(attributes, given, "tools"))
    params = _params(attributes, body)
    if tools is None and "llm.tools" in attributes:
        params.pop("parallel_tool_calls", None)  # OpenAI refuses it where there are no tools
    call = ModelCall(
        model=model.strip(),
        messages=openai_messages([*_system_beside(attributes, asked, messages), *messages]),
        tools=tools,
        tool_choice=None
        if tools is None and "llm.tools" in attributes
        else _tool_choice(_first(attributes, given, "tool_choice")),
        response_format=_response_format(_first(attributes, given, "response_format")),
        params=params,
        api=_api(attributes),
    )
    _require_shallow(call)
    return call


def _require_shallow(call: ModelCall) -> None:
    """Raises `BadRequest` for values that nest so deeply that nobody can write them as JSON."""
    named = {
        "llm.prompt": call.messages, "llm.tools": call.tools, "llm.tool_choice": call.tool_choice,
        "llm.response_format": call.response_format, **{f"llm.{name}": value for name, value in call.params.items()},
    }  # fmt: skip
    for name, value in named.items():
        if deeper_than(value, DEPTH_MAX):
            raise BadRequest(f"{name[:60]} nests more than {DEPTH_MAX} levels deep; no provider takes that.")


def _in_one_piece(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a call that were recorded as one value (OpenInference's `llm.invocation_parameters`)."""
    found: dict[str, Any] = {}
    for key in ("llm.invocation_parameters", "llm.params"):
        value = _decoded(attributes.get(key))
        found |= value if isinstance(value, dict) else {}
    return found


def _of_google(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a request of Google's calls otherwise: its choice of tools, and the form of its answer."""
    config = _config(body)
    found: dict[str, Any] = {}
    choice = body.get("toolConfig", body.get("tool_config"))
    if choice is not None:
        found["tool_choice"] = choice
    schema = next((config[k] for k in ("responseJsonSchema", "responseSchema", "response_schema") if k in config), None)
    kind = config.get("responseMimeType", config.get("response_mime_type"))
    if schema is not None and kind == ENUM:
        found["response_format"] = {"type": ENUM, "schema": schema}
    elif schema is not None:
        found["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    elif kind == "application/json":
        found["response_format"] = {"type": "json_object"}
    return found


def _config(body: Mapping[str, Any]) -> dict[str, Any]:
    found = body.get("generationConfig", body.get("generation_config"))
    return found if isinstance(found, dict) else {}


def _system_beside(attributes: Mapping[str, Any], asked: Mapping[str, Any], messages: list[Any]) -> list[Any]:
    """A system prompt that was recorded beside the messages, where they have none."""
    if any(isinstance(one, dict) and one.get("role") in ("system", "developer") for one in messages):
        return []
    # from OpenTelemetry, `llm.system` may be a product's name (OpenInference), and a system prompt is a message
    product = () if "beacon.dialect" in attributes else ("llm.system",)
    names = (*product, "llm.system_prompt", "llm.instructions")
    beside = next((attributes[name] for name in names if isinstance(attributes.get(name), str)), None)
    return _system({"system": _decoded(beside)} if beside else dict(asked))


# ---------------------------------------------------------------- the prompt


def _prompt(recorded: Any) -> tuple[dict[str, Any], list[Any]]:
    """The body the prompt came in, where a whole request was recorded, and the messages, not yet in one shape."""
    if recorded is None or recorded == "":
        raise BadRequest("The span has no llm.prompt, so that there is nothing to send; set llm.prompt.")
    value = _parsed_prompt(recorded) if isinstance(recorded, str) else recorded
    if isinstance(value, list):
        return {}, value
    if isinstance(value, dict):
        if "role" in value or "parts" in value:
            return {}, [value]
        for key in ("messages", "contents", "input", "prompt"):
            if key in value:
                said = value[key] if isinstance(value[key], list) else [value[key]]
                return value, [*_system(value), *said]
    if isinstance(value, str):
        return {}, [{"role": "user", "content": value}]
    raise BadRequest(
        "The recorded llm.prompt is neither a list of messages nor a text; set llm.prompt to a list of messages."
    )


def _parsed_prompt(text: str) -> Any:
    if text.endswith(CUT_OFF):
        raise BadRequest(
            "The recorded prompt is not whole: the client that recorded it cut it off. Set llm.prompt to what is to be "
            "sent."
        )
    start = text.lstrip()[:1]
    if start not in ("[", "{", '"'):
        return text
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        if text.lstrip().startswith(('[{"', '{"')):
            raise BadRequest(
                "The recorded prompt begins as JSON and does not end as such; it was cut off or edited. Set llm.prompt "
                "to a whole list of messages."
            ) from None
        return text  # "[note] please read …" is a text
    plain = isinstance(value, list) and value and not any(isinstance(item, dict | str) for item in value)
    return text if plain or (isinstance(value, dict) and not _is_request(value)) else value


def _is_request(value: dict[str, Any]) -> bool:
    """Whether a JSON object is a message or a request, not just a text that happens to be JSON."""
    return any(key in value for key in ("role", "parts", "messages", "contents")) or (
        "model" in value and any(key in value for key in ("input", "prompt"))
    )


def _system(body: dict[str, Any]) -> list[Any]:
    for key in ("system", "instructions", "systemInstruction", "system_instruction"):
        said = body.get(key)
        if isinstance(said, dict):
            return [{**said, "role": "system"}]
        if said:
            return [{"role": "system", "content": said}]
    return []


# ---------------------------------------------------------------- tools


def _tools(recorded: Any) -> list[dict[str, Any]] | None:
    value = _decoded(recorded)
    if isinstance(value, dict):
        value = [value]
    if not value:
        return None
    if not isinstance(value, list):
        raise BadRequest("llm.tools is not a list of tools; set it to one, or to null.")
    tools: list[dict[str, Any]] = []
    for index, tool in enumerate(value):
        tool = _decoded(tool)
        if not isinstance(tool, dict):
            raise BadRequest(f"llm.tools[{index}] is not an object; a tool has a name, a description and parameters.")
        google = tool.get("functionDeclarations", tool.get("function_declarations"))
        tools += [_tool(one) for one in google if isinstance(one, dict)] if isinstance(google, list) else [_tool(tool)]
    return tools


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    if isinstance(tool.get("function"), dict):
        return {**tool, "type": tool.get("type", "function")}
    known = ("parameters", "input_schema", "inputSchema", "parametersJsonSchema", "parameters_json_schema")
    schema = next((tool[key] for key in known if key in tool), None)
    if tool.get("type") == "custom" and schema is None:  # OpenAI's, which takes any text; Anthropic's has a schema
        said = {key: tool[key] for key in ("name", "description", "format") if tool.get(key) is not None}
        return tool if isinstance(tool.get("custom"), dict) else {"type": "custom", "custom": said}
    if "name" not in tool or (schema is None and tool.get("type", "function") != "function"):
        return tool  # a provider's own, such as web search
    function: dict[str, Any] = {"name": tool["name"]}
    function |= {key: tool[key] for key in ("description", "strict") if tool.get(key) is not None}
    if schema is not None:
        function["parameters"] = _decoded(schema)
    return {"type": "function", "function": function}


def _tool_choice(recorded: Any) -> Any:
    value = _decoded(recorded)
    if value in (None, ""):
        return None
    if isinstance(value, str):
        return {"any": "required"}.get(value.lower(), value.lower() if value.isalpha() else value)
    if isinstance(value, dict):
        google = value.get("functionCallingConfig", value.get("function_calling_config"))
        if isinstance(google, dict):
            said = google.get("allowedFunctionNames", google.get("allowed_function_names"))
            names = [name for name in said if isinstance(name, str)] if isinstance(said, list) else []
            mode = str(google.get("mode", "auto")).lower()
            if len(names) == 1:
                return _named(names[0])
            if names:
                allowed = {"mode": "auto" if mode == "auto" else "required", "tools": [_named(name) for name in names]}
                return {"type": "allowed_tools", "allowed_tools": allowed}
            return {"any": "required"}.get(mode, mode)
        kind = value.get("type")
        if kind in ("tool", "function") and isinstance(value.get("name"), str):
            return _named(value["name"])
        if kind in ("auto", "any", "none", "required") and not isinstance(value.get("function"), dict):
            return {"any": "required"}.get(str(kind), kind)
    return value


def _named(name: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def _response_format(recorded: Any) -> Any:
    value = _decoded(recorded)
    if value in (None, "", "text"):
        return None
    return {"type": "json_object"} if value in ("json", "json_object") else value


# ---------------------------------------------------------------- sampling


def _params(attributes: Mapping[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """What stands under its own `llm.` name goes before what was recorded in one piece."""
    known = (*OTHER_NAMES, *NUMBERS, *OTHERS)
    whole = {**body, **_config(body), **_in_one_piece(attributes)}
    params: dict[str, Any] = {
        OTHER_NAMES.get(str(key), str(key)): given for key, given in whole.items() if key not in NOT_PARAMS
    }
    for name in known:
        if f"llm.{name}" in attributes:
            params[OTHER_NAMES.get(name, name)] = attributes[f"llm.{name}"]
    return numbered(params)


def numbered(params: Mapping[str, Any]) -> dict[str, Any]:
    """`params` with numbers where numbers belong, those that are null left out: a limit that is a text would be none to
    whoever counts what a call may cost. Raises `BadRequest` that names the parameter."""
    return {name: _param(name, value) for name, value in params.items() if value is not None}


def _param(name: str, value: Any) -> Any:
    kind = NUMBERS.get(name)
    if kind is None:
        return _decoded(value) if isinstance(value, str) and value[:1] in ("[", "{") else value
    if isinstance(value, bool):
        raise _no_number(name, value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _no_number(name, value) from None
    if not math.isfinite(number) or (kind is int and (abs(number) > NUMBER_MAX or number != int(number))):
        raise _no_number(name, value)
    return int(number) if kind is int or isinstance(value, int) else number


def _no_number(name: str, value: Any) -> BadRequest:
    what = "a whole number" if NUMBERS[name] is int else "a number"
    return BadRequest(f"llm.{name} is {str(value)[:40]!r}; it must be {what}.")


def _api(attributes: Mapping[str, Any]) -> Literal["chat", "responses"]:
    said = attributes.get("llm.api") or attributes.get("openai.api.type") or attributes.get("gen_ai.openai.api.type")
    return "responses" if said == "responses" else "chat"


def _first(attributes: Mapping[str, Any], body: dict[str, Any], name: str) -> Any:
    return attributes[f"llm.{name}"] if f"llm.{name}" in attributes else body.get(name)


def _decoded(value: Any) -> Any:
    """JSON text as what it says; any other text as it is."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return value
