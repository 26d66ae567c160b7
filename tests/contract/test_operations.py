"""Every operation of the table, through the port: its answer is its model, and each error it documents can be had."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from beacon.contract.limits import BODY_MAX
from beacon.contract.openapi import openapi
from beacon.contract.operation import Operation
from beacon.contract.operations import PUBLIC
from beacon.contract.otlp_records import RpcStatus
from beacon.contract.records import ErrorBody
from tests.contract.cases import Ask, Case
from tests.contract.llm_cases import FAKE, KEYS, LLM_CASES, LLM_SPANS, fake_provider
from tests.contract.otlp_cases import OTLP_CASES
from tests.edge import send_raw
from tests.processes import Answer, span, wait_for
from tests.stack import Stack


def export_of(trace_id: str, **fields: Any) -> dict[str, Any]:
    spans = [span("s1", trace_id), span("s2", trace_id, parent_span_id="s1")]
    return {"version": "1", "format": "beacon", "trace": {"trace_id": trace_id}, "spans": spans, **fields}


NOTE = {"id": "n1", "text": "look here", "created_at": 1_790_000_000.5}

CASES: dict[str, Case] = {
    "post_spans": Case(
        (
            Ask("/v1/spans", {"spans": [span("p1", "posted"), span("p2", "posted")]}),
            Ask("/v1/spans", {"spans": []}),
            Ask("/v1/spans", {"spans": [span("p3", "posted"), span("p4", "posted", status="?")]}),
        ),
        {
            422: (
                Ask("/v1/spans", {"spans": [span("p5", "posted", start_time=-1)]}),
                Ask("/v1/spans", b"{"),
                Ask("/v1/spans", {}),
            )
        },
    ),
    "get_span": Case(
        (Ask("/v1/spans/call"), Ask("/v1/spans/call?trace_id=first"), Ask("/v1/spans/open")),
        {
            404: (Ask("/v1/spans/none"), Ask("/v1/spans/call?trace_id=second")),
            422: (Ask("/v1/spans/call?trace_id=a/b"),),
        },
    ),
    "put_annotations": Case(
        (
            Ask("/v1/spans/call/annotations", {"annotations": [NOTE]}),
            Ask("/v1/spans/call/annotations?trace_id=first", {"annotations": []}),
        ),
        {
            404: (
                Ask("/v1/spans/none/annotations", {"annotations": []}),
                Ask("/v1/spans/call/annotations?trace_id=second", {"annotations": []}),
            ),
            422: (
                Ask("/v1/spans/call/annotations", {"annotations": [{"text": "no id"}]}),
                Ask("/v1/spans/call/annotations", {}),
                Ask("/v1/spans/call/annotations?trace_id=a/b", {"annotations": []}),
            ),
        },
    ),
    "list_prompt_versions": Case(
        (Ask("/v1/spans/call/prompt-versions"), Ask("/v1/spans/tool/prompt-versions?trace_id=first")),
        {
            404: (Ask("/v1/spans/none/prompt-versions"),),
            422: (Ask("/v1/spans/call/prompt-versions?trace_id="),),
        },
    ),
    "create_prompt_version": Case(
        (
            Ask("/v1/spans/call/prompt-versions", {"prompt_text": "in French", "label": "French"}),
            Ask("/v1/spans/call/prompt-versions", {"prompt_text": "in German"}),
        ),
        {
            400: (Ask("/v1/spans/tool/prompt-versions", {"prompt_text": "p"}),),
            404: (Ask("/v1/spans/none/prompt-versions", {"prompt_text": "p"}),),
            422: (
                Ask("/v1/spans/call/prompt-versions", {"prompt_text": ""}),
                Ask("/v1/spans/call/prompt-versions?trace_id=", {"prompt_text": "p"}),
            ),
        },
    ),
    "list_traces": Case(
        (
            Ask("/v1/traces"),
            Ask("/v1/traces?limit=1&offset=1&status=ok"),
            Ask("/v1/traces?limit=1&count=false"),
            Ask("/v1/traces?sort=-duration_ms&tag=branch:main&q=STEP&since=1&until=9e9&min_duration_ms=0"),
            Ask("/v1/traces?model=gpt-4o&span_type=llm_call&session_id=none&min_cost_usd=0"),
        ),
        {
            422: (
                Ask("/v1/traces?limit=0"), Ask("/v1/traces?limit=201"), Ask("/v1/traces?offset=-1"),
                Ask("/v1/traces?status=fine"), Ask("/v1/traces?sort=name"), Ask("/v1/traces?cursor=x"),
                Ask("/v1/traces?tag=no-colon"),
            )
        },
    ),
    "delete_traces": Case(
        (
            Ask("/v1/traces", {"trace_ids": ["doomed-1", "none"]}),
            Ask("/v1/traces", {"older_than": 1.0}),
            Ask("/v1/traces", {"trace_ids": ["doomed-2"], "older_than": 1.0}),
            Ask("/v1/traces", {"trace_ids": []}),
        ),
        {422: (Ask("/v1/traces", {}), Ask("/v1/traces", {"trace_ids": ["/"]}), Ask("/v1/traces", {"older_than": -1}))},
    ),
    "get_baseline": Case(
        (Ask("/v1/traces/baseline"), Ask("/v1/traces/baseline?exclude=second")),
        {422: (Ask("/v1/traces/baseline?exclude=a/b"),)},
    ),
    "export_traces": Case(
        (Ask("/v1/traces/export?trace_ids=first,second"), Ask("/v1/traces/export?format=json&trace_ids=first")),
        {
            400: (Ask("/v1/traces/export?format=csv&trace_ids=first"),),
            404: (Ask("/v1/traces/export?trace_ids=first,none"),),
            422: (Ask("/v1/traces/export"), Ask("/v1/traces/export?trace_ids=")),
        },
    ),
    "import_trace": Case(
        (Ask("/v1/traces/import", export_of("imported")),),
        {
            400: (
                Ask("/v1/traces/import", export_of("other", version="9")),
                Ask("/v1/traces/import", export_of("other", format="jaeger")),
            ),
            409: (Ask("/v1/traces/import", export_of("first")),),
            422: (Ask("/v1/traces/import", export_of("other", spans=[])), Ask("/v1/traces/import", b"[")),
        },
    ),
    "get_trace": Case(
        (Ask("/v1/traces/first"), Ask("/v1/traces/second")),
        {404: (Ask("/v1/traces/none"), Ask("/v1/traces/a%2Fb")), 422: (Ask("/v1/traces/first?fields=none"),)},
    ),
    "delete_trace": Case((Ask("/v1/traces/doomed-3"),), {404: (Ask("/v1/traces/doomed-3"), Ask("/v1/traces/none"))}),
    "get_graph": Case((Ask("/v1/traces/first/graph"),), {404: (Ask("/v1/traces/none/graph"),)}),
    "put_tags": Case(
        (Ask("/v1/traces/first/tags", {"tags": {}}), Ask("/v1/traces/first/tags", {"tags": {"branch": "main"}})),
        {
            404: (Ask("/v1/traces/none/tags", {"tags": {}}),),
            422: (Ask("/v1/traces/first/tags", {"tags": {"k": 1}}), Ask("/v1/traces/first/tags", {"tags": {"": "v"}})),
        },
    ),
    "export_trace": Case(
        (Ask("/v1/traces/first/export"), Ask("/v1/traces/first/export?format=json")),
        {
            400: (Ask("/v1/traces/first/export?format=pdf"),),
            404: (Ask("/v1/traces/none/export"), Ask("/v1/traces/none/export?format=csv")),
            422: (Ask("/v1/traces/first/export?format=%ff"),),
        },
    ),
    "list_sessions": Case(
        (Ask("/v1/sessions"), Ask("/v1/sessions?q=nobody"), Ask("/v1/sessions?limit=1&offset=1")),
        {422: (Ask("/v1/sessions?limit=0"), Ask("/v1/sessions?q="))},
    ),
    "search": Case(
        (Ask("/v1/search?q=weather"), Ask("/v1/search?q=nowhere"), Ask("/v1/search?q=step&limit=1&offset=1")),
        {422: (Ask("/v1/search"), Ask("/v1/search?q="), Ask("/v1/search?q=x&limit=0"))},
    ),
    "get_stats": Case((Ask("/v1/stats"),), {}),
    "get_trends": Case(
        (Ask("/v1/stats/trends"), Ask("/v1/stats/trends?days=2&bucket=hour")),
        {422: (Ask("/v1/stats/trends?days=366"), Ask("/v1/stats/trends?bucket=week"))},
    ),
    "get_top_costs": Case(
        (Ask("/v1/stats/top-costs"), Ask("/v1/stats/top-costs?limit=1")), {422: (Ask("/v1/stats/top-costs?limit=0"),)}
    ),
    "get_top_duration": Case(
        (Ask("/v1/stats/top-duration"), Ask("/v1/stats/top-duration?limit=1")),
        {422: (Ask("/v1/stats/top-duration?limit=0"),)},
    ),
    "get_health": Case((Ask("/health"),), {}),
    "get_openapi": Case((Ask("/openapi.json"),), {}),
    "get_docs": Case((Ask("/docs"),), {}),
    **LLM_CASES,
    **OTLP_CASES,
}  # fmt: skip


SPANS = [
    span("root", "first", span_type="agent_step", name="weather step"),
    span(
        "call",
        "first",
        parent_span_id="root",
        span_type="llm_call",
        attributes={"llm.model": "gpt-4o", "llm.tokens.total": 30, "llm.cost_usd": 0.25, "nested": {"a": [1, None]}},
    ),
    span("tool", "first", parent_span_id="root", span_type="tool_use", status="error", error_message="no weather"),
    span("open", "second", status="unset", end_time=None, sdk_language="python"),
    *(span("s", f"doomed-{i}") for i in (1, 2, 3)),
]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with fake_provider() as fake:
        stack = Stack(BEACON_ANALYSIS_MODEL=f"{FAKE}/analyst", BEACON_DEMO_PACE="0").start()
        try:
            stack.wait_healthy()
            stack.post_spans([*SPANS, *LLM_SPANS])
            server = {"provider": FAKE, "base_url": fake.base_url("openai")}
            assert stack.ask("PUT", KEYS, server).status == 200
            assert stack.ask("PUT", "/v1/traces/second/tags", {"tags": {"baseline": "true"}}).status == 200
            yield stack
        finally:
            stack.destroy()


def send(stack: Stack, op: Operation, ask: Ask) -> Answer:
    path = ask.path
    if "{job}" in path:
        newest = stack.ask("GET", "/v1/jobs?limit=1")
        path = path.replace("{job}", newest.json["jobs"][0]["job_id"] if newest.status == 200 else "unknown")
    return stack.ask(op.method, path, ask.body, ask.headers, timeout=60)


def wait_for_jobs(stack: Stack) -> None:
    """Until no job is under way: a demo goes on after it was answered."""

    def over() -> bool:
        return not any(stack.ask("GET", f"/v1/jobs?state={state}").json["total"] for state in ("queued", "running"))

    wait_for(over, "the jobs to be over")


def by_name(op: Operation) -> str:
    return op.name


WITH_BODY = [op for op in PUBLIC if op.body is not None]


def generic(op: Operation) -> set[int]:
    """The errors that are provoked alike for every operation."""
    return ({413, 415} if op.body is not None else set()) | ({503} & set(op.errors))


def test_the_table_of_cases_is_that_of_the_operations() -> None:
    """An operation that is added needs a case, and a status it documents needs a way to have it."""
    assert set(CASES) == {op.name for op in PUBLIC}
    for op in PUBLIC:
        assert CASES[op.name].good, op.name
        assert set(CASES[op.name].errors) | generic(op) == set(op.errors), op.name


@pytest.mark.parametrize("op", PUBLIC, ids=by_name)
def test_it_answers_with_its_model(stack: Stack, op: Operation) -> None:
    for ask in CASES[op.name].good:
        answer = send(stack, op, ask)
        assert answer.status == op.success, (ask.path, answer.body[:300])
        assert answer.headers["content-type"].partition(";")[0] == op.content_types[0]
        if op.response is None:
            assert len(answer.body) > 500
        else:
            check_model(answer, op.response | None if op.nullable else op.response)


def check_model(answer: Answer, model: Any) -> None:
    """Fails unless the answer is of the model, strictly, and says nothing that the model does not."""
    decoded = msgspec.json.decode(answer.body, type=model, strict=True)
    assert json.loads(msgspec.json.encode(decoded)) == answer.json
    check_raw(answer.json)


def check_raw(value: Any) -> None:
    """What the models leave as it is stored: attributes and tags are objects, annotations a list."""
    if isinstance(value, list):
        for inner in value:
            check_raw(inner)
    elif isinstance(value, dict):
        for name, inner in value.items():
            kind = {"attributes": dict, "tags": dict, "annotations": list}.get(name)
            assert kind is None or isinstance(inner, kind), (name, inner)
            check_raw(inner)


def test_what_has_several_content_types_answers_with_each(stack: Stack) -> None:
    table = stack.ask("GET", "/v1/traces/first/export?format=csv")
    assert table.headers["content-type"].partition(";")[0] == "text/csv"
    assert "attachment" in table.headers["content-disposition"]
    found = list(csv.DictReader(io.StringIO(table.body.decode())))
    assert list(found[0]) == [
        "trace_id", "span_id", "parent_span_id", "name", "span_type", "start_time", "end_time", "duration_ms",
        "status", "cost", "tokens",
    ]  # fmt: skip
    assert {row["span_id"] for row in found} == {"root", "call", "tool"}
    otlp = stack.ask("GET", "/v1/traces/first/export?format=otel").json
    assert len(otlp["resourceSpans"][0]["scopeSpans"][0]["spans"]) == 3


def test_what_can_be_streamed_is(stack: Stack) -> None:
    streamed = [op for op in PUBLIC if "text/event-stream" in op.content_types]
    assert {op.name for op in streamed} == {"replay", "chat"}
    for op in streamed:
        ask = CASES[op.name].good[0]
        answer = stack.ask(op.method, ask.path, {**ask.body, "stream": True}, timeout=60)
        assert answer.headers["content-type"] == "text/event-stream"
        events = [block.split("\n") for block in answer.body.decode().split("\n\n") if block.startswith("event: ")]
        assert [lines[0] for lines in events][-1] == "event: result"
        # they come another way than the result, which has all of it, and may come after it
        assert {lines[0] for lines in events[:-1]} <= {"event: delta"}
        check_model(Answer(200, {}, events[-1][1].removeprefix("data: ").encode()), op.response)


def check_error(op: Operation, answer: Answer, status: int) -> None:
    assert answer.status == status, (op.name, answer.status, answer.body[:300])
    if op.protocol == "otlp":
        check_otlp_error(answer)
    else:
        assert answer.headers["content-type"] == "application/json"
        said = msgspec.json.decode(answer.body, type=ErrorBody, strict=True)
        assert said.detail.strip()
        assert bool(said.errors) == (status == 422)
    if status == 503:
        assert int(answer.headers["retry-after"]) >= 1


def check_otlp_error(answer: Answer) -> None:
    """A google.rpc.Status; text where the content type is none of OTLP's. What is asked here is asked in JSON."""
    if answer.headers["content-type"] == "application/json":
        assert msgspec.json.decode(answer.body, type=RpcStatus, strict=True).message.strip()
        assert set(answer.json) == {"code", "message"}
    else:
        assert (answer.status, answer.headers["content-type"]) == (415, "text/plain; charset=utf-8")
        assert answer.body.strip()


@pytest.mark.parametrize("op", [op for op in PUBLIC if CASES[op.name].errors], ids=by_name)
def test_each_error_it_documents_can_be_had(stack: Stack, op: Operation) -> None:
    counters = "/v1/stats"
    wait_for_jobs(stack)
    for status, asks in CASES[op.name].errors.items():
        for ask in asks:
            before = stack.ask("GET", counters).json["seq"]
            check_error(op, send(stack, op, ask), status)
            if status != 502:  # the spans of a call that failed are there to be looked at
                assert stack.ask("GET", counters).json["seq"] == before, "and it has changed nothing"


@pytest.mark.parametrize("op", WITH_BODY, ids=by_name)
def test_a_body_of_another_kind_or_size_is_refused(stack: Stack, op: Operation) -> None:
    ask = CASES[op.name].good[0]
    body = json.dumps(ask.body).encode()
    refused = [{"content-type": "application/x-www-form-urlencoded"}, {"content-encoding": "br"}]
    for headers in refused[: 1 if op.discarded else 2]:  # what is dropped need not be understood
        check_error(op, stack.ask(op.method, ask.path, body, headers), 415)
    head = f"{op.method} {ask.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    announced = asyncio.run(send_raw(stack.port, f"{head}Content-Length: {BODY_MAX + 1}\r\n\r\n".encode()))
    check_error(op, announced, 413)


@pytest.mark.parametrize("owner", ["ingest", "query"])
def test_without_its_process_it_is_a_503(stack: Stack, owner: str) -> None:
    owned = [op for op in PUBLIC if op.owner == owner]
    assert all(503 in op.errors for op in owned)
    with stack.without(owner):
        for op in owned:
            ask = CASES[op.name].good[0]
            answer = send(stack, op, ask)
            check_error(op, answer, 503)
            assert owner in answer.json["message" if op.protocol == "otlp" else "detail"]
        # the hub's own, and the one of them that depends on others
        health = next(op for op in PUBLIC if op.name == "get_health")
        assert [op for op in PUBLIC if op.owner == "hub" and 503 in op.errors] == [health]
        wait_for(lambda: stack.ask("GET", "/health").status == 503, "/health to tell of it")
        check_error(health, stack.ask("GET", "/health"), 503)
    stack.wait_healthy()


def test_every_status_that_can_be_had_stands_in_openapi() -> None:
    paths = openapi()["paths"]
    for op in PUBLIC:
        documented = set(paths[op.path][op.method.lower()]["responses"])
        assert {str(status) for status in (op.success, *op.errors, *CASES[op.name].errors)} <= documented, op.name
