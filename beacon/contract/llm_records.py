"""Requests and answers of the routes that call a model: settings, replay, playground, demo, analysis."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from beacon.contract.jobs import Diff, JobError, NewOutput
from beacon.contract.requests import Id, Limit, Offset

ProviderName = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,39}$(?!\n)", description="openai, anthropic, google, …")
]
ModelName = Annotated[str, Meta(min_length=1, max_length=200)]
Message = dict[str, Any]
Params = Annotated[
    dict[str, Any],
    Meta(description="Sampling parameters by the names of OpenAI's chat API: temperature, max_tokens, top_p, stop, …"),
]

# ---------------------------------------------------------------- settings


class KeyInfo(Struct):
    """`masked_key` shows the last 4 characters at most, and none of a key shorter than 12; null without a key.
    `source`: where the key comes from. `needs_key`: false for a server on this machine or in its own network."""

    provider: str
    configured: bool
    masked_key: str | None
    base_url: str
    source: Literal["env", "file"] | None
    needs_key: bool


class PutKey(Struct):
    """A `base_url` that differs from the one saved clears the key saved for the old one; a provider whose server needs
    no key is saved with its `base_url` alone."""

    provider: ProviderName
    api_key: Annotated[str, Meta(min_length=1, max_length=4_000)] | None = None
    base_url: Annotated[str, Meta(min_length=1, max_length=2_000)] | None = None

    def __repr__(self) -> str:
        return f"PutKey({self.provider!r}, {self.base_url!r}, {'with' if self.api_key else 'without'} a key)"


class KeyState(Struct):
    provider: str
    configured: bool


class KeyTest(Struct):
    """What the cheapest real call brought back: `ok`, or the provider's own words in `detail`."""

    provider: str
    ok: bool
    base_url: str
    status: int | None
    detail: str
    latency_ms: float | None
    models: list[str] = []


class Model(Struct, omit_defaults=True):
    """A model that may be called. Prices are US dollars a million tokens, null where none is known; `local`: listed by
    a server on this machine."""

    model: str
    provider: str
    context: int | None
    input_usd_per_million: float | None
    output_usd_per_million: float | None
    configured: bool
    local: bool = False


class Unlisted(Struct):
    """A configured server that could not be asked for its models, and why."""

    provider: str
    detail: str


class Models(Struct):
    models: list[Model]
    unlisted: list[Unlisted]


# ---------------------------------------------------------------- replay


class ReplayRequest(Struct):
    """`n` runs the same request several times; `stream` answers with server-sent events: `delta` (`{run, text}`), then
    `result` (a ReplayResult) or `error` (`{status, detail}`)."""

    span_id: Id
    modified_attributes: dict[str, Any] = {}
    trace_id: Id | None = None
    n: Annotated[int, Meta(ge=1, le=10)] = 1
    stream: bool = False


class ReplayRun(Struct, omit_defaults=True):
    """One stored run. `modified_attributes` is what was asked to differ. `created_at` in epoch seconds."""

    replay_id: str
    created_at: float
    new_output: NewOutput | None = None
    diff: Diff | None = None
    modified_attributes: dict[str, Any] = {}
    error: JobError | None = None


class ReplayResult(Struct, omit_defaults=True):
    """The first run that has an answer, and with n > 1 all of them in `runs`."""

    replay_id: str
    original_span_id: str
    new_output: NewOutput
    diff: Diff
    job_id: str
    runs: list[ReplayRun] = []


class ReplayRuns(Struct):
    replays: list[ReplayRun]


class ListReplays(Struct):
    trace_id: Annotated[Id, Meta(description="The trace of the span, where several hold one of this id")] | None = None
    limit: Limit = 50
    offset: Offset = 0


# ---------------------------------------------------------------- playground


class Metrics(Struct):
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    latency_ms: float


class ChatRequest(Struct):
    model: ModelName
    messages: Annotated[list[Message], Meta(min_length=1)]
    conversation_id: Id | None = None
    system_prompt: str | None = None
    provider: ProviderName | None = None
    params: Params = {}
    tools: list[dict[str, Any]] | None = None
    stream: bool = False


class ChatResult(Struct):
    conversation_id: str
    trace_id: str
    message: Message
    metrics: Metrics


class CompareRequest(Struct):
    messages: Annotated[list[Message], Meta(min_length=1)]
    models: list[ModelName]
    system_prompt: str | None = None
    params: Params = {}


class CompareRun(Struct, omit_defaults=True):
    model: str
    provider: str | None
    completion: str | None
    metrics: Metrics | None
    error: str | None = None


class CompareResult(Struct):
    trace_id: str
    results: list[CompareRun]


class ComparePromptsRequest(Struct):
    model: ModelName
    prompts: list[Annotated[str, Meta(min_length=1)]]
    system_prompt: str | None = None
    params: Params = {}


class PromptRun(Struct, omit_defaults=True):
    prompt: str
    completion: str | None
    metrics: Metrics | None
    error: str | None = None


class ComparePromptsResult(Struct):
    trace_id: str
    test_id: str
    results: list[PromptRun]


# ---------------------------------------------------------------- demo


class Scenario(Struct):
    """`api_key_configured`: whether it runs on the real model; else on a recorded one, offline."""

    key: str
    name: str
    description: str
    provider: str
    model: str
    api_key_configured: bool


class RunDemo(Struct):
    scenario: str


class DemoStarted(Struct):
    trace_id: str


# ---------------------------------------------------------------- analysis


class OneTrace(Struct):
    trace_id: Id


class SomeTraces(Struct):
    trace_ids: Annotated[list[Id], Meta(min_length=1, max_length=50)]


class OneSpan(Struct):
    span_id: Id
    trace_id: Id | None = None


class TwoTraces(Struct):
    trace_id_a: Id
    trace_id_b: Id


class RootCause(Struct):
    trace_id: str
    root_cause: str
    affected_spans: list[str]
    confidence: Annotated[float, Meta(ge=0, le=1)]
    suggested_fix: str


class CostSuggestion(Struct):
    type: str
    description: str
    estimated_savings_usd: float | None
    affected_spans: list[str]


class CostOptimization(Struct):
    trace_ids: list[str]
    suggestions: list[CostSuggestion]


class PromptSuggestion(Struct):
    category: str
    description: str
    improved_prompt_snippet: str


class PromptSuggestions(Struct):
    span_id: str
    original_prompt: str
    suggestions: list[PromptSuggestion]


class Anomaly(Struct):
    type: str
    severity: Literal["low", "medium", "high"]
    description: str
    trace_id: str
    span_id: str | None


class Anomalies(Struct, omit_defaults=True):
    """The numbers are computed; `narrative` is the model's words about them. It is null where no model can be called,
    or may be at what it may cost, and `narrative_reason` says why; and where nothing is unusual."""

    trace_id: str
    anomalies: list[Anomaly]
    narrative: str | None
    narrative_reason: str | None = None


class ErrorPattern(Struct):
    pattern_name: str
    count: int
    example_trace_ids: list[str]
    common_root_cause: str
    category: str


class ErrorPatterns(Struct):
    patterns: list[ErrorPattern]


class Divergence(Struct):
    """The spans at which two runs part; null where one has no counterpart."""

    span_a: str | None
    span_b: str | None
    description: str


class MetricDiff(Struct):
    """Of b less a."""

    cost_diff_usd: float | None
    duration_diff_ms: float | None
    token_diff: int
    span_count_diff: int


class TraceComparison(Struct, omit_defaults=True):
    """`narrative` and `narrative_reason` as in Anomalies."""

    divergence_points: list[Divergence]
    metric_diff: MetricDiff
    summary: str
    narrative: str | None
    narrative_reason: str | None = None


class KeyEvent(Struct):
    span_id: str
    description: str


class TraceSummaryText(Struct):
    trace_id: str
    summary: str
    key_events: list[KeyEvent]


# ---------------------------------------------------------------- jobs


class ListJobs(Struct):
    limit: Limit = 50
    offset: Offset = 0
    state: (
        Annotated[
            Literal["queued", "running", "done", "failed", "cancelled"], Meta(description="Jobs in this state alone")
        ]
        | None
    ) = None


class JobCancelled(Struct):
    """The state after the request: `cancelled`, or what the job had ended as before it."""

    job_id: str
    state: str


encode = msgspec.json.encode
