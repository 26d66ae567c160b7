"""opentelemetry-sdk alone: an agent that writes its own spans by the GenAI semantic conventions.

`by_hand.py proto` exports protobuf, `by_hand.py json` JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import asked
import openai
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

if sys.argv[1] == "json":
    from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter
else:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

provider = TracerProvider(resource=Resource.create())
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("weather-agent", "1.0")
client = openai.OpenAI(max_retries=0)


def parts_of(message: dict[str, Any]) -> dict[str, Any]:
    """An OpenAI message as the conventions have it."""
    content = message["content"]
    parts: list[dict[str, Any]] = []
    if message["role"] == "tool":
        parts = [{"type": "tool_call_response", "id": message["tool_call_id"], "response": content}]
    elif isinstance(content, str):
        parts = [{"type": "text", "content": content}]
    elif content:
        for part in content:
            if part["type"] == "text":
                parts.append({"type": "text", "content": part["text"]})
            else:
                head, _, data = part["image_url"]["url"].partition(";base64,")
                mime = head.removeprefix("data:")
                parts.append({"type": "blob", "modality": "image", "mime_type": mime, "content": data})
    for call in message.get("tool_calls") or []:
        arguments = json.loads(call["function"]["arguments"])
        parts.append({"type": "tool_call", "id": call["id"], "name": call["function"]["name"], "arguments": arguments})
    return {"role": message["role"], "parts": parts}


def chat(messages: list[dict[str, Any]], stream: bool = False, **more: Any) -> dict[str, Any]:
    """One call in one span; the answer as a message."""
    with tracer.start_as_current_span(f"chat {asked.MODEL}", kind=trace.SpanKind.CLIENT) as span:
        span.set_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": asked.MODEL,
                "gen_ai.request.temperature": asked.TEMPERATURE,
                "gen_ai.request.max_tokens": asked.MAX_TOKENS,
                "gen_ai.conversation.id": asked.SESSION,
                "gen_ai.input.messages": json.dumps([parts_of(message) for message in messages]),
            }
        )
        if more:
            span.set_attribute(
                "gen_ai.tool.definitions",
                json.dumps([tool["function"] | {"type": "function"} for tool in more["tools"]]),
            )
        settings: dict[str, Any] = {"temperature": asked.TEMPERATURE, "max_tokens": asked.MAX_TOKENS, **more}
        if stream:
            settings |= {"stream": True, "stream_options": {"include_usage": True}}
        answer = client.chat.completions.create(model=asked.MODEL, messages=messages, **settings)
        if stream:
            text, finish, usage, model = "", "", None, ""
            for chunk in answer:
                span.add_event("chunk")
                model, usage = chunk.model, chunk.usage or usage
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    finish = choice.finish_reason or finish
            message = {"role": "assistant", "content": text}
        else:
            message = answer.choices[0].message.model_dump(exclude_none=True)
            message.setdefault("content", None)
            finish, usage, model = answer.choices[0].finish_reason, answer.usage, answer.model
        span.set_attributes(
            {
                "gen_ai.response.model": model,
                "gen_ai.response.finish_reasons": [finish],
                "gen_ai.output.messages": json.dumps([{**parts_of(message), "finish_reason": finish}]),
                "gen_ai.usage.input_tokens": usage.prompt_tokens,
                "gen_ai.usage.output_tokens": usage.completion_tokens,
                "gen_ai.usage.cache_read.input_tokens": usage.prompt_tokens_details.cached_tokens,
                "gen_ai.usage.reasoning.output_tokens": usage.completion_tokens_details.reasoning_tokens,
            }
        )
        return message


with tracer.start_as_current_span("invoke_agent weather") as agent:
    agent.set_attributes(
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "weather",
            "gen_ai.conversation.id": asked.SESSION,
            "user.id": asked.USER,
        }
    )
    messages = asked.asking()
    asks = chat(messages, tools=[asked.TOOL])
    call = asks["tool_calls"][0]
    with tracer.start_as_current_span("execute_tool get_weather") as span:
        report = asked.get_weather(**json.loads(call["function"]["arguments"]))
        span.set_attributes(
            {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": call["function"]["name"],
                "gen_ai.tool.call.id": call["id"],
                "gen_ai.tool.call.arguments": call["function"]["arguments"],
                "gen_ai.tool.call.result": report,
            }
        )
    messages += [asks, {"role": "tool", "tool_call_id": call["id"], "content": report}]
    chat(messages, tools=[asked.TOOL])
    chat(asked.counting(), stream=True)
    chat(asked.looking())
    try:
        chat(asked.refused())
    except openai.BadRequestError:
        pass
    else:
        raise AssertionError("the provider was to refuse this")
provider.shutdown()
