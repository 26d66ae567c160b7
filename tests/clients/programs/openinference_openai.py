"""openinference-instrumentation-openai, as its README has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import asked
from openinference.instrumentation import OITracer, TraceConfig, using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
OpenAIInstrumentor().instrument(tracer_provider=provider)
tracer = OITracer(provider.get_tracer("weather-agent"), config=TraceConfig())

from with_openai import converse  # noqa: E402 - openai is patched first


@contextmanager
def tool_span(name: str, call_id: str, arguments: str) -> Iterator[Callable[[str], None]]:
    with tracer.start_as_current_span(name, openinference_span_kind="tool") as span:
        span.set_tool(name=name, parameters={})
        span.set_attribute("tool.id", call_id)
        span.set_input(arguments, mime_type="application/json")
        yield span.set_output
        span.set_status("OK")


with (
    using_attributes(session_id=asked.SESSION, user_id=asked.USER),
    tracer.start_as_current_span("weather", openinference_span_kind="agent") as agent,
):
    agent.set_attribute("agent.name", "weather")
    agent.set_input(asked.QUESTION)
    converse(tool_span)
    agent.set_output("done")
provider.shutdown()
