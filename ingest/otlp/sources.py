"""What mapping needs of a resource and of a scope: worked out once for all the spans that share them. Pure."""

from __future__ import annotations

from msgspec import Struct

from beacon.contract.otlp_values import key_values
from ingest.otlp.provider_names import canonical_provider
from ingest.otlp.records import Resource, Scope
from ingest.otlp.values import as_text, as_words, json_text

TAG_PREFIX = "beacon.tag."
TRACE_NAME = "beacon.trace_name"

TAG_KEY_CHARS_MAX = 200
TAG_VALUE_CHARS_MAX = 2_000
"""As PUT /v1/traces/{id}/tags has it."""


class ReadResource(Struct):
    """`text` is the resource in OTLP's JSON form. `tags` came from an export of Beacon's; `exported` says that it is
    the resource of spans that were Beacon's own."""

    text: str
    service: str | None
    run_id: str | None
    language: str | None
    tags: dict[str, str]
    exported: bool


class ReadScope(Struct):
    """`framework` is what the scope's name says is traced."""

    text: str
    framework: str | None


def read_resource(resource: Resource) -> ReadResource:
    """`resource` read, the first time it is asked for."""
    found = resource.read
    if found is None:
        found = resource.read = _resource(resource)
    assert isinstance(found, ReadResource)
    return found


def _resource(resource: Resource) -> ReadResource:
    kept = {}
    tags: dict[str, str] = {}
    for key, value in resource.attributes.items():
        if key.startswith(TAG_PREFIX):
            words = value if isinstance(value, str) else as_words(value)  # a tag may be empty
            if words is not None:
                tags[key[len(TAG_PREFIX) :]] = words
        elif key != TRACE_NAME:
            kept[key] = value
    attributes = resource.attributes
    service = as_text(attributes.get("service.name"))
    body: dict[str, object] = {"resource": {"attributes": key_values(kept)}}
    if resource.dropped:
        body["resource"] = {"attributes": key_values(kept), "droppedAttributesCount": resource.dropped}
    if resource.schema_url:
        body["schemaUrl"] = resource.schema_url
    language = as_text(attributes.get("telemetry.sdk.language"))
    return ReadResource(
        text=json_text(body),
        service=service,
        run_id=as_text(attributes.get("beacon.run_id")),
        language=language[:100] if language else None,
        tags=bounded_tags(tags),
        exported=TRACE_NAME in attributes,
    )


def bounded_tags(tags: dict[str, str]) -> dict[str, str]:
    """Those of `tags` that a trace may have."""
    return {
        key: value
        for key, value in tags.items()
        if 0 < len(key) <= TAG_KEY_CHARS_MAX and len(value) <= TAG_VALUE_CHARS_MAX
    }


def read_scope(scope: Scope) -> ReadScope:
    """`scope` read, the first time it is asked for."""
    found = scope.read
    if found is None:
        found = scope.read = _scope(scope)
    assert isinstance(found, ReadScope)
    return found


def _scope(scope: Scope) -> ReadScope:
    inner: dict[str, object] = {}
    if scope.name:
        inner["name"] = scope.name
    if scope.version:
        inner["version"] = scope.version
    if scope.attributes:
        inner["attributes"] = key_values(scope.attributes)
    if scope.dropped:
        inner["droppedAttributesCount"] = scope.dropped
    body: dict[str, object] = {"scope": inner}
    if scope.schema_url:
        body["schemaUrl"] = scope.schema_url
    return ReadScope(text=json_text(body), framework=framework_of(scope.name))


_INSTRUMENTATIONS = ("openinference.instrumentation.", "opentelemetry.instrumentation.")
_FRAMEWORKS = {
    "pydantic-ai": "pydantic-ai",
    "pydantic_ai": "pydantic-ai",
    "livekit-agents": "livekit",
    "gcp.vertex.agent": "google-adk",
    "genkit-tracer": "genkit",
    "strands": "strands",
    "langsmith": "langchain",
}
_CLIENTS = frozenset(
    {"openai", "openai_v2", "anthropic", "google", "mistral", "bedrock", "cohere", "groq", "ollama", "together",
     "watsonx", "vertexai", "google_genai", "google_generativeai", "litellm", "replicate", "voyageai", "azure", "genai",
     "mcp", "requests", "httpx", "urllib3", "aiohttp_client", "fastapi", "flask", "asgi", "threading", "sqlite3"}
)  # fmt: skip
"""Clients of providers and the rest of a program: no framework of agents."""


def framework_of(scope_name: str) -> str | None:
    """The framework whose spans come in a scope of this name: `openinference.instrumentation.crewai` → crewai."""
    for prefix, framework in _FRAMEWORKS.items():
        if scope_name.startswith(prefix):
            return framework
    if scope_name == "ai":
        return "vercel-ai"
    for prefix in _INSTRUMENTATIONS:
        if scope_name.startswith(prefix):
            name = scope_name[len(prefix) :].removeprefix("genai.").split(".", 1)[0]
            return None if not name or name in _CLIENTS or canonical_provider(name) in _CLIENTS else name
    return None
