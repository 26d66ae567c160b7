"""The rows of the table that OpenTelemetry's exporters post to. Pure."""

from __future__ import annotations

from beacon.contract import otlp
from beacon.contract.operation import Operation
from beacon.contract.otlp_records import (
    OtlpLogs,
    OtlpLogsAnswer,
    OtlpMetrics,
    OtlpMetricsAnswer,
    OtlpOlderAnswer,
    OtlpTraces,
    OtlpTracesAnswer,
)

_CONTENT_TYPES = (otlp.JSON.decode(), otlp.PROTOBUF.decode())

OTLP: tuple[Operation, ...] = (
    Operation(
        name="otlp_traces",
        method="POST",
        path=otlp.TRACES,
        aliases=otlp.TRACES_ALIASES,
        owner="ingest",
        tag="otlp",
        lane="spans",
        summary="OpenTelemetry's spans (OTLP/HTTP); answered after they are committed",
        body=OtlpTraces,
        raw_body=True,
        response=OtlpTracesAnswer,
        content_types=_CONTENT_TYPES,
        errors=(400, 413, 415, 503),
        protocol="otlp",
    ),
    Operation(
        name="otlp_logs",
        method="POST",
        path=otlp.LOGS,
        aliases=otlp.LOGS_ALIASES,
        owner="ingest",
        tag="otlp",
        lane="spans",
        summary="OpenTelemetry's log records: what a model was asked and answered joins its span, the rest is dropped",
        body=OtlpLogs,
        raw_body=True,
        response=OtlpLogsAnswer,
        content_types=_CONTENT_TYPES,
        errors=(400, 413, 415, 503),
        protocol="otlp",
    ),
    Operation(
        name="otlp_metrics",
        method="POST",
        path=otlp.METRICS,
        aliases=otlp.METRICS_ALIASES,
        # the hub's own: what is dropped need not wait for ingest
        owner="hub",
        tag="otlp",
        summary="OpenTelemetry's metrics: taken and dropped, so that exporters have no errors to tell of",
        body=OtlpMetrics,
        raw_body=True,
        discarded=True,
        response=OtlpMetricsAnswer,
        content_types=_CONTENT_TYPES,
        errors=(413, 415),
        protocol="otlp",
    ),
    Operation(
        name="otlp_traces_older",
        method="POST",
        path=otlp.OLDER_TRACES,
        owner="ingest",
        tag="otlp",
        lane="spans",
        summary="As POST /v1/traces, with an older answer in JSON whatever the request came in",
        body=OtlpTraces,
        raw_body=True,
        response=OtlpOlderAnswer,
        errors=(400, 413, 415, 503),
        protocol="otlp",
    ),
)
