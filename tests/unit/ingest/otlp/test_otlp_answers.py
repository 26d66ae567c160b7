"""What an export is answered, byte for byte as the protocol has it."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from beacon.contract.otlp import Encoding, encoding_of, is_otlp, status_body, success_body
from beacon.errors import BadRequest, Invalid, QueueFull, TooLarge, Unauthorized, UnsupportedMedia
from beacon.web.otlp import check_otlp_content_type, otlp_error_reply
from ingest.otlp.answers import MESSAGE_CHARS_MAX, message_of
from ingest.otlp.decoded import REASONS_MAX, Decoded


def test_success_is_no_byte_of_protobuf_and_an_empty_object_of_json() -> None:
    assert success_body("protobuf") == b""
    assert success_body("json") == b"{}"


def test_partial_success_counts_and_says_why() -> None:
    got = ExportTraceServiceResponse.FromString(success_body("protobuf", 300, "why: ü"))
    assert got.partial_success.rejected_spans == 300
    assert got.partial_success.error_message == "why: ü"
    logs = ExportLogsServiceResponse.FromString(success_body("protobuf", 2, "x", "rejectedLogRecords"))
    assert logs.partial_success.rejected_log_records == 2
    assert success_body("json", 2, "x") == b'{"partialSuccess":{"rejectedSpans":"2","errorMessage":"x"}}'
    assert success_body("json", 0, "x", "rejectedLogRecords") == b'{"partialSuccess":{"errorMessage":"x"}}'


def test_a_status_is_google_rpcs() -> None:
    assert status_body(3, "bad", "json") == b'{"code":3,"message":"bad"}'
    assert status_body(3, "bad", "protobuf") == b"\x08\x03\x12\x03bad"


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        (b"application/x-protobuf", "protobuf"),
        (b"Application/X-Protobuf; charset=utf-8", "protobuf"),
        (b"application/json", "json"),
        (b"application/json;charset=UTF-8", "json"),
        (b"application/grpc", None),
        (b"text/plain", None),
        (b"application/x-www-form-urlencoded", None),
        (b"", None),
        (None, None),
    ],
)
def test_the_media_type_alone_counts(content_type: bytes | None, encoding: Encoding | None) -> None:
    assert encoding_of(content_type) == encoding


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BadRequest("x"), 400, 3),
        (Invalid("x"), 400, 3),
        (Unauthorized("x"), 401, 16),
        (TooLarge("x"), 413, 8),
        (UnsupportedMedia("x"), 415, 3),
        (QueueFull("x", 7), 503, 14),
    ],
)
def test_errors_come_in_the_encoding_of_the_request(error: Exception, status: int, code: int) -> None:
    json = otlp_error_reply(error, b"application/json")
    assert (json.status, json.content_type) == (status, b"application/json")
    assert b"".join(json.chunks) == b'{"code":%d,"message":"x"}' % code
    binary = otlp_error_reply(error, b"application/x-protobuf; a=b")
    assert (binary.status, binary.content_type) == (status, b"application/x-protobuf")
    assert b"".join(binary.chunks) == b"\x08%c\x12\x01x" % code
    if status == 503:
        assert (b"retry-after", b"7") in binary.headers


def test_a_bug_is_never_sent_again_and_never_a_500(caplog: pytest.LogCaptureFixture) -> None:
    reply = otlp_error_reply(KeyError("inside"), b"application/json")
    assert reply.status == 400
    body = b"".join(reply.chunks).decode()
    assert '"code":13' in body
    error_id = body.partition("under ")[2][:12]
    assert error_id in caplog.text
    assert "inside" in caplog.text
    assert "inside" not in body


def test_a_content_type_of_neither_kind_is_a_415_in_text() -> None:
    for given, said in ((b"text/xml", "text/xml"), (None, "missing"), (b"application/grpc+proto", "http/protobuf")):
        with pytest.raises(UnsupportedMedia, match=said) as caught:
            check_otlp_content_type(given)
        reply = otlp_error_reply(caught.value, given)
        assert (reply.status, reply.content_type.partition(b";")[0]) == (415, b"text/plain")
        assert said.encode() in b"".join(reply.chunks)
    check_otlp_content_type(b"application/json; charset=utf-8")


def test_what_is_otlp_is_a_post_to_its_paths() -> None:
    for path in (b"/", b"/v1/traces", b"/v1/logs", b"/v1/metrics", b"/v1/otlp/traces", b"/otel/v1/traces",
                 b"/v1/otel/v1/traces", b"/otel/v1/logs", b"/v1/otel/v1/metrics"):  # fmt: skip
        assert is_otlp("POST", path)
        assert not is_otlp("GET", path)
    assert not is_otlp("POST", b"/v1/spans")


def test_a_message_counts_and_names_the_first() -> None:
    decoded = Decoded(count=100)
    for i in range(20):
        decoded.reject(f"spans[{i}]", "is bad")
    message = message_of(decoded, "spans")
    assert message.startswith("20 of 100 spans were not stored: spans[0]: is bad; spans[1]: is bad; ")
    assert message.endswith(f"; and {20 - REASONS_MAX} more.")
    assert message_of(Decoded(count=5), "spans") == ""
    warned = Decoded(count=1)
    warned.warn("resource", "cannot be read")
    assert message_of(warned, "spans") == "resource: cannot be read."
    long = Decoded(count=1)
    long.reject("x", "y" * 10_000)
    assert len(message_of(long, "spans")) == MESSAGE_CHARS_MAX
