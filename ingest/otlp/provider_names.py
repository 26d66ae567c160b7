"""The one name Beacon has for a provider of models, whatever an instrumentation calls it. Pure.

Names are those of OpenTelemetry's registry (gen_ai.provider.name, gen_ai.system), of the instrumentations that came
before it, and of hosts.
"""

from __future__ import annotations

from beacon.catalog import provider_named

NAMES = {
    "open_ai": "openai",
    "az.ai.openai": "azure",
    "azure.ai.openai": "azure",
    "azure-openai": "azure",
    "azure_openai": "azure",
    "azureopenai": "azure",
    "az.ai.inference": "azure",
    "azure.ai.inference": "azure",
    "azure_ai_inference": "azure",
    "gcp.gen_ai": "google",
    "google_ai_gemini": "google",
    "google.generative-ai": "google",
    "google_generativeai": "google",
    "google_genai": "google",
    "googleai": "google",
    "gemini": "google",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "vertex_ai": "google",
    "vertexai": "google",
    "google-vertex": "google",
    "google_vertexai": "google",
    "aws": "bedrock",
    "amazon": "bedrock",
    "aws.bedrock": "bedrock",
    "aws_bedrock": "bedrock",
    "bedrock_converse": "bedrock",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "x_ai": "xai",
    "x-ai": "xai",
    "moonshot_ai": "moonshot",
    "moonshotai": "moonshot",
    "together_ai": "together",
    "together.ai": "together",
    "togetherai": "together",
    "fireworks_ai": "fireworks",
    "ibm.watsonx.ai": "watsonx",
    "ibm_watsonx": "watsonx",
    "deep_seek": "deepseek",
    "lm_studio": "lmstudio",
    "lm-studio": "lmstudio",
    "llama_cpp": "llamacpp",
    "llama.cpp": "llamacpp",
    "hosted_vllm": "vllm",
}

PREFIXES = (
    ("google.vertex", "google"),
    ("google-vertex", "google"),
    ("amazon-bedrock", "bedrock"),
    ("amazon_bedrock", "bedrock"),
    ("mistral", "mistral"),
)

HOSTS = (
    ("openai.azure.com", "azure"),
    ("services.ai.azure.com", "azure"),
    ("models.inference.ai.azure.com", "azure"),
    ("openai.com", "openai"),
    ("anthropic.com", "anthropic"),
    ("generativelanguage.googleapis.com", "google"),
    ("aiplatform.googleapis.com", "google"),
    ("x.ai", "xai"),
    ("deepseek.com", "deepseek"),
    ("mistral.ai", "mistral"),
    ("groq.com", "groq"),
    ("openrouter.ai", "openrouter"),
    ("together.xyz", "together"),
    ("together.ai", "together"),
    ("fireworks.ai", "fireworks"),
    ("perplexity.ai", "perplexity"),
    ("cohere.com", "cohere"),
    ("cohere.ai", "cohere"),
    ("cerebras.ai", "cerebras"),
    ("moonshot.ai", "moonshot"),
    ("moonshot.cn", "moonshot"),
)

LOCAL = frozenset({"ollama", "lmstudio", "vllm", "llamacpp", "localai", "sglang", "mlx", "local"})
"""Programs that people run on machines of their own: what they answer costs nothing."""

CANONICAL = frozenset({"openai", "anthropic", *NAMES.values()})

APIS = frozenset(
    {"chat", "responses", "messages", "completion", "completions", "embedding", "embeddings", "image", "speech",
     "transcription", "text", "generative-ai"}
)  # fmt: skip
"""What the Vercel AI SDK adds to a provider's name, one that the user gave included."""

LENGTH_MAX = 200


def canonical_provider(said: str) -> str:
    """Beacon's name for the provider that `said` names; `said` itself, trimmed and in lower case, where it names none
    that is known. `openai.chat` and `anthropic.messages` name an API of it (Vercel AI SDK), `api.x.ai` its host."""
    name = said.strip().lower()
    if name in CANONICAL or len(name) > LENGTH_MAX:
        return name
    known = NAMES.get(name)
    if known is not None:
        return known
    for prefix, provider in PREFIXES:
        if name.startswith(prefix):
            return provider
    if "." in name:
        host = provider_of_host(name)
        if host is not None:
            return host
        first, _, rest = name.partition(".")
        if first and rest in APIS:
            name = first
    return NAMES.get(name, provider_named(name))


def provider_of_host(host: str) -> str | None:
    """Whose `host` it is: `eu.api.openai.com` is openai's."""
    host = host.strip().lower().rstrip(".")
    for known, provider in HOSTS:
        if host == known or host.endswith("." + known):
            return provider
    if host.startswith("bedrock") and host.endswith(".amazonaws.com"):
        return "bedrock"
    return None


def is_local(provider: str | None) -> bool:
    """Whether a canonical name is that of a program on the user's own machine."""
    return provider in LOCAL
