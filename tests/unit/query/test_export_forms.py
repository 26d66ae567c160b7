"""The export forms: CSV, OTLP JSON and Beacon's own, made from rows."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest

from beacon.contract.otlp_ids import hex_id
from beacon.contract.records import TraceSummary
from beacon.version import VERSION
from query.export import beacon_json, otlp_json
from query.export import csv as csv_form
from query.export.trace_walk import SpanRow
from tests.store_fixture import SECOND, START_NS

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"


def span_row(**fields: Any) -> SpanRow:
    columns = {
        "span_id": SPAN_ID,
        "trace_id": TRACE_ID,
        "parent_span_id": None,
        "span_type": "llm_call",
        "name": "chat",
        "status": "ok",
        "error_message": None,
        "start_ns": START_NS + 123_456_789,
        "end_ns": START_NS + 2 * SECOND,
        "attributes": b"{}",
        "annotations": b"[]",
        "sdk_language": None,
        "interrupted": 0,
    }
    tokens, cost = fields.pop("tokens", None), fields.pop("cost_pico", None)
    return SpanRow(tokens, cost, tuple({**columns, **fields}.values()))


def table(*rows: SpanRow) -> list[list[str]]:
    text = csv_form.spans(list(rows), csv_form.HEADER).decode()
    assert text.endswith("\r\n")
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


# ---------------------------------------------------------------- CSV


def test_csv_has_the_columns_of_the_contract_and_empty_cells_for_what_is_not_known() -> None:
    header, priced, running = table(
        span_row(tokens=12, cost_pico=1_500_000, parent_span_id="p"), span_row(end_ns=None, span_type="custom")
    )
    assert ", ".join(header) == (
        "trace_id, span_id, parent_span_id, name, span_type, start_time, end_time, duration_ms, status, cost, tokens"
    )
    start = "1790000000.1234567"
    assert priced == [
        TRACE_ID, SPAN_ID, "p", "chat", "llm_call", start, f"{START_NS // SECOND + 2}", "1876.543211", "ok",
        "0.0000015", "12",
    ]  # fmt: skip
    assert running[6:8] == ["", ""]
    assert running[9:] == ["", ""]


@pytest.mark.parametrize("name", ['quote " and, comma', "two\nlines", "two\r\nlines", "中文", "", "plain"])
def test_csv_gives_back_any_name(name: str) -> None:
    assert table(span_row(name=name))[1][3] == name


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_csv_names_that_a_spreadsheet_would_run_are_guarded(name: str) -> None:
    assert table(span_row(name=name))[1][3] == "'" + name


def test_csv_ids_stay_exact() -> None:
    assert table(span_row(span_id="-5", parent_span_id="-6"))[1][1:3] == ["-5", "-6"]


@pytest.mark.parametrize(
    ("trace_id", "name"), [("abc-1", "trace-abc-1.csv"), ("..:x", "trace-___x.csv"), ("a.csv", "trace-a_csv.csv")]
)
def test_the_file_name_is_safe(trace_id: str, name: str) -> None:
    assert csv_form.filename(trace_id) == name


# ---------------------------------------------------------------- OTLP


def summary(**fields: Any) -> TraceSummary:
    import msgspec

    base = TraceSummary(
        TRACE_ID, "run", 1.0, 2.0, 1000.0, 1, "ok", 0.0, 0, msgspec.Raw(b'{"env":"prod"}'), None, None, 0, 0, 0, 1.0, 0,
        [],
    )  # fmt: skip
    return msgspec.structs.replace(base, **fields)


def attributes_of(span: dict[str, Any]) -> dict[str, Any]:
    keys = [a["key"] for a in span["attributes"]]
    assert len(keys) == len(set(keys))
    return {a["key"]: a["value"] for a in span["attributes"]}


def test_otlp_keeps_its_own_ids_and_times_to_the_nanosecond() -> None:
    span = otlp_json.otlp_span(span_row(parent_span_id="00f067aa0ba902b7").columns)
    assert (span["traceId"], span["spanId"], span["parentSpanId"]) == (TRACE_ID, SPAN_ID, "00f067aa0ba902b7")
    assert span["startTimeUnixNano"] == str(START_NS + 123_456_789)
    assert span["endTimeUnixNano"] == str(START_NS + 2 * SECOND)
    assert (span["name"], span["kind"], span["status"]) == ("chat", 3, {"code": 1})
    assert attributes_of(span) == {"beacon.span_type": {"stringValue": "llm_call"}}


def test_otlp_hashes_other_ids_always_alike_and_keeps_them_beside() -> None:
    uuid, parent = "7f9c24e8-3b12-4c5d-9e7f-1a2b3c4d5e6f", "Parent.1"
    span = otlp_json.otlp_span(span_row(trace_id=uuid, span_id="x", parent_span_id=parent).columns)
    assert re.fullmatch("[0-9a-f]{32}", span["traceId"])
    assert re.fullmatch("[0-9a-f]{16}", span["spanId"])
    attributes = attributes_of(span)
    assert attributes["beacon.trace_id"] == {"stringValue": uuid}
    assert attributes["beacon.span_id"] == {"stringValue": "x"}
    assert attributes["beacon.parent_span_id"] == {"stringValue": parent}
    child_of_same = otlp_json.otlp_span(span_row(trace_id=uuid, span_id=parent).columns)
    assert (child_of_same["traceId"], child_of_same["spanId"]) == (span["traceId"], span["parentSpanId"])


@pytest.mark.parametrize("native", ["0" * 16, SPAN_ID.upper(), SPAN_ID[:-1], SPAN_ID + "0", "g" * 16])
def test_otlp_takes_no_invalid_id_over(native: str) -> None:
    made = hex_id(native, 16)
    assert made != native
    assert re.fullmatch("[0-9a-f]{16}", made)


def test_otlp_values_are_typed() -> None:
    text = json.dumps(
        {
            "s": "x", "t": True, "i": -7, "f": 1.0, "big": 2**63, "n": None,
            "l": [1, "a", [None]], "o": {"k": {"d": 0.5}}, "beacon.span_type": "forged",
        }
    ).encode()  # fmt: skip
    got = attributes_of(otlp_json.otlp_span(span_row(attributes=text, annotations=b'[{"id":"1"}]').columns))
    assert got["s"] == {"stringValue": "x"}
    assert got["t"] == {"boolValue": True}
    assert got["i"] == {"intValue": "-7"}
    assert got["f"] == {"doubleValue": 1.0}
    assert got["big"] == {"stringValue": str(2**63)}
    assert got["n"] == {}
    assert got["l"] == {
        "arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "a"}, {"arrayValue": {"values": [{}]}}]}
    }
    inner = {"kvlistValue": {"values": [{"key": "d", "value": {"doubleValue": 0.5}}]}}
    assert got["o"] == {"kvlistValue": {"values": [{"key": "k", "value": inner}]}}
    assert got["beacon.span_type"] == {"stringValue": "llm_call"}
    assert got["beacon.annotations"] == {"stringValue": '[{"id":"1"}]'}


def test_otlp_says_failed_unset_and_running() -> None:
    failed = otlp_json.otlp_span(span_row(status="error", error_message="boom").columns)
    assert failed["status"] == {"code": 2, "message": "boom"}
    running = otlp_json.otlp_span(span_row(status="unset", end_ns=None, span_type="custom").columns)
    assert running["status"] == {"code": 0}
    assert running["kind"] == 1
    assert "endTimeUnixNano" not in running


def test_otlp_slices_make_one_request_with_the_tags_on_its_resource() -> None:
    document = otlp_json.Document(summary())
    text = document.spans([span_row()], b"")
    text += document.spans([span_row(span_id="1" * 16), span_row(span_id="2" * 16)], b"") + otlp_json.CLOSING
    (resource,) = json.loads(text)["resourceSpans"]
    attributes = {a["key"]: a["value"]["stringValue"] for a in resource["resource"]["attributes"]}
    assert attributes == {"service.name": "beacon", "beacon.trace_name": "run", "beacon.tag.env": "prod"}
    (scope,) = resource["scopeSpans"]
    assert scope["scope"] == {"name": "beacon", "version": VERSION}
    assert [s["spanId"] for s in scope["spans"]] == [SPAN_ID, "1" * 16, "2" * 16]


# ---------------------------------------------------------------- Beacon's own


def test_beacon_json_splices_what_was_sent() -> None:
    sent = b'{"a" :  1.50,"b":"\\u4e2d"}'
    text = bytes(beacon_json.spans([span_row(attributes=sent)], beacon_json.opening(summary(), 5.0)))
    assert sent in text
    export = json.loads(text + beacon_json.CLOSING)
    assert (export["version"], export["format"], export["exported_at"]) == ("1", "beacon", 5.0)
    assert export["trace"]["tags"] == {"env": "prod"}
    assert export["spans"][0]["attributes"] == {"a": 1.5, "b": "中"}
