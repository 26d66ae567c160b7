"""What is asked of OpenTelemetry's operations in JSON; tests/contract/test_otlp.py has the rest of the protocol."""

from __future__ import annotations

from tests.contract.cases import Ask, Case
from tests.otlp_requests import JSON, SPAN, START, TRACE, json_span, json_traces

_LOG = {
    "resourceLogs": [
        {
            "scopeLogs": [
                {
                    "logRecords": [
                        {
                            "traceId": TRACE,
                            "spanId": SPAN,
                            "timeUnixNano": str(START),
                            "eventName": "gen_ai.user.message",
                            "body": {"stringValue": "hello"},
                        },
                        {"body": {"stringValue": "of no span"}},
                    ]
                }
            ]
        }
    ]
}
_TRACES = json_traces(json_span(), json_span("02" * 8))


def _bad(path: str) -> tuple[Ask, ...]:
    return (Ask(path, b"{"), Ask(path, b""), Ask(path, b"[]", JSON))


OTLP_CASES: dict[str, Case] = {
    "otlp_traces": Case(
        (
            Ask("/v1/traces", _TRACES),
            Ask("/v1/traces", {}),
            Ask("/", json_traces(json_span(), json_span(traceId=""))),
            Ask("/otel/v1/traces", _LOG),
            Ask("/v1/otel/v1/traces", json_traces()),
        ),
        {400: (*_bad("/v1/traces"), Ask("/", json_traces(json_span(attributes={"a": "b"}))))},
    ),
    "otlp_traces_older": Case(
        (Ask("/v1/otlp/traces", _TRACES), Ask("/v1/otlp/traces", json_traces(json_span(), json_span(spanId="")))),
        {400: _bad("/v1/otlp/traces")},
    ),
    "otlp_logs": Case(
        (Ask("/v1/logs", _LOG), Ask("/otel/v1/logs", {}), Ask("/v1/otel/v1/logs", _TRACES)),
        {400: _bad("/v1/logs")},
    ),
    "otlp_metrics": Case((Ask("/v1/metrics", {"resourceMetrics": []}), Ask("/otel/v1/metrics", {"any": 1})), {}),
}
