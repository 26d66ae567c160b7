"""ingest alone: deleting, tagging, noting, importing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.process.test_ingest_spans import post, rows
from tests.processes import Process, short_home, span


@pytest.fixture
def ingest() -> Iterator[Process]:
    with short_home() as home, Process("ingest", home) as process:
        yield process


def test_a_deleted_trace_takes_everything_with_it(ingest: Process) -> None:
    post(ingest, span("s1", "t1", span_type="llm_call"), span("s2", "t1"), span("s1", "t2"))
    assert ingest.ask("POST", "/v1/spans/s1/prompt-versions?trace_id=t1", {"prompt_text": "p"}).status == 201
    assert ingest.ask("DELETE", "/v1/traces/t1").json == {"deleted_count": 1}
    assert ingest.ask("DELETE", "/v1/traces/t1").status == 404
    for table in ("prompt_versions", "replay_runs"):
        assert rows(ingest.home, f"SELECT count(*) FROM {table}") == [(0,)]
    assert rows(ingest.home, "SELECT count(*) FROM spans") == rows(ingest.home, "SELECT count(*) FROM span_attributes")
    assert rows(ingest.home, "SELECT trace_count, span_count FROM counters") == [(1, 1)]
    assert rows(ingest.home, "SELECT trace_id FROM tombstones") == [("t1",)]


def test_rows_are_never_used_again(ingest: Process) -> None:
    post(ingest, span("s1", "t1"))
    post(ingest, span("s2", "t2"))
    ingest.ask("DELETE", "/v1/traces/t2")
    post(ingest, span("s3", "t3"))
    assert rows(ingest.home, "SELECT span_row, trace_row FROM spans WHERE span_id = 's3'") == [(3, 3)]


def test_many_are_deleted_by_id_and_by_age(ingest: Process) -> None:
    for i in range(40):
        post(ingest, *[span(f"s{i}-{k}", f"old{i}") for k in range(60)])
    cut = time.time()
    post(ingest, span("n", "new"))
    answer = ingest.ask("DELETE", "/v1/traces", {"trace_ids": ["old1", "old2", "nope", "old1"]})
    assert answer.json == {"deleted_count": 2}
    assert ingest.ask("DELETE", "/v1/traces", {"older_than": cut}).json == {"deleted_count": 38}
    assert rows(ingest.home, "SELECT trace_id FROM traces") == [("new",)]
    assert rows(ingest.home, "SELECT count(*) FROM spans") == [(1,)]
    assert ingest.ask("DELETE", "/v1/traces", {}).status == 422


def test_tags_are_replaced(ingest: Process) -> None:
    post(ingest, span())
    assert ingest.ask("PUT", "/v1/traces/t1/tags", {"tags": {"a": "1", "b": "2"}}).status == 200
    answer = ingest.ask("PUT", "/v1/traces/t1/tags", {"tags": {"env": "prod"}})
    assert answer.json == {"trace_id": "t1", "tags": {"env": "prod"}}
    assert rows(ingest.home, "SELECT tags FROM traces") == [('{"env":"prod"}',)]
    assert ingest.ask("PUT", "/v1/traces/no/tags", {"tags": {}}).status == 404
    assert ingest.ask("PUT", "/v1/traces/t1/tags", {"tags": {"a": 1}}).json["errors"][0]["loc"] == "tags[...]"
    # tags are no function of spans: a later span leaves them
    post(ingest, span("s2"))
    assert rows(ingest.home, "SELECT tags, span_count FROM traces") == [('{"env":"prod"}', 2)]


def test_annotations_go_to_the_span_that_is_named(ingest: Process) -> None:
    post(ingest, span("s1", "t1"))
    post(ingest, span("s1", "t2"))
    note = {"id": "n1", "text": "why?", "created_at": 1790000000.5}
    for query, trace in (("", "t2"), ("?trace_id=t1", "t1")):
        answer = ingest.ask("PUT", f"/v1/spans/s1/annotations{query}", {"annotations": [note]})
        assert answer.json == {"span_id": "s1", "annotations": [note]}
        sql = "SELECT annotations FROM spans JOIN traces USING (trace_row) WHERE trace_id = ?"
        assert rows(ingest.home, sql, trace) == [('[{"id":"n1","text":"why?","created_at":1790000000.5}]',)]
    assert ingest.ask("PUT", "/v1/spans/s1/annotations?trace_id=t9", {"annotations": []}).status == 404
    assert ingest.ask("PUT", "/v1/spans/zz/annotations", {"annotations": []}).status == 404
    # a span that is sent again keeps its notes
    post(ingest, span("s1", "t1", name="renamed"))
    assert "why?" in rows(ingest.home, "SELECT annotations FROM spans WHERE name = 'renamed'")[0][0]


def test_prompt_versions_belong_to_llm_calls(ingest: Process) -> None:
    post(ingest, span("llm", span_type="llm_call"), span("tool", span_type="tool_use"))
    answer = ingest.ask("POST", "/v1/spans/llm/prompt-versions", {"prompt_text": "be brief", "label": "v2"})
    assert answer.status == 201
    assert (answer.json["prompt_text"], answer.json["label"], answer.json["span_id"]) == ("be brief", "v2", "llm")
    assert ingest.ask("POST", "/v1/spans/tool/prompt-versions", {"prompt_text": "x"}).status == 400
    assert ingest.ask("POST", "/v1/spans/none/prompt-versions", {"prompt_text": "x"}).status == 404
    assert ingest.ask("POST", "/v1/spans/llm/prompt-versions", {"prompt_text": ""}).status == 422


def export(trace_id: str = "ti", **changes: Any) -> dict[str, Any]:
    spans = [span("i1", trace_id, annotations=[{"id": "n", "text": "note", "created_at": 1.5}]), span("i2", trace_id)]
    return {
        "version": "1",
        "format": "beacon",
        "exported_at": 1.0,
        "trace": {"trace_id": trace_id, "tags": {"k": "v"}, "name": "ignored"},
        "spans": spans,
        **changes,
    }


def test_an_export_is_stored_whole_once(ingest: Process) -> None:
    assert ingest.ask("POST", "/v1/traces/import", export()).json == {"trace_id": "ti", "span_count": 2}
    assert rows(ingest.home, "SELECT tags, span_count, name FROM traces") == [('{"k":"v"}', 2, "step")]
    assert "note" in rows(ingest.home, "SELECT annotations FROM spans WHERE span_id = 'i1'")[0][0]
    assert ingest.ask("POST", "/v1/traces/import", export()).status == 409


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        ({"format": "otel"}, 400, "otel"),
        ({"version": "2"}, 400, '"2"'),
        ({"version": 1}, 400, "version 1"),
        ({"traces": []}, 400, "several"),
        ({"spans": []}, 422, "at least one span"),
        ({"spans": [span("x", "other")]}, 422, "spans[0].trace_id"),
        ({"spans": [span("x", "ti"), span("x", "ti")]}, 422, "twice"),
        ({"spans": [span("x", "ti"), {"span_id": "y", "trace_id": "ti"}]}, 422, "lacks span_type"),
        ({"spans": [span("x", "ti", attributes=[])]}, 422, "spans[0].attributes"),
        ({"trace": {"trace_id": "a/b"}}, 422, "trace.trace_id"),
        ({"trace": {"trace_id": "ti", "tags": {"k": "v" * 2_001}}}, 422, "trace.tags"),
        ({"trace": {"trace_id": "ti", "tags": {"": "v"}}}, 422, "trace.tags"),
    ],
)
def test_an_export_that_is_wrong_stores_nothing(
    ingest: Process, changes: dict[str, Any], status: int, says: str
) -> None:
    answer = ingest.ask("POST", "/v1/traces/import", export(**changes))
    assert answer.status == status, answer.body
    assert says in answer.json["detail"]
    assert rows(ingest.home, "SELECT count(*) FROM spans") == [(0,)]
