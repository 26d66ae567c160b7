"""Every read through the port, on what was posted through it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from beacon.contract.operation import Operation
from beacon.contract.operations import PUBLIC
from tests.processes import span
from tests.stack import Stack

READS = [op for op in PUBLIC if op.owner == "query" and op.tag not in ("jobs", "replay")]
"""Of what was posted; what came of calling models is read in test_operations.py."""

START = 1_790_000_000.25

EXAMPLES = {
    "get_span": "/v1/spans/call?trace_id=first",
    "list_prompt_versions": "/v1/spans/call/prompt-versions",
    "list_traces": "/v1/traces?limit=10",
    "get_baseline": "/v1/traces/baseline",
    "export_traces": "/v1/traces/export?trace_ids=first,second",
    "get_trace": "/v1/traces/first",
    "get_graph": "/v1/traces/first/graph",
    "list_sessions": "/v1/sessions",
    "export_trace": "/v1/traces/first/export",
    "search": "/v1/search?q=weather",
    "get_stats": "/v1/stats",
    "get_trends": "/v1/stats/trends",
    "get_top_costs": "/v1/stats/top-costs",
    "get_top_duration": "/v1/stats/top-duration",
}

WRONG: dict[str, tuple[tuple[str, int], ...]] = {
    "get_span": (("/v1/spans/none", 404), ("/v1/spans/call?trace_id=", 422)),
    "list_prompt_versions": (
        ("/v1/spans/none/prompt-versions", 404),
        ("/v1/spans/call/prompt-versions?trace_id=", 422),
    ),
    "list_traces": (("/v1/traces?limit=0", 422), ("/v1/traces?cursor=1&offset=1", 422)),
    "get_baseline": (("/v1/traces/baseline?exclude=%20", 422),),
    "export_traces": (
        ("/v1/traces/export?trace_ids=first,none", 404),
        ("/v1/traces/export?trace_ids=first&format=csv", 400),
        ("/v1/traces/export", 422),
    ),
    "get_trace": (("/v1/traces/none", 404), ("/v1/traces/a%2Fb", 404), ("/v1/traces/first?fields=x", 422)),
    "get_graph": (("/v1/traces/none/graph", 404),),
    "list_sessions": (("/v1/sessions?limit=0", 422),),
    "export_trace": (("/v1/traces/none/export", 404), ("/v1/traces/first/export?format=pdf", 400)),
    "search": (("/v1/search", 422), ("/v1/search?q=", 422), ("/v1/search?q=status:no", 422)),
    "get_stats": (),
    "get_trends": (("/v1/stats/trends?days=0", 422),),
    "get_top_costs": (("/v1/stats/top-costs?limit=x", 422),),
    "get_top_duration": (("/v1/stats/top-duration?limit=201", 422),),
}


def posted() -> list[dict[str, Any]]:
    prompt = json.dumps([{"role": "user", "content": "Wie ist das Wetter in Zürich?\n天気は?"}])
    return [
        span("root", "first", name="agent", span_type="agent_step", end_time=START + 9, start_time=START),
        span(
            "call",
            "first",
            parent_span_id="root",
            name="openai.chat",
            span_type="llm_call",
            start_time=START + 1,
            end_time=START + 3,
            attributes={
                "llm.model": "gpt-4o",
                "llm.prompt": prompt,
                "llm.cost_usd": 0.0025,
                "llm.tokens.input": 10,
                "llm.tokens.output": 5,
            },
        ),
        span(
            "tool",
            "first",
            parent_span_id="call",
            name="weather",
            span_type="tool_use",
            start_time=START + 4,
            end_time=START + 4.5,
            attributes={"tool.framework": "crew", "tool.output": "snow"},
        ),
        span(
            "call", "second", status="error", error_message="RuntimeError: Straße", start_time=START + 20, end_time=None
        ),
    ]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    made = Stack()
    try:
        made.start()
        made.wait_healthy()
        made.post_spans(posted())
        yield made
    finally:
        made.destroy()


def get(stack: Stack, path: str, status: int = 200) -> Any:
    answer = stack.ask("GET", path)
    assert answer.status == status, (answer.status, answer.body)
    return answer.json


@pytest.mark.parametrize("operation", READS, ids=lambda op: op.name)
def test_every_read_answers_with_its_model(stack: Stack, operation: Operation) -> None:
    answer = stack.ask("GET", EXAMPLES[operation.name])
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    model = operation.response | None if operation.nullable else operation.response
    msgspec.json.decode(answer.body, type=model)


@pytest.mark.parametrize("operation", READS, ids=lambda op: op.name)
def test_every_read_refuses_as_it_documents(stack: Stack, operation: Operation) -> None:
    for path, status in WRONG[operation.name]:
        assert status in operation.errors
        error = get(stack, path, status)
        assert error["detail"]
        assert ("errors" in error) == (status == 422)


def test_the_list_is_newest_first_and_filters_hold_together(stack: Stack) -> None:
    page = get(stack, "/v1/traces")
    assert ([t["trace_id"] for t in page["traces"]], page["total"]) == (["second", "first"], 2)
    first = page["traces"][1]
    assert (first["name"], first["status"], first["span_count"]) == ("agent", "ok", 3)
    assert (first["total_cost_usd"], first["total_tokens"], first["duration_ms"]) == (0.0025, 15, 9000.0)
    for query, ids in {
        "status=error": ["second"],
        "q=AGENT": ["first"],
        "q=AGENT+-status:error+tokens%3E1+type:tool_use": ["first"],
        "q=AGENT+status:error": [],
        "model=gpt-4o&span_type=tool_use": ["first"],
        "model=gpt-4o&status=error": [],
        f"since={START + 1}": ["second"],
        f"until={START + 1}": ["first"],
        "min_cost_usd=0.0025": ["first"],
        "min_duration_ms=9000": ["first"],
        "sort=start_time": ["first", "second"],
        "limit=1&offset=1": ["first"],
    }.items():
        assert [t["trace_id"] for t in get(stack, f"/v1/traces?{query}")["traces"]] == ids, query


def test_a_trace_reads_back_as_it_was_posted(stack: Stack) -> None:
    trace = get(stack, "/v1/traces/first")
    sent = {s["span_id"]: s for s in posted() if s["trace_id"] == "first"}
    assert [s["span_id"] for s in trace["spans"]] == list(sent)
    for got in trace["spans"]:
        for key, value in sent[got["span_id"]].items():
            assert got[key] == value
    assert get(stack, "/v1/spans/call")["trace_id"] == "second"
    assert get(stack, "/v1/spans/call?trace_id=first") == trace["spans"][1]


def test_the_graph_carries_cost_framework_and_order(stack: Stack) -> None:
    graph = get(stack, "/v1/traces/first/graph")
    facts = {n["id"]: n["data"] for n in graph["nodes"]}
    assert [facts[i]["sequence"] for i in ("root", "call", "tool")] == [1, 2, 3]
    assert facts["call"]["cost_usd"] == 0.0025
    assert facts["tool"]["framework"] == "crew"
    assert [(e["source"], e["target"]) for e in graph["edges"]] == [("root", "call"), ("call", "tool")]


@pytest.mark.parametrize(
    ("needle", "span_id", "field"),
    [
        ("WEATHER", "tool", "name"),
        ("strasse", "call", "error_message"),
        ("zürich", "call", "attributes.llm.prompt"),
        ("天気", "call", "attributes.llm.prompt"),
        ("tool.out", "tool", "attributes.tool.output"),
    ],
)
def test_search_finds_what_was_meant(stack: Stack, needle: str, span_id: str, field: str) -> None:
    from urllib.parse import quote

    (hit,) = get(stack, f"/v1/search?q={quote(needle)}")["results"]
    assert (hit["span_id"], hit["field"]) == (span_id, field)


def test_search_takes_fields_beside_text(stack: Stack) -> None:
    for q, span_ids in {
        "weather+type:tool_use": ["tool"],
        "weather+-type:tool_use+type:custom": [],
        "model:GPT-*+cost%3E%3D0.0025": ["call"],
        '"z%C3%BCrich"+"%E5%A4%A9%E6%B0%97"': ["call"],
        '"z%C3%BCrich"+"not+there"': [],
    }.items():
        page = get(stack, f"/v1/search?q={q}")
        assert [hit["span_id"] for hit in page["results"]] == span_ids, q
    for path in ("/v1/search", "/v1/traces"):
        error = get(stack, f"{path}?q=weather+duration%3E2", 422)
        assert error["detail"] == "query.q: at character 18: '2' is no time; write 300ms, 2s or 1.5m."


def test_figures_add_up(stack: Stack) -> None:
    stats = get(stack, "/v1/stats")
    assert (stats["total_traces"], stats["total_spans"]) == (2, 4)
    assert stats["database_size_bytes"] > 0
    (dearest,) = get(stack, "/v1/stats/top-costs")["prompts"]
    assert (dearest["span_id"], dearest["model"], dearest["cost"], dearest["tokens"]) == ("call", "gpt-4o", 0.0025, 15)
    (slowest,) = get(stack, "/v1/stats/top-duration")["tools"]
    assert (slowest["span_id"], slowest["duration_ms"]) == ("tool", 500.0)


def test_an_export_can_be_imported_again_unchanged(stack: Stack) -> None:
    before = stack.ask("GET", "/v1/traces/first/export?format=json").json
    assert stack.ask("POST", "/v1/traces/import", before).status == 409
    assert stack.ask("DELETE", "/v1/traces/first").status == 200
    try:
        get(stack, "/v1/traces/first", 404)
    finally:
        imported = stack.ask("POST", "/v1/traces/import", before)
    assert (imported.status, imported.json) == (200, {"trace_id": "first", "span_count": 3})
    after = get(stack, "/v1/traces/first/export?format=json")
    assert after["spans"] == before["spans"]
    del before["trace"]["created_at"], after["trace"]["created_at"]
    assert after["trace"] == before["trace"]


def test_an_unchanged_trace_is_a_304_through_the_port(stack: Stack) -> None:
    etag = stack.ask("GET", "/v1/traces/second").headers["etag"]
    again = stack.ask("GET", "/v1/traces/second", headers={"if-none-match": etag})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("path", ["/internal/changes?after=0", "/internal/query/health"])
def test_what_the_processes_ask_each_other_is_not_on_the_port(stack: Stack, path: str) -> None:
    get(stack, path, 404)
