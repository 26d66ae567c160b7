"""What a message says, part by part: texts, images, sounds and files in the shapes in which they are recorded.

Shapes read: the content parts of OpenAI's chat API (https://platform.openai.com/docs/api-reference/chat/create) and of
its Responses API, and Anthropic's images (https://docs.anthropic.com/en/api/messages).
"""

from __future__ import annotations

import mimetypes
import re
from typing import Any, Literal, NamedTuple

import msgspec

from beacon.errors import BadRequest

_DATA_URL = re.compile(r"data:([^;,]*)((?:;[^;,]*)*?)(;base64)?,(.*)", re.DOTALL)

_MAGIC = {"iVBORw0KGgo": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp"}
"""How images in base64 begin: some clients record them without saying what they are."""

_AUDIO = {"wav": "audio/wav", "mp3": "audio/mp3"}


class Text(NamedTuple):
    """`cache_control` is Anthropic's mark for its prompt cache: it changes the price of an answer, not the answer.
    `google`: what Google wants back with it (`thought_signature`, `thought`); it means nothing to others."""

    text: str
    cache_control: Any = None
    google: dict[str, Any] | None = None


class Media(NamedTuple):
    """An image, sound or file: in base64 (`data`), or at a `url`. `detail` is OpenAI's for images."""

    kind: Literal["image", "audio", "file"]
    media_type: str | None
    data: str | None
    url: str | None
    name: str | None = None
    detail: str | None = None
    cache_control: Any = None

    @property
    def as_url(self) -> str:
        return self.url or f"data:{self.media_type};base64,{self.data}"


class Other(NamedTuple):
    """A part that only its own provider knows."""

    part: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.part.get("type"))[:60]


Part = Text | Media | Other


def cannot(provider: str, where: str, what: str) -> BadRequest:
    return BadRequest(f"{where} has {what}, which {provider} cannot take. Remove it, or choose another model.")


def read_parts(content: Any, where: str) -> list[Part]:
    """The parts of a message's `content`. Raises `BadRequest` that begins with `where` for what cannot be read."""
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(content)]
    if not isinstance(content, list):
        raise BadRequest(f"{where} has a content that is neither a text nor a list of parts.")
    return [_read_part(part, f"{where}.content[{index}]") for index, part in enumerate(content)]


def read_text(content: Any, where: str, provider: str) -> str:
    """The text of a message that can have nothing else."""
    texts = []
    for part in read_parts(content, where):
        if not isinstance(part, Text):
            raise cannot(provider, where, f"a part of the type {part.kind}")
        texts.append(part.text)
    return "\n".join(texts)


def _read_part(part: Any, where: str) -> Part:
    if isinstance(part, str):
        return Text(part)
    if not isinstance(part, dict):
        raise BadRequest(f"{where} is neither a text nor an object.")
    kind, cache = part.get("type"), part.get("cache_control")
    if kind in ("text", "input_text", "output_text") and isinstance(part.get("text"), str):
        extra = part.get("extra_content")
        google = extra.get("google") if isinstance(extra, dict) else None
        return Text(part["text"], cache, google if isinstance(google, dict) else None)
    if kind == "refusal" and isinstance(part.get("refusal"), str):
        return Text(part["refusal"])
    if kind in ("image_url", "input_image"):
        given = part.get("image_url")
        given = given if isinstance(given, dict) else {"url": given, "detail": part.get("detail")}
        media = _media("image", given.get("url"), where)
        return media._replace(detail=given.get("detail"), cache_control=cache)
    if kind == "image" and isinstance(part.get("source"), dict):
        source = part["source"]
        if source.get("type") == "url":
            return _media("image", source.get("url"), where)._replace(cache_control=cache)
        if source.get("type") == "base64" and isinstance(source.get("data"), str):
            return Media("image", source.get("media_type"), source["data"], None, cache_control=cache)
    if kind == "input_audio" and isinstance(part.get("input_audio"), dict):
        audio = part["input_audio"]
        if isinstance(audio.get("format"), str) and audio["format"] in _AUDIO and isinstance(audio.get("data"), str):
            return Media("audio", _AUDIO[audio["format"]], audio["data"], None)
    if kind in ("file", "input_file"):
        file = part["file"] if isinstance(part.get("file"), dict) else part
        given = file.get("file_data") or file.get("file_url")
        if given:
            return _media("file", given, where)._replace(name=file.get("filename"))
    return Other(part)


def _media(kind: Literal["image", "file"], url: Any, where: str) -> Media:
    if not isinstance(url, str) or not url:
        raise BadRequest(f"{where} has no URL and no data; an upload that only its provider has cannot be sent again.")
    if url.startswith(("https://", "http://")):
        return Media(kind, mimetypes.guess_type(url.partition("?")[0])[0], None, url)
    if match := _DATA_URL.fullmatch(url):
        if not match[3]:
            raise BadRequest(f"{where} is a data: URL that is not in base64; write it in base64.")
        return Media(kind, match[1] or "application/octet-stream", match[4], None)
    media_type = next((known for magic, known in _MAGIC.items() if url.startswith(magic)), None)
    if kind == "image" and media_type is None:
        raise BadRequest(f"{where} is an image that is neither a data: URL nor one of http or https.")
    return Media(kind, media_type or "application/pdf", url, None)


def read_arguments(call: dict[str, Any], where: str, provider: str) -> tuple[str, str, dict[str, Any]]:
    """Id, name and arguments of a tool call. Raises `BadRequest` for arguments that are no JSON object: only OpenAI
    takes any text for them."""
    function = call.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise cannot(provider, where, f"a tool call of the type {str(call.get('type'))[:60]!r}")
    given = function.get("arguments")
    if isinstance(given, str):
        try:
            given = msgspec.json.decode(given) if given.strip() else {}
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            given = None
    if given is not None and not isinstance(given, dict):
        given = None
    if given is None and function.get("arguments") is not None:
        raise BadRequest(
            f"{where} calls the tool {function['name'][:100]!r} with arguments that are no JSON object, which "
            f"{provider} cannot take. Correct them."
        )
    return str(call.get("id") or ""), function["name"], given or {}
