"""The rows of the table that belong to LLM work, group by group. A group enters PUBLIC when its handlers are there."""

from __future__ import annotations

from beacon.contract import jobs
from beacon.contract import llm_records as rec
from beacon.contract.operation import Operation

SETTINGS: tuple[Operation, ...] = (
    Operation(
        name="list_keys",
        method="GET",
        path="/v1/settings/api-keys",
        owner="ingest",
        tag="settings",
        summary="Which providers have a key, and where it comes from; keys are never shown",
        response=list[rec.KeyInfo],
        errors=(503,),
    ),
    Operation(
        name="put_key",
        method="PUT",
        path="/v1/settings/api-keys",
        owner="ingest",
        tag="settings",
        summary="Save a provider's key, or the base URL of a server that speaks OpenAI's protocol",
        body=rec.PutKey,
        response=rec.KeyState,
        errors=(400, 413, 415, 422, 503),
    ),
    Operation(
        name="delete_key",
        method="DELETE",
        path="/v1/settings/api-keys/{provider}",
        owner="ingest",
        tag="settings",
        summary="Forget a provider's key and base URL",
        response=rec.KeyState,
        errors=(400, 503),
    ),
)

KEY_TEST: tuple[Operation, ...] = (
    Operation(
        name="test_key",
        method="POST",
        path="/v1/settings/api-keys/{provider}/test",
        owner="ingest",
        tag="settings",
        lane="llm",
        summary="Make the cheapest real call with the stored key and base URL, and say what came back",
        response=rec.KeyTest,
        errors=(400, 503),
    ),
    Operation(
        name="list_models",
        method="GET",
        path="/v1/models",
        owner="ingest",
        tag="settings",
        lane="llm",
        summary="The known models with context and prices, and what configured local servers list",
        response=rec.Models,
        errors=(503,),
    ),
)

REPLAY: tuple[Operation, ...] = (
    Operation(
        name="replay",
        method="POST",
        path="/v1/replay",
        owner="ingest",
        tag="replay",
        lane="llm",
        summary="Call the model again with a recorded llm_call, changed as asked",
        body=rec.ReplayRequest,
        response=rec.ReplayResult,
        content_types=("application/json", "text/event-stream"),
        errors=(400, 409, 413, 415, 422, 502, 503),
    ),
    Operation(
        name="list_replays",
        method="GET",
        path="/v1/spans/{span_id}/replays",
        owner="query",
        tag="replay",
        summary="Every replay run of a span, newest first",
        query=rec.ListReplays,
        response=rec.ReplayRuns,
        errors=(404, 422, 503),
    ),
)

JOBS: tuple[Operation, ...] = (
    Operation(
        name="list_jobs",
        method="GET",
        path="/v1/jobs",
        owner="query",
        tag="jobs",
        summary="Jobs, newest first",
        query=rec.ListJobs,
        response=jobs.JobPage,
        errors=(422, 503),
    ),
    Operation(
        name="get_job",
        method="GET",
        path="/v1/jobs/{job_id}",
        owner="query",
        tag="jobs",
        summary="One job",
        response=jobs.Job,
        errors=(404, 503),
    ),
    Operation(
        name="cancel_job",
        method="DELETE",
        path="/v1/jobs/{job_id}",
        owner="ingest",
        tag="jobs",
        summary="Cancel a job; its worker ends the call and closes the upstream connection",
        response=rec.JobCancelled,
        errors=(404, 503),
    ),
)

PLAYGROUND: tuple[Operation, ...] = (
    Operation(
        name="chat",
        method="POST",
        path="/v1/playground/chat",
        owner="ingest",
        tag="playground",
        lane="llm",
        summary="One turn of a conversation with a model; its spans are real, and live",
        body=rec.ChatRequest,
        response=rec.ChatResult,
        content_types=("application/json", "text/event-stream"),
        errors=(400, 409, 413, 415, 422, 502, 503),
    ),
    Operation(
        name="compare_models",
        method="POST",
        path="/v1/playground/compare",
        owner="ingest",
        tag="playground",
        lane="llm",
        summary="The same messages to several models, side by side",
        body=rec.CompareRequest,
        response=rec.CompareResult,
        errors=(400, 409, 413, 415, 422, 502, 503),
    ),
    Operation(
        name="compare_prompts",
        method="POST",
        path="/v1/playground/compare-prompts",
        owner="ingest",
        tag="playground",
        lane="llm",
        summary="Several prompts to one model, side by side",
        body=rec.ComparePromptsRequest,
        response=rec.ComparePromptsResult,
        errors=(400, 409, 413, 415, 422, 502, 503),
    ),
)

DEMO: tuple[Operation, ...] = (
    Operation(
        name="list_scenarios",
        method="GET",
        path="/v1/demo/scenarios",
        owner="ingest",
        tag="demo",
        summary="The demo agents there are",
        response=list[rec.Scenario],
        errors=(503,),
    ),
    Operation(
        name="run_demo",
        method="POST",
        path="/v1/demo/run",
        owner="ingest",
        tag="demo",
        summary="Run a demo agent; its trace is answered at once and grows live. Without a key: on a recorded model",
        body=rec.RunDemo,
        response=rec.DemoStarted,
        errors=(400, 409, 413, 415, 422, 503),
    ),
)

_ANALYSES = (
    ("root-cause", "root_cause", "Why a trace failed", rec.OneTrace, rec.RootCause),
    ("cost-optimization", "cost_optimization", "How traces could cost less", rec.SomeTraces, rec.CostOptimization),
    ("prompt-suggestions", "prompt_suggestions", "How a prompt could be better", rec.OneSpan, rec.PromptSuggestions),
    ("anomalies", "anomalies", "What is unusual in a trace, in numbers and words", rec.OneTrace, rec.Anomalies),
    ("error-patterns", "error_patterns", "What errors of several traces share", rec.SomeTraces, rec.ErrorPatterns),
    ("compare", "compare_traces", "Where two runs part, in numbers and words", rec.TwoTraces, rec.TraceComparison),
    ("summarize", "summarize", "What happened in a trace", rec.OneTrace, rec.TraceSummaryText),
)

ANALYSIS: tuple[Operation, ...] = tuple(
    Operation(
        name=name,
        method="POST",
        path=f"/v1/analysis/{path}",
        owner="ingest",
        tag="analysis",
        lane="llm",
        summary=summary,
        body=body,
        response=response,
        errors=(400, 409, 413, 415, 422, 502, 503),
    )
    for path, name, summary, body, response in _ANALYSES
)

WORKER: tuple[Operation, ...] = (
    Operation(
        name="claim_job",
        method="POST",
        path="/internal/jobs/claim",
        owner="ingest",
        tag="internal",
        summary="A worker with room takes a queued job",
        body=jobs.Claim,
        response=jobs.Claimed,
    ),
    Operation(
        name="renew_job",
        method="POST",
        path="/internal/jobs/{job_id}/renew",
        owner="ingest",
        tag="internal",
        summary="A worker is still at it",
        body=jobs.Renew,
        response=jobs.Renewed,
    ),
    Operation(
        name="complete_job",
        method="POST",
        path="/internal/jobs/{job_id}/complete",
        owner="ingest",
        tag="internal",
        summary="A job is over, well or not",
        body=jobs.Complete,
    ),
)
"""Between worker and ingest."""
