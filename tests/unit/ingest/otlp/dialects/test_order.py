"""Which dialect reads a span: over the cases of all of them."""

from __future__ import annotations

import statistics
import time
from typing import Any

import pytest

from ingest.otlp.mapping import DIALECTS
from ingest.otlp.records import OtlpSpan
from tests.unit.ingest.otlp.dialects import (
    test_claude_code,
    test_gemini_cli,
    test_langsmith,
    test_logfire,
    test_mcp,
    test_openinference,
    test_others,
    test_traceloop,
    test_vercel,
)
from tests.unit.ingest.otlp.dialects.spans import mapped, span

GENAI = {
    "chat": span(
        "chat gpt-4o-mini",
        {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "server.address": "127.0.0.1"},
        scope="opentelemetry.instrumentation.genai.openai",
    ),
    "by hand": span("call", {"gen_ai.request.model": "m"}),
}
PLAIN = {
    "http": span("GET /", {"http.request.method": "GET", "url.full": "http://x.test"}, scope="opentelemetry.fastapi"),
    "nothing": span("work", {}),
    "a session": span("GET /", {"session.id": "s-1", "http.request.method": "GET"}),
}

CASES = {
    "claude_code": test_claude_code.CASES,
    "gemini_cli": test_gemini_cli.CASES,
    "langsmith": test_langsmith.CASES,
    "logfire": test_logfire.CASES,
    "mcp": test_mcp.CASES,
    "openinference": test_openinference.CASES,
    "others": test_others.CASES,
    "traceloop": test_traceloop.CASES,
    "vercel": test_vercel.CASES,
    "genai": GENAI,
    "plain": PLAIN,
}
TABLE = [
    pytest.param(dialect, one, id=f"{dialect}: {name}")
    for dialect, cases in CASES.items()
    for name, one in cases.items()
]

SUMS = {
    "gen_ai.usage.input_tokens": 5,
    "gen_ai.usage.output_tokens": 1,
    "llm.token_count.prompt": 5,
    "ai.usage.inputTokens": 5,
    "mlflow.chat.tokenUsage": '{"input_tokens": 5}',
    "langfuse.observation.usage_details": '{"input": 5}',
}

ODD_VALUES: tuple[Any, ...] = (
    None, 7, -1.5, float("nan"), True, b"x", "x", "", [], {}, [[]], ["{"], [None], {"messages": 1}, {"type": []},
    '{"content": {"parts": 3}}', "[null]", '{"type": {}, "role": [], "name": {}}',
    '{"model": "m", "messages": [1, [2]]}',
)  # fmt: skip


@pytest.mark.parametrize(("dialect", "one"), TABLE)
def test_the_right_dialect_reads_it(dialect: str, one: OtlpSpan) -> None:
    assert mapped(one)["beacon.dialect"] == dialect


@pytest.mark.parametrize(("dialect", "one"), TABLE)
def test_any_one_value_may_be_another(dialect: str, one: OtlpSpan) -> None:
    for key in one.attributes:
        for value in ODD_VALUES:
            mapped(span(one.name, one.attributes | {key: value}, scope=one.scope.name))


@pytest.mark.parametrize(("dialect", "one"), TABLE)
def test_a_sum_over_calls_is_not_the_span_s_own(dialect: str, one: OtlpSpan) -> None:
    summed = span(one.name, one.attributes | SUMS, scope=one.scope.name)
    reader = next(known for known in DIALECTS if dialect == known.NAME)
    facts = reader.read(summed)
    if facts.span_type in ("agent_step", "chain"):
        assert facts.tokens is None
        assert not [key for key in mapped(summed) if key.startswith("llm.tokens.")]


def test_every_dialect_has_cases() -> None:
    assert {dialect.NAME for dialect in DIALECTS} == set(CASES)


def test_plain_is_asked_first_and_genai_last() -> None:
    assert (DIALECTS[0].NAME, DIALECTS[-1].NAME) == ("plain", "genai")


def test_to_find_the_dialect_is_cheap() -> None:
    spans = [one for cases in CASES.values() for one in cases.values()]
    taken = []
    for _ in range(20):
        before = time.process_time()
        for one in spans:
            next((dialect for dialect in DIALECTS if dialect.matches(one)), None)
        taken.append((time.process_time() - before) / len(spans))
    assert statistics.median(taken) < 50e-6
