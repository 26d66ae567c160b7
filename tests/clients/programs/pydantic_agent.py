"""pydantic-ai with its own OpenTelemetry, without Logfire."""

from __future__ import annotations

import asked
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from pydantic_agent_steps import converse
from pydantic_ai import Agent

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
Agent.instrument_all()
tracer = trace.get_tracer("weather-agent")

with tracer.start_as_current_span("weather") as span:
    span.set_attribute("user.id", asked.USER)
    converse()
provider.shutdown()
