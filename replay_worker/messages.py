"""Recorded messages in the shape of OpenAI's chat API, whoever's shape they were recorded in.

Shapes read: OpenAI chat completions (https://platform.openai.com/docs/api-reference/chat), Anthropic Messages
(https://docs.anthropic.com/en/api/messages), Google generateContent (https://ai.google.dev/api/caching#Content) and the
message parts of OpenTelemetry's GenAI conventions (https://opentelemetry.io/docs/specs/semconv/gen-ai/). A part of an
unknown kind stays in the content as it is, for the provider that knows it. What Google wants back with a text or a call
(https://ai.google.dev/gemini-api/docs/thought-signatures) stands in its `extra_content`, as in Google's own API in the
shape of OpenAI's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator
from typing import Any

import msgspec

from beacon.errors import BadRequest
from replay_worker.printed import holds_addresses, read_printed
from replay_worker.turns import turns

Message = dict[str, Any]

ROLES = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
}


class _Calls:
    """The tool calls seen so far: Google and the older OpenAI shape name a call by its function alone, so that such a
    result belongs to the oldest call of that name that has none."""

    def __init__(self) -> None:
        self._made = 0
        self._waiting: deque[tuple[str, str]] = deque()

    def make(self, name: str) -> str:
        self._made += 1
        call_id = f"call_{self._made}"
        self._waiting.append((call_id, name))
        return call_id

    def answer(self, name: str) -> str:
        for waiting in self._waiting:
            if waiting[1] == name:
                self._waiting.remove(waiting)
                return waiting[0]
        return f"call_of_{name or 'nobody'}"


def openai_messages(recorded: list[Any]) -> list[Message]:
    """`recorded` in OpenAI's shape. Raises `BadRequest` that names the message that cannot be read, or that would be
    refused: a tool's result without its call, and a call without its result."""
    calls = _Calls()
    messages: list[tuple[int, Message]] = []
    for index, item in turns(recorded):
        messages += [(index, message) for message in _read(index, item, calls)]
    if not messages:
        raise BadRequest("The recorded prompt has no messages; write one before replaying it.")
    _require_pairs(messages)
    return [message for _, message in messages]


def _require_pairs(messages: list[tuple[int, Message]]) -> None:
    open_calls: dict[str, tuple[int, str]] = {}
    asked = False
    for index, message in messages:
        if message["role"] == "tool":
            call_id = message["tool_call_id"]
            if call_id not in open_calls:
                why = "no call of the message before it" if asked else "no tool call before it"
                raise BadRequest(
                    f"messages[{index}] is the result of the tool call {call_id!r}, and answers {why}. Remove it, or "
                    "put back the assistant's message that made the call."
                )
            del open_calls[call_id]
            continue
        _require_answered(open_calls)
        open_calls = {
            str(call["id"]): (index, _name_of(call)) for call in message.get("tool_calls", ()) if call.get("id")
        }
        asked = bool(open_calls)
    _require_answered(open_calls)


def _name_of(call: dict[str, Any]) -> str:
    """A function's name, or that of a tool of another type."""
    said = call.get(str(call.get("type", "function")))
    return str(said.get("name", "")) if isinstance(said, dict) else str(call.get("name", ""))


def _require_answered(open_calls: dict[str, tuple[int, str]]) -> None:
    for call_id, (index, name) in open_calls.items():
        raise BadRequest(
            f"messages[{index}] calls the tool {name!r} ({call_id}), and no message right after it has the result. Add "
            "a tool message with it, or remove the call."
        )


# ---------------------------------------------------------------- one message


def _read(index: int, item: Any, calls: _Calls) -> Iterator[Message]:
    if isinstance(item, str):
        printed = _printed(index, item, MESSAGE_FIELDS)
        if printed is None:
            yield {"role": "user", "content": item}
            return
        item = printed
    if not isinstance(item, dict):
        raise BadRequest(f"messages[{index}] is {_kind(item)}; a message is an object with role and content.")
    item = _unwrapped(item)
    role = ROLES.get(str(item.get("role") or ("user" if "parts" in item or "content" in item else "")).lower())
    if role is None:
        raise BadRequest(
            f"messages[{index}] has the role {str(item.get('role'))[:60]!r}; it may be system, user, assistant or tool."
        )
    if role == "tool" and "parts" not in item and not _has_results(item.get("content")):
        yield _tool_message(item, calls)
        return
    content, tool_calls, results = _parts(index, item, calls, printed=role in ("assistant", "tool"))
    yield from results
    made = [*tool_calls, *_recorded_calls(index, item, calls)]
    kept = {key: item[key] for key in ("name", "refusal", "audio", "reasoning_content", "reasoning") if item.get(key)}
    if role == "tool" or (results and not content and not made):
        return
    message: Message = {"role": role, "content": content, **kept}
    if made:
        message["tool_calls"] = made
        message["content"] = content or None
    yield message


def _unwrapped(item: dict[str, Any]) -> dict[str, Any]:
    """A message of a framework that keeps it under `message`, or LangChain's `{"type": "human", "data": {…}}`."""
    if "role" not in item and isinstance(item.get("message"), dict):
        return dict(item["message"])
    if "role" not in item and isinstance(item.get("data"), dict) and isinstance(item.get("type"), str):
        return {"role": item["type"], **item["data"]}
    if "role" not in item and _known(item.get("type"), ROLES) and "content" in item:
        return {**item, "role": item["type"]}
    return item


def _known(name: Any, names: Container[str]) -> bool:
    """Whether `name`, which may be anything, is one of `names`."""
    return isinstance(name, str) and name in names


def _tool_message(item: dict[str, Any], calls: _Calls) -> Message:
    call_id = item.get("tool_call_id") or item.get("id") or calls.answer(str(item.get("name") or ""))
    return {"role": "tool", "tool_call_id": str(call_id), "content": _result_text(item.get("content"))}


def _has_results(content: Any) -> bool:
    return isinstance(content, list) and any(
        isinstance(part, dict) and part.get("type") in ("tool_result", "tool_call_response") for part in content
    )


MESSAGE_FIELDS = ("role", "parts", "additional_kwargs")
"""Each alone tells that a text is a printed message: OpenAI's, Google's, LangChain's. `content='…'` may be what
somebody said."""

PART_FIELDS = ("type", "text", "function_call", "function_response")


def _printed(index: int, text: str, known: tuple[str, ...]) -> dict[str, Any] | None:
    """The object that printed `text`, if it is one with a field of `known`: any other text is what somebody said.
    Raises `BadRequest` for an object that left only its address."""
    if holds_addresses(text):
        raise _unreadable(index)
    found = read_printed(text)
    return found if found is not None and any(name in found for name in known) else None


def _parts(index: int, item: dict[str, Any], calls: _Calls, *, printed: bool) -> tuple[Any, list[Any], list[Message]]:
    """What a message says, the tool calls in it, and the tool results in it as messages of their own. `printed`: texts
    in a list may be printed objects. A text that is all of a message is what was said, whatever it looks like."""
    recorded = item["parts"] if "parts" in item else item.get("content")
    if recorded is None or isinstance(recorded, str):
        return recorded if recorded is not None else "", [], []
    if isinstance(recorded, dict):
        recorded = [recorded]
    if not isinstance(recorded, list):
        raise BadRequest(f"messages[{index}].content is {_kind(recorded)}; it may be a text or a list of parts.")
    content: list[Any] = []
    tool_calls: list[Any] = []
    results: list[Message] = []
    for part in recorded:
        if isinstance(part, str):
            part = (_printed(index, part, PART_FIELDS) if printed else None) or {"type": "text", "text": part}
        if not isinstance(part, dict):
            raise BadRequest(f"messages[{index}] has a part that is {_kind(part)}; a part is an object.")
        if call := _call_of(part, calls):
            tool_calls.append(call)
        elif result := _result_of(part, calls):
            results.append(result)
        else:
            content.append(_content_part(part))
    if all(part.get("type") == "text" and set(part) == {"type", "text"} for part in content) and len(content) <= 1:
        return (content[0]["text"] if content else ""), tool_calls, results
    return content, tool_calls, results


def _recorded_calls(index: int, item: dict[str, Any], calls: _Calls) -> list[Any]:
    """The calls beside the content: OpenAI's `tool_calls`, and its older `function_call`."""
    recorded = item.get("tool_calls") or []
    if isinstance(recorded, str):
        recorded = _json(recorded)
    if not isinstance(recorded, list):
        raise BadRequest(f"messages[{index}].tool_calls is {_kind(recorded)}; it is a list of calls.")
    found = []
    for call in recorded:
        call = read_printed(call) if isinstance(call, str) else call
        if not isinstance(call, dict):
            raise _unreadable(index)
        function = call.get("function")
        function = function if isinstance(function, dict) else call
        name = function.get("name")
        if not isinstance(name, str):
            if "type" in call and call["type"] != "function":
                found.append(call)  # a custom tool's: for the provider to judge
                continue
            raise BadRequest(f"messages[{index}] has a tool call without the name of its function.")
        arguments = next((function[key] for key in ("arguments", "args", "input") if key in function), "")
        found.append(_call(str(call.get("id") or calls.make(name)), name, arguments) | _extra(call))
    older = item.get("function_call")
    if isinstance(older, dict) and isinstance(older.get("name"), str):
        found.append(_call(calls.make(older["name"]), older["name"], older.get("arguments", "")))
    return found


# ---------------------------------------------------------------- one part


def _call_of(part: dict[str, Any], calls: _Calls) -> dict[str, Any] | None:
    kind = part.get("type")
    if kind == "tool_use":  # Anthropic
        return _call(str(part.get("id")), str(part.get("name")), part.get("input"))
    if kind == "tool_call":  # OpenTelemetry
        name = str(part.get("name"))
        return _call(str(part.get("id") or calls.make(name)), name, part.get("arguments")) | _extra(part)
    google = part.get("functionCall", part.get("function_call"))
    if isinstance(google, dict):
        name = str(google.get("name"))
        return _call(str(google.get("id") or calls.make(name)), name, google.get("args")) | _extra(part)
    return None


def _result_of(part: dict[str, Any], calls: _Calls) -> Message | None:
    kind = part.get("type")
    if kind == "tool_result":  # Anthropic
        found: Message = {
            "role": "tool",
            "tool_call_id": str(part.get("tool_use_id")),
            "content": _result_text(part.get("content")),
        }
        return found | ({"is_error": True} if part.get("is_error") else {})
    if kind == "tool_call_response":  # OpenTelemetry
        said = part.get("response", part.get("result"))
        call_id = part.get("id") or calls.answer(str(part.get("name") or ""))
        return {"role": "tool", "tool_call_id": str(call_id), "content": _result_text(said)}
    google = part.get("functionResponse", part.get("function_response"))
    if isinstance(google, dict):
        call_id = google.get("id") or calls.answer(str(google.get("name") or ""))
        return {"role": "tool", "tool_call_id": str(call_id), "content": _result_text(google.get("response"))}
    return None


def _content_part(part: dict[str, Any]) -> dict[str, Any]:
    kind = part.get("type")
    if kind in ("input_text", "output_text") and isinstance(part.get("text"), str):  # OpenAI's Responses API
        return {"type": "text", "text": part["text"]}
    if kind == "input_image":
        return {"type": "image_url", "image_url": {"url": part.get("image_url")}}
    if kind == "text" and isinstance(part.get("content"), str):  # OpenTelemetry
        return {"type": "text", "text": part["content"]}
    if kind == "blob" or kind == "uri":
        url = part.get("uri") or f"data:{part.get('mime_type')};base64,{part.get('content', part.get('data'))}"
        return {"type": "image_url", "image_url": {"url": url}}
    if kind == "image" and isinstance(part.get("source"), dict):  # Anthropic
        source = part["source"]
        url = source.get("url") or f"data:{source.get('media_type')};base64,{source.get('data')}"
        return {"type": "image_url", "image_url": {"url": url}}
    if kind is None and isinstance(part.get("text"), str):  # Google
        return {"type": "text", "text": part["text"]} | _extra(part)
    inline = part.get("inlineData", part.get("inline_data"))
    if kind is None and isinstance(inline, dict):
        media = inline.get("mimeType", inline.get("mime_type"))
        return {"type": "image_url", "image_url": {"url": f"data:{media};base64,{inline.get('data')}"}}
    return part


def _call(call_id: str, name: str, arguments: Any) -> dict[str, Any]:
    text = arguments if isinstance(arguments, str) else _text({} if arguments is None else arguments)
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": text}}


def _extra(said: dict[str, Any]) -> dict[str, Any]:
    """What Google wants back with a text or a call: the signature of the thoughts behind it, and that it is one."""
    if isinstance(said.get("extra_content"), dict):
        return {"extra_content": said["extra_content"]}
    signature = said.get("thoughtSignature", said.get("thought_signature"))
    google: dict[str, Any] = {"thought_signature": signature} if isinstance(signature, str) and signature else {}
    if said.get("thought") is True:
        google["thought"] = True
    return {"extra_content": {"google": google}} if google else {}


def without_signatures(messages: list[Message]) -> list[Message]:
    """`messages` for another model than the one they were recorded with: it refuses a signature that is not its own."""
    return [
        {key: [_unsigned(one) for one in value] if isinstance(value, list) else value for key, value in message.items()}
        for message in messages
    ]


def _unsigned(said: Any) -> Any:
    extra = said.get("extra_content") if isinstance(said, dict) else None
    if not isinstance(extra, dict) or not isinstance(extra.get("google"), dict):
        return said
    left = {key: value for key, value in extra["google"].items() if key != "thought_signature"}
    return {**said, "extra_content": {**extra, "google": left}}


def _result_text(content: Any) -> Any:
    """What a tool gave back: a text, or parts where an image is among them."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) and "type" in part for part in content):
        parts = [_content_part(part) for part in content]
        if all(part.get("type") == "text" for part in parts):
            return "\n".join(str(part["text"]) for part in parts)
        return parts
    return _text(content)


# ---------------------------------------------------------------- words


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return text


def _unreadable(index: int) -> BadRequest:
    return BadRequest(
        f"messages[{index}] was recorded as the printed form of an object that cannot be read back; write the message "
        "anew before replaying it."
    )


def _kind(value: Any) -> str:
    kinds = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return kinds.get(type(value), "null")
