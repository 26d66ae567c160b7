"""ingest alone, over its socket: what it accepts, what it refuses, and that neither leaves anything half-written."""

from __future__ import annotations

import gzip
import json
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.processes import Process, short_home, span


@pytest.fixture(scope="module")
def ingest() -> Iterator[Process]:
    with short_home() as home, Process("ingest", home) as process:
        yield process


def rows(home: Path, sql: str, *params: Any) -> list[Any]:
    db = sqlite3.connect(f"file:{home}/traces.db?mode=ro", uri=True)
    try:
        return db.execute(sql, params).fetchall()
    finally:
        db.close()


def post(ingest: Process, *spans: dict[str, Any]) -> Any:
    answer = ingest.ask("POST", "/v1/spans", {"spans": list(spans)})
    assert answer.status == 200, answer.body
    return answer.json


def test_a_span_is_in_the_file_when_the_answer_comes(ingest: Process) -> None:
    text = '{"k" :  "\\u4e2d", "n": 1.50}'
    body = json.dumps({"spans": [span("a1", "ta")]}).replace('"attributes": {}', f'"attributes": {text}')
    assert ingest.ask("POST", "/v1/spans", body.encode()).json == {"accepted": 1, "rejected": 0}
    assert rows(
        ingest.home, "SELECT attributes FROM span_attributes JOIN spans USING (span_row) WHERE span_id = 'a1'"
    ) == [(text,)]


def test_valid_spans_beside_wrong_ones_are_stored(ingest: Process) -> None:
    answer = post(ingest, span("b1", "tb"), span("b2", "tb", start_time=-1), {"span_id": "b3", "trace_id": "tb"})
    assert (answer["accepted"], answer["rejected"]) == (1, 2)
    assert [e["index"] for e in answer["errors"]] == [1, 2]
    assert "span_type, name, start_time" in answer["errors"][1]["msg"]
    assert rows(ingest.home, "SELECT span_count FROM traces WHERE trace_id = 'tb'") == [(1,)]


def test_no_valid_span_is_a_422_that_names_each_and_stores_nothing(ingest: Process) -> None:
    answer = ingest.ask("POST", "/v1/spans", {"spans": [span("c1", "tc", name=None), span("c2", "tc", status="x")]})
    assert answer.status == 422
    assert [e["loc"] for e in answer.json["errors"]] == ["spans[0].name", "spans[1].status"]
    assert rows(ingest.home, "SELECT count(*) FROM traces WHERE trace_id = 'tc'") == [(0,)]


def test_an_empty_batch_is_accepted(ingest: Process) -> None:
    assert post(ingest) == {"accepted": 0, "rejected": 0}


def test_updates_keep_what_they_do_not_send(ingest: Process) -> None:
    post(ingest, span("d1", "td", attributes={"x": 1}, end_time=None, status="unset"))
    post(ingest, {"span_id": "d1", "trace_id": "td", "end_time": 1_790_000_009.0, "status": "ok"})
    sql = "SELECT status, end_ns, attributes FROM spans JOIN span_attributes USING (span_row) WHERE span_id = 'd1'"
    assert rows(ingest.home, sql) == [("ok", 1_790_000_009_000_000_000, '{"x": 1}')]
    assert rows(ingest.home, "SELECT running_count, status FROM traces WHERE trace_id = 'td'") == [(0, "ok")]


def test_the_same_spans_again_change_nothing(ingest: Process) -> None:
    spans = [span(f"e{i}", "te") for i in range(5)]
    post(ingest, *spans)
    before = rows(ingest.home, "SELECT seq, next_span_row FROM counters")
    assert post(ingest, *spans) == {"accepted": 5, "rejected": 0}
    assert rows(ingest.home, "SELECT seq, next_span_row FROM counters") == before


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda b: zlib.compress(b)[2:-4]),
        ("zstd", lambda b: zstandard.ZstdCompressor().compress(b)),
        ("gzip", lambda b: gzip.compress(b[:20]) + gzip.compress(b[20:])),
    ],
)
def test_compressed_bodies(ingest: Process, encoding: str, pack: Any) -> None:
    body = pack(json.dumps({"spans": [span("f1", "tf")]}).encode())
    assert ingest.ask("POST", "/v1/spans", body, {"content-encoding": encoding}).json["accepted"] == 1


@pytest.mark.parametrize(
    ("encoding", "body", "status", "says"),
    [
        ("gzip", gzip.compress(b"0" * (70 * 2**20)), 413, "64 MiB"),
        ("deflate", zlib.compress(b"0" * (70 * 2**20)), 413, "64 MiB"),
        ("zstd", zstandard.ZstdCompressor().compress(b"0" * (70 * 2**20)), 413, "64 MiB"),
        ("gzip", b"no gzip at all", 422, "gzip"),
        ("gzip", gzip.compress(b'{"spans":[]}')[:-9], 422, "middle"),
        ("zstd", b"no zstd at all", 422, "zstd"),
        ("br", b"x", 415, "gzip, deflate, zstd"),
    ],
)
def test_bombs_and_broken_streams(ingest: Process, encoding: str, body: bytes, status: int, says: str) -> None:
    answer = ingest.ask("POST", "/v1/spans", body, {"content-encoding": encoding})
    assert (answer.status, says in answer.json["detail"]) == (status, True)
    assert ingest.answers()


def test_a_form_is_not_json(ingest: Process) -> None:
    answer = ingest.ask("POST", "/v1/spans", b"{}", {"content-type": "application/x-www-form-urlencoded"})
    assert answer.status == 415
    assert "application/json" in answer.json["detail"]


def test_a_body_over_the_limit_is_refused_by_its_length(ingest: Process) -> None:
    answer = ingest.ask("POST", "/v1/spans", b"0" * (65 * 2**20))
    assert answer.status == 413
    assert ingest.answers()


def test_a_large_body_is_stored(ingest: Process) -> None:
    spans = [span(f"g{i}", "tg", attributes={"text": "x" * 10_000}) for i in range(600)]
    assert post(ingest, *spans)["accepted"] == 600
    assert rows(ingest.home, "SELECT span_count FROM traces WHERE trace_id = 'tg'") == [(600,)]


def test_broken_json_says_where(ingest: Process) -> None:
    answer = ingest.ask("POST", "/v1/spans", b'{"spans": [}')
    assert answer.status == 422
    assert "byte 11" in answer.json["detail"]
