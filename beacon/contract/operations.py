"""The table of operations: from it come the routes, the hub's routing, openapi.json and the contract tests.

A row says everything a caller or a process must know of one route. A route that is not built yet has no row: it is
a 404, not a stub.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from beacon.contract import records as rec
from beacon.contract import requests as req

Owner = Literal["ingest", "query", "hub"]
Lane = Literal["spans", "short", "long"]
"""Which connections of the hub a request may use: spans have their own, so that long work never holds them up."""


class Operation(Struct, frozen=True, kw_only=True):
    """One route. `body` is the model of the request body, decoded before the handler is called, unless `raw_body`:
    then the handler gets the bytes. `errors` are the statuses of 400 and above it documents beside the common ones."""

    name: str
    method: str
    path: str
    owner: Owner
    summary: str
    tag: str
    query: type[Struct] | None = None
    body: type[Struct] | None = None
    raw_body: bool = False
    response: Any = None
    success: int = 200
    content_types: tuple[str, ...] = ("application/json",)
    errors: tuple[int, ...] = ()
    lane: Lane = "short"
    nullable: bool = False


PUBLIC: tuple[Operation, ...] = (
    # ------------------------------------------------------------ spans
    Operation(
        name="post_spans",
        method="POST",
        path="/v1/spans",
        owner="ingest",
        tag="spans",
        lane="spans",
        summary="Store spans, or update stored ones; answered after they are committed",
        body=req.PostSpans,
        raw_body=True,
        response=rec.SpansAccepted,
        errors=(413, 415, 422, 503),
    ),
    Operation(
        name="get_span",
        method="GET",
        path="/v1/spans/{span_id}",
        owner="query",
        tag="spans",
        summary="One span, whole",
        query=req.WhichTrace,
        response=rec.Span,
        errors=(404, 422, 503),
    ),
    Operation(
        name="put_annotations",
        method="PUT",
        path="/v1/spans/{span_id}/annotations",
        owner="ingest",
        tag="spans",
        summary="Replace the notes on a span",
        query=req.WhichTrace,
        body=req.PutAnnotations,
        response=rec.SpanAnnotations,
        errors=(404, 413, 415, 422, 503),
    ),
    Operation(
        name="list_prompt_versions",
        method="GET",
        path="/v1/spans/{span_id}/prompt-versions",
        owner="query",
        tag="spans",
        summary="The prompt versions of a span, newest first",
        query=req.WhichTrace,
        response=rec.PromptVersions,
        errors=(404, 422, 503),
    ),
    Operation(
        name="create_prompt_version",
        method="POST",
        path="/v1/spans/{span_id}/prompt-versions",
        owner="ingest",
        tag="spans",
        summary="Keep a prompt version of an llm_call span",
        query=req.WhichTrace,
        body=req.CreatePromptVersion,
        response=rec.PromptVersion,
        success=201,
        errors=(400, 404, 413, 415, 422, 503),
    ),
    # ------------------------------------------------------------ traces
    Operation(
        name="list_traces",
        method="GET",
        path="/v1/traces",
        owner="query",
        tag="traces",
        summary="Traces, newest first unless sorted, with filters and paging",
        query=req.ListTraces,
        response=rec.TracePage,
        errors=(422, 503),
    ),
    Operation(
        name="delete_traces",
        method="DELETE",
        path="/v1/traces",
        owner="ingest",
        tag="traces",
        lane="long",
        summary="Delete traces by id, by age, or both",
        body=req.DeleteTraces,
        response=rec.DeletedCount,
        errors=(413, 415, 422, 503),
    ),
    Operation(
        name="get_baseline",
        method="GET",
        path="/v1/traces/baseline",
        owner="query",
        tag="traces",
        summary='The newest trace tagged baseline: "true", or null',
        query=req.Baseline,
        response=rec.TraceSummary,
        nullable=True,
        errors=(422, 503),
    ),
    Operation(
        name="export_traces",
        method="GET",
        path="/v1/traces/export",
        owner="query",
        tag="traces",
        lane="long",
        summary="Several traces as one export",
        query=req.ExportTraces,
        response=rec.TraceExports,
        errors=(400, 404, 422, 503),
    ),
    Operation(
        name="import_trace",
        method="POST",
        path="/v1/traces/import",
        owner="ingest",
        tag="traces",
        lane="long",
        summary="Store an exported trace",
        body=req.ImportTrace,
        raw_body=True,
        response=rec.Imported,
        errors=(400, 409, 413, 415, 422, 503),
    ),
    Operation(
        name="get_trace",
        method="GET",
        path="/v1/traces/{trace_id}",
        owner="query",
        tag="traces",
        summary="A trace with its spans by start time",
        query=req.GetTrace,
        response=rec.TraceDetail,
        errors=(404, 422, 503),
    ),
    Operation(
        name="delete_trace",
        method="DELETE",
        path="/v1/traces/{trace_id}",
        owner="ingest",
        tag="traces",
        summary="Delete a trace with its spans, replay runs and prompt versions",
        response=rec.DeletedCount,
        errors=(404, 503),
    ),
    Operation(
        name="get_graph",
        method="GET",
        path="/v1/traces/{trace_id}/graph",
        owner="query",
        tag="traces",
        summary="A trace as nodes and edges, with a computed layout",
        response=rec.Graph,
        errors=(404, 503),
    ),
    Operation(
        name="put_tags",
        method="PUT",
        path="/v1/traces/{trace_id}/tags",
        owner="ingest",
        tag="traces",
        summary="Replace the tags of a trace",
        body=req.PutTags,
        response=rec.TraceTags,
        errors=(404, 413, 415, 422, 503),
    ),
    Operation(
        name="export_trace",
        method="GET",
        path="/v1/traces/{trace_id}/export",
        owner="query",
        tag="traces",
        lane="long",
        summary="A trace as Beacon JSON, OTLP JSON or CSV",
        query=req.ExportTrace,
        response=rec.TraceExport,
        content_types=("application/json", "text/csv"),
        errors=(400, 404, 422, 503),
    ),
    # ------------------------------------------------------------ search and figures
    Operation(
        name="search",
        method="GET",
        path="/v1/search",
        owner="query",
        tag="search",
        lane="long",
        summary="Spans that hold a text, newest first",
        query=req.Search,
        response=rec.SearchPage,
        errors=(422, 503),
    ),
    Operation(
        name="get_stats",
        method="GET",
        path="/v1/stats",
        owner="query",
        tag="figures",
        summary="How much is stored",
        response=rec.Stats,
        errors=(503,),
    ),
    Operation(
        name="get_trends",
        method="GET",
        path="/v1/stats/trends",
        owner="query",
        tag="figures",
        summary="Cost, tokens, traces and errors by day or hour",
        query=req.TrendsRange,
        response=rec.Trends,
        errors=(422, 503),
    ),
    Operation(
        name="get_top_costs",
        method="GET",
        path="/v1/stats/top-costs",
        owner="query",
        tag="figures",
        summary="The dearest LLM calls",
        query=req.Top,
        response=rec.TopCosts,
        errors=(422, 503),
    ),
    Operation(
        name="get_top_duration",
        method="GET",
        path="/v1/stats/top-duration",
        owner="query",
        tag="figures",
        summary="The slowest tool calls",
        query=req.Top,
        response=rec.TopDuration,
        errors=(422, 503),
    ),
    # ------------------------------------------------------------ the edge itself
    Operation(
        name="get_health",
        method="GET",
        path="/health",
        owner="hub",
        tag="health",
        summary="Whether Beacon works, part by part; 503 while ingest or query is down",
        response=rec.Health,
        errors=(503,),
    ),
    Operation(
        name="get_openapi",
        method="GET",
        path="/openapi.json",
        owner="hub",
        tag="docs",
        summary="This contract as OpenAPI 3.1",
    ),
    Operation(
        name="get_docs",
        method="GET",
        path="/docs",
        owner="hub",
        tag="docs",
        summary="The contract, browsable, offline",
        content_types=("text/html",),
    ),
)
"""What a client may call through the port."""

INTERNAL: tuple[Operation, ...] = (
    Operation(
        name="ingest_health",
        method="GET",
        path="/internal/ingest/health",
        owner="ingest",
        tag="internal",
        summary="Whether the writer can write",
    ),
    Operation(
        name="put_worker",
        method="PUT",
        path="/internal/workers/{worker_id}",
        owner="ingest",
        tag="internal",
        summary="A worker says it is there; it must say so again within WORKER_TTL_S",
    ),
    Operation(
        name="query_health",
        method="GET",
        path="/internal/query/health",
        owner="query",
        tag="internal",
        summary="Whether the reader can read",
    ),
    Operation(
        name="changes",
        method="GET",
        path="/internal/changes",
        owner="query",
        tag="internal",
        summary="What changed after a seq, as one event envelope in msgpack",
        query=req.Changes,
        content_types=("application/msgpack",),
    ),
)
"""Between the processes, on their unix sockets; the hub never routes to these."""

WORKER_TTL_S = 5.0
"""Seconds after which a worker that has not said it is there counts as gone."""


def owned_by(owner: Owner) -> tuple[Operation, ...]:
    """Every operation `owner` must have a handler for."""
    return tuple(op for op in PUBLIC + INTERNAL if op.owner == owner)
