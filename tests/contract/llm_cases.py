"""What is asked of the operations of LLM work, group by group (beacon.contract.llm_operations)."""

from __future__ import annotations

import json
from typing import Any

from tests.contract.cases import Ask, Case
from tests.fake_provider import FakeProvider, Received
from tests.fake_provider import Reply as FakeReply
from tests.processes import span

KEYS = "/v1/settings/api-keys"

SETTINGS: dict[str, Case] = {
    "list_keys": Case((Ask(KEYS),), {}),
    "put_key": Case(
        (
            Ask(KEYS, {"provider": "openai", "api_key": "sk-contract-0123456789"}),
            Ask(KEYS, {"provider": "my-server", "base_url": "http://127.0.0.1:9/v1"}),
            Ask(KEYS, {"provider": "my-server", "base_url": "https://models.example/v1", "api_key": "contract-key"}),
            Ask(KEYS, {"provider": "ollama"}),
        ),
        {
            400: (
                Ask(KEYS, {"provider": "nobody", "api_key": "sk-contract-0123456789"}),
                Ask(KEYS, {"provider": "other", "base_url": "ftp://models.example"}),
                Ask(KEYS, {"provider": "openai", "base_url": "https://user:word@models.example"}),
            ),
            422: (
                Ask(KEYS, {"provider": "openai", "api_key": ""}),
                Ask(KEYS, {"provider": "openai", "api_key": " \n"}),
                Ask(KEYS, {"provider": "openai"}),
                Ask(KEYS, {"provider": "openai", "api_key": "two words"}),
                Ask(KEYS, {"provider": "../openai", "api_key": "sk-contract-0123456789"}),
                Ask(KEYS, {}),
            ),
        },
    ),
    "delete_key": Case(
        (Ask(f"{KEYS}/openai"), Ask(f"{KEYS}/openai"), Ask(f"{KEYS}/my-server"), Ask(f"{KEYS}/ollama")),
        {400: (Ask(f"{KEYS}/nobody"), Ask(f"{KEYS}/open%2Fai"))},
    ),
}

FAKE = "fake"
"""The provider that answers in these tests: a server on this machine, which needs no key."""

ASK = [{"role": "user", "content": "Weather in Paris?"}]
GOOD, BROKEN = f"{FAKE}/good", f"{FAKE}/broken"


def key(name: str) -> dict[str, str]:
    return {"Idempotency-Key": name}


KEY_TEST: dict[str, Case] = {
    "test_key": Case(
        (Ask(f"{KEYS}/{FAKE}/test"),),
        {400: (Ask(f"{KEYS}/nobody/test"), Ask(f"{KEYS}/google/test"))},
    ),
    "list_models": Case((Ask("/v1/models"),), {}),
}

REPLAY: dict[str, Case] = {
    "replay": Case(
        (
            Ask("/v1/replay", {"span_id": "ask"}),
            Ask("/v1/replay", {"span_id": "ask", "trace_id": "llm", "n": 2}),
            Ask("/v1/replay", {"span_id": "ask", "modified_attributes": {"llm.prompt": "Hello", "llm.temperature": 0}}),
            Ask("/v1/replay", {"span_id": "ask"}, key("replay")),
            Ask("/v1/replay", {"span_id": "ask"}, key("replay")),
        ),
        {
            400: (
                Ask("/v1/replay", {"span_id": "none"}),
                Ask("/v1/replay", {"span_id": "tool"}),
                Ask("/v1/replay", {"span_id": "ask", "modified_attributes": {"llm.provider": "nobody"}}),
                Ask("/v1/replay", {"span_id": "ask", "modified_attributes": {"llm.prompt": ""}}),
                Ask("/v1/replay", {"span_id": "ask"}, key("x" * 201)),
            ),
            409: (Ask("/v1/replay", {"span_id": "ask", "n": 2}, key("replay")),),
            422: (
                Ask("/v1/replay", {"span_id": "ask", "n": 11}),
                Ask("/v1/replay", {"span_id": "/"}),
                Ask("/v1/replay", {"span_id": "ask", "modified_attributes": []}),
                Ask("/v1/replay", {}),
            ),
            502: (Ask("/v1/replay", {"span_id": "ask-broken"}),),
        },
    ),
    "list_replays": Case(
        (Ask("/v1/spans/ask/replays"), Ask("/v1/spans/ask/replays?trace_id=llm&limit=1&offset=1")),
        {
            404: (Ask("/v1/spans/none/replays"), Ask("/v1/spans/ask/replays?trace_id=first")),
            422: (Ask("/v1/spans/ask/replays?limit=0"),),
        },
    ),
}

CHAT = "/v1/playground/chat"
COMPARE = "/v1/playground/compare"
PROMPTS = "/v1/playground/compare-prompts"

PLAYGROUND: dict[str, Case] = {
    "chat": Case(
        (
            Ask(CHAT, {"model": GOOD, "messages": ASK}),
            Ask(CHAT, {"model": "good", "provider": FAKE, "messages": ASK, "conversation_id": "c1"}, key("chat")),
            Ask(CHAT, {"model": GOOD, "messages": ASK, "conversation_id": "c1", "system_prompt": "Be short."}),
        ),
        {
            400: (
                Ask(CHAT, {"model": "gemini-2.5-flash", "messages": ASK}),
                Ask(CHAT, {"model": GOOD, "provider": "nobody", "messages": ASK}),
            ),
            409: (Ask(CHAT, {"model": GOOD, "messages": ASK}, key("chat")),),
            422: (
                Ask(CHAT, {"model": GOOD, "messages": []}),
                Ask(CHAT, {"model": GOOD, "messages": [{"content": "who says this?"}]}),
                Ask(CHAT, {"messages": ASK}),
            ),
            502: (Ask(CHAT, {"model": BROKEN, "messages": ASK}),),
        },
    ),
    "compare_models": Case(
        (
            Ask(COMPARE, {"models": [GOOD, BROKEN], "messages": ASK}),
            Ask(COMPARE, {"models": [GOOD, GOOD], "messages": ASK, "params": {"temperature": 0}}, key("compare")),
        ),
        {
            400: (
                Ask(COMPARE, {"models": [GOOD], "messages": ASK}),
                Ask(COMPARE, {"models": [GOOD] * 11, "messages": ASK}),
                Ask(COMPARE, {"models": [GOOD, "gemini-2.5-flash"], "messages": ASK}),
            ),
            409: (Ask(COMPARE, {"models": [GOOD, BROKEN], "messages": ASK}, key("compare")),),
            422: (Ask(COMPARE, {"models": [GOOD, GOOD], "messages": [{"role": "?"}]}), Ask(COMPARE, {})),
            502: (Ask(COMPARE, {"models": [BROKEN, BROKEN], "messages": ASK}),),
        },
    ),
    "compare_prompts": Case(
        (
            Ask(PROMPTS, {"model": GOOD, "prompts": ["One?", "Two?"]}),
            Ask(PROMPTS, {"model": GOOD, "prompts": ["One?", "Two?"], "system_prompt": "Be short."}, key("prompts")),
        ),
        {
            400: (
                Ask(PROMPTS, {"model": GOOD, "prompts": ["One?"]}),
                Ask(PROMPTS, {"model": "gemini-2.5-flash", "prompts": ["One?", "Two?"]}),
            ),
            409: (Ask(PROMPTS, {"model": GOOD, "prompts": ["One?", "Two?"]}, key("prompts")),),
            422: (Ask(PROMPTS, {"model": GOOD, "prompts": ["One?", ""]}), Ask(PROMPTS, {"model": GOOD})),
            502: (Ask(PROMPTS, {"model": BROKEN, "prompts": ["One?", "Two?"]}),),
        },
    ),
}

DEMO: dict[str, Case] = {
    "list_scenarios": Case((Ask("/v1/demo/scenarios"),), {}),
    "run_demo": Case(
        (Ask("/v1/demo/run", {"scenario": "trip_planner"}, key("demo")),),
        {
            400: (Ask("/v1/demo/run", {"scenario": "none"}),),
            409: (Ask("/v1/demo/run", {"scenario": "code_reviewer"}, key("demo")),),
            422: (Ask("/v1/demo/run", {}),),
        },
    ),
}

TRACE, GARBLED = {"trace_id": "llm"}, {"trace_id": "garbled"}


def analysis(name: str, good: Any, other: Any, garbled: Any, missing: Any, invalid: Any) -> Case:
    """`other` is another good request; of `garbled` the model makes no sense."""
    path = f"/v1/analysis/{name}"
    return Case(
        (Ask(path, good), Ask(path, other, key(f"analysis {name}"))),
        {
            400: (Ask(path, missing),),
            409: (Ask(path, missing, key(f"analysis {name}")),),
            422: (Ask(path, invalid), Ask(path, {})),
            502: (Ask(path, garbled),),
        },
    )


ANALYSIS: dict[str, Case] = {
    "root_cause": analysis("root-cause", TRACE, TRACE, GARBLED, {"trace_id": "none"}, {"trace_id": 1}),
    "cost_optimization": analysis(
        "cost-optimization",
        {"trace_ids": ["llm"]},
        {"trace_ids": ["llm", "first"]},
        {"trace_ids": ["garbled"]},
        {"trace_ids": ["llm", "none"]},
        {"trace_ids": []},
    ),
    "prompt_suggestions": analysis(
        "prompt-suggestions",
        {"span_id": "ask"},
        {"span_id": "ask", "trace_id": "llm"},
        {"span_id": "ask-garbled"},
        {"span_id": "tool"},
        {"span_id": "/"},
    ),
    "anomalies": analysis("anomalies", TRACE, TRACE, GARBLED, {"trace_id": "none"}, {"trace_id": ""}),
    "error_patterns": analysis(
        "error-patterns",
        {"trace_ids": ["failed"]},
        {"trace_ids": ["failed", "llm"]},
        {"trace_ids": ["garbled"]},
        {"trace_ids": ["none"]},
        {"trace_ids": ["x"] * 51},
    ),
    "compare_traces": analysis(
        "compare",
        {"trace_id_a": "llm", "trace_id_b": "failed"},
        {"trace_id_a": "llm", "trace_id_b": "llm"},
        {"trace_id_a": "llm", "trace_id_b": "garbled"},
        {"trace_id_a": "llm", "trace_id_b": "none"},
        {"trace_id_a": "llm"},
    ),
    "summarize": analysis("summarize", TRACE, TRACE, GARBLED, {"trace_id": "none"}, {"trace_id": None}),
}

JOBS: dict[str, Case] = {
    "list_jobs": Case(
        (Ask("/v1/jobs"), Ask("/v1/jobs?state=done&limit=1&offset=1"), Ask("/v1/jobs?state=queued")),
        {422: (Ask("/v1/jobs?state=lost"), Ask("/v1/jobs?limit=0"))},
    ),
    "get_job": Case((Ask("/v1/jobs/{job}"),), {404: (Ask("/v1/jobs/none"), Ask("/v1/jobs/a%2Fb"))}),
    "cancel_job": Case((Ask("/v1/jobs/{job}"),), {404: (Ask("/v1/jobs/none"),)}),
}

LLM_CASES: dict[str, Case] = {**SETTINGS, **KEY_TEST, **REPLAY, **PLAYGROUND, **DEMO, **ANALYSIS, **JOBS}
"""Merged into the cases of every operation."""


# ---------------------------------------------------------------- what is stored, and what the model says

NO_SENSE = "XYZZY"
"""A word that runs of which the model makes no sense have in each of their texts."""


def llm_call(span_id: str, trace_id: str, model: str = "good", text: str = "Weather in Paris?") -> dict[str, Any]:
    attributes = {
        "llm.provider": FAKE,
        "llm.model": model,
        "llm.prompt": json.dumps([{"role": "user", "content": text}]),
        "llm.completion": f"Sunny. {text}",
        "llm.tokens.input": 12,
        "llm.tokens.output": 7,
        "llm.cost_usd": 0.25,
    }
    return span(span_id, trace_id, span_type="llm_call", name=f"ask {text}", attributes=attributes)


def failed_tool(span_id: str, trace_id: str, text: str = "no weather") -> dict[str, Any]:
    return span(span_id, trace_id, span_type="tool_use", name=text, status="error", error_message=text)


LLM_SPANS = [
    llm_call("ask", "llm"),
    llm_call("ask-broken", "llm", "broken"),
    llm_call("ask-failed", "failed"),
    failed_tool("tool-failed", "failed"),
    llm_call("ask-garbled", "garbled", text=NO_SENSE),
    failed_tool("tool-garbled", "garbled", NO_SENSE),
    # what is unusual in it is told to the model too: the same call, five times
    *(
        span(
            f"again-{i}",
            "garbled",
            span_type="tool_use",
            name=NO_SENSE,
            start_time=1_790_000_010.0 + i,
            end_time=1_790_000_010.5 + i,
            attributes={"tool.name": NO_SENSE, "tool.input": "same", "tool.output": "same"},
        )
        for i in range(5)
    ),
]

EVERY_ANALYSIS = {
    "root_cause": "The tool has no weather.",
    "affected_spans": [],
    "confidence": 0.5,
    "suggested_fix": "Give it weather.",
    "suggestions": [
        {
            "type": "model",
            "category": "clarity",
            "description": "Ask for less.",
            "estimated_savings_usd": 0.01,
            "affected_spans": ["ask"],
            "improved_prompt_snippet": "In one word.",
        }
    ],
    "patterns": [{"pattern_name": "No weather", "groups": ["E1"], "common_root_cause": "No data.", "category": "tool"}],
    "summary": "The agent asked for the weather.",
    "narrative": "Nothing is unusual.",
    "key_events": [],
    "divergence_points": [],
}
"""One answer that has what any analysis asks for."""


def what_the_model_says(received: Received) -> FakeReply:
    """`broken` fails; who analyses gets EVERY_ANALYSIS, or no JSON of a run that makes no sense."""
    if received.model == "broken":
        return FakeReply(status=500, error="out of order")
    if received.model == "analyst":
        return FakeReply(text="I see." if NO_SENSE in received.body.decode() else json.dumps(EVERY_ANALYSIS))
    return FakeReply()


def fake_provider() -> FakeProvider:
    """The model server of these tests; a context."""
    fake = FakeProvider()
    fake.default = what_the_model_says
    return fake
