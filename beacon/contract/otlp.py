"""OTLP over HTTP, as far as the edge and ingest share it: its paths, its two encodings, and google.rpc.Status. Pure.

Sources: opentelemetry-proto docs/specification.md (OTLP/HTTP), google/rpc/status.proto and code.proto. The few bytes of
protobuf that an answer takes are written by hand: the hub needs no protobuf library for them, and a process that has
seen no OTLP keeps it out of its memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Encoding = Literal["protobuf", "json"]

PROTOBUF = b"application/x-protobuf"
JSON = b"application/json"

TRACES = "/v1/traces"
LOGS = "/v1/logs"
METRICS = "/v1/metrics"
OLDER_TRACES = "/v1/otlp/traces"
"""Beacon's own from before it took /v1/traces."""

# An exporter adds /v1/traces to OTEL_EXPORTER_OTLP_ENDPOINT, but posts to OTEL_EXPORTER_OTLP_TRACES_ENDPOINT as it is:
# to "/" where that has no path. The prefixes are other tools' base paths
TRACES_ALIASES = ("/", "/otel/v1/traces", "/v1/otel/v1/traces")
LOGS_ALIASES = ("/otel/v1/logs", "/v1/otel/v1/logs")
METRICS_ALIASES = ("/otel/v1/metrics", "/v1/otel/v1/metrics")

PATHS = frozenset(
    path.encode() for path in (TRACES, LOGS, METRICS, OLDER_TRACES, *TRACES_ALIASES, *LOGS_ALIASES, *METRICS_ALIASES)
)
"""Raw paths to which OTLP is posted."""


def is_otlp(method: str, raw_path: bytes) -> bool:
    """Whether a request is OTLP's, and answered in its form: other methods on these paths are Beacon's own."""
    return method == "POST" and raw_path in PATHS


def encoding_of(content_type: bytes | None) -> Encoding | None:
    """How a body of this Content-Type is encoded; None for any other. Only the media type counts: parameters such as
    charset are common."""
    media = (content_type or b"").split(b";")[0].strip().lower()
    if media in (PROTOBUF, b"application/protobuf", b"application/vnd.google.protobuf"):
        return "protobuf"
    if media == JSON or (media.startswith(b"application/") and media.endswith(b"+json")):
        return "json"
    return None


def content_type_of(encoding: Encoding) -> bytes:
    """The Content-Type of an answer."""
    return PROTOBUF if encoding == "protobuf" else JSON


# ---------------------------------------------------------------- google.rpc.Status

INVALID_ARGUMENT = 3
INTERNAL = 13

_CODES: Mapping[int, int] = {
    400: INVALID_ARGUMENT,
    401: 16,  # UNAUTHENTICATED
    403: 7,  # PERMISSION_DENIED
    404: 5,  # NOT_FOUND
    405: 12,  # UNIMPLEMENTED
    408: 4,  # DEADLINE_EXCEEDED
    413: 8,  # RESOURCE_EXHAUSTED
    415: INVALID_ARGUMENT,
    429: 8,
    503: 14,  # UNAVAILABLE
}


def code_of(http_status: int) -> int:
    """The code of google.rpc.Status that goes with an HTTP status."""
    return _CODES.get(http_status, INTERNAL)


def status_body(code: int, message: str, encoding: Encoding) -> bytes:
    """A google.rpc.Status."""
    if encoding == "protobuf":
        return _varint_field(1, code) + _text_field(2, message)
    return msgspec.json.encode({"code": code, "message": message})


# ---------------------------------------------------------------- Export…ServiceResponse

Rejected = Literal["rejectedSpans", "rejectedLogRecords", "rejectedDataPoints"]


def success_body(encoding: Encoding, rejected: int = 0, message: str = "", what: Rejected = "rejectedSpans") -> bytes:
    """An ExportTraceServiceResponse, or that of logs or metrics, which differ in JSON alone, in the name of the count.

    With nothing rejected and no message `partial_success` is unset, which protobuf writes as no bytes at all. Nothing
    rejected, but a message, is a warning.
    """
    if encoding == "json":
        if not rejected and not message:
            return b"{}"
        partial = ({what: str(rejected)} if rejected else {}) | ({"errorMessage": message} if message else {})
        return msgspec.json.encode({"partialSuccess": partial})
    partial_bytes = (_varint_field(1, rejected) if rejected else b"") + (_text_field(2, message) if message else b"")
    return _bytes_field(1, partial_bytes) if partial_bytes else b""


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _varint_field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _bytes_field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _text_field(number: int, text: str) -> bytes:
    return _bytes_field(number, text.encode("utf-8", "replace"))
