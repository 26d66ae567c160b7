"""What Beacon answers with: the records of the contract and the bodies built from them.

`attributes`, `annotations` and `tags` are `msgspec.Raw`: the JSON text that is stored is spliced into the answer,
never decoded and encoded again (a trace of 500 spans is 1.6 MB).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

SpanType = Literal[
    "llm_call",
    "tool_use",
    "agent_step",
    "browser_action",
    "file_operation",
    "shell_command",
    "chain",
    "custom",
]
Status = Literal["ok", "error", "unset"]

JsonObject = Annotated[Raw, Meta(description="A JSON object, as it was sent", extra_json_schema={"type": "object"})]
JsonArray = Annotated[Raw, Meta(description="A JSON array", extra_json_schema={"type": "array"})]


class Span(Struct, gc=False):
    """One span as stored. Times are epoch seconds, `duration_ms` is derived and null while the span is open."""

    span_id: str
    trace_id: str
    parent_span_id: str | None
    span_type: SpanType
    name: str
    status: Status
    error_message: str | None
    start_time: float
    end_time: float | None
    duration_ms: float | None
    attributes: JsonObject
    annotations: JsonArray
    sdk_language: str | None
    interrupted: Annotated[
        bool, Meta(description="It is open, and nothing more is expected of it: its program has ended or fallen silent")
    ]


UnixNano = Annotated[str, Meta(pattern="^[0-9]{1,19}$", description="Nanoseconds since 1970, in decimal digits")]

SpanKind = Literal["unspecified", "internal", "server", "client", "producer", "consumer"]


class SpanEvent(Struct):
    """Something that happened in a span, at `time` in epoch seconds."""

    name: str
    time: float
    attributes: JsonObject


class SpanLink(Struct):
    """A span of this or another trace that this one has to do with."""

    trace_id: str
    span_id: str
    trace_state: str
    attributes: JsonObject


class SpanScope(Struct):
    """The instrumentation that made the span."""

    name: str
    version: str
    attributes: JsonObject


class WholeSpan(Span):
    """A span with what OpenTelemetry says beside it; these fields are absent where it did not come that way, so that
    such a span reads here as it does among others."""

    kind: SpanKind | UnsetType = UNSET
    trace_state: str | UnsetType = UNSET
    events: list[SpanEvent] | UnsetType = UNSET
    links: list[SpanLink] | UnsetType = UNSET
    resource: JsonObject | UnsetType = UNSET
    scope: SpanScope | UnsetType = UNSET


class SpanOtel(Struct):
    """What OpenTelemetry says beside a span, in OTLP's own JSON form: as an export keeps it. The times are the span's
    own in nanoseconds, which seconds do not hold."""

    resource: JsonObject
    scope: JsonObject
    span: JsonObject
    start_ns: UnixNano | None = None
    end_ns: UnixNano | None = None


class ExportedSpan(Span):
    """A span of an export; `otel` is there where it came by OpenTelemetry."""

    otel: SpanOtel | UnsetType = UNSET


class TraceSummary(Struct):
    """A trace row: a pure function of its stored spans, and its tags."""

    trace_id: str
    name: str
    start_time: float
    end_time: float | None
    duration_ms: float | None
    span_count: int
    status: Status
    total_cost_usd: float
    total_tokens: int
    tags: JsonObject
    sdk_language: str | None
    session_id: str | None
    error_count: int
    running_count: int
    unpriced_count: int
    created_at: float
    interrupted_count: Annotated[int, Meta(description="Spans that are interrupted; `running_count` leaves them out")]
    models: Annotated[list[str], Meta(description="What its calls name as their model, most called first; at most 16")]


class TraceDetail(TraceSummary):
    """A trace with its spans by start_time; `seq` is the change number this snapshot was read at."""

    seq: int
    spans: list[Span]


class TracePage(Struct, omit_defaults=True):
    """A page of traces. `total` is left out with count=false; `next_cursor` is there while more may follow."""

    traces: list[TraceSummary]
    limit: int
    offset: int
    seq: int
    total: int | None = None
    next_cursor: str | None = None


class Point(Struct):
    x: float
    y: float


class GraphNodeData(Struct):
    span_id: str
    span_type: SpanType
    name: str
    status: Status
    duration_ms: float | None
    cost_usd: float | None
    sequence: int
    framework: str | None


class GraphNode(Struct):
    id: str
    type: str
    data: GraphNodeData
    position: Point


class GraphEdge(Struct):
    id: str
    source: str
    target: str


class Graph(Struct):
    nodes: list[GraphNode]
    edges: list[GraphEdge]


class Annotation(Struct):
    """A note on a span: `created_at` in epoch seconds."""

    id: Annotated[str, Meta(min_length=1, max_length=128)]
    text: Annotated[str, Meta(max_length=100_000)]
    created_at: Annotated[float, Meta(ge=0)]


class SpanError(Struct):
    """Why one span of a batch was refused: `index` is its place in the request's list."""

    index: int
    loc: str
    msg: str


class SpansAccepted(Struct, omit_defaults=True):
    accepted: int
    rejected: int
    errors: list[SpanError] = []


class DeletedCount(Struct):
    deleted_count: int


class SpanAnnotations(Struct):
    span_id: str
    annotations: list[Annotation]


class TraceTags(Struct):
    trace_id: str
    tags: dict[str, str]


class PromptVersion(Struct):
    version_id: str
    span_id: str
    prompt_text: str
    label: str | None
    created_at: float


class PromptVersions(Struct):
    versions: list[PromptVersion]


class RunEnd(Struct):
    """What came of a program under `beacon run`: its traces, newest first (the first ten of `trace_count`), and how
    many spans its end cut short."""

    interrupted: int = 0
    trace_count: int = 0
    trace_ids: list[str] = []


class Imported(Struct):
    trace_id: str
    span_count: int


class TraceExport(Struct):
    """One exported trace: the `json` format of the export routes, and what the import route takes."""

    version: str
    format: str
    exported_at: float
    trace: TraceSummary
    spans: list[ExportedSpan]


class TraceExports(Struct):
    version: str
    format: str
    exported_at: float
    traces: list[TraceExport]


class SearchHit(Struct):
    """`offsets` are the [start, end) characters of the match inside `match_context`; `start_time` is the span's, in
    epoch seconds."""

    trace_id: str
    span_id: str
    name: str
    match_context: str
    trace_name: str
    field: str
    offsets: tuple[int, int]
    span_type: SpanType
    start_time: float


class SearchPage(Struct):
    """`texts` are the texts of the question that hits have to hold, without its fields and its quotes."""

    results: list[SearchHit]
    total: int
    total_relation: Literal["eq", "gte"]
    texts: list[str]


class Session(Struct):
    """The traces of one session. `error_count` and `running_count` count traces; `first_seen` is when the first of them
    was stored, `last_seen` when something of them last was, in epoch seconds."""

    session_id: str
    trace_count: int
    total_cost_usd: float
    total_tokens: int
    error_count: int
    running_count: int
    unpriced_count: int
    first_seen: float
    last_seen: float


class SessionPage(Struct):
    """Sessions, the one that something was last stored of first."""

    sessions: list[Session]
    total: int
    limit: int
    offset: int


class Stats(Struct):
    """`oldest_trace_timestamp` is the smallest created_at, in epoch seconds, null in an empty database."""

    database_size_bytes: int
    total_traces: int
    total_spans: int
    oldest_trace_timestamp: float | None
    seq: int


class TrendBucket(Struct):
    """`date` is the bucket's first moment in UTC: `2026-01-31`, or `2026-01-31T14:00:00Z` for hours."""

    date: str
    total_cost: float
    total_tokens: int
    trace_count: int
    error_count: int
    success_rate: float


class Trends(Struct):
    buckets: list[TrendBucket]


class CostlyPrompt(Struct):
    span_id: str
    trace_id: str
    name: str
    model: str | None
    cost: float
    tokens: int


class TopCosts(Struct):
    prompts: list[CostlyPrompt]


class SlowTool(Struct):
    span_id: str
    trace_id: str
    name: str
    duration_ms: float


class TopDuration(Struct):
    tools: list[SlowTool]


class Parts(Struct):
    """State of each process behind the port: `up`, `down`, or for workers how many there are."""

    ingest: str
    query: str
    replay_worker: str


class Health(Struct):
    status: Literal["ok", "degraded"]
    version: str
    db_path: str
    parts: Parts
    otlp_port: Annotated[int | None, Meta(description="The second port that takes OpenTelemetry; null: none")]


class ErrorPlace(Struct):
    loc: str
    msg: str


class ErrorBody(Struct, omit_defaults=True):
    """Every answer of 400 and above. `errors` stands in a 422; `error_id` in a 500, and in the log beside it."""

    detail: str
    errors: list[ErrorPlace] = []
    error_id: str | None = None


encode = msgspec.json.Encoder().encode
