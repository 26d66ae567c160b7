"""opentelemetry-sdk with nothing but its defaults: one step that ends, then a wait for a line on standard input, then
another."""

from __future__ import annotations

import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("half-way")

with tracer.start_as_current_span("the whole"):
    with tracer.start_as_current_span("first half"):
        pass
    sys.stdout.write("half way\n")
    sys.stdout.flush()
    sys.stdin.readline()
    with tracer.start_as_current_span("second half"):
        pass
provider.shutdown()
