"""What Beacon is sent: bodies and query strings, with the limits on each value. Unknown fields are ignored."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from beacon.contract.limits import ID_PATTERN, PAGE_DEFAULT, PAGE_MAX, TIME_MAX_S
from beacon.contract.records import Annotation, SpanOtel, SpanType, Status

Id = Annotated[str, Meta(pattern=ID_PATTERN, max_length=128)]
Seconds = Annotated[float, Meta(ge=0, le=TIME_MAX_S, description="Unix epoch seconds")]
Limit = Annotated[int, Meta(ge=1, le=PAGE_MAX, description="How many to answer with at most")]
Offset = Annotated[int, Meta(ge=0, le=2**62, description="How many to leave out first")]
AttributesText = Annotated[Raw, Meta(extra_json_schema={"type": "object"})]


class SpanInput(Struct, kw_only=True, gc=False):
    """A span, or an update of one. What is absent is left as it is stored; a span seen for the first time
    needs `span_type`, `name` and `start_time` too."""

    span_id: Id
    trace_id: Id
    parent_span_id: Id | UnsetType | None = UNSET
    span_type: SpanType | UnsetType = UNSET
    name: Annotated[str, Meta(max_length=10_000)] | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    error_message: str | UnsetType | None = UNSET
    start_time: Seconds | UnsetType = UNSET
    end_time: Seconds | UnsetType | None = UNSET
    attributes: AttributesText | UnsetType = UNSET
    sdk_language: Annotated[str, Meta(max_length=100)] | UnsetType | None = UNSET


class PostSpans(Struct):
    """The body of POST /v1/spans."""

    spans: list[SpanInput]


class DeleteTraces(Struct):
    """Which traces to delete: by id, by age (created before `older_than`, epoch seconds), or both."""

    trace_ids: list[Id] | None = None
    older_than: Annotated[float, Meta(ge=0)] | None = None


Tags = dict[Annotated[str, Meta(min_length=1, max_length=200)], Annotated[str, Meta(max_length=2_000)]]


class PutTags(Struct):
    tags: Tags


class PutAnnotations(Struct):
    annotations: Annotated[list[Annotation], Meta(max_length=1_000)]


class CreatePromptVersion(Struct):
    prompt_text: Annotated[str, Meta(min_length=1)]
    label: Annotated[str, Meta(max_length=200)] | None = None


class ImportedSpan(SpanInput, kw_only=True, gc=False):
    """A span of an export: as SpanInput, with its notes, and what came by OpenTelemetry."""

    annotations: list[Annotation] = []
    interrupted: bool = False
    otel: SpanOtel | UnsetType = UNSET


class ImportedTrace(Struct):
    trace_id: Id
    tags: Tags = {}


class ImportTrace(Struct):
    """An export of one trace, `format` "beacon" and `version` "1"."""

    version: str
    format: str
    trace: ImportedTrace
    spans: list[ImportedSpan]


# ---------------------------------------------------------------- query strings


class WhichTrace(Struct):
    """`trace_id` decides between spans of one id in several traces; without it the newest answers."""

    trace_id: (
        Annotated[Id, Meta(description="Which of several traces that hold a span of this id; without it the newest")]
        | None
    ) = None


SortKey = Literal[
    "created_at",
    "-created_at",
    "start_time",
    "-start_time",
    "duration_ms",
    "-duration_ms",
    "total_cost_usd",
    "-total_cost_usd",
    "total_tokens",
    "-total_tokens",
    "span_count",
    "-span_count",
]


class ListTraces(Struct, kw_only=True):
    """The filters of GET /v1/traces. `tag` is `key:value`, may be repeated, and all must hold. A `cursor` comes
    from `next_cursor` of the page before, and goes with the created order only."""

    limit: Limit = PAGE_DEFAULT
    offset: Offset = 0
    status: Annotated[Status, Meta(description="Traces in this state alone")] | None = None
    q: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=500,
                description="Traces whose name holds this text, in any letter case; it takes the fields of a search",
            ),
        ]
        | None
    ) = None
    tag: Annotated[
        list[Annotated[str, Meta(pattern="^[^:]+:")]],
        Meta(description="`key:value`, both exact; may be repeated, and then all must hold"),
    ] = []
    session_id: Annotated[str, Meta(description="Traces of this session alone")] | None = None
    since: (
        Annotated[float, Meta(ge=0, description="Traces that started at this time or later, in Unix epoch seconds")]
        | None
    ) = None
    until: (
        Annotated[float, Meta(ge=0, description="Traces that started before this time, in Unix epoch seconds")] | None
    ) = None
    min_duration_ms: (
        Annotated[float, Meta(ge=0, description="Traces that lasted at least so many milliseconds")] | None
    ) = None
    min_cost_usd: Annotated[float, Meta(ge=0, description="Traces that cost at least so many US dollars")] | None = None
    span_type: Annotated[SpanType, Meta(description="Traces with a span of this type")] | None = None
    model: Annotated[str, Meta(description="Traces with a call of this model, by its exact name")] | None = None
    sort: Annotated[SortKey, Meta(description="What to order by; with `-` the largest or newest first")] = "-created_at"
    cursor: (
        Annotated[
            str,
            Meta(
                pattern="^[0-9]{1,19}$(?!\\n)",
                description="`next_cursor` of the page before, in place of `offset`; for the created order only",
            ),
        ]
        | None
    ) = None
    count: Annotated[bool, Meta(description="Whether to count all that match; false answers sooner")] = True


class ListSessions(Struct, kw_only=True):
    limit: Limit = PAGE_DEFAULT
    offset: Offset = 0
    q: (
        Annotated[
            str, Meta(min_length=1, max_length=500, description="Sessions whose id holds this text, in any letter case")
        ]
        | None
    ) = None


class GetTrace(Struct):
    """`fields=light` has a label, tokens and cost in place of the attributes."""

    fields: Annotated[
        Literal["full", "light"],
        Meta(description="`light` leaves the attributes of the spans out, for a `label`, `tokens` and `cost_usd`"),
    ] = "full"


class Search(Struct, kw_only=True):
    q: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=500,
            description="The text to find, in any letter case: in the names of spans and traces, error messages and "
            "attributes (prompts, answers, tools' input and output). Fields may stand beside it: `status:error`, "
            "`type:tool_use`, `model:gpt-4*`, `name:plan`, `session:abc`, `tag:env=prod`, `cost>0.01`, `tokens>10k`, "
            "`duration>2s`, `since:2h`, `until:2026-11-23`; `-` before a term for not; texts in quotes "
            "have to be there each, and are taken to the letter",
            examples=["timeout", "connection status:error since:2h"],
        ),
    ]
    limit: Limit = PAGE_DEFAULT
    offset: Offset = 0


class TrendsRange(Struct):
    days: Annotated[int, Meta(ge=1, le=365, description="How many days (UTC), today among them")] = 30
    bucket: Annotated[Literal["day", "hour"], Meta(description="What one figure is for")] = "day"


class Top(Struct):
    limit: Limit = 10


class Baseline(Struct):
    """`exclude` is a trace id that is not to be its own baseline."""

    exclude: Annotated[Id, Meta(description="A trace that is not to be its own baseline")] | None = None


class ExportTrace(Struct):
    """Another `format` is a 400, not a 422."""

    format: Annotated[
        str,
        Meta(
            description="Beacon's own JSON, OpenTelemetry's (OTLP) JSON, or a table",
            extra_json_schema={"enum": ["json", "otel", "csv"]},
        ),
    ] = "json"


class ExportTraces(Struct):
    """`trace_ids` is a list with commas; `format` may only be `json` (400 otherwise)."""

    trace_ids: Annotated[
        str,
        Meta(min_length=1, max_length=30_000, description="Ids with commas between them", examples=["trace-1,trace-2"]),
    ]
    format: Annotated[str, Meta(description="Beacon's own JSON", extra_json_schema={"enum": ["json"]})] = "json"


class Changes(Struct):
    """`after` is the newest change number the asker has applied."""

    after: Annotated[int, Meta(ge=0, le=2**62)]


def required_fields(span: SpanInput) -> list[str]:
    """The names a span that is not stored yet still lacks."""
    return [name for name in ("span_type", "name", "start_time") if getattr(span, name) is msgspec.UNSET]
