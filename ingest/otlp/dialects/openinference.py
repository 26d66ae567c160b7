"""OpenInference, the conventions of Arize Phoenix
(https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md).

Messages come as numbered attributes. Where the instrumentation also kept the whole request (`input.value` of type
application/json), that one is taken: it has what the numbered ones leave out, as the form of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.otlp.bodies import is_request, prompt_of, read_answer, read_options, read_request
from ingest.otlp.dialects.labels import labels
from ingest.otlp.facts import Facts, Message, Tokens
from ingest.otlp.indexed import indexed
from ingest.otlp.messages import answer_of, messages_of, tool_call, tools_of
from ingest.otlp.records import OtlpSpan
from ingest.otlp.span_types import OPENINFERENCE
from ingest.otlp.values import as_count, as_dict, as_number, as_text, as_words, first_of, parsed

NAME = "openinference"

_MARKERS = frozenset({
    "openinference.span.kind", "llm.model_name", "llm.invocation_parameters", "llm.token_count.prompt",
    "llm.token_count.total", "llm.input_messages.0.message.role", "embedding.model_name", "input.mime_type",
})  # fmt: skip

REDACTED = "__REDACTED__"
"""What OpenInference writes in the place of content it was told to hide."""

_MODELS = ("llm.response.model_name", "llm.model_name", "llm.request.model_name", "embedding.model_name")
_STEPS = ("agent.name", "graph.node.name", "graph.node.id")
_FIRST_TOKEN = "First Token Stream Event"  # noqa: S105  # a name of an event


def matches(span: OtlpSpan) -> bool:
    return span.scope.name.startswith("openinference.") or not _MARKERS.isdisjoint(span.attributes)


def read(span: OtlpSpan) -> Facts:
    attributes = span.attributes
    facts = Facts(session_id=as_text(attributes.get("session.id")), user_id=as_text(attributes.get("user.id")))
    facts.tags = labels(attributes.get("tag.tags"))
    kind = attributes.get("openinference.span.kind")
    kind = kind.strip().upper() if isinstance(kind, str) else ""
    typed = OPENINFERENCE.get(kind)
    if typed is not None:
        facts.span_type, facts.chain_type = typed.span_type, typed.chain_type
    given, got = _content(attributes, "input.value"), _content(attributes, "output.value")
    tokens = _tokens(attributes)
    if kind in ("LLM", "") and _is_call(attributes, kind):
        facts.tokens = tokens
        _read_call(span, facts, given, got)
    elif kind == "EMBEDDING":
        facts.tokens = tokens
        facts.provider = as_text(first_of(attributes, ("llm.provider", "llm.system")))
        facts.model = as_text(first_of(attributes, _MODELS))
        _read_cost(attributes, facts)
    else:
        facts.agent_tokens = tokens  # of an agent's or a chain's own: the sum over the calls below it
        _read_step(span, facts, kind, given, got)
    return facts


def _is_call(attributes: Mapping[str, Any], kind: str) -> bool:
    return kind == "LLM" or first_of(attributes, _MODELS[:3]) is not None


def _content(attributes: Mapping[str, Any], key: str) -> Any:
    value = attributes.get(key)
    return None if value == REDACTED or value == "" else value


# ---------------------------------------------------------------- a call of a model


def _read_call(span: OtlpSpan, facts: Facts, given: Any, got: Any) -> None:
    attributes = span.attributes
    # a custom base URL leaves only llm.system
    facts.provider = as_text(first_of(attributes, ("llm.provider", "llm.system")))
    facts.model = as_text(first_of(attributes, _MODELS))
    facts.finish_reason = as_text(attributes.get("llm.finish_reason"))
    parameters = as_dict(attributes.get("llm.invocation_parameters"))
    if parameters is not None:
        facts.request_model = as_text(first_of(parameters, ("model", "model_name")))
        read_options(facts, parameters)
    facts.request_model = as_text(attributes.get("llm.request.model_name")) or facts.request_model
    body = as_dict(given)
    if body is not None and is_request(body):
        read_request(facts, body)
    facts.prompt = facts.prompt or _prompt(attributes) or _prompt_of_input(given)
    facts.tools = facts.tools or tools_of([_schema(one) for one in indexed(attributes, "llm.tools")]) or None
    _read_answer(attributes, facts, got)
    facts.model = facts.model or facts.request_model  # a call that failed has no llm.model_name
    _read_cost(attributes, facts)
    first = next((event.time_ns for event in span.events if event.name == _FIRST_TOKEN), None)
    if first is not None and first >= span.start_ns:
        facts.ttft_ms = (first - span.start_ns) / 1e6
        facts.stream = True


def _prompt(attributes: Mapping[str, Any]) -> list[Message]:
    messages = messages_of([_message(one) for one in indexed(attributes, "llm.input_messages")])
    if messages:
        return messages
    return messages_of([_text_of(one, "prompt") for one in indexed(attributes, "llm.prompts")])


def _prompt_of_input(given: Any) -> list[Message] | None:
    body = as_dict(given)
    if body is not None:
        return prompt_of(body) or None
    return messages_of(given) or None


def _read_answer(attributes: Mapping[str, Any], facts: Facts, got: Any) -> None:
    said = [_message(one) for one in indexed(attributes, "llm.output_messages")]
    if said:
        first = answer_of(said)
        facts.completion, facts.reasoning, facts.tool_calls = first.completion, first.reasoning, first.tool_calls
    else:
        choices = indexed(attributes, "llm.choices")
        facts.completion = as_text(_text_of(choices[0], "completion")) if choices else None
    body = parsed(got)
    if isinstance(body, dict):
        read_answer(facts, body)
    elif facts.completion is None and not facts.tool_calls:
        facts.completion = answer_of(got).completion


def _message(entry: Any) -> dict[str, Any]:
    """One of `llm.input_messages` as OpenAI has it."""
    said = as_dict(entry.get("message")) if isinstance(entry, dict) else None
    if said is None:
        return {"role": "user", "content": as_words(entry) or ""}
    message = {name: said[name] for name in ("role", "name", "tool_call_id", "content") if said.get(name) is not None}
    contents = said.get("contents")
    if isinstance(contents, list):
        message["content"] = [_part(one) for one in contents]
    calls = said.get("tool_calls")
    if isinstance(calls, list):
        message["tool_calls"] = calls
    elif as_text(said.get("function_call_name")):
        message["tool_calls"] = [tool_call(None, said["function_call_name"], said.get("function_call_arguments_json"))]
    return message


def _part(entry: Any) -> Any:
    """One of `message.contents` as OpenAI or its provider has it."""
    part = as_dict(entry.get("message_content")) if isinstance(entry, dict) else None
    if part is None:
        return entry
    image = part.get("image")
    if isinstance(image, dict):  # message_content.image.image.url
        inner = image.get("image")
        return {**part, "type": "image", "image": inner if isinstance(inner, dict) else image}
    return {"type": "text", **part}


def _text_of(entry: Any, name: str) -> Any:
    """`prompt.text` of one of `llm.prompts`, `completion.text` of one of `llm.choices`."""
    if not isinstance(entry, dict):
        return entry
    inner = entry.get(name)
    return inner.get("text") if isinstance(inner, dict) else inner


def _schema(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    tool = entry.get("tool")
    return tool.get("json_schema") if isinstance(tool, dict) else tool


def _tokens(attributes: Mapping[str, Any]) -> Tokens | None:
    def count(name: str) -> int | None:
        return as_count(attributes.get(f"llm.token_count.{name}"))

    tokens = Tokens(
        input=count("prompt"),
        output=count("completion"),
        total=count("total"),
        cache_read=count("prompt_details.cache_read"),
        cache_write=count("prompt_details.cache_write"),
        reasoning=count("completion_details.reasoning"),
    )
    return tokens if tokens != Tokens() else None


def _read_cost(attributes: Mapping[str, Any], facts: Facts) -> None:
    total = as_number(attributes.get("llm.cost.total"))
    if total is not None:
        facts.cost_usd, facts.cost_source = float(total), "llm.cost.total"
        return
    parts = [as_number(attributes.get(name)) for name in ("llm.cost.prompt", "llm.cost.completion")]
    if all(part is not None for part in parts):
        facts.cost_usd = float(sum(part for part in parts if part is not None))
        facts.cost_source = "llm.cost.prompt + llm.cost.completion"


# ---------------------------------------------------------------- a tool, an agent, a chain


def _read_step(span: OtlpSpan, facts: Facts, kind: str, given: Any, got: Any) -> None:
    attributes = span.attributes
    if kind == "TOOL":
        facts.tool_name = as_text(attributes.get("tool.name"))
        facts.tool_call_id = as_text(first_of(attributes, ("tool.id", "tool_call.id")))
        facts.tool_input = given if given is not None else attributes.get("tool.parameters")
        facts.tool_output = got
    elif kind == "AGENT":
        facts.step_name = as_text(first_of(attributes, _STEPS)) or as_text(span.name)
        facts.agent_input, facts.agent_output = given, got
    elif facts.span_type == "chain":
        facts.step_name = as_text(first_of(attributes, _STEPS))
        facts.chain_input = given if given is not None else attributes.get("reranker.query")
        facts.chain_output = _documents(attributes) or got


def _documents(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a retriever found, or a reranker put in order."""
    for prefix in ("retrieval.documents", "reranker.output_documents"):
        found = []
        for entry in indexed(attributes, prefix):
            document = entry.get("document") if isinstance(entry, dict) else None
            if isinstance(document, dict):
                metadata = document.get("metadata")
                found.append({**document, "metadata": parsed(metadata)} if metadata is not None else document)
        if found:
            return found
    return []
