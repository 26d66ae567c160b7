"""One part of a message, whoever's shape it has: what it says, calls, gives back or shows. Pure.

Shapes: OpenTelemetry (https://github.com/open-telemetry/semantic-conventions-genai, gen-ai-input-messages.json), OpenAI
chat completions and Responses, Anthropic Messages, Google generateContent, Vercel AI SDK, LangChain, pydantic-ai.
"""

from __future__ import annotations

import base64
from typing import Any

from msgspec import Struct

from ingest.otlp.values import as_text, as_words, json_text, parsed


class Part(Struct):
    """What one part is; exactly one of the first five is set. `kept` goes into the message's content as it is."""

    text: str | None = None
    reasoning: str | None = None
    call: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    content: dict[str, Any] | None = None  # an image, a sound, a file, in OpenAI's shape
    raw: Any = None  # of a kind that is not known
    kept: dict[str, Any] | None = None  # beside `reasoning`: the signed original, which its provider wants back


def part_of(value: Any) -> Part:
    """Reads one part. Never raises: what is not understood is `raw`."""
    if isinstance(value, str):
        return Part(text=value)
    if not isinstance(value, dict):
        return Part(raw=value)
    kind = value.get("type", value.get("kind"))
    if not isinstance(kind, str):
        kind = _google_kind(value)
    return _known(kind.replace("-", "_").lower(), value)


def _google_kind(part: dict[str, Any]) -> str:
    """Google's parts say what they are by the one field they have."""
    if part.get("thought") is True and isinstance(part.get("text"), str):
        return "thought"
    for name, kind in _GOOGLE.items():
        if isinstance(part.get(name), dict):
            return kind
    return "text" if isinstance(part.get("text", part.get("content")), str) else ""


_GOOGLE = {
    "functionCall": "function_call",
    "function_call": "function_call",
    "functionResponse": "function_response",
    "function_response": "function_response",
    "inlineData": "inline_data",
    "inline_data": "inline_data",
    "fileData": "file_data",
    "file_data": "file_data",
}


def _known(kind: str, part: dict[str, Any]) -> Part:
    if kind in _TEXTS:
        said = _first(part, "text", "content", "refusal")
        return Part(text=said) if isinstance(said, str) else Part(raw=part)
    if kind in _THOUGHTS:
        return _thought(kind, part)
    if kind in _CALLS:
        call = _call(part)
        return Part(call=call) if call is not None else Part(raw=part)
    if kind in _RESULTS:
        return Part(result=_result(part))
    content = _media(kind, part)
    return Part(content=content) if content is not None else Part(raw=part)


_TEXTS = frozenset({"text", "input_text", "output_text", "refusal"})
_THOUGHTS = frozenset({"reasoning", "thinking", "redacted_thinking", "thought"})
_CALLS = frozenset({"tool_call", "tool_use", "function_call", "function", "custom_tool_call"})
_RESULTS = frozenset(
    {"tool_call_response", "tool_result", "function_response", "function_call_output", "custom_tool_call_output"}
)


def _first(part: dict[str, Any], *names: str) -> Any:
    """The first of `names` that is there and not null."""
    for name in names:
        value = part.get(name)
        if value is not None:
            return value
    return None


def _thought(kind: str, part: dict[str, Any]) -> Part:
    said = _first(part, "content", "thinking", "text", "reasoning")
    if not isinstance(said, str):
        # OpenAI's Responses API: {"type": "reasoning", "summary": [{"type": "summary_text", "text": …}]}
        listed = _first(part, "summary", "content")
        words = (
            [as_text(one.get("text")) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        )
        said = "\n".join(word for word in words if word)
    # Anthropic takes thinking back only as it came, with its signature
    signed = "thinking" in part and isinstance(part.get("signature"), str)
    return Part(reasoning=said, kept=part if signed or kind == "redacted_thinking" else None)


# ---------------------------------------------------------------- tools


def tool_call(call_id: Any, name: Any, arguments: Any) -> dict[str, Any]:
    """A call as OpenAI has it: `arguments` (JSON values or JSON text) become JSON text. Without an id it has none."""
    text = arguments if isinstance(arguments, str) else json_text({} if arguments is None else arguments)
    call: dict[str, Any] = {"id": str(call_id)} if call_id not in (None, "") else {}
    call |= {"type": "function", "function": {"name": as_words(name) or "", "arguments": text}}
    return call


def call_of(value: Any) -> dict[str, Any] | None:
    """A tool call in anybody's shape; None for what is none."""
    value = parsed(value)
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("tool_call"), dict):  # OpenInference
        value = value["tool_call"]
    return _call(value)


def _call(part: dict[str, Any]) -> dict[str, Any] | None:
    google = _first(part, "functionCall", "function_call")
    function = part.get("function")
    said = function if isinstance(function, dict) else google if isinstance(google, dict) else part
    name = _first(said, "name", "toolName", "tool_name")
    if name is None and isinstance(function, str):
        name = function
    if not isinstance(name, str):
        return None
    arguments = _first(said, "arguments", "args", "input", "parameters")
    call = tool_call(_first({**said, **part}, "call_id", "toolCallId", "tool_call_id", "id"), name, arguments)
    signature = _first(part, "thoughtSignature", "thought_signature")
    if isinstance(part.get("extra_content"), dict):
        call["extra_content"] = part["extra_content"]
    elif isinstance(signature, str | bytes):
        text = signature if isinstance(signature, str) else base64.b64encode(signature).decode()
        call["extra_content"] = {"google": {"thought_signature": text}}
    return call


def _result(part: dict[str, Any]) -> dict[str, Any]:
    google = _first(part, "functionResponse", "function_response")
    said = google if isinstance(google, dict) else part
    given = _first(said, "response", "result", "output", "content")
    message: dict[str, Any] = {"role": "tool"}
    call_id = _first(said, "tool_use_id", "toolCallId", "tool_call_id", "call_id", "id")
    if call_id is not None:
        message["tool_call_id"] = str(call_id)
    name = _first(said, "name", "toolName", "tool_name")
    if isinstance(name, str):
        message["name"] = name
    message["content"] = result_content(given)
    if _first(said, "is_error", "isError") is True:
        message["is_error"] = True
    return message


def result_content(given: Any) -> Any:
    """What a tool gave back: a text, or parts where there is an image among them."""
    if given is None:
        return ""
    if isinstance(given, str):
        return given
    if isinstance(given, dict) and "value" in given and str(given.get("type")) in _VERCEL_OUTPUTS:
        return result_content(given["value"])
    if isinstance(given, list) and given and all(isinstance(one, dict) and "type" in one for one in given):
        parts = [part_of(one) for one in given]
        if all(part.text is not None for part in parts):
            return "\n".join(part.text or "" for part in parts)
        if all(part.text is not None or part.content is not None for part in parts):
            return [part.content or {"type": "text", "text": part.text} for part in parts]
    return json_text(given)


_VERCEL_OUTPUTS = frozenset({"text", "json", "error-text", "error-json", "content"})


# ---------------------------------------------------------------- images, sounds, files


def _media(kind: str, part: dict[str, Any]) -> dict[str, Any] | None:
    reader = _MEDIA.get(kind)
    return reader(part) if reader is not None else None


def _mime(part: dict[str, Any]) -> str:
    said = _first(part, "mime_type", "mimeType", "media_type", "mediaType", "contentType")
    return said if isinstance(said, str) else ""


def _base64(data: Any) -> str | None:
    if isinstance(data, bytes):
        return base64.b64encode(data).decode()
    return data if isinstance(data, str) and data else None


def _of_kind(mime: str, modality: Any, url: str, data: str | None) -> dict[str, Any]:
    """`url` is where it can be had, a data: URI where `data` (base64) is there."""
    what = modality.lower() if isinstance(modality, str) else mime.partition("/")[0]
    if what == "audio" and data is not None:
        return {"type": "input_audio", "input_audio": {"data": data, "format": mime.partition("/")[2] or "wav"}}
    if what in ("image", ""):
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {"file_data" if data is not None else "file_url": url}}


def _blob(part: dict[str, Any]) -> dict[str, Any] | None:
    data = _base64(_first(part, "content", "data", "image"))
    if data is None:
        return None
    mime = _mime(part)
    if data.startswith(("data:", "http://", "https://")):
        return _of_kind(mime, part.get("modality"), data, None)
    if not mime:
        mime = {"audio": "audio/wav", "video": "video/mp4"}.get(str(part.get("modality")).lower(), "image/png")
    return _of_kind(mime, part.get("modality"), f"data:{mime};base64,{data}", data)


def _uri(part: dict[str, Any]) -> dict[str, Any] | None:
    uri = _first(part, "uri", "url", "file_uri", "fileUri")
    return _of_kind(_mime(part), part.get("modality"), uri, None) if isinstance(uri, str) and uri else None


def _image_url(part: dict[str, Any]) -> dict[str, Any] | None:
    image = _first(part, "image_url", "url")
    if isinstance(image, str) and image:
        detail = part.get("detail")
        return {"type": "image_url", "image_url": {"url": image} | ({"detail": detail} if detail else {})}
    if isinstance(image, dict) and isinstance(image.get("url"), str):
        return {"type": "image_url", "image_url": image}
    return _file_id(part)


def _image(part: dict[str, Any]) -> dict[str, Any] | None:
    source = part.get("source")
    if isinstance(source, dict):  # Anthropic
        return _uri(source) or _blob(source) or _file_id(source)
    image = part.get("image")
    if isinstance(image, dict):  # OpenInference: {"image": {"url": …}}
        return _image_url(image) or _blob(image)
    if isinstance(part.get("image_url"), dict | str):
        return _image_url(part)
    return _blob(part) or _uri(part)


def _file(part: dict[str, Any]) -> dict[str, Any] | None:
    if isinstance(part.get("file"), dict):  # OpenAI
        return {"type": "file", "file": part["file"]}
    source = part.get("source")
    if isinstance(source, dict):  # Anthropic's document
        if source.get("type") == "text" and isinstance(source.get("data"), str):
            return {"type": "text", "text": source["data"]}
        return _uri(source) or _blob({"mime_type": "application/pdf", **source}) or _file_id(source)
    data = part.get("data")
    if isinstance(data, dict):  # Vercel AI SDK 5: {"type": "data" | "url", …}
        data = _first(data, "data", "url")
    given = data if data is not None else part.get("url")
    return _file_id(part) or _blob({"mime_type": _mime(part) or "application/octet-stream", "data": given})


def _file_id(part: dict[str, Any]) -> dict[str, Any] | None:
    file_id = _first(part, "file_id", "fileId")
    return {"type": "file", "file": {"file_id": file_id}} if isinstance(file_id, str) and file_id else None


def _audio(part: dict[str, Any]) -> dict[str, Any] | None:
    sound = part.get("input_audio")
    return {"type": "input_audio", "input_audio": sound} if isinstance(sound, dict) else None


def _of_google(*names: str) -> Any:
    def read(part: dict[str, Any]) -> dict[str, Any] | None:
        inner = _first(part, *names)
        return (_blob(inner) or _uri(inner)) if isinstance(inner, dict) else None

    return read


_MEDIA: dict[str, Any] = {
    "blob": _blob,
    "binary": _blob,
    "uri": _uri,
    "image_url": _image_url,
    "input_image": _image_url,
    "image": _image,
    "file": _file,
    "input_file": _file,
    "document": _file,
    "input_audio": _audio,
    "audio_url": lambda part: _uri({"modality": "audio", **part}),
    "video_url": lambda part: _uri({"modality": "video", **part}),
    "document_url": lambda part: _uri({"modality": "document", **part}),
    "inline_data": _of_google("inlineData", "inline_data"),
    "file_data": _of_google("fileData", "file_data"),
}
