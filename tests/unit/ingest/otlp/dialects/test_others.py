from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from tests.unit.ingest.otlp.dialects.spans import START_NS, conversation, junk, mapped, span

ADK_CALL: dict[str, Any] = {
    "gen_ai.system": "gcp.vertex.agent",
    "gen_ai.request.model": "gemini-2.5-flash",
    "gcp.vertex.agent.invocation_id": "e-1",
    "gcp.vertex.agent.session_id": "s-1",
    "gcp.vertex.agent.event_id": "ev-1",
    "gcp.vertex.agent.llm_request": json.dumps(
        {
            "model": "gemini-2.5-flash",
            "config": {
                "system_instruction": "Be brief.",
                "max_output_tokens": 40,
                "tools": [{"function_declarations": [{"name": "lookup", "parameters": {"type": "OBJECT"}}]}],
            },
            "contents": [{"role": "user", "parts": [{"text": "Capital of Peru?"}]}],
        }
    ),
    "gcp.vertex.agent.llm_response": json.dumps(
        {"content": {"role": "model", "parts": [{"function_call": {"id": "a", "name": "lookup", "args": {"q": 1}}}]},
         "usage_metadata": {"prompt_token_count": 50, "candidates_token_count": 9, "total_token_count": 64,
                            "thoughts_token_count": 5}}
    ),
    "gen_ai.response.finish_reasons": ["stop"],
}  # fmt: skip
LIVEKIT_NODE: dict[str, Any] = {
    "lk.chat_ctx": json.dumps(
        {
            "items": [
                {"id": "m1", "type": "message", "role": "system", "content": ["Be brief."]},
                {"id": "m2", "type": "message", "role": "user", "content": ["Capital of Peru?"]},
                {"id": "f1", "type": "function_call", "call_id": "c1", "name": "lookup", "arguments": "{}"},
                {"id": "f2", "type": "function_call_output", "call_id": "c1", "name": "lookup", "output": "Lima"},
            ]
        }
    ),
    "lk.function_tools": ["lookup"],
    "lk.response.text": "Lima.",
    "lk.response.function_calls": [],
    "lk.response.ttft": 0.25,
}
GENKIT_MODEL: dict[str, Any] = {
    "genkit:name": "googleai/gemini-2.5-flash",
    "genkit:type": "action",
    "genkit:metadata:subtype": "model",
    "genkit:path": "/{flow,t:flow}/{googleai/gemini-2.5-flash,t:action,s:model}",
    "genkit:state": "success",
    "genkit:input": json.dumps(
        {
            "messages": [
                {"role": "system", "content": [{"text": "Be brief."}]},
                {"role": "user", "content": [{"text": "What is it?"},
                                             {"media": {"url": "data:image/png;base64,AAAA",
                                                        "contentType": "image/png"}}]},
                {"role": "model", "content": [{"toolRequest": {"ref": "r1", "name": "look", "input": {"q": 1}}}]},
                {"role": "tool", "content": [{"toolResponse": {"ref": "r1", "name": "look", "output": "a map"}}]},
            ],
            "config": {"temperature": 0.5, "maxOutputTokens": 40},
            "tools": [{"name": "look", "description": "Look.", "inputSchema": {"type": "object"}}],
            "output": {"format": "json", "schema": {"type": "object"}},
        }
    ),
    "genkit:output": json.dumps(
        {"message": {"role": "model", "content": [{"reasoning": "Hm."}, {"text": "A map."}]}, "finishReason": "stop",
         "usage": {"inputTokens": 50, "outputTokens": 9, "totalTokens": 59}}
    ),
}  # fmt: skip
MLFLOW_CALL: dict[str, Any] = {
    "mlflow.traceRequestId": '"tr-1"',
    "mlflow.spanType": '"CHAT_MODEL"',
    "mlflow.spanInputs": '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}], "seed": 1}',
    "mlflow.spanOutputs": json.dumps(
        {"model": "gpt-4o-mini-x", "choices": [{"message": {"role": "assistant", "content": "Hello"},
                                                "finish_reason": "stop"}]}
    ),
    "mlflow.chat.tokenUsage": '{"input_tokens": 3, "output_tokens": 1, "total_tokens": 4, '
    '"cache_read_input_tokens": 2}',
    "mlflow.llm.cost": '{"input_cost": 0.1, "output_cost": 0.2, "total_cost": 0.3}',
    "mlflow.llm.model": '"gpt-4o-mini-x"',
    "mlflow.llm.provider": '"openai"',
    "mlflow.chat.tools": '[{"type": "function", "function": {"name": "t", "parameters": {}}}]',
    "mlflow.trace.session": '"s-1"',
}  # fmt: skip
LANGFUSE_CALL: dict[str, Any] = {
    "langfuse.observation.type": "generation",
    "langfuse.observation.model.name": "gpt-4o-mini",
    "langfuse.observation.model.parameters": '{"temperature": 0.5, "max_tokens": 40, "top_p": 1}',
    "langfuse.observation.input": '[{"role": "user", "content": "Hi"}]',
    "langfuse.observation.output": '{"role": "assistant", "content": "Hello"}',
    "langfuse.observation.usage_details": '{"input": 38, "input_cached_tokens": 12, "output": 6, '
    '"output_reasoning_tokens": 3, "total": 59}',
    "langfuse.observation.cost_details": '{"input": 0.1, "output": 0.2, "total": 0.3}',
    "langfuse.observation.completion_start_time": '"2026-11-22T19:08:23.250000Z"',
    "langfuse.trace.tags": ["beta"],
    "langfuse.environment": "test",
    "session.id": "s-1",
    "user.id": "u-1",
}
LAMINAR_CALL: dict[str, Any] = {
    "lmnr.span.type": "LLM",
    "lmnr.span.path": ["plan", "openai.chat"],
    "lmnr.association.properties.session_id": "s-1",
    "lmnr.association.properties.user_id": "u-1",
    "lmnr.association.properties.metadata.plan": "pro",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.prompt.0.role": "user",
    "gen_ai.prompt.0.content": "Hi",
    "gen_ai.completion.0.content": "Hello",
    "gen_ai.usage.input_tokens": 3,
    "gen_ai.usage.output_tokens": 1,
    "gen_ai.usage.cost": 0.3,
}
RAINDROP_TOOL: dict[str, Any] = {
    "raindrop.span.kind": "tool_call",
    "raindrop.tool.name": "lookup",
    "traceloop.entity.name": "lookup",
    "traceloop.entity.input": '{"q": 1}',
    "traceloop.entity.output": "Lima",
    "traceloop.association.properties.convo_id": "s-1",
}

CASES = {
    "adk": span("call_llm", ADK_CALL, scope="gcp.vertex.agent"),
    "livekit": span("llm_node", LIVEKIT_NODE, scope="livekit-agents"),
    "genkit": span("googleai/gemini-2.5-flash", GENKIT_MODEL, scope="genkit-tracer"),
    "mlflow": span("Completions", MLFLOW_CALL, scope="mlflow.openai"),
    "langfuse": span("generation", LANGFUSE_CALL, scope="langfuse-sdk"),
    "laminar": span("openai.chat", LAMINAR_CALL, scope="lmnr.sdk"),
    "raindrop": span("lookup", RAINDROP_TOOL, scope="raindrop"),
}


@pytest.mark.parametrize("name", CASES)
def test_originals_stay(name: str) -> None:
    found = mapped(CASES[name])
    attributes = CASES[name].attributes
    assert {key: found[key] for key in attributes} == attributes
    assert found["beacon.dialect"] == "others"


# ---------------------------------------------------------------- Google's ADK


def test_adk_calls_a_model() -> None:
    found = mapped(CASES["adk"])
    assert found["span_type"] == "llm_call"
    assert (found["llm.provider"], found["llm.model"]) == ("google", "gemini-2.5-flash")
    assert conversation(found) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Capital of Peru?"},
    ]
    assert found["llm.max_tokens"] == 40
    assert conversation(found, "llm.tools")[0]["function"]["name"] == "lookup"
    assert conversation(found, "llm.tool_calls")[0]["function"] == {"name": "lookup", "arguments": '{"q":1}'}
    assert [found[f"llm.tokens.{n}"] for n in ("input", "output", "total", "reasoning")] == [50, 14, 64, 5]
    assert found["session.id"] == "s-1"


def test_adk_keeps_quiet() -> None:
    quiet = ADK_CALL | {"gcp.vertex.agent.llm_request": "{}", "gcp.vertex.agent.llm_response": "{}"}
    found = mapped(span("call_llm", quiet, scope="gcp.vertex.agent"))
    assert "llm.prompt" not in found
    assert "llm.completion" not in found


def test_adk_uses_a_tool() -> None:
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "lookup",
        "gen_ai.tool.call.id": "a",
        "gen_ai.agent.name": "guide",
        "gcp.vertex.agent.tool_call_args": '{"q": 1}',
        "gcp.vertex.agent.tool_response": '{"city": "Lima"}',
        "gcp.vertex.agent.llm_request": "{}",
        "gcp.vertex.agent.llm_response": "{}",
    }
    found = mapped(span("execute_tool lookup", attributes, scope="gcp.vertex.agent"))
    assert (found["span_type"], found["name"], found["tool.framework"]) == ("tool_use", "lookup", "google-adk")
    assert (json.loads(found["tool.input"]), json.loads(found["tool.output"])) == ({"q": 1}, {"city": "Lima"})
    silent = attributes | {"gcp.vertex.agent.tool_call_args": "N/A", "gcp.vertex.agent.tool_response": "{}"}
    found = mapped(span("execute_tool lookup", silent, scope="gcp.vertex.agent"))
    assert "tool.input" not in found
    assert "tool.output" not in found


def test_adk_runs_an_agent() -> None:
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "guide",
        "gen_ai.conversation.id": "s-1",
    }
    found = mapped(span("invoke_agent guide", attributes, scope="gcp.vertex.agent"))
    assert (found["span_type"], found["agent.step_name"]) == ("agent_step", "guide")
    assert (found["agent.framework"], found["session.id"]) == ("google-adk", "s-1")


# ---------------------------------------------------------------- LiveKit


def test_livekit_has_a_node_above_its_call() -> None:
    found = mapped(CASES["livekit"])
    assert (found["span_type"], found["chain.type"], found["agent.framework"]) == ("chain", "llm_node", "livekit")
    roles = [message["role"] for message in conversation(found, "chain.input")]
    assert roles == ["system", "user", "assistant", "tool"]
    assert found["chain.output"] == "Lima."


@pytest.mark.parametrize("pii", ["lk.", "lk.pii."])
def test_livekit_calls_a_model(pii: str) -> None:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 1,
        "lk.response.ttft": 0.25,
        f"{pii}chat_ctx": LIVEKIT_NODE["lk.chat_ctx"],
        f"{pii}response.function_calls": [
            json.dumps({"type": "function_call", "id": "x", "call_id": "c2", "name": "lookup", "arguments": '{"q":1}'})
        ],
    }
    found = mapped(span("llm_request", attributes, scope="livekit-agents"))
    assert (found["span_type"], found["llm.tokens.total"], found["llm.ttft_ms"]) == ("llm_call", 4, 250.0)
    system, user, assistant, tool = conversation(found)
    assert (system["content"], user["content"]) == ("Be brief.", "Capital of Peru?")
    assert assistant["tool_calls"][0]["id"] == tool["tool_call_id"] == "c1"
    assert conversation(found, "llm.tool_calls") == [
        {"id": "c2", "type": "function", "function": {"name": "lookup", "arguments": '{"q":1}'}}
    ]


@pytest.mark.parametrize("pii", ["lk.", "lk.pii."])
def test_livekit_uses_a_tool(pii: str) -> None:
    attributes = {
        "lk.function_tool.id": "c1",
        "lk.function_tool.name": "lookup",
        f"{pii}function_tool.arguments": '{"q":1}',
        f"{pii}function_tool.output": "no such city",
        "lk.function_tool.is_error": True,
    }
    found = mapped(span("function_tool", attributes, scope="livekit-agents"))
    assert (found["span_type"], found["name"], found["tool.call_id"]) == ("tool_use", "lookup", "c1")
    assert (found["tool.input"], found["tool.output"]) == ('{"q":1}', "no such city")
    assert (found["status"], found["error_message"]) == ("error", "no such city")
    fine = mapped(span("function_tool", attributes | {"lk.function_tool.is_error": False}, scope="livekit-agents"))
    assert fine["status"] == "ok"


def test_livekit_takes_turns() -> None:
    found = mapped(span("agent_turn", {"lk.agent_label": "guide", "lk.user_input": "Hi"}, scope="livekit-agents"))
    assert (found["span_type"], found["agent.step_name"], found["agent.input"]) == ("agent_step", "guide", "Hi")


# ---------------------------------------------------------------- Genkit


def test_genkit_calls_a_model() -> None:
    found = mapped(CASES["genkit"])
    assert found["span_type"] == "llm_call"
    assert (found["llm.provider"], found["llm.model"]) == ("google", "gemini-2.5-flash")
    system, user, assistant, tool = conversation(found)
    assert system == {"role": "system", "content": "Be brief."}
    assert user["content"][1] == {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert assistant["tool_calls"][0] == {
        "id": "r1", "type": "function", "function": {"name": "look", "arguments": '{"q":1}'},
    }  # fmt: skip
    assert (tool["tool_call_id"], tool["content"]) == ("r1", "a map")
    assert (found["llm.completion"], found["llm.reasoning"]) == ("A map.", "Hm.")
    assert (found["llm.temperature"], found["llm.max_tokens"]) == (0.5, 40)
    assert conversation(found, "llm.tools")[0]["function"]["parameters"] == {"type": "object"}
    assert conversation(found, "llm.response_format")["json_schema"]["schema"] == {"type": "object"}
    assert (found["llm.tokens.total"], found["llm.finish_reason"]) == (59, "stop")
    thought = {"genkit:output": '{"usage": {"inputTokens": 50, "outputTokens": 9, "thoughtsTokens": 5}}'}
    found = mapped(span("x", GENKIT_MODEL | thought, scope="genkit-tracer"))
    assert (found["llm.tokens.output"], found["llm.tokens.reasoning"]) == (14, 5)


@pytest.mark.parametrize(
    ("subtype", "span_type", "given", "got"),
    [
        ("tool", "tool_use", "tool.input", "tool.output"),
        ("flow", "chain", "chain.input", "chain.output"),
        ("retriever", "chain", "chain.input", "chain.output"),
        ("agent", "agent_step", "agent.input", "agent.output"),
    ],
)
def test_other_actions_of_genkit(subtype: str, span_type: str, given: str, got: str) -> None:
    attributes = {"genkit:name": "look", "genkit:metadata:subtype": subtype, "genkit:input": "1", "genkit:output": "2",
                  "genkit:state": "error"}  # fmt: skip
    found = mapped(span("look", attributes, scope="genkit-tracer"))
    assert (found["span_type"], found[given], found[got]) == (span_type, "1", "2")
    assert found["status"] == "error"


# ---------------------------------------------------------------- MLflow


def test_mlflow_calls_a_model() -> None:
    found = mapped(CASES["mlflow"])
    assert found["span_type"] == "llm_call"
    assert (found["llm.provider"], found["llm.model"]) == ("openai", "gpt-4o-mini-x")
    assert conversation(found) == [{"role": "user", "content": "Hi"}]
    assert conversation(found, "llm.params") == {"seed": 1}
    assert (found["llm.completion"], found["llm.finish_reason"]) == ("Hello", "stop")
    assert (found["llm.tokens.total"], found["llm.tokens.cache_read"]) == (4, 2)
    assert (found["llm.cost_usd"], found["llm.cost_source"]) == (0.3, "mlflow.llm.cost")
    assert conversation(found, "llm.tools")[0]["function"]["name"] == "t"
    assert found["session.id"] == "s-1"


@pytest.mark.parametrize(
    ("kind", "span_type", "chain_type"),
    [
        ("LLM", "llm_call", None),
        ("TOOL", "tool_use", None),
        ("AGENT", "agent_step", None),
        ("CHAIN", "chain", None),
        ("RETRIEVER", "chain", "retriever"),
        ("EMBEDDING", "custom", None),
        ("UNKNOWN", "custom", None),
    ],
)
def test_types_of_mlflow(kind: str, span_type: str, chain_type: str | None) -> None:
    found = mapped(
        span("f", {"mlflow.spanType": f'"{kind}"', "mlflow.spanInputs": '{"q": 1}', "mlflow.spanOutputs": '"ok"'})
    )
    assert (found["span_type"], found.get("chain.type")) == (span_type, chain_type)
    key = {"tool_use": "tool", "agent_step": "agent", "chain": "chain"}.get(span_type)
    if key is not None:
        assert (found[f"{key}.input"], found[f"{key}.output"]) == ('{"q":1}', "ok")


# ---------------------------------------------------------------- Langfuse


def test_langfuse_calls_a_model() -> None:
    found = mapped(CASES["langfuse"])
    assert (found["span_type"], found["llm.model"]) == ("llm_call", "gpt-4o-mini")
    assert conversation(found) == [{"role": "user", "content": "Hi"}]
    assert found["llm.completion"] == "Hello"
    assert (found["llm.temperature"], found["llm.max_tokens"]) == (0.5, 40)
    # each kind of token is counted apart there
    assert [found[f"llm.tokens.{n}"] for n in ("input", "output", "total", "cache_read", "reasoning")] == [
        50, 9, 59, 12, 3,
    ]  # fmt: skip
    assert found["llm.cost_usd"] == 0.3
    assert found["llm.ttft_ms"] == (1_795_374_503_250_000_000 - START_NS) / 1e6
    assert found["tags"] == {"beta": "true", "environment": "test"}


def test_langfuse_with_counts_given_by_hand() -> None:
    counts = {
        "langfuse.observation.usage_details": '{"input": 50, "output": 9, "total": 59, "input_cached_tokens": 32}'
    }
    found = mapped(span("g", LANGFUSE_CALL | counts, scope="langfuse-sdk"))
    assert [found[f"llm.tokens.{n}"] for n in ("input", "output", "total", "cache_read")] == [50, 9, 59, 32]


@pytest.mark.parametrize(
    ("kind", "span_type", "key"),
    [
        ("tool", "tool_use", "tool"),
        ("agent", "agent_step", "agent"),
        ("span", "chain", "chain"),
        ("chain", "chain", "chain"),
    ],
)
def test_types_of_langfuse(kind: str, span_type: str, key: str) -> None:
    attributes = {
        "langfuse.observation.type": kind,
        "langfuse.observation.input": "in",
        "langfuse.observation.output": "out",
        "langfuse.observation.level": "ERROR",
        "langfuse.observation.status_message": "it broke",
    }
    found = mapped(span("step", attributes, scope="langfuse-sdk"))
    assert (found["span_type"], found[f"{key}.input"], found[f"{key}.output"]) == (span_type, "in", "out")
    assert (found["status"], found["error_message"]) == ("error", "it broke")


# ---------------------------------------------------------------- Laminar, Raindrop


def test_laminar() -> None:
    found = mapped(CASES["laminar"])
    assert (found["span_type"], found["llm.completion"], found["llm.cost_usd"]) == ("llm_call", "Hello", 0.3)
    assert conversation(found) == [{"role": "user", "content": "Hi"}]
    assert (found["session.id"], found["user.id"], found["tags"]) == ("s-1", "u-1", {"plan": "pro"})
    step = mapped(span("plan", {"lmnr.span.type": "DEFAULT", "lmnr.span.input": "in", "lmnr.span.output": "out"}))
    assert (step["span_type"], step["chain.input"], step["chain.output"]) == ("chain", "in", "out")
    tool = mapped(span("look", {"lmnr.span.type": "TOOL", "lmnr.span.input": "in", "lmnr.span.output": "out"}))
    assert (tool["span_type"], tool["tool.name"], tool["tool.output"]) == ("tool_use", "look", "out")


def test_raindrop() -> None:
    found = mapped(CASES["raindrop"])
    assert (found["span_type"], found["tool.name"], found["session.id"]) == ("tool_use", "lookup", "s-1")
    assert (found["tool.input"], found["tool.output"]) == ('{"q": 1}', "Lima")
    root = mapped(span("run", {"raindrop.span.kind": "agent_root", "traceloop.entity.input": "Hi"}))
    assert (root["span_type"], root["agent.input"]) == ("agent_step", "Hi")
    call = mapped(span("call", {"raindrop.span.kind": "llm_call", "traceloop.entity.input": "Hi"}))
    assert (call["span_type"], conversation(call)) == ("llm_call", [{"role": "user", "content": "Hi"}])


# ---------------------------------------------------------------- robustness

NAMES = {
    "adk": [*ADK_CALL, "gcp.vertex.agent.tool_call_args", "gcp.vertex.agent.data", "gen_ai.operation.name"],
    "livekit": [*LIVEKIT_NODE, "lk.function_tool.name", "lk.function_tool.arguments", "lk.agent_name", "lk.user_input"],
    "genkit": [*GENKIT_MODEL, "genkit:sessionId"],
    "mlflow": list(MLFLOW_CALL),
    "langfuse": [*LANGFUSE_CALL, "langfuse.observation.level", "langfuse.session.id"],
    "laminar": [*LAMINAR_CALL, "lmnr.span.input", "lmnr.span.output", "lmnr.association.properties.tags"],
    "raindrop": list(RAINDROP_TOOL),
}


@pytest.mark.parametrize("name", CASES)
@given(attributes=junk([key for keys in NAMES.values() for key in keys]), own=junk(["x"]))
def test_any_values_are_read(name: str, attributes: dict[str, Any], own: dict[str, Any]) -> None:
    mapped(span("x", attributes | own, scope=CASES[name].scope.name))
