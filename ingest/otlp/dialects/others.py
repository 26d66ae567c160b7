"""Frameworks with a few attributes of their own beside, or instead of, OpenTelemetry's: Google's ADK, LiveKit Agents,
Genkit, MLflow, Langfuse, Laminar, Raindrop. One reader for each; the first whose mark a span bears is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ingest.otlp.dialects import genai
from ingest.otlp.dialects.frameworks import adk, genkit, laminar, langfuse, livekit, mlflow, raindrop
from ingest.otlp.facts import Facts
from ingest.otlp.records import OtlpSpan
from ingest.otlp.span_types import span_type_of

NAME = "others"


class Framework(NamedTuple):
    name: str
    scopes: tuple[str, ...]  # what the scope's name starts with
    markers: frozenset[str]  # one of these attributes is there
    read: Callable[[OtlpSpan, Facts], None]  # adds to what `genai.read` found


def matches(span: OtlpSpan) -> bool:
    return _framework(span) is not None


def read(span: OtlpSpan) -> Facts:
    facts = genai.read(span)
    framework = _framework(span)
    if framework is not None:
        typed = span_type_of(span.attributes, span.name)
        facts.span_type, facts.chain_type = typed.span_type, typed.chain_type
        framework.read(span, facts)
        if facts.span_type in ("agent_step", "tool_use", "chain"):
            facts.framework = framework.name
        if facts.span_type in ("agent_step", "chain"):  # a sum over the calls below
            facts.agent_tokens, facts.tokens = facts.agent_tokens or facts.tokens, None
    return facts


def _framework(span: OtlpSpan) -> Framework | None:
    scope = span.scope.name
    attributes = span.attributes
    for framework in FRAMEWORKS:
        if scope.startswith(framework.scopes) or not framework.markers.isdisjoint(attributes):
            return framework
    return None


FRAMEWORKS = (
    Framework(
        "mlflow",
        ("mlflow",),
        frozenset({"mlflow.spanType", "mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.traceRequestId"}),
        mlflow.read,
    ),
    Framework(
        "langfuse",
        ("langfuse-sdk", "langfuse."),
        frozenset({"langfuse.observation.type", "langfuse.observation.input", "langfuse.observation.output"}),
        langfuse.read,
    ),
    Framework(
        "google-adk",
        ("gcp.vertex.agent",),
        frozenset({
            "gcp.vertex.agent.llm_request", "gcp.vertex.agent.tool_call_args", "gcp.vertex.agent.session_id",
            "gcp.vertex.agent.event_id", "gcp.vertex.agent.invocation_id",
        }),
        adk.read,
    ),
    Framework(
        "livekit",
        ("livekit-agents",),
        frozenset({
            "lk.chat_ctx", "lk.pii.chat_ctx", "lk.function_tool.name", "lk.response.text", "lk.pii.response.text",
            "lk.agent_name", "lk.user_input",
        }),
        livekit.read,
    ),
    Framework(
        "genkit",
        ("genkit-tracer", "genkit"),
        frozenset({"genkit:name", "genkit:type", "genkit:metadata:subtype", "genkit:path"}),
        genkit.read,
    ),
    Framework("laminar", ("lmnr",), frozenset({"lmnr.span.type", "lmnr.span.path", "lmnr.span.input"}), laminar.read),
    Framework("raindrop", ("raindrop",), frozenset({"raindrop.span.kind"}), raindrop.read),
)  # fmt: skip
