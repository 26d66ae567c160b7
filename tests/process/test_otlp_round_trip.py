"""ingest and query over one file: what came by OpenTelemetry goes out as it came, and comes back the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.processes import Process, short_home, span

TRACE = "0af7651916cd43dd8448eb211c80319c"
START = 1_790_000_000_000_000_001


class Pair:
    """A Beacon of two processes, without a port."""

    def __init__(self, ingest: Process, query: Process) -> None:
        self._ingest = ingest
        self._query = query

    def post(self, path: str, body: Any, method: str = "POST") -> Any:
        answer = self._ingest.ask(method, path, body)
        assert answer.status == 200, answer.body
        return answer.json

    def get(self, path: str) -> bytes:
        answer = self._query.ask("GET", path)
        assert answer.status == 200, answer.body
        return answer.body

    def json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def otlp(self, trace_id: str) -> bytes:
        return self.get(f"/v1/traces/{trace_id}/export?format=otel")


@contextmanager
def pair() -> Iterator[Pair]:
    with ExitStack() as stack:
        home = stack.enter_context(short_home())
        ingest = stack.enter_context(Process("ingest", home))
        yield Pair(ingest, stack.enter_context(Process("query", home)))


@pytest.fixture(scope="module")
def beacon() -> Iterator[Pair]:
    with pair() as one:
        yield one


@pytest.fixture(scope="module")
def empty() -> Iterator[Pair]:
    with pair() as one:
        yield one


def text(value: str) -> dict[str, Any]:
    return {"stringValue": value}


def attributes(**values: Any) -> list[dict[str, Any]]:
    return [{"key": key.replace("__", "."), "value": value} for key, value in values.items()]


def otlp_span(span_id: str, at: int = 0, lasts: int | None = 1_000, **fields: Any) -> dict[str, Any]:
    found = {
        "traceId": TRACE,
        "spanId": span_id,
        "name": f"step {at}",
        "kind": 1,
        "startTimeUnixNano": str(START + at),
        "attributes": attributes(step=text(str(at))),
        "status": {},
        **fields,
    }
    if lasts is not None:
        found["endTimeUnixNano"] = str(START + at + lasts)
    return found


EVERYTHING: Any = otlp_span(
    "b7ad6b7169203331",
    5,
    parentSpanId="00f067aa0ba902b7",
    kind=3,
    traceState="vendor=1,other=a b",
    flags=257,
    attributes=attributes(
        text=text("中 🛰 \n"),
        whole={"intValue": "9007199254740993"},
        broken={"doubleValue": 1.5},
        one={"doubleValue": 1.0},
        yes={"boolValue": True},
        none={},
        raw={"bytesValue": "AAEC/w=="},
        nan={"doubleValue": "NaN"},
        endless={"doubleValue": "-Infinity"},
        listed={"arrayValue": {"values": [text("a"), {"intValue": "1"}, {"bytesValue": "AA=="}]}},
        nested={"kvlistValue": {"values": attributes(a={"kvlistValue": {"values": attributes(b=text("c"))}})}},
        gen_ai__operation__name=text("chat"),
        gen_ai__request__model=text("gpt-4o-mini"),
        gen_ai__usage__input_tokens={"intValue": "12"},
        gen_ai__usage__output_tokens={"intValue": "3"},
        gen_ai__conversation__id=text("talk-1"),
    ),
    events=[
        {
            "timeUnixNano": str(START + 6),
            "name": "exception",
            "attributes": attributes(exception__type=text("ValueError"), exception__message=text("no")),
            "droppedAttributesCount": 2,
        },
        {"timeUnixNano": str(START + 7), "name": "later"},
    ],
    links=[
        {
            "traceId": "1" * 32,
            "spanId": "2" * 16,
            "traceState": "l=1",
            "attributes": attributes(why=text("because")),
            "droppedAttributesCount": 1,
            "flags": 1,
        }
    ],
    droppedAttributesCount=3,
    droppedEventsCount=4,
    droppedLinksCount=5,
    status={"code": 2, "message": "it failed"},
)

REQUEST: Any = {
    "resourceSpans": [
        {
            "resource": {
                "attributes": attributes(
                    service__name=text("agent"), telemetry__sdk__language=text("python"), raw={"bytesValue": "AP8="}
                ),
                "droppedAttributesCount": 1,
            },
            "schemaUrl": "https://opentelemetry.io/schemas/1.40.0",
            "scopeSpans": [
                {
                    "scope": {"name": "one", "version": "1.2", "attributes": attributes(a=text("b"))},
                    "schemaUrl": "https://opentelemetry.io/schemas/1.39.0",
                    "spans": [
                        EVERYTHING,  # before its parent
                        otlp_span("00f067aa0ba902b7", 0, 9_000),
                        otlp_span("3" * 16, 20, None, parentSpanId="00f067aa0ba902b7"),  # running
                        otlp_span("4" * 16, 21, -5, parentSpanId="f" * 16),  # ends before it starts; an orphan
                    ],
                },
                {"scope": {"name": "two"}, "spans": [otlp_span("5" * 16, 3, 0, status={"code": 1})]},
            ],
        },
        {
            "resource": {"attributes": []},
            "scopeSpans": [
                {
                    "scope": {},
                    "spans": [
                        otlp_span("6" * 16, 4, parentSpanId="7" * 16),  # a ring
                        otlp_span("7" * 16, 4, parentSpanId="6" * 16, name=""),
                        otlp_span("8" * 16, 4, parentSpanId="8" * 16, startTimeUnixNano="0"),
                    ],
                }
            ],
        },
    ]
}

LOG = {
    "resourceLogs": [
        {
            "scopeLogs": [
                {
                    "logRecords": [
                        {
                            "traceId": TRACE,
                            "spanId": "b7ad6b7169203331",
                            "timeUnixNano": str(START + 6),
                            "eventName": "gen_ai.user.message",
                            "body": {"kvlistValue": {"values": attributes(content=text("from a log"))}},
                        }
                    ]
                }
            ]
        }
    ]
}

NATIVE = [
    span("native-root", "native-1", span_type="agent_step", start_time=1_790_000_000.5, end_time=None, status="unset"),
    span(
        "Native.Child",
        "native-1",
        parent_span_id="native-root",
        span_type="llm_call",
        status="error",
        error_message="boom",
        sdk_language="python",
        attributes={"llm.tokens.total": 3, "a": [1, 2.5, None, {"b": True}], "beacon.span_type": "mine"},
    ),
]


@pytest.fixture(scope="module", autouse=True)
def stored(beacon: Pair) -> None:
    beacon.post("/v1/logs", LOG)
    beacon.post("/v1/traces", REQUEST)
    # a native span in the same trace
    beacon.post("/v1/spans", {"spans": [span("in-process", TRACE, parent_span_id="00f067aa0ba902b7")]})
    beacon.post("/v1/spans", {"spans": NATIVE})
    note = {"annotations": [{"id": "n1", "text": "look", "created_at": 1.5}]}
    beacon.post(f"/v1/spans/{'5' * 16}/annotations", note, "PUT")
    beacon.post("/v1/traces/native-1/tags", {"tags": {"env": "prod", "empty": ""}}, "PUT")


def test_what_was_sent_is_in_the_export(beacon: Pair) -> None:
    first, *_, second = json.loads(beacon.otlp(TRACE))["resourceSpans"][:2]
    assert first["schemaUrl"] == REQUEST["resourceSpans"][0]["schemaUrl"]
    resource = first["resource"]
    sent = REQUEST["resourceSpans"][0]["resource"]
    assert resource["attributes"][: len(sent["attributes"])] == sent["attributes"]
    assert resource["droppedAttributesCount"] == 1
    scopes = {scope["scope"].get("name"): scope for scope in first["scopeSpans"]}
    assert scopes["one"]["scope"] == REQUEST["resourceSpans"][0]["scopeSpans"][0]["scope"]
    assert scopes["one"]["schemaUrl"].endswith("1.39.0")
    found = next(s for s in scopes["one"]["spans"] if s["spanId"] == EVERYTHING["spanId"])
    assert {k: v for k, v in found.items() if k != "attributes"} == {
        k: v for k, v in EVERYTHING.items() if k != "attributes"
    }
    kept = {a["key"]: a["value"] for a in found["attributes"]}
    assert {a["key"]: kept[a["key"]] for a in EVERYTHING["attributes"]} == {
        a["key"]: a["value"] for a in EVERYTHING["attributes"]
    }
    assert kept["beacon.span_type"] == text("llm_call")
    assert second["resource"].get("attributes", []) == []


@pytest.mark.parametrize("trace_id", [TRACE, "native-1"])
def test_export_into_an_empty_beacon_exports_the_same_bytes(beacon: Pair, empty: Pair, trace_id: str) -> None:
    exported = beacon.otlp(trace_id)
    assert empty.post("/v1/traces", exported) == {}
    assert empty.otlp(trace_id) == exported
    assert empty.json(f"/v1/traces/{trace_id}")["tags"] == beacon.json(f"/v1/traces/{trace_id}")["tags"]
    assert empty.post("/v1/traces", exported) == {}  # and twice
    assert empty.otlp(trace_id) == exported


@pytest.mark.parametrize("tags", [{}, {"service.name": "another", "x": "y"}])
def test_edited_tags_survive_the_way_through_otlp(beacon: Pair, tags: dict[str, str]) -> None:
    beacon.post(f"/v1/traces/{TRACE}/tags", {"tags": tags}, "PUT")
    exported = beacon.otlp(TRACE)
    with pair() as other:
        other.post("/v1/traces", exported)
        assert other.otlp(TRACE) == exported
        assert other.json(f"/v1/traces/{TRACE}")["tags"] == tags


@pytest.mark.parametrize("trace_id", [TRACE, "native-1"])
def test_beacons_own_export_loses_nothing_either(beacon: Pair, trace_id: str) -> None:
    exported = beacon.get(f"/v1/traces/{trace_id}/export?format=json")
    with pair() as other:
        other.post("/v1/traces/import", exported)
        assert other.otlp(trace_id) == beacon.otlp(trace_id)
        again = other.json(f"/v1/traces/{trace_id}/export?format=json")
        assert again["spans"] == json.loads(exported)["spans"]


@pytest.mark.parametrize(
    "otel",
    [
        {"resource": {}, "scope": {}, "span": {"events": 3}},
        {"resource": {"resource": {"attributes": [{"key": 1}]}}, "scope": {}, "span": {}},
        {"resource": {}, "scope": [], "span": {}},
        {"resource": {}},
    ],
)
def test_an_export_whose_otel_part_is_not_otlp_is_refused(beacon: Pair, otel: Any) -> None:
    body = {
        "version": "1",
        "format": "beacon",
        "trace": {"trace_id": "edited"},
        "spans": [span("s1", "edited", otel=otel)],
    }
    answer = beacon._ingest.ask("POST", "/v1/traces/import", body)
    assert answer.status == 422, answer.body


def test_one_span_shows_what_opentelemetry_says_beside_it(beacon: Pair) -> None:
    found = beacon.json(f"/v1/spans/{EVERYTHING['spanId']}")
    assert (found["kind"], found["trace_state"]) == ("client", "vendor=1,other=a b")
    assert found["events"] == [
        {
            "name": "exception",
            "time": pytest.approx((START + 6) / 1e9),
            "attributes": {"exception.type": "ValueError", "exception.message": "no"},
        },
        {"name": "later", "time": pytest.approx((START + 7) / 1e9), "attributes": {}},
    ]
    assert found["links"] == [
        {"trace_id": "1" * 32, "span_id": "2" * 16, "trace_state": "l=1", "attributes": {"why": "because"}}
    ]
    assert found["resource"] == {"service.name": "agent", "telemetry.sdk.language": "python", "raw": "AP8="}
    assert found["scope"] == {"name": "one", "version": "1.2", "attributes": {"a": "b"}}
    assert "from a log" in found["attributes"]["llm.prompt"]
    native = beacon.json("/v1/spans/in-process")
    assert native == next(s for s in beacon.json(f"/v1/traces/{TRACE}")["spans"] if s["span_id"] == "in-process")


def test_every_read_takes_rings_orphans_and_times_that_run_backwards(beacon: Pair) -> None:
    detail = beacon.json(f"/v1/traces/{TRACE}")
    assert len(detail["spans"]) == detail["span_count"] == 9
    assert all(s["duration_ms"] is None or s["duration_ms"] >= 0 for s in detail["spans"])
    graph = beacon.json(f"/v1/traces/{TRACE}/graph")
    assert len(graph["nodes"]) == 9
    assert {(e["source"], e["target"]) for e in graph["edges"]} >= {("6" * 16, "7" * 16), ("7" * 16, "6" * 16)}
    assert beacon.json("/v1/search?q=step%2021")["total"] == 1
    assert len(beacon.get(f"/v1/traces/{TRACE}/export?format=csv").splitlines()) == 10


def test_sessions_sum_up_their_traces(beacon: Pair) -> None:
    page = beacon.json("/v1/sessions")
    (one,) = page["sessions"]
    assert (one["session_id"], one["trace_count"], one["error_count"], one["total_tokens"]) == ("talk-1", 1, 1, 15)
    assert one["first_seen"] <= one["last_seen"]
    assert beacon.json("/v1/sessions?q=TALK")["total"] == 1
    assert beacon.json("/v1/sessions?q=nobody") == {"sessions": [], "total": 0, "limit": 50, "offset": 0}
