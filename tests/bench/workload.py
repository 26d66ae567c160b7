"""What is posted: traces of agents, each a pure function of (seed, index), so that every run sends the same bytes.

A trace has 2 to 500 spans, a dozen on average: a root `agent_step`, steps below it, and in each step an `llm_call` that
repeats the conversation so far, then the tools it called. A span is about 2.8 KB of JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import msgspec

from tests.bench.prose import cut

SMALL_TRACE, LARGE_TRACE = 2, 4
"""Indices of the traces that always have 12 and 500 spans: those that are read."""

FIRST_START_S = 1_780_000_000.0
TRACE_GAP_S = 1.5

_MODELS = (
    ("openai", "gpt-4o-mini", 0.15, 0.6),
    ("openai", "gpt-4.1", 2.0, 8.0),
    ("anthropic", "claude-sonnet-4-5", 3.0, 15.0),
    ("google", "gemini-2.5-flash", 0.3, 2.5),
)
_AGENTS = ("researcher", "coder", "planner", "reviewer", "support")
_FRAMEWORKS = ("langgraph", "crewai", "custom")
_TOOLS = ("web_search", "sql_query", "vector_lookup", "run_tests", "http_get")

encode = msgspec.json.Encoder().encode


class Span(msgspec.Struct):
    """A span in the shape POST /v1/spans takes."""

    span_id: str
    trace_id: str
    parent_span_id: str | None
    span_type: str
    name: str
    status: str
    error_message: str | None
    start_time: float
    end_time: float
    attributes: dict[str, Any]
    sdk_language: str = "python"


class Batch(NamedTuple):
    """One request body, rendered, and the ids of the spans in it."""

    body: bytes
    span_ids: tuple[str, ...]


def trace_id(seed: int, index: int) -> str:
    return _trace_id(_random(seed, index))


def make_trace(seed: int, index: int) -> list[Span]:
    """Trace `index` of the workload `seed`; children after their parents."""
    return _Conversation(seed, index).spans


class Workload:
    """The traces of one seed in order, handed out in rendered batches; no trace twice."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.traces = 0
        self._rest: Iterator[Span] = iter(())

    def spans(self, count: int) -> list[Span]:
        """The next `count` spans; a trace that does not fit goes on in the next call."""
        taken: list[Span] = []
        while len(taken) < count:
            span = next(self._rest, None)
            if span is None:
                self._rest = iter(make_trace(self.seed, self.traces))
                self.traces += 1
            else:
                taken.append(span)
        return taken

    def batches(self, count: int, size: int) -> list[Batch]:
        """The next `count` spans as request bodies of `size` spans; the last may be smaller."""
        spans = self.spans(count)
        return [render(spans[at : at + size]) for at in range(0, count, size)]


def render(spans: list[Span]) -> Batch:
    return Batch(b'{"spans":' + encode(spans) + b"}", tuple(span.span_id for span in spans))


def _random(seed: int, index: int) -> Random:
    return Random(f"{seed}/{index}")


def _trace_id(rng: Random) -> str:
    return f"{rng.getrandbits(128):032x}"


class _Conversation:
    """Writes one trace: the clock, the messages so far and the span that is the parent now."""

    def __init__(self, seed: int, index: int) -> None:
        rng = self._rng = _random(seed, index)
        self._trace_id = _trace_id(rng)  # first, so that trace_id() draws the same
        self._clock = FIRST_START_S + index * TRACE_GAP_S
        self._framework = rng.choice(_FRAMEWORKS)
        self._system = {"role": "system", "content": cut(rng, 300, 1_100)}
        self._messages: list[dict[str, str]] = [{"role": "user", "content": cut(rng, 80, 700)}]
        self.spans: list[Span] = []
        length = {SMALL_TRACE: 12, LARGE_TRACE: 500}.get(index) or _length(rng)
        agent = rng.choice(_AGENTS)
        root = self._add("agent_step", f"{agent}.run", None, self._agent(agent))
        parent = root.span_id
        while len(self.spans) < length:
            kind = rng.random()
            if kind < 0.10 and length > 6:
                parent = self._add("agent_step", f"{agent}.step", root.span_id, self._agent(agent)).span_id
            elif kind < 0.55:
                self._add("llm_call", *self._llm_call(parent))
            elif kind < 0.80:
                self._add("tool_use", *self._tool_use(parent))
            elif kind < 0.88:
                self._add("chain", "Retrieve", parent, self._chain())
            elif kind < 0.95:
                self._add("file_operation", "file.read", parent, self._file())
            else:
                self._add("shell_command", "subprocess.run", parent, self._shell())
        root.end_time = round(self._clock, 6)
        if rng.random() < 0.08:
            last = self.spans[-1]
            last.status = root.status = "error"
            last.error_message = f"RuntimeError: {cut(rng, 30, 90)}"

    def _add(self, span_type: str, name: str, parent: str | None, attributes: dict[str, Any]) -> Span:
        self._clock += 0.002
        start, self._clock = self._clock, self._clock + self._rng.expovariate(2.0)
        span = Span(
            f"{self._rng.getrandbits(64):016x}",
            self._trace_id,
            parent,
            span_type,
            name,
            "ok",
            None,
            round(start, 6),
            round(self._clock, 6),
            attributes,
        )
        self.spans.append(span)
        return span

    def _agent(self, agent: str) -> dict[str, Any]:
        return {
            "agent.framework": self._framework,
            "agent.step_name": agent,
            "agent.input": cut(self._rng, 80, 500),
            "agent.output": cut(self._rng, 100, 900),
        }

    def _llm_call(self, parent: str) -> tuple[str, str, dict[str, Any]]:
        rng = self._rng
        provider, model, input_price, output_price = rng.choice(_MODELS)
        prompt = encode([self._system, *self._messages[-5:]]).decode()
        completion = cut(rng, 150, 1_200)
        tokens = len(prompt) // 4, len(completion) // 4
        attributes = {
            "llm.provider": provider,
            "llm.model": model,
            "llm.prompt": prompt,
            "llm.completion": completion,
            "llm.tokens.input": tokens[0],
            "llm.tokens.output": tokens[1],
            "llm.tokens.total": sum(tokens),
            "llm.cost_usd": round((tokens[0] * input_price + tokens[1] * output_price) / 1e6, 8),
            "llm.temperature": rng.choice((0.0, 0.2, 0.7)),
            "llm.max_tokens": 4096,
            "llm.finish_reason": "stop",
        }
        if rng.random() < 0.35:
            call = {
                "id": f"call_{rng.getrandbits(48):x}",
                "name": rng.choice(_TOOLS),
                "arguments": {"q": cut(rng, 20, 60)},
            }
            attributes |= {"llm.finish_reason": "tool_calls", "llm.tool_calls": encode([call]).decode()}
        self._messages.append({"role": "assistant", "content": completion})
        return f"{provider}.chat", parent, attributes

    def _tool_use(self, parent: str) -> tuple[str, str, dict[str, Any]]:
        rng = self._rng
        tool = rng.choice(_TOOLS)
        # mostly short, now and then a whole page
        output = cut(rng, 100, 5_000 if rng.random() < 0.25 else 1_200)
        self._messages.append({"role": "tool", "content": output[:800]})
        return (
            tool,
            parent,
            {
                "tool.name": tool,
                "tool.framework": self._framework,
                "tool.input": encode({"q": cut(rng, 20, 120)}).decode(),
                "tool.output": output,
            },
        )

    def _chain(self) -> dict[str, Any]:
        return {
            "chain.type": "retrieval",
            "chain.input": cut(self._rng, 60, 500),
            "chain.output": cut(self._rng, 60, 900),
        }

    def _file(self) -> dict[str, Any]:
        content = cut(self._rng, 200, 2_400)
        path = f"src/part_{int(self._rng.random() * 400)}.py"
        return {"file.operation": "read", "file.path": path, "file.size_bytes": len(content), "file.content": content}

    def _shell(self) -> dict[str, Any]:
        return {
            "shell.command": f"pytest -q tests/test_{int(self._rng.random() * 300)}.py",
            "shell.returncode": 0,
            "shell.stdout": cut(self._rng, 200, 2_000),
            "shell.stderr": "",
        }


def _length(rng: Random) -> int:
    return max(2, min(500, round(rng.lognormvariate(1.98, 1.0))))
