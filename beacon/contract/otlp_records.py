"""OTLP's requests and answers as the contract documents them; ingest reads requests by hand (ingest/otlp/). Pure.

Source: opentelemetry-proto, opentelemetry/proto/collector/trace/v1/trace_service.proto and its siblings.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class OtlpTraces(Struct, rename="camel"):
    """An ExportTraceServiceRequest."""

    resource_spans: list[dict[str, Any]] = []


class OtlpLogs(Struct, rename="camel"):
    """An ExportLogsServiceRequest."""

    resource_logs: list[dict[str, Any]] = []


class OtlpMetrics(Struct, rename="camel"):
    """An ExportMetricsServiceRequest."""

    resource_metrics: list[dict[str, Any]] = []


class RejectedSpans(Struct, rename="camel", omit_defaults=True):
    """`rejectedSpans` is decimal text, as 64-bit integers are in protobuf's JSON; without it `errorMessage` warns."""

    rejected_spans: str | None = None
    error_message: str | None = None


class RejectedLogRecords(Struct, rename="camel", omit_defaults=True):
    rejected_log_records: str | None = None
    error_message: str | None = None


class OtlpTracesAnswer(Struct, rename="camel", omit_defaults=True):
    """An ExportTraceServiceResponse: empty when every span is stored."""

    partial_success: RejectedSpans | None = None


class OtlpLogsAnswer(Struct, rename="camel", omit_defaults=True):
    partial_success: RejectedLogRecords | None = None


class OtlpMetricsAnswer(Struct, rename="camel", omit_defaults=True):
    """An ExportMetricsServiceResponse: always empty."""


class OtlpOlderAnswer(Struct):
    """How many spans are stored, and how many were left out."""

    accepted: int
    rejected: int


class RpcStatus(Struct):
    """A google.rpc.Status, in the request's encoding: how OTLP says what went wrong."""

    code: int
    message: str
