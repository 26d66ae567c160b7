"""opentelemetry-instrumentation-openai (OpenLLMetry), old and new: the same lines."""

from __future__ import annotations

import asked
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
OpenAIInstrumentor().instrument()
tracer = trace.get_tracer("weather-agent")

from with_openai import converse  # noqa: E402 - openai is patched first

with tracer.start_as_current_span("weather.agent") as span:
    span.set_attribute("traceloop.span.kind", "agent")
    span.set_attribute("traceloop.entity.name", "weather")
    span.set_attribute("traceloop.association.properties.session_id", asked.SESSION)
    span.set_attribute("traceloop.association.properties.user_id", asked.USER)
    converse()
provider.shutdown()
