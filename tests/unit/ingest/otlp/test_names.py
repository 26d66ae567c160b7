"""Providers, reasons to stop, base URLs, and lists of numbered attributes."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ingest.otlp.base_urls import base_url_of, is_local_url
from ingest.otlp.finish import finish_reason
from ingest.otlp.indexed import INDEX_MAX, indexed, unflattened
from ingest.otlp.provider_names import canonical_provider, provider_of_host
from ingest.otlp.sources import framework_of


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (" OpenAI ", "openai"), ("open_ai", "openai"), ("gcp.gemini", "google"), ("gemini", "google"),
        ("google_ai_gemini", "google"), ("google", "google"), ("gcp.gen_ai", "google"),
        ("google.generative-ai", "google"), ("gcp.vertex_ai", "google"), ("vertex_ai", "google"),
        ("google.vertex.chat", "google"), ("google-vertex", "google"), ("aws.bedrock", "bedrock"),
        ("amazon-bedrock", "bedrock"), ("amazon_bedrock", "bedrock"), ("bedrock_converse", "bedrock"),
        ("aws", "bedrock"), ("amazon", "bedrock"), ("azure.ai.openai", "azure"), ("az.ai.openai", "azure"),
        ("azure-openai", "azure"), ("azure.ai.inference", "azure"), ("az.ai.inference", "azure"),
        ("mistral_ai", "mistral"), ("mistralai", "mistral"), ("mistral.chat", "mistral"), ("x_ai", "xai"),
        ("moonshot_ai", "moonshot"), ("together_ai", "together"), ("ibm.watsonx.ai", "watsonx"),
        ("openai.chat", "openai"), ("openai.responses", "openai"), ("anthropic.messages", "anthropic"),
        ("my-gateway.chat", "my-gateway"), ("api.x.ai", "xai"), ("api.deepseek.com", "deepseek"),
        ("my.company.gateway", "my.company.gateway"), ("lm-studio", "lmstudio"),
    ],
)  # fmt: skip
def test_providers(said: str, name: str) -> None:
    assert canonical_provider(said) == name
    assert canonical_provider(name) == name


def test_hosts_are_whole_names() -> None:
    assert provider_of_host("eu.api.openai.com") == "openai"
    assert provider_of_host("notopenai.com") is None
    assert provider_of_host("me.openai.azure.com") == "azure"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("tool_call", "tool_calls"), ("tool-calls", "tool_calls"), ("end_turn", "stop"), ("max_tokens", "length"),
        ("STOP", "stop"), ("FinishReason.MAX_TOKENS", "length"), ('["tool_calls"]', "tool_calls"),
        (["tool_use", "stop"], "tool_calls"), ([], None), ("", None), (None, None), (7, None), ("eaten", "eaten"),
    ],
)  # fmt: skip
def test_reasons_to_stop(said: Any, reason: str | None) -> None:
    assert finish_reason(said) == reason


@pytest.mark.parametrize(
    ("address", "port", "provider", "url"),
    [
        ("127.0.0.1", 8080, "openai", "http://127.0.0.1:8080/v1"),
        ("::1", 8080, None, "http://[::1]:8080/v1"),
        ("localhost", 4000, "anthropic", "http://localhost:4000"),
        ("api.openai.com", 443, "openai", "https://api.openai.com"),
        ("gateway.lan", 8443, "openai", "https://gateway.lan:8443"),
        ("https://api.openai.com/v1/", None, "openai", "https://api.openai.com/v1"),
        (None, 443, "openai", None),
        (7, 443, "openai", None),
        ("127.0.0.1", "x", "openai", "http://127.0.0.1/v1"),
    ],
)
def test_base_urls(address: Any, port: Any, provider: str | None, url: str | None) -> None:
    assert base_url_of(address, port, provider) == url


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:11434/v1", True), ("http://localhost/v1", True), ("http://[::1]:1/v1", True),
        ("http://127.0.0.1.evil.com/", False), ("https://api.openai.com", False), ("nonsense", False), ("", False),
        ("ftp://127.0.0.1", False),
    ],
)  # fmt: skip
def test_what_is_on_this_machine(url: str, local: bool) -> None:
    assert is_local_url(url) is local


@pytest.mark.parametrize(
    ("scope", "framework"),
    [
        ("pydantic-ai", "pydantic-ai"), ("openinference.instrumentation.crewai", "crewai"),
        ("opentelemetry.instrumentation.langchain", "langchain"), ("ai", "vercel-ai"), ("aiohttp", None),
        ("opentelemetry.instrumentation.openai.v1", None), ("opentelemetry.instrumentation.genai.openai", None),
        ("openinference.instrumentation.openai_agents", "openai_agents"), ("", None),
    ],
)  # fmt: skip
def test_frameworks(scope: str, framework: str | None) -> None:
    assert framework_of(scope) == framework


def test_numbered_attributes_are_lists_in_the_order_of_their_numbers() -> None:
    sent = {
        "p.10.role": "c",
        "p.2.role": "b",
        "p.0.role": "a",
        "p.2.calls.1.name": "y",
        "p.2.calls.0.name": "x",
        "q.0": 1,
    }
    assert indexed(sent, "p") == [{"role": "a"}, {"role": "b", "calls": [{"name": "x"}, {"name": "y"}]}, {"role": "c"}]
    assert unflattened(sent, "nothing") is None
    assert unflattened({"p.name": "a", "p.0": 1}, "p") == {"name": "a", "0": 1}


@pytest.mark.parametrize("keys", [("p.0", "p.0.role"), ("p.0.role", "p.0")])
def test_a_value_beside_deeper_names_is_kept(keys: tuple[str, ...]) -> None:
    assert indexed(dict.fromkeys(keys, "x"), "p") == [{"role": "x", "value": "x"}]


@pytest.mark.parametrize("index", [INDEX_MAX, 10**9, 10**40, "-1", "1e3", "²"])
def test_a_hostile_number_costs_nothing(index: Any) -> None:
    began = time.perf_counter()
    found = indexed({"p.0.role": "a", f"p.{index}.role": "b"}, "p")
    assert time.perf_counter() - began < 1
    assert found in ([{"role": "a"}], [])


def test_a_hostile_depth_costs_nothing() -> None:
    unflattened({"p." + "0." * 100_000 + "x": 1, "p.__proto__.x": 1}, "p")
