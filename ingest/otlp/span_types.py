"""Which of Beacon's eight types a span has: one table for every dialect, the first row that hits wins. Pure.

A dialect that knows better sets `Facts.span_type`; what a client says itself (`beacon.span_type`) goes before both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

from beacon.contract.records import SpanType

SPAN_TYPES: frozenset[str] = frozenset(get_args(SpanType))


class Typed(NamedTuple):
    """`chain_type`: of a chain, which kind (`retriever`, `rerank`, …) where that is said."""

    span_type: SpanType
    chain_type: str | None = None


LLM = Typed("llm_call")
TOOL = Typed("tool_use")
AGENT = Typed("agent_step")
CHAIN = Typed("chain")
CUSTOM = Typed("custom")

OPENINFERENCE = {
    "LLM": LLM,
    "TOOL": TOOL,
    "AGENT": AGENT,
    "EMBEDDING": CUSTOM,
    "CHAIN": Typed("chain", "chain"),
    "PROMPT": Typed("chain", "prompt"),
    "GUARDRAIL": Typed("chain", "guardrail"),
    "EVALUATOR": Typed("chain", "evaluator"),
    "RETRIEVER": Typed("chain", "retriever"),
    "RERANKER": Typed("chain", "reranker"),
}
"""openinference.span.kind (https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md)."""

OPERATIONS = {
    **dict.fromkeys(
        ("chat", "text_completion", "completion", "generate_content", "generate", "llm_call", "responses"), LLM
    ),
    **dict.fromkeys(("execute_tool", "tool_call"), TOOL),
    **dict.fromkeys(("invoke_agent", "create_agent", "agent_call", "agent_step", "plan"), AGENT),
    "invoke_workflow": Typed("chain", "workflow"),
    **{
        name: Typed("chain", name)
        for name in (
            "handoff", "guardrail", "retrieval", "rerank", "search_memory", "create_memory", "update_memory",
            "upsert_memory", "delete_memory", "create_memory_store", "delete_memory_store",
        )
    },
    **dict.fromkeys(("embeddings", "embedding", "fetch_response"), CUSTOM),
}  # fmt: skip
"""gen_ai.operation.name; llm_call, tool_call and agent_call are Gemini CLI's, agent_step is the Vercel AI SDK's."""

TRACELOOP = {
    "workflow": Typed("chain", "workflow"),
    "task": Typed("chain", "task"),
    "agent": AGENT,
    "tool": TOOL,
    "llm": LLM,
}
LLM_REQUESTS = {"chat": LLM, "completion": LLM, "embedding": CUSTOM, "rerank": CUSTOM}

LANGSMITH = {
    "llm": LLM,
    "tool": TOOL,
    "chain": CHAIN,
    "prompt": Typed("chain", "prompt"),
    "parser": Typed("chain", "parser"),
    "retriever": Typed("chain", "retriever"),
    "embedding": CUSTOM,
}

CLAUDE_CODE = {
    "interaction": AGENT,
    "llm_request": LLM,
    "tool": TOOL,
}

OTHERS: tuple[tuple[str, dict[str, Typed]], ...] = (
    ("genkit:metadata:subtype", {"model": LLM, "tool": TOOL, "flow": CHAIN, "embedder": CUSTOM, "agent": AGENT}),
    ("raindrop.span.kind", {"llm": LLM, "tool": TOOL, "agent": AGENT, "chain": CHAIN}),
    (
        "lmnr.span.type",
        {"llm": LLM, "tool": TOOL, "agent": AGENT, "evaluator": Typed("chain", "evaluator")},
    ),
    (
        "langfuse.observation.type",
        {
            "generation": LLM,
            "tool": TOOL,
            "agent": AGENT,
            "chain": CHAIN,
            "retriever": Typed("chain", "retriever"),
            "evaluator": Typed("chain", "evaluator"),
            "guardrail": Typed("chain", "guardrail"),
            "embedding": CUSTOM,
        },
    ),
    (
        "mlflow.spanType",
        {
            "llm": LLM,
            "chat_model": LLM,
            "tool": TOOL,
            "agent": AGENT,
            "chain": CHAIN,
            "workflow": Typed("chain", "workflow"),
            "task": Typed("chain", "task"),
            "retriever": Typed("chain", "retriever"),
            "reranker": Typed("chain", "reranker"),
            "parser": Typed("chain", "parser"),
            "guardrail": Typed("chain", "guardrail"),
            "evaluator": Typed("chain", "evaluator"),
            "embedding": CUSTOM,
        },
    ),
)

_VERCEL_AGENTS = ("ai.generateText", "ai.streamText", "ai.generateObject", "ai.streamObject")
_PROMPTS = ("gen_ai.input.messages", "gen_ai.prompt", "gen_ai.request.model", "llm.input_messages")
_PROMPT_PREFIXES = ("gen_ai.prompt.", "llm.input_messages.")
_TOOLS = ("gen_ai.tool.name", "gen_ai.tool.call.id", "tool.name")
_COMMANDS = ("process.command", "process.command_line", "process.command_args")


def said_type(attributes: Mapping[str, Any]) -> SpanType | None:
    """The type that a client gave itself."""
    for name in ("beacon.span_type", "span_type"):
        said = attributes.get(name)
        if isinstance(said, str) and said in SPAN_TYPES:
            return said  # type: ignore[return-value]  # one of SpanType's values
    return None


def span_type_of(attributes: Mapping[str, Any], name: str) -> Typed:
    """The type of a span with these attributes and this name."""
    said = said_type(attributes)
    if said is not None:
        return Typed(said)
    return (
        _by(attributes, "openinference.span.kind", OPENINFERENCE, str.upper)
        or _by(attributes, "gen_ai.operation.name", OPERATIONS)
        or _by(attributes, "traceloop.span.kind", TRACELOOP)
        or _by(attributes, "llm.request.type", LLM_REQUESTS)
        or _vercel(attributes)
        or _by(attributes, "langsmith.span.kind", LANGSMITH)
        or _others(attributes, name)
        or _by_content(attributes)
    )


def _by(attributes: Mapping[str, Any], key: str, table: Mapping[str, Typed], case: Any = str.lower) -> Typed | None:
    said = attributes.get(key)
    return table.get(case(said.strip())) if isinstance(said, str) else None


def _vercel(attributes: Mapping[str, Any]) -> Typed | None:
    """The id of the operation may have the user's function id behind it: `ai.streamText.doStream my-agent`."""
    for key in ("ai.operationId", "operation.name"):
        said = attributes.get(key)
        if not isinstance(said, str) or not said.startswith("ai."):
            continue
        operation = said.split(" ", 1)[0]
        if operation.endswith((".doGenerate", ".doStream")):
            return LLM
        if operation.startswith("ai.toolCall"):
            return TOOL
        if operation.startswith(_VERCEL_AGENTS):
            return AGENT
        if operation.startswith(("ai.embed", "ai.rerank")):
            return CUSTOM
    return None


def _others(attributes: Mapping[str, Any], name: str) -> Typed | None:
    kind = attributes.get("span.type")
    for said in (kind, name):
        if isinstance(said, str) and (said is kind or said.startswith("claude_code.")):
            found = CLAUDE_CODE.get(said.removeprefix("claude_code.").lower())
            if found is not None:
                return found
    for key, table in OTHERS:
        typed = _by(attributes, key, table)
        if typed is not None:
            return typed
    return None


def _by_content(attributes: Mapping[str, Any]) -> Typed:
    if attributes.get("mcp.method.name") == "tools/call" or any(key in attributes for key in _TOOLS):
        return TOOL
    if any(key in attributes for key in _PROMPTS) or any(key.startswith(_PROMPT_PREFIXES) for key in attributes):
        return LLM
    if "gen_ai.agent.name" in attributes:
        return AGENT
    if any(key in attributes for key in _COMMANDS):
        return Typed("shell_command")
    return CUSTOM
