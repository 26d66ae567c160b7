"""OpenAI's Responses API.

Request and answer: https://platform.openai.com/docs/api-reference/responses/create; stream:
https://platform.openai.com/docs/api-reference/responses-streaming; how it differs from chat completions:
https://developers.openai.com/api/docs/guides/migrate-to-responses.
"""

from __future__ import annotations

from typing import Any

import msgspec

from beacon.errors import BadRequest, UpstreamFailed
from beacon.keys import Endpoint
from replay_worker.providers import openai_chat
from replay_worker.providers.calls import Completion, FinishReason, HttpRequest, ModelCall
from replay_worker.providers.content import Media, Part, Text, cannot, read_parts
from replay_worker.providers.errors import error_in, message_of
from replay_worker.providers.headers import bearer
from replay_worker.providers.options import Function, json_schema, read_choice, read_format, read_tools, wanted
from replay_worker.providers.sse import Event
from replay_worker.providers.untrusted import arguments, count, decode, fields, name, objects, require_answer, text

PROVIDER = "OpenAI's Responses API"

CHAT_ONLY = ("stop", "seed", "frequency_penalty", "presence_penalty", "logit_bias", "modalities", "audio", "prediction")
"""Parameters of chat completions that this API has not."""

LAST_EVENTS = ("response.completed", "response.incomplete", "response.failed")


# ---------------------------------------------------------------- request


def build_request(endpoint: Endpoint, call: ModelCall, stream: bool) -> HttpRequest:
    """POST responses, with nothing stored at OpenAI (`store: false`)."""
    custom: set[str] = set()
    items = [item for index, message in enumerate(call.messages) for item in _items(index, message, custom)]
    body: dict[str, Any] = {"model": call.model, "input": items, "store": False}
    if call.tools:
        body["tools"] = [_tool(tool) for tool in read_tools(call.tools)]
    if call.tool_choice is not None:
        body["tool_choice"] = _tool_choice(call.tool_choice)
    body |= _params(call.params)
    if (form := _format(call.response_format)) is not None:
        body["text"] = {**body.get("text", {}), "format": form}
    if stream:
        body["stream"] = True
    url = f"{endpoint.base_url}/responses"
    return HttpRequest(method="POST", url=url, headers=bearer(endpoint), body=msgspec.json.encode(body))


def _params(params: dict[str, Any]) -> dict[str, Any]:
    asked = wanted(params)
    if "max_tokens" in asked:
        asked["max_output_tokens"] = asked.pop("max_tokens")
    for key in CHAT_ONLY:
        given = asked.pop(key, None)
        if given not in (None, 0, {}, ["text"]):
            raise BadRequest(
                f"The parameter {key} is one that {PROVIDER} does not have. Remove it, or use the chat API."
            )
    if asked.pop("n", 1) != 1:
        raise BadRequest("The parameter n asks for several answers at once; ask for several runs instead.")
    if "reasoning_effort" in asked:
        asked["reasoning"] = {**fields(asked.get("reasoning")), "effort": asked.pop("reasoning_effort")}
    if "verbosity" in asked:
        asked["text"] = {**fields(asked.get("text")), "verbosity": asked.pop("verbosity")}
    if asked.pop("logprobs", False):
        asked["include"] = [*(asked.get("include") or []), "message.output_text.logprobs"]
    return asked


def _items(index: int, message: dict[str, Any], custom: set[str]) -> list[dict[str, Any]]:
    """The input items that a message of the chat API is here. `custom` gathers the ids of the calls of custom tools,
    whose results are items of another type."""
    where, role = f"messages[{index}]", message.get("role")
    if role == "tool":
        content = _output(read_parts(message.get("content"), where), where, bool(message.get("is_error")))
        call_id = message.get("tool_call_id")
        kind = "custom_tool_call_output" if call_id in custom else "function_call_output"
        return [{"type": kind, "call_id": call_id, "output": content}]
    for key in ("name", "audio", "reasoning_content", "reasoning"):
        if message.get(key):
            raise cannot(PROVIDER, where, f"the field {key}")
    said = [_part(part, where, role == "assistant") for part in read_parts(message.get("content"), where)]
    if message.get("refusal"):
        said.append({"type": "refusal", "refusal": message["refusal"]})
    items: list[dict[str, Any]] = [{"role": role, "content": said}] if said else []
    for call in message.get("tool_calls") or ():
        function = call.get("function")
        if isinstance(call.get("custom"), dict):
            custom.add(str(call.get("id")))
            said_to = {"name": call["custom"].get("name"), "input": call["custom"].get("input")}
            items.append({"type": "custom_tool_call", "call_id": call.get("id"), **said_to})
            continue
        if not isinstance(function, dict):
            raise cannot(PROVIDER, where, f"a tool call of the type {str(call.get('type'))[:60]!r}")
        called = {"name": function.get("name"), "arguments": arguments(function.get("arguments", ""))}
        items.append({"type": "function_call", "call_id": call.get("id"), **called})
    return items or [{"role": role, "content": ""}]


def _part(part: Part, where: str, by_model: bool) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "output_text" if by_model else "input_text", "text": part.text}
    if isinstance(part, Media) and part.kind == "image" and not by_model:
        return {"type": "input_image", "image_url": part.as_url, "detail": part.detail or "auto"}
    if isinstance(part, Media) and part.kind == "file" and not by_model:
        file = {"file_url": part.url} if part.url else {"file_data": part.as_url, "filename": part.name or "file"}
        return {"type": "input_file", **file}
    raise cannot(PROVIDER, where, f"a part of the type {part.kind}")


def _output(parts: list[Part], where: str, failed: bool) -> Any:
    if all(isinstance(part, Text) for part in parts):
        said = "\n".join(part.text for part in parts if isinstance(part, Text))
        return f"Error: {said}" if failed and not said.lower().startswith("error") else said
    return [_part(part, where, False) for part in parts]


def _tool(tool: Function | dict[str, Any]) -> dict[str, Any]:
    if not isinstance(tool, Function):
        custom = tool.get("custom")
        return {"type": "custom", **custom} if isinstance(custom, dict) else tool
    found = {"type": "function", "name": tool.name, "description": tool.description, "strict": tool.strict}
    parameters = json_schema(tool.parameters)
    return {key: value for key, value in found.items() if value is not None} | {"parameters": parameters}


def _tool_choice(choice: Any) -> Any:
    if isinstance(choice, dict) and isinstance(choice.get("allowed_tools"), dict):
        allowed = choice["allowed_tools"]
        tools = [{"type": "function", **fields(tool.get("function"))} for tool in objects(allowed.get("tools"))]
        return {"type": "allowed_tools", "mode": allowed.get("mode"), "tools": tools}
    if isinstance(choice, dict) and choice.get("type") not in ("function", "tool", "auto", "any", "none", "required"):
        return choice  # one of OpenAI's own tools
    found = read_choice(choice, PROVIDER)
    assert found is not None
    kind, function = found
    return {"type": "function", "name": function} if function else kind


def _format(response_format: Any) -> dict[str, Any] | None:
    form = read_format(response_format, PROVIDER)
    if form is None:
        return None
    if form.schema is None:
        return {"type": "json_object"}
    found = {"description": form.description, "strict": form.strict}
    said = {key: value for key, value in found.items() if value is not None}
    return {"type": "json_schema", "name": form.name or "answer", "schema": json_schema(form.schema), **said}


# ---------------------------------------------------------------- answer


def parse_response(body: bytes) -> Completion:
    answer = decode(body)
    if not isinstance(answer.get("output"), list):
        error_in(answer)
        raise UpstreamFailed("its answer has no output")
    return _completion(answer, objects(answer["output"]))


def _completion(answer: dict[str, Any], output: list[dict[str, Any]]) -> Completion:
    if answer.get("status") in ("failed", "cancelled"):
        raise UpstreamFailed(f"it failed: {message_of(answer.get('error') or answer['status'])}")
    said: list[str] = []
    refused: list[str] = []
    thought: list[str] = []
    calls: list[dict[str, Any]] = []
    for item in output:
        parts = objects(item.get("content"))
        if item.get("type") == "message":
            said += [text(part.get("text")) for part in parts if part.get("type") == "output_text"]
            refused += [text(part.get("refusal")) for part in parts if part.get("type") == "refusal"]
        elif item.get("type") == "reasoning":
            thought += [text(part.get("text")) for part in [*objects(item.get("summary")), *parts]]
        elif item.get("type") == "function_call":
            calls.append(_call(len(calls), item))
        elif item.get("type") == "custom_tool_call":
            calls.append(openai_chat.custom_call(name(item.get("call_id")) or f"call_{len(calls) + 1}", item))
    reason = fields(answer.get("incomplete_details")).get("reason")
    finish = _finish(answer.get("status"), reason, bool(calls), bool(refused) and not any(said))
    require_answer(bool(said or refused), bool(calls), finish, reason)
    usage = fields(answer.get("usage"))
    return Completion(
        text="".join(said) or "".join(refused),
        tool_calls=calls,
        finish_reason=finish,
        reasoning="\n\n".join(one for one in thought if one) or None,
        tokens_input=count(usage.get("input_tokens")),
        tokens_output=count(usage.get("output_tokens")),
        tokens_cached=count(fields(usage.get("input_tokens_details")).get("cached_tokens")),
        tokens_reasoning=count(fields(usage.get("output_tokens_details")).get("reasoning_tokens")),
        model=name(answer.get("model")),
    )


def _call(index: int, item: dict[str, Any]) -> dict[str, Any]:
    function = {"name": text(item.get("name")), "arguments": arguments(item.get("arguments", ""))}
    return {"id": name(item.get("call_id")) or f"call_{index + 1}", "type": "function", "function": function}


def _finish(status: Any, reason: Any, called: bool, refused: bool) -> FinishReason:
    if reason == "max_output_tokens":
        return "length"
    if reason == "content_filter" or refused:
        return "content_filter"
    if status != "completed":
        return "other"
    return "tool_calls" if called else "stop"


# ---------------------------------------------------------------- stream


class ResponsesStream:
    """Semantic events, of which the last holds the whole answer; there is no `[DONE]`."""

    def __init__(self) -> None:
        self.done = False
        self._items: dict[int, dict[str, Any]] = {}
        self._last: dict[str, Any] | None = None

    def feed(self, event: Event) -> list[str]:
        if event.data.strip() == "[DONE]":  # compatible servers
            return []
        said = decode(event.data)
        kind = said.get("type") or event.name
        if kind in ("response.output_text.delta", "response.refusal.delta"):
            return [delta for delta in (text(said.get("delta")),) if delta]
        if kind == "response.output_item.done":
            self._items[count(said.get("output_index")) or 0] = fields(said.get("item"))
        elif kind in LAST_EVENTS:
            self._last = fields(said.get("response"))
            self.done = True
        elif kind == "error":
            raise UpstreamFailed(f"it failed: {message_of(said)}")
        return []

    def result(self) -> Completion:
        if self._last is None:
            raise UpstreamFailed("its stream ended before the answer did")
        output = objects(self._last.get("output")) or [item for _, item in sorted(self._items.items())]
        return _completion(self._last, output)


def new_parser() -> ResponsesStream:
    return ResponsesStream()


# ---------------------------------------------------------------- models

models_request = openai_chat.models_request
parse_models = openai_chat.parse_models
