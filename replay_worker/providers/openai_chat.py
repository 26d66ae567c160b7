"""OpenAI's chat completions, and every server that speaks them (Ollama, vLLM, LM Studio, OpenRouter, …).

Request and answer: https://platform.openai.com/docs/api-reference/chat/create; stream:
https://platform.openai.com/docs/api-reference/chat-streaming; models:
https://platform.openai.com/docs/api-reference/models/list. What others add: `reasoning_content` (DeepSeek:
https://api-docs.deepseek.com/guides/reasoning_model), `reasoning` (vLLM, OpenRouter), content in parts (Mistral).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from beacon.errors import BadRequest, UpstreamFailed
from beacon.keys import Endpoint
from replay_worker.providers.calls import Completion, FinishReason, HttpRequest, ModelCall
from replay_worker.providers.content import Media, Other, Part, Text, cannot, read_parts
from replay_worker.providers.errors import error_in
from replay_worker.providers.headers import bearer
from replay_worker.providers.options import OWN_FIELDS, is_googles, json_schema, read_format
from replay_worker.providers.sse import Event
from replay_worker.providers.untrusted import arguments, count, decode, fields, name, objects, require_answer, text

FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
}


# ---------------------------------------------------------------- request


def build_request(endpoint: Endpoint, call: ModelCall, stream: bool) -> HttpRequest:
    """POST chat/completions. Parameters go as they are, since compatible servers have many of their own; only the limit
    on tokens has the name that OpenAI itself asks for."""
    messages = [_message(i, m, _is_openai(endpoint)) for i, m in enumerate(call.messages)]
    body: dict[str, Any] = {"model": call.model, "messages": messages}
    if call.tools:
        body["tools"] = [_tool(tool) for tool in call.tools]
    if call.tool_choice is not None:
        body["tool_choice"] = _tool_choice(call.tool_choice)
    if call.response_format is not None:
        body["response_format"] = _response_format(call.response_format)
    body |= _params(call.params, endpoint)
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    url = f"{endpoint.base_url}/chat/completions"
    return HttpRequest(method="POST", url=url, headers=bearer(endpoint), body=msgspec.json.encode(body))


def _params(params: dict[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    """OpenAI's reasoning models refuse `max_tokens`, and all of its models take `max_completion_tokens`; compatible
    servers may know only the older name."""
    asked = {key: value for key, value in params.items() if value is not None}
    for key in (*OWN_FIELDS, "stream_options"):
        if key in asked and key not in ("system", "contents", "input"):
            raise BadRequest(f"{key} is no parameter: it stands beside them. Remove it from the parameters.")
    if asked.get("n", 1) != 1:
        raise BadRequest("The parameter n asks for several answers at once; ask for several runs instead.")
    limits = [asked[key] for key in ("max_tokens", "max_completion_tokens") if key in asked]
    if len(limits) == 2 and limits[0] != limits[1]:
        raise BadRequest("max_tokens and max_completion_tokens differ; both limit the answer, so give one of them.")
    if limits and _is_openai(endpoint):
        asked.pop("max_tokens", None)
        asked["max_completion_tokens"] = limits[0]
    elif len(limits) == 2:
        del asked["max_completion_tokens"]
    return asked


def _is_openai(endpoint: Endpoint) -> bool:
    return (urlsplit(endpoint.base_url).hostname or "").endswith((".openai.com", ".openai.azure.com"))


def _message(index: int, message: dict[str, Any], openai: bool) -> dict[str, Any]:
    where = f"messages[{index}]"
    sent = dict(message)
    if openai and sent.get("tool_calls"):  # Google's signature means nothing to OpenAI, which refuses what it knows not
        sent["tool_calls"] = [{k: v for k, v in call.items() if k != "extra_content"} for call in sent["tool_calls"]]
    failed = sent.pop("is_error", False)
    if not isinstance(sent.get("content"), str | None):
        sent["content"] = [_part(part, raw, where) for part, raw in _with_raw(sent["content"], where)]
    if failed and isinstance(sent.get("content"), str) and not sent["content"].lower().startswith("error"):
        sent["content"] = f"Error: {sent['content']}"  # there is no field that says so
    return sent


def _with_raw(content: list[Any], where: str) -> list[tuple[Part, Any]]:
    return list(zip(read_parts(content, where), content, strict=True))


def _part(part: Part, raw: Any, where: str) -> Any:
    kind = raw.get("type") if isinstance(raw, dict) else None
    if (
        isinstance(part, Media)
        and part.kind == "image"
        and (kind != "image_url" or not isinstance(raw["image_url"], dict))
    ):
        return {"type": "image_url", "image_url": {"url": part.as_url}}
    if isinstance(part, Media) and part.kind == "image" and not _is_url(raw["image_url"]["url"]):
        return {**raw, "image_url": {**raw["image_url"], "url": part.as_url}}
    if isinstance(part, Other) and kind in ("thinking", "redacted_thinking", "document"):
        raise cannot("OpenAI's chat API", where, f"a part of the type {kind}, which is Anthropic's,")
    if kind in ("input_text", "output_text") or not isinstance(raw, dict):
        return {"type": "text", "text": raw["text"] if isinstance(raw, dict) else raw}
    if isinstance(part, Text):  # what Google wants back with a text is for Google's own API alone
        return {key: value for key, value in raw.items() if key != "extra_content"}
    return raw


def _is_url(url: str) -> bool:
    return url.startswith(("data:", "https://", "http://"))


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    function = tool.get("function")
    if not isinstance(function, dict) or not is_googles(function.get("parameters")):
        return tool
    return {**tool, "function": {**function, "parameters": json_schema(function["parameters"])}}


def _tool_choice(choice: Any) -> Any:
    if choice == "any":
        return "required"
    if isinstance(choice, dict) and choice.get("type") in ("function", "tool") and isinstance(choice.get("name"), str):
        return {"type": "function", "function": {"name": choice["name"]}}
    return choice


def _response_format(given: Any) -> Any:
    said = given.get("json_schema") if isinstance(given, dict) else None
    googles = isinstance(said, dict) and is_googles(said.get("schema"))
    form = read_format(given, "OpenAI's chat API") if said is None or googles else None
    if form is None:
        return given if isinstance(given, dict) else {"type": given}
    if form.schema is None:
        return {"type": "json_object"}
    schema = {"name": form.name or "answer", "schema": json_schema(form.schema), "strict": form.strict}
    return {"type": "json_schema", "json_schema": {key: value for key, value in schema.items() if value is not None}}


# ---------------------------------------------------------------- answer


def parse_response(body: bytes) -> Completion:
    answer = decode(body)
    error_in(answer)
    choices = objects(answer.get("choices"))
    if not choices:
        raise UpstreamFailed("its answer has no choices")
    message = fields(choices[0].get("message"))
    said, thought = _said(message.get("content"))
    refusal = name(message.get("refusal"))
    calls = [_call(i, call) for i, call in enumerate(objects(message.get("tool_calls")))]
    older = fields(message.get("function_call"))
    if older and not calls:
        calls = [_call(0, {"function": older})]
    finish = _finish(choices[0].get("finish_reason"), bool(refusal) and not said)
    require_answer(said is not None or bool(refusal), bool(calls), finish, choices[0].get("finish_reason"))
    return _completion(said or refusal or "", calls, finish, thought + _reasoning(message), answer, answer.get("usage"))


def _completion(
    said: str,
    calls: list[dict[str, Any]],
    finish: FinishReason | None,
    thought: str,
    answer: dict[str, Any],
    usage: Any,
) -> Completion:
    completion = Completion(
        text=said,
        tool_calls=calls,
        finish_reason=finish,
        reasoning=thought or None,
        model=name(answer.get("model")),
    )
    _count(completion, fields(usage))
    return completion


def _said(content: Any) -> tuple[str | None, str]:
    """(text, reasoning) of a content; text None where there is none."""
    if isinstance(content, str):
        return content, ""
    parts = objects(content)
    if not parts:
        return None, ""
    said = "".join(text(part.get("text")) for part in parts if part.get("type") != "thinking")
    thinking = [part.get("thinking") for part in parts if part.get("type") == "thinking"]
    thought = "".join(_said(one)[0] or "" for one in thinking)
    return said, thought


def _reasoning(message: dict[str, Any]) -> str:
    return text(message.get("reasoning_content")) or text(message.get("reasoning"))


def _call(index: int, call: dict[str, Any]) -> dict[str, Any]:
    custom = call.get("custom")
    if isinstance(custom, dict):
        return custom_call(name(call.get("id")) or f"call_{index + 1}", custom)
    function = fields(call.get("function"))
    found = {
        "id": name(call.get("id")) or f"call_{index + 1}",
        "type": "function",
        "function": {"name": text(function.get("name")), "arguments": arguments(function.get("arguments", ""))},
    }
    return found | ({"extra_content": call["extra_content"]} if isinstance(call.get("extra_content"), dict) else {})


def custom_call(call_id: str, custom: dict[str, Any]) -> dict[str, Any]:
    """A call of a tool that takes any text (https://platform.openai.com/docs/guides/function-calling#custom-tools)."""
    said = {"name": text(custom.get("name")), "input": text(custom.get("input"))}
    return {"id": call_id, "type": "custom", "custom": said}


def _finish(reason: Any, refused: bool) -> FinishReason | None:
    if refused:
        return "content_filter"
    return FINISH.get(reason, "other") if isinstance(reason, str) and reason else None


def _count(completion: Completion, usage: dict[str, Any]) -> None:
    given, produced = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    reasoned = count(fields(usage.get("completion_tokens_details")).get("reasoning_tokens"))
    cached = count(fields(usage.get("prompt_tokens_details")).get("cached_tokens"))
    if cached is None:
        cached = count(usage.get("prompt_cache_hit_tokens"))  # DeepSeek
    if (
        given is not None
        and produced is not None
        and reasoned
        and usage.get("total_tokens") == given + produced + reasoned
    ):
        produced += reasoned  # xAI counts them beside the others: https://docs.x.ai/docs/guides/reasoning
    completion.tokens_input = given
    completion.tokens_output = produced
    completion.tokens_cached = cached
    completion.tokens_reasoning = reasoned


# ---------------------------------------------------------------- stream


class ChatStream:
    """Chunks until `[DONE]`; some servers end without it, so that a finish reason counts as the end too."""

    def __init__(self) -> None:
        self.done = False
        self._said: list[str] = []
        self._has_text = False
        self._refused: list[str] = []
        self._thought: list[str] = []
        self._calls: list[dict[str, Any]] = []
        self._at: dict[int, dict[str, Any]] = {}
        self._reason: Any = None
        self._usage: Any = None
        self._head: dict[str, Any] = {}

    def feed(self, event: Event) -> list[str]:
        if event.data.strip() == "[DONE]":
            self.done = True
            return []
        chunk = decode(event.data)
        error_in(chunk)
        self._head = self._head or chunk
        self._usage = chunk.get("usage") or self._usage
        new: list[str] = []
        for choice in objects(chunk.get("choices"))[:1]:
            delta = fields(choice.get("delta"))
            said, thought = _said(delta.get("content"))
            self._has_text = self._has_text or said is not None
            refused = text(delta.get("refusal"))
            self._refused.append(refused)
            self._thought += [thought, _reasoning(delta)]
            self._said.append(said or "")
            new += [piece for piece in (said, refused) if piece]
            for call in objects(delta.get("tool_calls")):
                self._add_call(call)
            self._reason = choice.get("finish_reason") or self._reason
        return new

    def result(self) -> Completion:
        if not self.done and not self._reason:
            raise UpstreamFailed("its stream ended before the answer did")
        said, refused = "".join(self._said), "".join(self._refused)
        finish = _finish(self._reason, bool(refused) and not said)
        require_answer(self._has_text or bool(refused), bool(self._calls), finish, self._reason)
        calls = [_call(i, call) for i, call in enumerate(self._calls)]
        return _completion(said or refused, calls, finish, "".join(self._thought), self._head, self._usage)

    def _add_call(self, delta: dict[str, Any]) -> None:
        """Deltas of a call have its index; of servers that leave it out, a new id begins a new call."""
        index = count(delta.get("index"))
        found = self._at.get(index) if index is not None else (self._calls[-1] if self._calls else None)
        if index is None and found is not None and name(delta.get("id")) not in (None, found["id"]):
            found = None
        if found is None:
            found = {"id": None, "function": {"name": "", "arguments": ""}}
            self._calls.append(found)
            if index is not None:
                self._at[index] = found
        if isinstance(delta.get("custom"), dict):
            custom = found.setdefault("custom", {"name": "", "input": ""})
            custom["name"] = name(delta["custom"].get("name")) or custom["name"]
            custom["input"] += text(delta["custom"].get("input"))
        function = fields(delta.get("function"))
        found["id"] = name(delta.get("id")) or found["id"]
        found["function"]["name"] = name(function.get("name")) or found["function"]["name"]
        given = function.get("arguments")
        found["function"]["arguments"] += "" if given is None else arguments(given)
        if isinstance(delta.get("extra_content"), dict):
            found["extra_content"] = delta["extra_content"]


def new_parser() -> ChatStream:
    return ChatStream()


# ---------------------------------------------------------------- models


def models_request(endpoint: Endpoint) -> HttpRequest:
    return HttpRequest(method="GET", url=f"{endpoint.base_url}/models", headers=bearer(endpoint))


def parse_models(body: bytes) -> list[str]:
    """OpenAI's list; together.ai's is one without the object around it."""
    answer = decode(body if not body.lstrip().startswith(b"[") else b'{"data":' + body + b"}")
    error_in(answer)
    if not isinstance(answer.get("data"), list):
        if "data" in answer and answer["data"] is None:  # Ollama without any model
            return []
        raise UpstreamFailed("its list of models has no data")
    return [found for entry in objects(answer["data"]) if (found := name(entry.get("id")))]
