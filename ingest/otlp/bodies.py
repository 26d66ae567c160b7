"""Requests to and answers of a provider's API as an instrumentation recorded them whole, put into Facts. Pure.

A recorded request is the best source of a replay: nothing was left out of it. Shapes: OpenAI chat completions,
completions and Responses, Anthropic Messages, Google generateContent, and what LangChain hands on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.otlp.facts import Facts, Message, Tokens
from ingest.otlp.messages import answer_of, messages_of, tools_of
from ingest.otlp.values import as_bool, as_count, as_dict, as_list, as_number, as_text, first_of, parsed

PARAM_NAMES = {
    name: name
    for name in (
        "top_p", "top_k", "seed", "stop", "frequency_penalty", "presence_penalty", "n", "logprobs", "top_logprobs",
        "logit_bias", "user", "service_tier", "reasoning_effort", "reasoning", "verbosity", "thinking",
        "parallel_tool_calls", "modalities", "audio", "prediction", "web_search_options", "safety_settings", "min_p",
        "repetition_penalty", "store", "previous_response_id",
    )
} | {
    "topP": "top_p",
    "topK": "top_k",
    "stop_sequences": "stop",
    "stopSequences": "stop",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
    "candidateCount": "n",
    "candidate_count": "n",
    "safetySettings": "safety_settings",
    "thinkingConfig": "thinking_config",
    "thinking_config": "thinking_config",
}  # fmt: skip
"""Parameters of a request by their names in OpenAI's chat API; what else stands in a request is not one."""

_MAX_TOKENS = (
    "max_completion_tokens", "max_tokens", "max_output_tokens", "maxOutputTokens", "maxTokens", "max_tokens_to_sample",
)  # fmt: skip
_SCHEMAS = ("responseJsonSchema", "response_json_schema", "responseSchema", "response_schema")
_PROMPTS = ("messages", "contents", "input", "prompt")

# (total input, …) as the APIs name them; Google's count what it thought apart from what it answered
_INPUT = ("prompt_tokens", "input_tokens", "promptTokenCount", "prompt_token_count", "inputTokens", "promptTokens")
_OUTPUT = (
    "completion_tokens", "output_tokens", "candidatesTokenCount", "candidates_token_count", "outputTokens",
    "completionTokens",
)  # fmt: skip
_TOTAL = ("total_tokens", "totalTokenCount", "total_token_count", "totalTokens")
_CACHE_READ = ("cachedContentTokenCount", "cached_content_token_count", "cachedInputTokens")
_THOUGHTS = ("thoughtsTokenCount", "thoughts_token_count")


def is_request(body: Mapping[str, Any]) -> bool:
    """Whether `body` is a request to a model's API, not just any object."""
    return isinstance(body.get("model"), str) and any(body.get(name) not in (None, "", []) for name in _PROMPTS)


def read_request(facts: Facts, body: Mapping[str, Any]) -> None:
    """Puts what `body` asks for into `facts`: model, prompt, tools, the form of the answer, parameters."""
    facts.request_model = as_text(body.get("model")) or facts.request_model
    messages = prompt_of(body)
    if messages:
        facts.prompt = messages
    read_options(facts, body)
    for name in ("generationConfig", "generation_config", "config"):
        config = as_dict(body.get(name))
        if config is not None:
            read_options(facts, config)


def prompt_of(body: Mapping[str, Any]) -> list[Message]:
    """The messages of a request; Google's may keep the system prompt in its `config`."""
    if not any(body.get(name) not in (None, "", []) for name in _PROMPTS):
        return []
    config = as_dict(body.get("config"))
    system = first_of(config, ("system_instruction", "systemInstruction")) if config is not None else None
    whole = {"system": system, **body} if system is not None else dict(body)
    return messages_of(whole)


def read_options(facts: Facts, options: Mapping[str, Any]) -> None:
    """Puts the options of a call into `facts`: those recorded last win, absent ones change nothing."""
    temperature = as_number(options.get("temperature"))
    if temperature is not None:
        facts.temperature = float(temperature)
    limit = as_count(first_of(options, _MAX_TOKENS))
    if limit is not None:
        facts.max_tokens = limit
    stream = as_bool(options.get("stream"))
    if stream is not None:
        facts.stream = stream
    tools = tools_of(first_of(options, ("tools", "functions")))
    if tools:
        facts.tools = tools
    choice = first_of(options, ("tool_choice", "toolChoice", "function_call", "toolConfig", "tool_config"))
    if choice is not None:
        facts.tool_choice = parsed(choice)
    form = _response_format(options)
    if form is not None:
        facts.response_format = form
    said = {PARAM_NAMES[name]: value for name, value in options.items() if name in PARAM_NAMES and value is not None}
    if said:
        facts.params = {**facts.params, **said}


def _response_format(options: Mapping[str, Any]) -> Any:
    form = parsed(options.get("response_format"))
    if form is not None:
        return form
    text = as_dict(options.get("text"))  # OpenAI's Responses API
    if text is not None and as_dict(text.get("format")) is not None:
        inner: dict[str, Any] = dict(text["format"]) if isinstance(text["format"], dict) else {}
        if inner.get("type") == "json_schema" and "json_schema" not in inner:
            return {"type": "json_schema", "json_schema": {k: v for k, v in inner.items() if k != "type"}}
        return inner or None
    schema = as_dict(first_of(options, _SCHEMAS))
    if schema is not None:
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    if first_of(options, ("responseMimeType", "response_mime_type")) == "application/json":
        return {"type": "json_object"}
    return None


def read_answer(facts: Facts, body: Any) -> None:
    """Puts what a response says into `facts`, where they do not say it yet: the first choice, the model that answered,
    tokens."""
    answer = answer_of(body)
    facts.completion = facts.completion or answer.completion
    facts.reasoning = facts.reasoning or answer.reasoning
    facts.tool_calls = facts.tool_calls or answer.tool_calls
    facts.finish_reason = facts.finish_reason or answer.finish_reason
    whole = as_dict(body)
    if whole is None:
        return
    facts.model = facts.model or as_text(first_of(whole, ("model", "modelVersion", "model_version")))
    usage = as_dict(first_of(whole, ("usage", "usageMetadata", "usage_metadata")))
    if usage is not None and facts.tokens is None:
        facts.tokens = tokens_of_usage(usage)


def tokens_of_usage(usage: Mapping[str, Any]) -> Tokens | None:
    """A provider's own `usage` object. Anthropic's input is without what was read from and written to its cache, which
    it says under names of its own; Google's answer is without its thoughts."""
    given = as_count(first_of(usage, _INPUT))
    made = as_count(first_of(usage, _OUTPUT))
    details = as_dict(first_of(usage, ("prompt_tokens_details", "input_tokens_details", "input_token_details"))) or {}
    made_details = (
        as_dict(first_of(usage, ("completion_tokens_details", "output_tokens_details", "output_token_details"))) or {}
    )
    read = as_count(first_of(details, ("cached_tokens", "cache_read")))
    written = as_count(first_of(details, ("cache_write_tokens", "cache_creation")))
    if read is None:
        read = as_count(first_of(usage, _CACHE_READ))
    anthropic_read = as_count(usage.get("cache_read_input_tokens"))
    anthropic_written = as_count(usage.get("cache_creation_input_tokens"))
    if anthropic_read is not None or anthropic_written is not None:
        apart = (anthropic_read or 0) + (anthropic_written or 0)
        # its own API says input_tokens; a gateway that says prompt_tokens has added them up already
        if given is not None and "input_tokens" in usage and "prompt_tokens" not in usage:
            given += apart
        read = read if read is not None else anthropic_read
        written = written if written is not None else anthropic_written
    thought = as_count(first_of(made_details, ("reasoning_tokens", "reasoning")))
    thoughts = as_count(first_of(usage, _THOUGHTS))
    if thoughts is not None:
        thought = thoughts
        made = (made or 0) + thoughts
    tokens = Tokens(given, made, as_count(first_of(usage, _TOTAL)), read, written, thought)
    return tokens if any(getattr(tokens, name) is not None for name in tokens.__struct_fields__) else None


# ---------------------------------------------------------------- LangChain


def langchain_answer(outputs: Any) -> Any:
    """What `answer_of` reads of LangChain's outputs: the first generation's message (`{"generations": [[{"message":
    …}]]}`), or the last of `messages`, or `outputs` itself."""
    whole = as_dict(outputs)
    if whole is None:
        return outputs
    listed = as_list(whole.get("generations"))
    for _ in range(2):
        if isinstance(listed, list) and listed and isinstance(listed[0], list):
            listed = listed[0]
    if listed and isinstance(listed[0], dict):
        first = listed[0]
        message = as_dict(first.get("message"))
        if message is None:
            return as_text(first.get("text"))
        # constructor form: {"lc": 1, "type": "constructor", "id": […], "kwargs": {"content": …}}
        inner = as_dict(message.get("kwargs")) or as_dict(message.get("data")) or message
        return [{**inner, "role": "assistant"}]
    messages = as_list(whole.get("messages"))
    if messages:
        return [messages[-1]] if not isinstance(messages[-1], list) else messages[-1][-1:]
    return outputs
