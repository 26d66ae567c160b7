"""OTLP over HTTP through the port, as exporters speak it: encodings, compressions, answers, and what is stored."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zstandard
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from beacon.contract.limits import BODY_MAX
from tests.otlp_requests import END, JSON, PROTOBUF, SPAN, json_span, json_traces, logs, record, span, traces
from tests.processes import Answer
from tests.stack import Stack

PATHS = ("/v1/traces", "/", "/otel/v1/traces", "/v1/otel/v1/traces")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    stack = Stack().start()
    try:
        stack.wait_healthy()
        yield stack
    finally:
        stack.destroy()


class Ids:
    """Trace ids that no other test has."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self) -> str:
        self._last += 1
        return f"{self._last:032x}"


@pytest.fixture(scope="module")
def new_id() -> Ids:
    return Ids()


def names(stack: Stack, trace_id: str) -> list[str]:
    """The names of a trace's spans; none when there is no such trace."""
    answer = stack.ask("GET", f"/v1/traces/{trace_id}")
    return [one["name"] for one in answer.json["spans"]] if answer.status == 200 else []


def partial(answer: Answer) -> tuple[int, str]:
    """What a protobuf answer rejects, and why."""
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-protobuf")
    said = ExportTraceServiceResponse.FromString(answer.body).partial_success
    return said.rejected_spans, said.error_message


@pytest.mark.parametrize("path", PATHS)
def test_spans_are_stored_when_the_answer_comes(stack: Stack, new_id: Ids, path: str) -> None:
    trace = new_id()
    answer = stack.ask("POST", path, traces(span(trace_id=trace, name="from protobuf")), PROTOBUF)
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "application/x-protobuf", b"")
    body = json_traces(json_span("02" * 8, trace, name="from json"))
    answer = stack.ask("POST", path, body, {"content-type": "application/json; charset=utf-8"})
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "application/json", b"{}")
    assert sorted(names(stack, trace)) == ["from json", "from protobuf"]


def deflate_raw(body: bytes) -> bytes:
    compress = zlib.compressobj(wbits=-15)
    return compress.compress(body) + compress.flush()


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", deflate_raw),
        ("zstd", zstandard.compress),
        ("identity", bytes),
    ],
)
def test_bodies_may_be_compressed(stack: Stack, new_id: Ids, encoding: str, compress: Callable[[bytes], bytes]) -> None:
    trace = new_id()
    fields = {"content-encoding": encoding}
    sent = [
        (traces(span("01" * 8, trace)), PROTOBUF),
        (json.dumps(json_traces(json_span("02" * 8, trace))).encode(), JSON),
    ]
    for body, kind in sent:
        assert stack.ask("POST", "/v1/traces", compress(body), {**kind, **fields}).status == 200
    assert len(names(stack, trace)) == 2
    broken = stack.ask("POST", "/v1/traces", b"\x00rubbish", {**PROTOBUF, **fields})
    assert (broken.status, broken.body[:3]) == (400, b"\x08\x03\x12")


@pytest.mark.parametrize("kind", [PROTOBUF, JSON], ids=["protobuf", "json"])
def test_the_limit_counts_inflated_bytes(stack: Stack, kind: dict[str, str]) -> None:
    bomb = gzip.compress(bytes(BODY_MAX + 1))
    answer = stack.ask("POST", "/v1/traces", bomb, {**kind, "content-encoding": "gzip"})
    assert (answer.status, answer.headers["content-type"]) == (413, kind["content-type"])
    assert b"Send fewer spans" in answer.body


def test_an_unknown_compression_is_a_status_and_an_unknown_type_a_text(stack: Stack) -> None:
    answer = stack.ask("POST", "/v1/traces", b"x", {**PROTOBUF, "content-encoding": "br"})
    assert (answer.status, answer.body[:3]) == (415, b"\x08\x03\x12")
    for given in ("text/plain", "application/xml", "application/grpc"):
        answer = stack.ask("POST", "/v1/traces", b"x", {"content-type": given})
        assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (415, "text/plain")


@pytest.mark.parametrize("bad", [{"trace_id": b""}, {"trace_id": bytes(16)}, {"span_id": b"\x01" * 4}])
def test_a_bad_span_costs_itself_alone(stack: Stack, new_id: Ids, bad: dict[str, bytes]) -> None:
    trace = new_id()
    wrong = span(trace_id=trace)
    for name, value in bad.items():
        setattr(wrong, name, value)
    body = traces(span("01" * 8, trace, name="a"), wrong, span("03" * 8, trace, name="b"))
    rejected, why = partial(stack.ask("POST", "/v1/traces", body, PROTOBUF))
    assert rejected == 1
    assert why.startswith("1 of 3 spans were not stored: spans[1].")
    assert names(stack, trace) == ["a", "b"]


def test_partial_success_in_json_counts_in_text(stack: Stack, new_id: Ids) -> None:
    trace = new_id()
    answer = stack.ask("POST", "/v1/traces", json_traces(json_span("01" * 8, trace), json_span("", trace)), JSON)
    assert answer.json["partialSuccess"]["rejectedSpans"] == "1"
    assert "spanId" in answer.json["partialSuccess"]["errorMessage"]
    older = stack.ask("POST", "/v1/otlp/traces", json_traces(json_span("02" * 8, trace), json_span("", trace)), JSON)
    assert older.json == {"accepted": 1, "rejected": 1}
    older = stack.ask("POST", "/v1/otlp/traces", traces(span("03" * 8, trace)), PROTOBUF)
    assert (older.headers["content-type"], older.json) == ("application/json", {"accepted": 1, "rejected": 0})
    assert len(names(stack, trace)) == 3


def test_an_empty_request_is_a_success(stack: Stack) -> None:
    for path in ("/v1/traces", "/v1/logs"):
        for body in (b"", traces()):
            answer = stack.ask("POST", path, body, PROTOBUF)
            assert (answer.status, answer.body) == (200, b"")
        assert stack.ask("POST", path, {}, JSON).body == b"{}"


def test_a_body_that_cannot_be_decoded_is_a_400(stack: Stack) -> None:
    for path in ("/v1/traces", "/v1/logs"):
        answer = stack.ask("POST", path, b"\x0a\xff", PROTOBUF)
        assert (answer.status, answer.body[:3]) == (400, b"\x08\x03\x12")
        answer = stack.ask("POST", path, b'{"resourceSpans": [', JSON)
        assert (answer.status, answer.json["code"]) == (400, 3)
    answer = stack.ask("POST", "/v1/traces", json_traces(json_span(attributes={"a": "b"})), JSON)
    assert (answer.status, answer.json["code"]) == (400, 3)
    assert "attributes: must be a list" in answer.json["message"]


def test_one_span_with_attributes_as_an_object_does_not_cost_the_others(stack: Stack, new_id: Ids) -> None:
    trace = new_id()
    body = json_traces(json_span("01" * 8, trace), json_span("02" * 8, trace, attributes={"a": "b"}))
    answer = stack.ask("POST", "/v1/traces", body, JSON)
    assert (answer.status, answer.json["partialSuccess"]["rejectedSpans"]) == (200, "1")
    assert len(names(stack, trace)) == 1


def test_what_is_sent_to_the_wrong_path_is_told_where_to_go(stack: Stack, new_id: Ids) -> None:
    trace = new_id()
    for path in ("/v1/traces", "/"):
        rejected, why = partial(stack.ask("POST", path, logs(record(trace_id=trace)), PROTOBUF))
        assert rejected == 1
        assert "holds logs" in why
        assert "/v1/logs" in why
    answer = stack.ask("POST", "/v1/logs", traces(span(trace_id=trace)), PROTOBUF)
    said = ExportLogsServiceResponse.FromString(answer.body).partial_success
    assert said.rejected_log_records == 1
    assert "/v1/traces" in said.error_message
    assert names(stack, trace) == []


def test_more_content_than_a_span_takes_is_refused_record_by_record(stack: Stack, new_id: Ids) -> None:
    trace = new_id()
    records = [
        record(trace_id=trace, event_name="gen_ai.user.message", body={"content": f"message {i}"}) for i in range(502)
    ]
    answer = stack.ask("POST", "/v1/logs", logs(*records), PROTOBUF)
    assert answer.status == 200
    said = ExportLogsServiceResponse.FromString(answer.body).partial_success
    assert said.rejected_log_records == 2
    assert "up to 500 pieces" in said.error_message


def test_ids_come_in_either_case_and_in_base64(stack: Stack, new_id: Ids) -> None:
    trace = "abcdef" + new_id()[6:]
    third = "efcfefcfefcf0001"
    body = json_traces(
        json_span("AB" * 8, trace.upper(), name="upper"),
        json_span("cd" * 8, trace, name="lower", parentSpanId="AB" * 8),
        json_span(base64.b64encode(bytes.fromhex(third)).decode(), trace, name="base64", parentSpanId="0" * 16),
    )
    assert stack.ask("POST", "/v1/traces", body, JSON).body == b"{}"
    found = {one["name"]: one for one in stack.ask("GET", f"/v1/traces/{trace}").json["spans"]}
    assert found["upper"]["span_id"] == "ab" * 8
    assert found["lower"]["parent_span_id"] == "ab" * 8
    assert (found["base64"]["span_id"], found["base64"]["parent_span_id"]) == (third, None)


def test_the_same_spans_again_change_nothing(stack: Stack, new_id: Ids) -> None:
    trace = new_id()
    body = traces(*(span(f"{i + 1:016x}", trace, attributes={"k": [1, None, {"a": 0.5}]}) for i in range(20)))
    assert stack.ask("POST", "/v1/traces", body, PROTOBUF).status == 200
    seq = stack.ask("GET", "/v1/stats").json["seq"]
    for _ in range(3):
        assert stack.ask("POST", "/v1/traces", body, PROTOBUF).status == 200
    assert stack.ask("GET", "/v1/stats").json["seq"] == seq


def test_an_open_copy_never_reopens_a_closed_span(stack: Stack, new_id: Ids) -> None:
    trace = new_id()
    closed, running = span(trace_id=trace), span(trace_id=trace, end_time_unix_nano=0)
    for body in (running, closed, running):
        assert stack.ask("POST", "/v1/traces", traces(body), PROTOBUF).status == 200
    found = stack.ask("GET", f"/v1/spans/{SPAN}?trace_id={trace}").json
    assert found["end_time"] == pytest.approx(END / 1e9)


def test_hostile_values_cost_no_more_than_their_span(stack: Stack, new_id: Ids) -> None:
    trace = new_id()
    deep: Any = "end"
    for _ in range(5_000):
        deep = f'{{"arrayValue":{{"values":[{deep if deep != "end" else "{}"}]}}}}'
    body = json.dumps(json_traces(json_span("01" * 8, trace), json_span("02" * 8, trace, attributes=["DEEP"])))
    body = body.replace('"DEEP"', f'{{"key": "k", "value": {deep}}}')
    answer = stack.ask("POST", "/v1/traces", body.encode(), JSON)
    assert answer.json["partialSuccess"]["rejectedSpans"] == "1"
    assert "nested more than 100 levels deep" in answer.json["partialSuccess"]["errorMessage"]
    odd = json_span("03" * 8, trace, name=None, kind="?", status=[], events={}, links=[1], attributes=[
        {"key": "gen_ai.usage.input_tokens", "value": {"stringValue": "many"}},
        {"key": "gen_ai.input.messages", "value": {"bytesValue": "AAAA"}},
        {"key": "gen_ai.operation.name", "value": {"arrayValue": {"values": [{}]}}},
        {"key": "x", "value": {"doubleValue": "NaN"}},
        {"key": "y", "value": {"intValue": "99999999999999999999"}},
    ])  # fmt: skip
    assert stack.ask("POST", "/v1/traces", json_traces(odd), JSON).body == b"{}"
    assert len(names(stack, trace)) == 2


def test_nothing_was_a_bug(stack: Stack) -> None:
    for process in ("hub", "ingest", "query"):
        assert "Traceback" not in stack.log(process), stack.log(process)
