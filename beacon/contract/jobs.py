"""Jobs: the work that waits for a replay worker, and what ingest and worker say to each other about it.

A job is a row of ingest's. A hint over ZeroMQ says that there is one; a worker that has room claims it over ingest's
socket and gets a token and a lease; it renews the lease, sends text as it comes, and completes the job with a result
or an error. A hint may be lost and a lease may expire; a row may not. A running job whose lease runs out fails as
`worker lost`: a paid call is never made twice in silence. A result that comes later with the right token is kept.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

JobKind = Literal["replay", "chat", "compare", "compare_prompts", "demo", "analysis", "key_test", "models"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]

FINAL: tuple[JobState, ...] = ("done", "failed", "cancelled")

LEASE_S = 10.0
"""Seconds a claim lasts without renewal."""

RENEW_EVERY_S = 2.0

HINT_AGAIN_S = 1.0
"""Seconds after which a hint nobody claimed is sent again."""

BOARD_MAX = 1_000
"""Jobs that may be queued or running; above it 503."""

BOARD_BYTES_MAX = 256 * 1024 * 1024
"""Bytes of payloads that may be queued or running; above it 503."""

PAYLOAD_BYTES_MAX = 16 * 1024 * 1024
"""Bytes of one job's payload."""

FINISHED_KEPT = 1_000
"""Finished jobs that stay listed; their payloads go when they finish."""

JOB_ID_ATTRIBUTE = "beacon.job_id"
"""On every span that a job's worker posts: a conversation's trace has the spans of many jobs, some at the same time."""

TOPIC_JOBS = b"jobs"
"""Topic of `job_updated` frames on the events socket: sent as they are to websockets, never stored, without a seq."""

DELTA_EACH_S = 0.003
"""Seconds between two messages of one job for each job its worker runs, where that is more than DELTA_EVERY_S: with 20
words/s each, 100 streams left ingest 74 % of its speed."""

DELTA_EVERY_S = 0.04
"""Seconds between two messages of text from a worker; the first goes at once."""


class JobError(Struct):
    """Why a job failed: the HTTP status and the sentence its waiting client gets."""

    status: int
    detail: str


class Job(Struct):
    """A job as it is shown. Times are epoch seconds; `label` says in a few words what it does."""

    job_id: str
    kind: JobKind
    state: JobState
    label: str
    trace_id: str | None
    span_id: str | None
    worker_id: str | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    error: JobError | None


class JobPage(Struct):
    jobs: list[Job]
    limit: int
    offset: int
    total: int


# ---------------------------------------------------------------- payloads: what a worker gets, by kind. Never a key.


class ReplayPayload(Struct):
    """`attributes`: the span's, as stored, with the modifications merged; `old_completion` is what was recorded.
    `other_model`: another is asked than the recorded one."""

    trace_id: str
    span_id: str
    name: str
    attributes: dict[str, Any]
    old_completion: str | None
    n: int = 1
    stream: bool = False
    other_model: bool = False


class ChatPayload(Struct):
    """One turn of a playground conversation; the worker posts spans under `trace_id`."""

    conversation_id: str
    trace_id: str
    model: str
    messages: list[dict[str, Any]]
    system_prompt: str | None = None
    provider: str | None = None
    params: dict[str, Any] = {}
    tools: list[dict[str, Any]] | None = None
    stream: bool = False


class ComparePayload(Struct):
    trace_id: str
    messages: list[dict[str, Any]]
    models: list[str]
    system_prompt: str | None = None
    params: dict[str, Any] = {}


class ComparePromptsPayload(Struct):
    trace_id: str
    test_id: str
    model: str
    prompts: list[str]
    system_prompt: str | None = None
    params: dict[str, Any] = {}


class DemoPayload(Struct):
    """`root_span_id`: stored already, running; `recorded`: run on the recorded model."""

    trace_id: str
    root_span_id: str
    scenario: str
    recorded: bool


class AnalysisPayload(Struct):
    """`analysis` is the last part of the route; `request` its body."""

    analysis: str
    request: dict[str, Any]


class KeyTestPayload(Struct):
    provider: str


class ModelsPayload(Struct):
    """Ask each of these providers' servers which models it has."""

    providers: list[str]


PAYLOADS: dict[str, type[Struct]] = {
    "replay": ReplayPayload,
    "chat": ChatPayload,
    "compare": ComparePayload,
    "compare_prompts": ComparePromptsPayload,
    "demo": DemoPayload,
    "analysis": AnalysisPayload,
    "key_test": KeyTestPayload,
    "models": ModelsPayload,
}


# ---------------------------------------------------------------- what a worker gives back


class NewOutput(Struct, omit_defaults=True):
    """A fresh answer of the model, by the attribute names of an llm_call. Cost None: no price is known, and
    `cost_reason` says why."""

    completion: str = msgspec.field(name="llm.completion")
    tokens_input: int | None = msgspec.field(name="llm.tokens.input")
    tokens_output: int | None = msgspec.field(name="llm.tokens.output")
    cost_usd: float | None = msgspec.field(name="llm.cost_usd")
    cost_reason: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    reasoning: str | None = None
    finish_reason: str | None = msgspec.field(name="llm.finish_reason", default=None)
    model: str | None = msgspec.field(name="llm.model", default=None)
    provider: str | None = msgspec.field(name="llm.provider", default=None)
    tokens_cached: int | None = msgspec.field(name="llm.tokens.cached", default=None)
    tokens_reasoning: int | None = msgspec.field(name="llm.tokens.reasoning", default=None)
    latency_ms: float | None = None


class Hunk(Struct):
    """A run of words that is in both texts, or in one."""

    op: Literal["equal", "insert", "delete"]
    text: str


class Diff(Struct):
    old_completion: str | None
    new_completion: str
    changed: bool
    hunks: list[Hunk]


class ReplayRunDone(Struct, omit_defaults=True):
    """One run of a replay: an answer with its diff, or why there is none."""

    new_output: NewOutput | None = None
    diff: Diff | None = None
    error: JobError | None = None


class ReplayDone(Struct):
    """What a worker completes a replay with; at least one run has an answer, else the job fails."""

    runs: list[ReplayRunDone]


# ---------------------------------------------------------------- over ingest's socket


class Claim(Struct):
    """POST /internal/jobs/claim: 200 `Claimed`; 409 when another has it or it is over; 404 when it is gone."""

    job_id: str
    worker_id: str


class Claimed(Struct):
    """`payload` is the kind's, as JSON; `deadline_s` seconds are left for the whole job."""

    job_id: str
    kind: JobKind
    token: str
    lease_s: float
    deadline_s: float
    payload: Raw


class Renew(Struct):
    """POST /internal/jobs/{job_id}/renew: 200 `Renewed`; 409 when the token is not the job's."""

    token: str


class Renewed(Struct):
    """`cancelled`: stop the call, close the upstream connection; nobody wants the result."""

    cancelled: bool


class Complete(Struct):
    """POST /internal/jobs/{job_id}/complete, with either `result` (JSON: `ReplayDone` for a replay, else the body of
    the route's answer) or `error`. 200 however often it is sent; 409 when the token is not the job's."""

    token: str
    result: Annotated[Raw, Meta(extra_json_schema={"type": "object"})] | UnsetType = UNSET
    error: JobError | UnsetType = UNSET


class Delta(Struct, array_like=True):
    """Text of a running job, over the deltas socket in msgpack. `run` counts from 0 (of `n`, or of several models)."""

    job_id: str
    token: str
    run: int
    text: str


class Hint(Struct, array_like=True):
    """There is a job to claim; over the jobs socket in msgpack."""

    job_id: str
