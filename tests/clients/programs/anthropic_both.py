"""An SDK that tells of its calls itself, and an instrumentation that wraps it."""

from __future__ import annotations

import asked
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
AnthropicInstrumentor().instrument(tracer_provider=provider)

import anthropic  # noqa: E402 - patched first

with provider.get_tracer("weather-agent").start_as_current_span("weather"):
    client = anthropic.Anthropic(max_retries=0)
    question = {
        "model": "claude-haiku-4-5",
        "max_tokens": 200,
        "messages": [{"role": "user", "content": asked.QUESTION}],
    }
    for _ in range(2):
        client.messages.create(**question)
provider.shutdown()
