"""Messages, answers and tools in the shape of OpenAI's chat API, whoever's shape they came in. Pure.

A part, a message or a tool that cannot be understood is kept as it is (`_parts`, `_role`, or as a text); it never costs
the ones beside it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from beacon.contract.otlp_values import clean_text
from ingest.otlp.facts import Message
from ingest.otlp.finish import finish_reason
from ingest.otlp.parts import call_of, part_of, result_content, tool_call
from ingest.otlp.values import as_text, as_words, parsed

__all__ = [
    "Answer", "answer_of", "last_words", "messages_of", "tool_call", "tool_calls_of", "tools_of", "with_system",
    "words_of",
]  # fmt: skip

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "aimessagechunk": "assistant",
    "model": "assistant",
    "chatbot": "assistant",
    "tool": "tool",
    "function": "tool",
    "tool_result": "tool",
    "toolmessage": "tool",
}

EVENT_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    "gen_ai.choice": "assistant",
}
"""Events of OpenTelemetry up to 1.36, each a message
(https://github.com/open-telemetry/semantic-conventions/blob/v1.36.0/docs/gen-ai/gen-ai-events.md)."""


class Answer(Struct):
    """What a model answered: its first choice. None, or empty, is: not said."""

    completion: str | None = None
    reasoning: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    finish_reason: str | None = None


# ---------------------------------------------------------------- messages


def messages_of(value: Any, role: str = "user") -> list[Message]:
    """`value` as messages: a list, one message, a whole request (`messages`, `contents`, `input` with `system`), their
    JSON text, or a plain text, which is said by `role`. Tool calls without an id get one, and so do their results."""
    found: list[Message] = []
    for message in _read_all(parsed(value), role):
        previous = found[-1] if found else None
        if message.pop("_item", False) and previous is not None and previous["role"] == message["role"] == "assistant":
            _join(previous, message)  # OpenAI's Responses API lists the calls of one turn one by one
        else:
            found.append(message)
    for message in found:
        if "_thoughts" in message:
            message["reasoning_content"] = "\n".join(message.pop("_thoughts"))
    return _paired(found)


def with_system(system: Any, messages: list[Message]) -> list[Message]:
    """`messages` with what was said beside them as the system prompt in front, unless they have one already."""
    if system is None or system == "" or any(message["role"] == "system" for message in messages):
        return messages
    value = parsed(system)
    if isinstance(value, list) and not any(isinstance(one, dict) and "role" in one for one in value):
        value = {"role": "system", "parts": value}
    return [*({**one, "role": "system"} for one in messages_of(value, "system") if one.get("content")), *messages]


def _read_all(value: Any, role: str) -> Iterator[Message]:
    if value is None or value == "":
        return
    if isinstance(value, str):
        yield {"role": role, "content": clean_text(value)}
    elif isinstance(value, list | tuple):
        if value and all(isinstance(one, dict) and _is_part(one) for one in value):
            yield from _message({"role": role, "parts": list(value)})
            return
        for one in value:
            one = parsed(one)
            if isinstance(one, list):  # LangChain nests the messages of one prompt
                for inner in one:
                    yield from _read_one(inner, role)
            else:
                yield from _read_one(one, role)
    elif isinstance(value, dict):
        yield from _read_dict(value, role)
    else:
        yield {"role": role, "content": as_words(value) or ""}


def _read_dict(value: dict[str, Any], role: str) -> Iterator[Message]:
    if not _is_message(value):
        for key in ("messages", "contents", "input", "prompt"):
            said = parsed(value.get(key))
            if said is None or said == "" or (isinstance(said, dict) and not _is_message(said)):
                continue
            messages = list(_read_all(said, role))
            system = next((value[name] for name in _SYSTEMS if value.get(name)), None)
            if isinstance(system, dict):
                system = system.get("parts", system)
            yield from with_system(system, messages)
            return
    yield from _read_one(value, role)


_SYSTEMS = ("system", "instructions", "systemInstruction", "system_instruction")


def _is_message(value: dict[str, Any]) -> bool:
    return "role" in value or "parts" in value or "content" in value


_ITEMS = frozenset(
    {"function_call", "function_call_output", "reasoning", "custom_tool_call", "custom_tool_call_output"}
)
"""Items of OpenAI's Responses API that stand beside messages and have no role."""


def _is_part(value: dict[str, Any]) -> bool:
    """Whether this is a part of a message, standing alone in a list."""
    kind = value.get("type")
    return (
        isinstance(kind, str)
        and "role" not in value
        and "parts" not in value
        and "data" not in value
        and kind not in ROLES
        and kind not in _ITEMS
        and "tool_calls" not in value
        and kind != "message"
    )


def _text_alone(item: dict[str, Any]) -> Message | None:
    """The commonest message by far, one text said by a known role, as OpenTelemetry has it: 1 us instead of 6."""
    if not item.keys() <= _PLAIN_KEYS or item.get("name") is not None:
        return None
    said_role, parts = item.get("role"), item.get("parts")
    role = ROLES.get(said_role) if type(said_role) is str else None
    if role is None or role == "tool" or type(parts) is not list or len(parts) != 1:
        return None
    part = parts[0]
    if type(part) is not dict or part.get("type") != "text" or type(part.get("content")) is not str:
        return None
    return {"role": role, "content": clean_text(part["content"])}


_PLAIN_KEYS = frozenset({"role", "parts", "name", "finish_reason"})


def _read_one(item: Any, role: str) -> Iterator[Message]:
    if type(item) is dict and (plain := _text_alone(item)) is not None:
        yield plain
        return
    if not isinstance(item, dict):
        if item is not None:
            yield {"role": role, "content": as_words(item) or ""}
        return
    kind = item.get("type")
    if "role" not in item and isinstance(kind, str) and kind in _ITEMS:
        for message in _message({"role": "assistant", "parts": [item]}):
            yield {**message, "_item": True}
        return
    yield from _message(_unwrapped(item, role))


def _unwrapped(item: dict[str, Any], role: str) -> dict[str, Any]:
    """`item` with a role: of a framework that keeps the message under `message`, of LangChain's `{"type": "human",
    "data": {…}}` and `{"lc": 1, "kwargs": {…}}`, and of an event, whose name says it."""
    inner = item.get("message")
    if "role" not in item and isinstance(inner, dict):
        return {"role": role, **inner}
    kwargs = item.get("kwargs")
    if isinstance(kwargs, dict) and "lc" in item:
        return {"role": kwargs.get("type") or kwargs.get("role") or role, **kwargs}
    kind = item.get("type")
    data = item.get("data")
    if "role" not in item and isinstance(data, dict) and isinstance(kind, str):
        return {"role": kind, **data}
    if item.get("role"):
        return item
    event = item.get("event.name")
    if isinstance(event, str) and event in EVENT_ROLES:
        return {**item, "role": EVENT_ROLES[event]}
    if isinstance(kind, str) and kind.lower() in ROLES:
        return {**item, "role": kind}
    return {**item, "role": role}


def _message(item: dict[str, Any]) -> Iterator[Message]:
    said_role = item.get("role")
    word = said_role.lower().rsplit(".", 1)[-1] if isinstance(said_role, str) else ""
    role = ROLES.get(word, "user")
    parts = _parts_of(item)
    if role == "tool":
        yield from _tool_messages(item, parts)
        return
    message: Message = {"role": role, "content": None}
    if word not in ROLES and as_text(said_role):
        message["_role"] = said_role
    results = _fill(message, parts)
    calls = [*message.get("tool_calls", ()), *tool_calls_of(_calls_beside(item))]
    if calls:
        message["tool_calls"] = calls
    elif not parts and not _is_message(item) and not item.keys() <= _ENVELOPE:
        message["content"] = as_words(
            {key: value for key, value in item.items() if key != "role"}
        )  # somebody's own form
    for name in ("name", "refusal", "audio"):
        if item.get(name):
            message[name] = item[name]
    beside = item.get("reasoning_content") or item.get("reasoning")
    if isinstance(beside, str) and "reasoning_content" not in message:
        message["reasoning_content"] = clean_text(beside)
    says = message["content"] not in (None, "") or len(message) > 2
    if message["content"] is None and not calls:
        message["content"] = ""
    if calls:  # the results of calls made in the same message come after it
        yield message
    yield from results
    if not calls and (says or not results):
        yield message


_ENVELOPE = frozenset({"role", "type", "name", "id", "message_content", "event.name", "gen_ai.message.index"})


def _parts_of(item: dict[str, Any]) -> list[Any]:
    """What a message consists of."""
    for name in ("parts", "content", "contents", "text"):
        said = item.get(name)
        if said is None:
            continue
        if name != "text" and isinstance(said, str) and said[:2] in ("[{", "[ "):
            blocks = parsed(said)  # an older instrumentation's JSON text of blocks
            said = blocks if isinstance(blocks, list) and all(_is_block(one) for one in blocks) else said
        if isinstance(said, list | tuple):
            return list(said)
        return [said]
    return []


def _is_block(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("type"), str)


def _fill(message: Message, parts: list[Any]) -> list[Message]:
    """Puts what `parts` say into `message`; gives the tool results among them, which are messages of their own."""
    content: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    results: list[Message] = []
    thoughts: list[str] = []
    raw: list[Any] = []
    for value in parts:
        if type(value) is dict and value.get("type") == "text":  # most parts: 0.5 us instead of 2
            said = value.get("content")
            if type(said) is str:
                content.append({"type": "text", "text": clean_text(said)})
                continue
        part = part_of(value)
        if part.text is not None:
            content.append({"type": "text", "text": clean_text(part.text)})
        elif part.reasoning is not None:
            thoughts.append(clean_text(part.reasoning))
            if part.kept is not None:
                content.append(part.kept)
        elif part.call is not None:
            calls.append(part.call)
        elif part.result is not None:
            results.append(part.result)
        elif part.content is not None:
            content.append(part.content)
        elif part.raw is not None:
            raw.append(part.raw)
    if len(content) == 1 and content[0].get("type") == "text":
        message["content"] = content[0]["text"]
    elif content:
        message["content"] = content
    if any(thoughts):
        message["reasoning_content"] = "\n".join(thought for thought in thoughts if thought)
    if calls:
        message["tool_calls"] = calls
    if raw:
        message["_parts"] = raw
    return results


def _tool_messages(item: dict[str, Any], parts: list[Any]) -> Iterator[Message]:
    read = [part_of(value) for value in parts]
    results = [part.result for part in read if part.result is not None]
    if results:
        yield from results
        return
    message: Message = {"role": "tool"}
    call_id = next((item[key] for key in ("tool_call_id", "toolCallId", "call_id", "id") if item.get(key)), None)
    if call_id is not None:
        message["tool_call_id"] = str(call_id)
    if isinstance(item.get("name"), str) and item["name"]:
        message["name"] = item["name"]
    message["content"] = result_content(parts[0] if len(parts) == 1 and not _is_block(parts[0]) else parts or None)
    yield message


def _calls_beside(item: dict[str, Any]) -> Any:
    """Tool calls that stand beside the content: OpenAI's, its older `function_call`, LangChain's."""
    beside = parsed(item.get("tool_calls") or item.get("toolCalls"))
    if beside:
        return beside
    more = item.get("additional_kwargs")
    if isinstance(more, dict) and more.get("tool_calls"):
        return more["tool_calls"]
    older = item.get("function_call")
    return [older] if isinstance(older, dict) else None


def tool_calls_of(value: Any) -> list[dict[str, Any]]:
    """A list of tool calls, or its JSON text, in anybody's shape; what is no call is left out."""
    value = parsed(value)
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list | tuple):
        return []
    return [call for call in map(call_of, value) if call is not None]


def _join(message: Message, following: Message) -> None:
    """Takes `following` into `message`, in place: a turn of 80,000 calls that was put together anew for each of them
    took 10 s."""
    for name in ("tool_calls", "_parts"):
        if following.get(name):
            message.setdefault(name, []).extend(following[name])
    if following.get("tool_calls"):
        message["content"] = message["content"] or None
    if following.get("reasoning_content"):
        thoughts = message.get("_thoughts")
        if thoughts is None:
            before = message.get("reasoning_content")
            thoughts = message["_thoughts"] = [before] if before else []
        thoughts.append(following["reasoning_content"])


def _paired(messages: list[Message]) -> list[Message]:
    """Calls without an id get one, and a result without one answers the oldest call of its name that has none yet."""
    waiting: dict[str, deque[str]] = {}
    made = 0
    for message in messages:
        for call in message.get("tool_calls", ()):
            if "id" not in call:
                made += 1
                # `id` stands first, as OpenAI has it
                rest = dict(call)
                call.clear()
                call.update(id=f"call_{made}", **rest)
                waiting.setdefault(_name_of(call), deque()).append(call["id"])
        if message["role"] == "tool" and "tool_call_id" not in message:
            name = str(message.get("name", ""))
            ids = waiting.get(name) or next((ids for ids in waiting.values() if ids and not name), None)
            message["tool_call_id"] = ids.popleft() if ids else f"call_of_{name or 'nobody'}"
    return messages


def _name_of(call: dict[str, Any]) -> str:
    function = call.get("function")
    return str(function.get("name", "")) if isinstance(function, dict) else ""


# ---------------------------------------------------------------- what was said


def words_of(content: Any) -> str | None:
    """The text of a message's content; None where it has none."""
    if isinstance(content, str):
        return content or None
    if isinstance(content, list):
        texts = [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]
        return "".join(texts) or None
    return None


def last_words(messages: list[Message], role: str = "user") -> str | None:
    """What `role` said last."""
    return next(
        (words for m in reversed(messages) if m["role"] == role and (words := words_of(m.get("content")))), None
    )


def answer_of(value: Any) -> Answer:
    """The first choice of an answer: a list of messages of which each is a choice (OpenTelemetry), a response body
    (`choices`, `candidates`, `output`, `content`), one message, their JSON text, or a plain text."""
    value = parsed(value)
    reason = None
    if isinstance(value, dict):
        value, reason = _first_choice(value)
    elif isinstance(value, list | tuple) and value and isinstance(value[0], dict) and _is_choice(value[0]):
        value, reason = _first_choice(value[0])
    answer = Answer(finish_reason=finish_reason(reason))
    for message in messages_of(value, "assistant"):
        if message["role"] != "assistant":
            continue
        answer.completion = answer.completion or words_of(message["content"])
        answer.reasoning = answer.reasoning or message.get("reasoning_content")
        answer.tool_calls = answer.tool_calls or message.get("tool_calls")
    return answer


def _is_choice(value: dict[str, Any]) -> bool:
    return _is_message(value) or "message" in value or "finish_reason" in value


def _first_choice(value: dict[str, Any]) -> tuple[Any, Any]:
    """(what was said, why it ended) of a response, a choice or a message."""
    for name in ("choices", "candidates", "output", "generations"):
        listed = parsed(value.get(name))
        if isinstance(listed, list) and listed:
            if name == "output":  # OpenAI's Responses API: items of one answer
                return listed, None if value.get("status") == "completed" else value.get("status")
            return _first_choice(listed[0]) if isinstance(listed[0], dict) else (listed[0], None)
    reason = next(
        (value[n] for n in ("finish_reason", "finishReason", "stop_reason", "stopReason") if value.get(n)), None
    )
    inner = value.get("message", value.get("content") if "role" not in value else None)
    if isinstance(inner, dict):
        return {"role": "assistant", **inner}, reason or inner.get("finish_reason")
    return value, reason


# ---------------------------------------------------------------- tools


def tools_of(value: Any) -> list[dict[str, Any]]:
    """Tools that were offered, as OpenAI has them: OpenTelemetry's flat definitions, Anthropic's, Google's, the Vercel
    AI SDK's, each perhaps JSON text. A provider's own tool (web search) stays as it is; what is no tool is left out."""
    value = parsed(value)
    if isinstance(value, dict):
        value = [value] if any(name in value for name in _TOOL_FIELDS) else [
            {"name": name, **one} for name, one in value.items() if isinstance(one, dict)
        ]  # fmt: skip
    if not isinstance(value, list | tuple):
        return []
    found: list[dict[str, Any]] = []
    for one in value:
        one = parsed(one)
        if isinstance(one, dict):
            google = one.get("functionDeclarations", one.get("function_declarations"))
            found += [_tool(g) for g in google if isinstance(g, dict)] if isinstance(google, list) else [_tool(one)]
    return found


_TOOL_FIELDS = ("name", "function", "type", "functionDeclarations", "function_declarations")
_SCHEMAS = ("parameters", "input_schema", "inputSchema", "parametersJsonSchema", "parameters_json_schema", "schema")


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    if isinstance(tool.get("function"), dict):
        return {**tool, "type": tool.get("type") or "function"}
    kind = tool.get("type")
    schema = parsed(next((tool[name] for name in _SCHEMAS if tool.get(name) is not None), None))
    if not isinstance(tool.get("name"), str) or (schema is None and kind not in (None, "function", "custom")):
        return tool
    if isinstance(schema, dict) and isinstance(schema.get("jsonSchema"), dict):  # Vercel AI SDK
        schema = schema["jsonSchema"]
    function: dict[str, Any] = {"name": tool["name"]}
    function |= {name: tool[name] for name in ("description", "strict") if tool.get(name) is not None}
    if schema is not None:
        function["parameters"] = schema
    return {"type": "function", "function": function}
