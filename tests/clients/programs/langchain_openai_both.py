"""LangChain's instrumentation and OpenAI's at once: both tell of each call."""

from __future__ import annotations

import asked
from openinference.instrumentation.langchain import LangChainInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
LangChainInstrumentor().instrument(tracer_provider=provider)
OpenAIInstrumentor().instrument(tracer_provider=provider)

from langchain_openai import ChatOpenAI  # noqa: E402 - openai is patched first

with provider.get_tracer("weather-agent").start_as_current_span("weather"):
    chat = ChatOpenAI(model=asked.MODEL, max_retries=0)
    chat.invoke(asked.QUESTION)
    for _ in chat.stream(asked.QUESTION, stream_usage=True):
        pass
provider.shutdown()
