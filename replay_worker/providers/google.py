"""Google's generateContent (the Gemini API).

Request and answer: https://ai.google.dev/api/generate-content and https://ai.google.dev/api/caching#Content; thought
signatures: https://ai.google.dev/gemini-api/docs/thought-signatures; thinking by effort:
https://ai.google.dev/gemini-api/docs/openai#thinking; models: https://ai.google.dev/api/models.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import msgspec

from beacon.errors import BadRequest, UpstreamFailed
from beacon.keys import Endpoint
from replay_worker.providers.calls import Completion, FinishReason, HttpRequest, ModelCall
from replay_worker.providers.content import Media, Part, Text, cannot, read_arguments, read_parts
from replay_worker.providers.errors import error_in, message_of
from replay_worker.providers.headers import keyed
from replay_worker.providers.options import (
    ENUM,
    Function,
    is_googles,
    read_choice,
    read_format,
    read_tools,
    stops,
    translated,
    wanted,
)
from replay_worker.providers.sse import Event
from replay_worker.providers.untrusted import count, decode, fields, name, objects, require_answer, text

PROVIDER = "Google"

MODELS_PAGE = 1_000

UNSIGNED = "skip_thought_signature_validator"
"""What Google's documentation gives in place of a signature for a call that no Gemini 3 model signed: without one such
a model refuses the conversation."""

PARAMS = {
    "max_tokens": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "stop": "stopSequences",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
    "thinking_config": "thinkingConfig",
    "thinkingConfig": "thinkingConfig",
    "media_resolution": "mediaResolution",
    "mediaResolution": "mediaResolution",
    "responseModalities": "responseModalities",
}
"""Of `generationConfig`."""

BESIDE = {"safety_settings": "safetySettings", "safetySettings": "safetySettings", "cachedContent": "cachedContent"}
"""Of the request itself."""

BUDGETS = {"none": 0, "minimal": 1_024, "low": 1_024, "medium": 8_192, "high": 24_576}
"""Tokens of thinking by effort, for models before Gemini 3."""

FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "MALFORMED_FUNCTION_CALL": "error",
    "UNEXPECTED_TOOL_CALL": "error",
}


# ---------------------------------------------------------------- request


def build_request(endpoint: Endpoint, call: ModelCall, stream: bool) -> HttpRequest:
    """POST models/…:generateContent, or :streamGenerateContent?alt=sse. System messages, wherever they stand, become
    the `systemInstruction`. The key goes in a header, never in the URL."""
    system, contents = _contents(call.messages, _signs(call.model))
    body: dict[str, Any] = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    if call.tools:
        body["tools"] = _tools(read_tools(call.tools))
    if (choice := _tool_choice(call.tool_choice)) is not None:
        body["toolConfig"] = {"functionCallingConfig": choice}
    config, beside = _params(call)
    body |= beside
    if config:
        body["generationConfig"] = config
    model = call.model if call.model.startswith("tunedModels/") else f"models/{call.model.removeprefix('models/')}"
    kind, _, rest = model.partition("/")
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    url = f"{_base(endpoint)}/{kind}/{quote(rest, safe='')}:{method}"
    return HttpRequest(method="POST", url=url, headers=_headers(endpoint), body=msgspec.json.encode(body))


def _base(endpoint: Endpoint) -> str:
    return endpoint.base_url if re.search(r"/v1(beta|alpha)?$", endpoint.base_url) else f"{endpoint.base_url}/v1beta"


def _headers(endpoint: Endpoint) -> dict[str, str]:
    return keyed(endpoint, "x-goog-api-key")


def _generation(model: str) -> int | None:
    match = re.search(r"gemini-(\d+)", model)
    return int(match[1]) if match else None


def _signs(model: str) -> bool:
    """Whether the model demands signatures of the tool calls it is shown."""
    generation = _generation(model)
    return generation is not None and generation >= 3


def _params(call: ModelCall) -> tuple[dict[str, Any], dict[str, Any]]:
    """(generationConfig, what stands beside it)."""
    asked = wanted(call.params)
    beside = {BESIDE[key]: asked.pop(key) for key in tuple(asked) if key in BESIDE}
    effort = asked.pop("reasoning_effort", None)
    modalities = asked.pop("modalities", None)
    config = translated(asked, PARAMS, PROVIDER)
    if "stopSequences" in config:
        config["stopSequences"] = stops(config["stopSequences"])
    if modalities is not None:
        config["responseModalities"] = [str(one).upper() for one in stops(modalities)]
    if effort is not None:
        config["thinkingConfig"] = {**fields(config.get("thinkingConfig")), **_thinking(call.model, effort)}
    asked_for = call.response_format
    if isinstance(asked_for, dict) and asked_for.get("type") == ENUM:
        return config | {"responseMimeType": ENUM, "responseSchema": asked_for.get("schema")}, beside
    form = read_format(asked_for, PROVIDER)
    if form is not None:
        config["responseMimeType"] = "application/json"
        if form.schema is not None:
            config["responseSchema" if is_googles(form.schema) else "responseJsonSchema"] = form.schema
    return config, beside


def _thinking(model: str, effort: Any) -> dict[str, Any]:
    if not isinstance(effort, str) or effort not in BUDGETS or (effort == "none" and _signs(model)):
        raise BadRequest(
            f"reasoning_effort {str(effort)[:40]!r} is one that {model[:100]} of {PROVIDER} does not have."
        )
    return {"thinkingLevel": effort} if _signs(model) else {"thinkingBudget": BUDGETS[effort]}


def _tools(tools: list[Function | dict[str, Any]]) -> list[dict[str, Any]]:
    functions: list[dict[str, Any]] = []
    own: list[dict[str, Any]] = []
    for index, tool in enumerate(tools):
        if isinstance(tool, Function):
            schema = "parameters" if is_googles(tool.parameters) else "parametersJsonSchema"
            found = {"name": tool.name, "description": tool.description, schema: tool.parameters}
            functions.append({key: value for key, value in found.items() if value is not None})
        elif "type" in tool:
            raise cannot(PROVIDER, f"tools[{index}]", f"the type {str(tool['type'])[:60]!r}")
        else:
            own.append(tool)  # {"googleSearch": {}} and the like
    return [*([{"functionDeclarations": functions}] if functions else []), *own]


def _tool_choice(choice: Any) -> dict[str, Any] | None:
    allowed = choice.get("allowed_tools") if isinstance(choice, dict) else None
    if isinstance(allowed, dict) and allowed.get("mode") == "required":
        names = [fields(tool.get("function")).get("name") for tool in objects(allowed.get("tools"))]
        return {"mode": "ANY", "allowedFunctionNames": names}
    found = read_choice(choice, PROVIDER)
    if found is None:
        return None
    kind, function = found
    if function:
        return {"mode": "ANY", "allowedFunctionNames": [function]}
    return {"mode": {"required": "ANY"}.get(kind, kind.upper())}


def _contents(messages: list[dict[str, Any]], signs: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(parts of the system instruction, contents). The results of tools that were called together stand in one."""
    system: list[dict[str, Any]] = []
    contents: list[dict[str, Any]] = []
    results: list[dict[str, Any]] | None = None
    names: dict[str, str] = {}
    for index, message in enumerate(messages):
        where, role = f"messages[{index}]", message.get("role")
        for key in ("audio", "reasoning_content", "reasoning", *(("name",) if role != "tool" else ())):
            if message.get(key):
                raise cannot(PROVIDER, where, f"the field {key}")
        said = read_parts(message.get("content"), where)
        if role == "tool":
            if results is None:
                results = []
                contents.append({"role": "user", "parts": results})
            results.append(_result(message, said, names, where))
            continue
        results = None
        parts = [
            _part(part, where) for part in said if not (isinstance(part, Text) and not part.text and not part.google)
        ]
        if role in ("system", "developer"):
            system += parts
            continue
        if not said and message.get("refusal"):
            parts = [{"text": message["refusal"]}]
        for number, call in enumerate(message.get("tool_calls") or ()):
            call_id, function, given = read_arguments(call, where, PROVIDER)
            names[call_id] = function
            signature = _signature(call) or (UNSIGNED if signs and number == 0 else None)
            called = {"functionCall": {"id": call_id, "name": function, "args": given}}
            parts.append(called | ({"thoughtSignature": signature} if signature else {}))
        contents.append({"role": "model" if role == "assistant" else "user", "parts": parts or [{"text": ""}]})
    return system, contents


def _signature(call: dict[str, Any]) -> str | None:
    return name(fields(fields(call.get("extra_content")).get("google")).get("thought_signature"))


def _signed(google: dict[str, Any]) -> dict[str, Any]:
    """A text's signature, which may come with an empty text, and whether it is a thought."""
    signature = name(google.get("thought_signature"))
    found: dict[str, Any] = {"thought": True} if google.get("thought") is True else {}
    return found | ({"thoughtSignature": signature} if signature else {})


def _result(message: dict[str, Any], said: list[Part], names: dict[str, str], where: str) -> dict[str, Any]:
    """`output` and `error` are the keys that Google gives for results that are no object."""
    call_id = str(message.get("tool_call_id"))
    function = names.get(call_id) or name(message.get("name"))
    if function is None:
        raise BadRequest(f"{where} is the result of the tool call {call_id[:100]!r}, which no message before it makes.")
    media = [_part(part, where) for part in said if not isinstance(part, Text)]
    result = "\n".join(part.text for part in said if isinstance(part, Text))
    response = {"error": result} if message.get("is_error") else _as_object(result)
    found: dict[str, Any] = {"id": call_id, "name": function, "response": response}
    return {"functionResponse": found | ({"parts": media} if media else {})}


def _as_object(result: str) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(result)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"output": result}


def _part(part: Part, where: str) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"text": part.text} | _signed(part.google or {})
    if isinstance(part, Media):
        if part.url:
            return {"fileData": {"fileUri": part.url} | ({"mimeType": part.media_type} if part.media_type else {})}
        return {"inlineData": {"mimeType": part.media_type, "data": part.data}}
    if "type" not in part.part:
        return part.part  # fileData, executableCode and the like, in Google's own words
    raise cannot(PROVIDER, where, f"a part of the type {part.kind}")


# ---------------------------------------------------------------- answer


def parse_response(body: bytes) -> Completion:
    stream = ContentStream()
    stream.add(decode(body))
    return stream.result()


class ContentStream:
    """Chunks that are answers themselves, each with its part of the text; the last has the finish reason."""

    def __init__(self) -> None:
        self.done = False
        self._said: list[str] = []
        self._thought: list[str] = []
        self._calls: list[dict[str, Any]] = []
        self._reason: str | None = None
        self._why: str | None = None
        self._usage: dict[str, Any] = {}
        self._model: str | None = None
        self._seen = False

    def feed(self, event: Event) -> list[str]:
        return self.add(decode(event.data))

    def add(self, answer: dict[str, Any]) -> list[str]:
        error_in(answer)
        blocked = fields(answer.get("promptFeedback")).get("blockReason")
        if blocked:
            raise UpstreamFailed(f"it refused the prompt: {message_of(blocked)}")
        self._usage |= fields(answer.get("usageMetadata"))
        self._model = name(answer.get("modelVersion")) or self._model
        new: list[str] = []
        for candidate in objects(answer.get("candidates"))[:1]:
            self._seen = True
            for part in objects(fields(candidate.get("content")).get("parts")):
                new += self._add_part(part)
            self._reason = name(candidate.get("finishReason")) or self._reason
            self._why = name(candidate.get("finishMessage")) or self._why
        return new

    def _add_part(self, part: dict[str, Any]) -> list[str]:
        called = part.get("functionCall")
        if isinstance(called, dict):
            signature = name(part.get("thoughtSignature"))
            call: dict[str, Any] = {
                "id": name(called.get("id")) or f"call_{len(self._calls) + 1}",
                "type": "function",
                "function": {
                    "name": text(called.get("name")),
                    "arguments": msgspec.json.encode(fields(called.get("args"))).decode(),
                },
            }
            if signature:
                call["extra_content"] = {"google": {"thought_signature": signature}}
            self._calls.append(call)
            return []
        said = part.get("text")
        if not isinstance(said, str):
            return []
        if part.get("thought") is True:
            self._thought.append(said)
            return []
        self._said.append(said)
        return [said] if said else []

    def result(self) -> Completion:
        if not self._seen:
            raise UpstreamFailed("its answer has no candidates")
        if self._reason is None:
            raise UpstreamFailed("its stream ended before the answer did")
        finish = FINISH.get(self._reason, "other")
        said = "".join(self._said)
        require_answer(bool(said), bool(self._calls), finish, self._why or self._reason)
        return Completion(
            text=said,
            tool_calls=self._calls,
            finish_reason="tool_calls" if finish == "stop" and self._calls else finish,
            reasoning="".join(self._thought) or None,
            model=self._model,
            **_counted(self._usage),
        )


def _counted(usage: dict[str, Any]) -> dict[str, Any]:
    """Counts of zero are left out of Google's JSON (https://protobuf.dev/programming-guides/json/)."""
    if not usage:
        return {}
    given, produced = count(usage.get("promptTokenCount")), count(usage.get("candidatesTokenCount"))
    by_tools, thoughts = count(usage.get("toolUsePromptTokenCount")), count(usage.get("thoughtsTokenCount"))
    return {
        "tokens_input": (given or 0) + (by_tools or 0),
        "tokens_output": (produced or 0) + (thoughts or 0),
        "tokens_cached": count(usage.get("cachedContentTokenCount")) or 0,
        "tokens_reasoning": thoughts or 0,
    }


def new_parser() -> ContentStream:
    return ContentStream()


# ---------------------------------------------------------------- models


def models_request(endpoint: Endpoint) -> HttpRequest:
    url = f"{_base(endpoint)}/models?pageSize={MODELS_PAGE}"
    return HttpRequest(method="GET", url=url, headers=_headers(endpoint))


def parse_models(body: bytes) -> list[str]:
    """Models that generate content; embeddings and the like are in the list too."""
    answer = decode(body)
    error_in(answer)
    if not isinstance(answer.get("models"), list):
        raise UpstreamFailed("its list of models has no models")
    return [
        found.removeprefix("models/")
        for entry in objects(answer["models"])
        if (found := name(entry.get("name"))) and "generateContent" in _listed(entry.get("supportedGenerationMethods"))
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
