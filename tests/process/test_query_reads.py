"""query alone, over its socket: every read, on a file filled by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from beacon.contract.events import unpack
from beacon.contract.operations import owned_by
from tests.processes import Answer, Process, short_home
from tests.store_fixture import SECOND, START_NS, Store, stored_span

SENT = (
    '{"k" :  1.50, "u": "\\u4e2d\\n", "deep": [{"a": null}], "llm.model": "m", '
    '"llm.tool_calls": "[{\\"name\\": \\"f\\", \\"arguments\\": {\\"x\\": 1}}]"}'
)
NOTE = '[{"id": "n1", "text": "look", "created_at": 1.5}]'


@pytest.fixture(scope="module")
def query() -> Iterator[Process]:
    with short_home() as home, Store(home / "traces.db") as store:
        fill(store)
        with Process("query", home) as process:
            yield process


def fill(store: Store) -> None:
    store.put(
        stored_span("root", "t1", name="run", end_ns=START_NS + 5 * SECOND, framework="crew", session_id="one"),
        stored_span("late", "t1", parent_span_id="root", start_ns=START_NS + 3 * SECOND, end_ns=None, status="unset"),
        stored_span(
            "early",
            "t1",
            parent_span_id="root",
            span_type="llm_call",
            start_ns=START_NS + 1 * SECOND,
            end_ns=START_NS + 2 * SECOND,
            attributes=SENT,
            annotations=NOTE,
            tokens=12,
            cost_pico=2_500_000_000,
            model="m",
        ),
        created_ns=START_NS,
    )
    store.put(stored_span("early", "t2", name="same id, newer", status="error", error_message="boom: needle"))
    store.put(stored_span("tool", "t3", span_type="tool_use"))
    store.tag("t3", baseline="true", env="prod")
    store.tag("t1", Ü="ß")
    store.prompt_version("t1", "early", "v1", "first", START_NS)
    store.prompt_version("t1", "early", "v2", "second", START_NS + SECOND)
    store.replay("t1", "early", "r1")
    store.job("j1")


def get(query: Process, path: str, status: int = 200, **headers: str) -> Any:
    answer = query.ask("GET", path, headers=headers)
    assert answer.status == status, (answer.status, answer.body)
    return answer.json


# ---------------------------------------------------------------- the table

EXAMPLES = {
    "get_span": "/v1/spans/early",
    "list_prompt_versions": "/v1/spans/early/prompt-versions?trace_id=t1",
    "list_replays": "/v1/spans/early/replays?trace_id=t1",
    "list_jobs": "/v1/jobs",
    "get_job": "/v1/jobs/j1",
    "list_traces": "/v1/traces",
    "get_baseline": "/v1/traces/baseline",
    "export_traces": "/v1/traces/export?trace_ids=t1,t2",
    "get_trace": "/v1/traces/t1",
    "get_graph": "/v1/traces/t1/graph",
    "list_sessions": "/v1/sessions",
    "export_trace": "/v1/traces/t1/export",
    "search": "/v1/search?q=needle",
    "get_stats": "/v1/stats",
    "get_trends": "/v1/stats/trends?days=365&bucket=hour",
    "get_top_costs": "/v1/stats/top-costs",
    "get_top_duration": "/v1/stats/top-duration",
    "query_health": "/internal/query/health",
    "changes": "/internal/changes?after=0",
}


@pytest.mark.parametrize("operation", owned_by("query"), ids=lambda op: op.name)
def test_every_operation_answers_with_its_model(query: Process, operation: Any) -> None:
    answer = query.ask("GET", EXAMPLES[operation.name])
    assert answer.status == operation.success
    assert answer.headers["content-type"] == operation.content_types[0]
    if operation.response is not None:
        msgspec.json.decode(answer.body, type=operation.response)


@pytest.mark.parametrize("operation", owned_by("query"), ids=lambda op: op.name)
def test_every_operation_answers_head_without_a_body(query: Process, operation: Any) -> None:
    answer = query.ask("HEAD", EXAMPLES[operation.name])
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("path", sorted(EXAMPLES.values()))
def test_another_method_is_a_405_that_names_those_there_are(query: Process, path: str) -> None:
    answer = query.ask("PATCH", path)
    assert answer.status == 405
    assert "GET" in answer.headers["allow"]


# ---------------------------------------------------------------- spans


def test_a_span_has_every_field_and_its_text_as_it_was_sent(query: Process) -> None:
    answer = query.ask("GET", "/v1/spans/early?trace_id=t1")
    assert SENT.encode() in answer.body
    assert answer.json == {
        "span_id": "early",
        "trace_id": "t1",
        "parent_span_id": "root",
        "span_type": "llm_call",
        "name": "step",
        "status": "ok",
        "error_message": None,
        "start_time": START_NS / SECOND + 1,
        "end_time": START_NS / SECOND + 2,
        "duration_ms": 1000.0,
        "attributes": json.loads(SENT),
        "annotations": json.loads(NOTE),
        "sdk_language": None,
        "interrupted": False,
    }


def test_a_span_id_alone_is_the_newest_span_of_it(query: Process) -> None:
    assert get(query, "/v1/spans/early")["trace_id"] == "t2"
    assert get(query, "/v1/spans/early?trace_id=t1")["trace_id"] == "t1"


@pytest.mark.parametrize(
    "path", ["absent", "early?trace_id=t3", "early?trace_id=absent", "a%2Fb", "a%20b", "a" * 129, "a%0A", "%F0"]
)
@pytest.mark.parametrize("below", ["", "/prompt-versions"])
def test_a_span_that_is_not_there_is_a_404(query: Process, path: str, below: str) -> None:
    name, _, asked = path.partition("?")
    detail = get(query, f"/v1/spans/{name}{below}?{asked}", 404)["detail"]
    assert detail == "Span not found"


def test_prompt_versions_come_newest_first(query: Process) -> None:
    versions = get(query, "/v1/spans/early/prompt-versions?trace_id=t1")["versions"]
    assert [v["version_id"] for v in versions] == ["v2", "v1"]
    assert versions[1] == {
        "version_id": "v1",
        "span_id": "early",
        "prompt_text": "first",
        "label": None,
        "created_at": START_NS / SECOND,
    }
    assert get(query, "/v1/spans/early/prompt-versions") == {"versions": []}


# ---------------------------------------------------------------- traces


def test_a_trace_has_its_summary_and_its_spans_by_start(query: Process) -> None:
    answer = query.ask("GET", "/v1/traces/t1")
    assert SENT.encode() in answer.body
    trace = answer.json
    assert [s["span_id"] for s in trace.pop("spans")] == ["root", "early", "late"]
    seq = trace.pop("seq")
    assert trace == {
        "trace_id": "t1",
        "name": "run",
        "start_time": START_NS / SECOND,
        "end_time": START_NS / SECOND + 5,
        "duration_ms": 5000.0,
        "span_count": 3,
        "status": "unset",
        "total_cost_usd": 0.0025,
        "total_tokens": 12,
        "tags": {"Ü": "ß"},
        "sdk_language": None,
        "session_id": "one",
        "error_count": 0,
        "running_count": 1,
        "unpriced_count": 0,
        "created_at": START_NS / SECOND,
        "interrupted_count": 0,
        "models": ["m"],
    }
    assert seq == get(query, "/internal/query/health")["seq"]
    listed = get(query, "/v1/traces")
    assert listed["traces"][-1] == trace
    assert listed["seq"] == seq


def test_light_has_labels_in_place_of_attributes_and_all_else(query: Process) -> None:
    whole, light = get(query, "/v1/traces/t1"), get(query, "/v1/traces/t1?fields=light")
    said = {span["span_id"]: [span.pop(name) for name in ("label", "tokens", "cost_usd")] for span in light["spans"]}
    none = [None, None, None]
    assert said == {"root": none, "late": none, "early": ["m → f(1)", 12, 0.0025]}
    for span in whole["spans"]:
        del span["attributes"]
    assert light == whole


@pytest.mark.parametrize("path", ["absent", "a%2Fb", "t1%0A", "T1", "%2e%2e"])
@pytest.mark.parametrize("below", ["", "/graph", "/export", "?fields=light", "/export?format=csv"])
def test_a_trace_that_is_not_there_is_a_404(query: Process, path: str, below: str) -> None:
    assert get(query, f"/v1/traces/{path}{below}", 404)["detail"] == "Trace not found"


def test_an_unchanged_trace_is_a_304_until_anything_in_it_changes(tmp_path: Any) -> None:
    with short_home() as home, Store(home / "traces.db") as store:
        store.put(stored_span("a", "t1"), stored_span("a", "t2"))
        with Process("query", home) as process:
            first = process.ask("GET", "/v1/traces/t1")
            etag = first.headers["etag"]
            assert etag.startswith('W/"')
            again = process.ask("GET", "/v1/traces/t1", headers={"if-none-match": etag})
            assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
            light = process.ask("GET", "/v1/traces/t1?fields=light", headers={"if-none-match": etag})
            assert light.status == 200
            store.put(stored_span("a", "t2", name="other trace"))
            assert process.ask("GET", "/v1/traces/t1", headers={"if-none-match": etag}).status == 304
            store.put(stored_span("a", "t1", attributes={"only": "attributes"}))
            changed = process.ask("GET", "/v1/traces/t1", headers={"if-none-match": etag})
            assert changed.status == 200
            assert changed.headers["etag"] != etag
            store.delete("t1")
            store.put(stored_span("a", "t1"))
            assert process.ask("GET", "/v1/traces/t1", headers={"if-none-match": etag}).status == 200


def test_the_graph_has_a_node_a_span_and_edges_to_parents(query: Process) -> None:
    graph = get(query, "/v1/traces/t1/graph")
    assert [n["id"] for n in graph["nodes"]] == ["root", "early", "late"]
    assert graph["nodes"][0]["data"]["framework"] == "crew"
    assert graph["nodes"][1]["data"]["cost_usd"] == 0.0025
    assert graph["nodes"][2]["data"]["duration_ms"] is None
    assert [(e["source"], e["target"]) for e in graph["edges"]] == [("root", "early"), ("root", "late")]


def test_the_baseline_can_be_excluded(query: Process) -> None:
    assert get(query, "/v1/traces/baseline")["trace_id"] == "t3"
    assert get(query, "/v1/traces/baseline?exclude=t3") is None


def test_pages_lead_from_one_to_the_next(query: Process) -> None:
    first = get(query, "/v1/traces?limit=2")
    assert ([t["trace_id"] for t in first["traces"]], first["total"]) == (["t3", "t2"], 3)
    last = get(query, f"/v1/traces?limit=2&cursor={first['next_cursor']}&count=false")
    assert [t["trace_id"] for t in last["traces"]] == ["t1"]
    assert "next_cursor" not in last
    assert "total" not in last
    assert [t["trace_id"] for t in get(query, "/v1/traces?tag=%C3%9C:%C3%9F")["traces"]] == ["t1"]
    assert get(query, "/v1/traces?tag=env:prod&tag=env:dev")["total"] == 0
    assert get(query, "/v1/traces?cursor=9999999999999999999")["traces"][0]["trace_id"] == "t3"
    assert get(query, "/v1/traces?since=1e300")["total"] == 0


@pytest.mark.parametrize(
    ("path", "loc"),
    [
        ("/v1/traces?limit=0", "query.limit"),
        ("/v1/traces?limit=201", "query.limit"),
        ("/v1/traces?offset=-1", "query.offset"),
        ("/v1/traces?status=fine", "query.status"),
        ("/v1/traces?sort=name", "query.sort"),
        ("/v1/traces?q=", "query.q"),
        ("/v1/traces?tag=novalue", "query.tag[0]"),
        ("/v1/traces?since=-1", "query.since"),
        ("/v1/traces?since=nan", "query.since"),
        ("/v1/traces?cursor=x", "query.cursor"),
        ("/v1/traces?cursor=1&sort=start_time", "query.cursor"),
        ("/v1/traces?cursor=1&offset=1", "query.cursor"),
        ("/v1/traces/t1?fields=some", "query.fields"),
        ("/v1/traces/baseline?exclude=a%20b", "query.exclude"),
        ("/v1/traces/export", "query"),
        ("/v1/traces/export?trace_ids=,", "query.trace_ids"),
        ("/v1/traces/export?trace_ids=" + ",".join(f"t{i}" for i in range(101)), "query.trace_ids"),
        ("/v1/search", "query"),
        ("/v1/search?q=" + "x" * 501, "query.q"),
        ("/v1/search?q=%FF", "query"),
        ("/v1/stats/trends?days=366", "query.days"),
        ("/v1/stats/trends?bucket=week", "query.bucket"),
        ("/v1/stats/top-costs?limit=0", "query.limit"),
        ("/internal/changes", "query"),
        ("/internal/changes?after=-1", "query.after"),
    ],
)
def test_what_cannot_be_asked_is_a_422_that_names_the_place(query: Process, path: str, loc: str) -> None:
    error = get(query, path, 422)
    assert error["errors"][0]["loc"] == loc
    assert error["detail"].endswith(".")


# ---------------------------------------------------------------- exports


def test_an_export_can_be_read_back(query: Process) -> None:
    answer = query.ask("GET", "/v1/traces/t1/export?format=json")
    assert SENT.encode() in answer.body
    export = answer.json
    detail = get(query, "/v1/traces/t1")
    assert (export["version"], export["format"]) == ("1", "beacon")
    assert export["spans"] == detail.pop("spans")
    del detail["seq"]
    assert export["trace"] == detail


def test_several_traces_come_in_the_order_asked_for_each_once(query: Process) -> None:
    export = get(query, "/v1/traces/export?trace_ids=t3,t1,t3")
    assert (export["version"], export["format"]) == ("1", "beacon")
    assert [one["trace"]["trace_id"] for one in export["traces"]] == ["t3", "t1"]
    assert [len(one["spans"]) for one in export["traces"]] == [1, 3]
    assert get(query, "/v1/traces/export?trace_ids=t1,no,t2,nor", 404)["detail"] == "Trace not found: no, nor"


def test_csv_is_an_attachment(query: Process) -> None:
    answer = query.ask("GET", "/v1/traces/t1/export?format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="trace-t1.csv"'
    assert answer.body.count(b"\r\n") == 4


def test_otlp_holds_every_span(query: Process) -> None:
    (resource,) = get(query, "/v1/traces/t1/export?format=otel")["resourceSpans"]
    assert [s["name"] for s in resource["scopeSpans"][0]["spans"]] == ["run", "step", "step"]


@pytest.mark.parametrize("path", ["t1/export?format=xml", "export?format=csv&trace_ids=t1"])
def test_another_format_is_a_400(query: Process, path: str) -> None:
    assert "json" in get(query, f"/v1/traces/{path}", 400)["detail"]


# ---------------------------------------------------------------- figures and changes


def test_figures_are_of_what_is_stored(query: Process) -> None:
    stats = get(query, "/v1/stats")
    assert (stats["total_traces"], stats["total_spans"], stats["oldest_trace_timestamp"]) == (3, 5, START_NS / SECOND)
    assert [p["cost"] for p in get(query, "/v1/stats/top-costs")["prompts"]] == [0.0025]
    assert [t["trace_id"] for t in get(query, "/v1/stats/top-duration")["tools"]] == ["t3"]
    assert len(get(query, "/v1/stats/trends?days=3")["buckets"]) == 3


def test_search_answers_hits_with_their_place(query: Process) -> None:
    found = get(query, "/v1/search?q=NEEDLE")
    assert found == {
        "results": [
            {
                "trace_id": "t2",
                "span_id": "early",
                "name": "same id, newer",
                "match_context": "boom: needle",
                "trace_name": "same id, newer",
                "field": "error_message",
                "offsets": [6, 12],
                "span_type": "custom",
                "start_time": START_NS / SECOND,
            }
        ],
        "total": 1,
        "total_relation": "eq",
        "texts": ["NEEDLE"],
    }
    assert get(query, "/v1/search?q=%E4%B8%AD")["results"][0]["field"] == "attributes.u"


def test_changes_are_an_envelope_and_what_cannot_be_told_a_409(query: Process) -> None:
    answer = query.ask("GET", "/internal/changes?after=0")
    envelope = unpack(answer.body)
    assert (envelope.prev, envelope.last) == (0, get(query, "/internal/query/health")["seq"])
    assert [event.kind for event in envelope.events].count("span_created") == 5
    assert "another database" in get(query, f"/internal/changes?after={envelope.last + 1}", 409)["detail"]


# ---------------------------------------------------------------- large


def test_a_trace_too_large_for_one_read_is_streamed_whole() -> None:
    with short_home() as home, Store(home / "traces.db") as store:
        text = "x" * 1_000_000
        for i in range(21):
            store.put(stored_span(f"s{i:02}", "t", start_ns=START_NS + i, attributes={"n": i, "text": text}))
        store.put(*(stored_span(f"small{i}", "t", start_ns=START_NS + 100 + i) for i in range(300)))
        with Process("query", home) as process:
            answers = {
                path: process.ask("GET", path)
                for path in ("/v1/traces/t", "/v1/traces/t/export", "/v1/traces/t/export?format=otel")
            }
            for answer in answers.values():
                assert answer.status == 200
                assert "content-length" not in answer.headers
            detail = answers["/v1/traces/t"].json
            assert detail["seq"] == store.seq
            assert detail["span_count"] == len(detail["spans"]) == 321
            check_large(detail["spans"], text)
            check_large(answers["/v1/traces/t/export"].json["spans"], text)
            assert otlp_names(answers["/v1/traces/t/export?format=otel"]) == 321
            assert process.ask("GET", "/v1/traces/t/export?format=csv").body.count(b"\r\n") == 322
            light = process.ask("GET", "/v1/traces/t?fields=light")
            assert len(light.json["spans"]) == 321


def check_large(spans: list[Any], text: str) -> None:
    assert [s["attributes"] for s in spans[:21]] == [{"n": i, "text": text} for i in range(21)]
    assert [s["span_id"] for s in spans[21:]] == [f"small{i}" for i in range(300)]


def otlp_names(answer: Answer) -> int:
    (resource,) = answer.json["resourceSpans"]
    return len(resource["scopeSpans"][0]["spans"])


def test_a_chain_of_5_000_spans_has_a_graph() -> None:
    with short_home() as home, Store(home / "traces.db") as store:
        store.put(
            *(
                stored_span(f"s{i}", "t", parent_span_id=f"s{i - 1}" if i else None, start_ns=START_NS + i)
                for i in range(5_000)
            ),
            stored_span("ring1", "t", parent_span_id="ring2", start_ns=START_NS + 5_000),
            stored_span("ring2", "t", parent_span_id="ring1", start_ns=START_NS + 5_001),
            stored_span("self", "t", parent_span_id="self", start_ns=START_NS + 5_002),
            stored_span("orphan", "t", parent_span_id="elsewhere", start_ns=START_NS + 5_003),
        )
        with Process("query", home) as process:
            graph = get(process, "/v1/traces/t/graph")
            assert [n["data"]["sequence"] for n in graph["nodes"]] == list(range(1, 5_005))
            assert len(graph["edges"]) == 4_999 + 2
            assert len({(n["position"]["x"], n["position"]["y"]) for n in graph["nodes"]}) == 5_004
