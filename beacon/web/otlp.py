"""Errors on the paths of OTLP, in OTLP's form: a google.rpc.Status in the encoding of the request."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable

from starlette.types import Scope

from beacon.contract.otlp import INTERNAL, code_of, content_type_of, encoding_of, is_otlp, status_body
from beacon.errors import BeaconError, Unauthorized, Unavailable, UnsupportedMedia
from beacon.web.reply import Headers, Reply, error_reply

log = logging.getLogger("beacon.web")

GRPC_HINT = (
    "Beacon takes OpenTelemetry over HTTP, not gRPC: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, and keep "
    "OTEL_EXPORTER_OTLP_ENDPOINT at Beacon's address"
)


def answer_error(error: Exception, scope: Scope) -> Reply:
    """`error` as the answer to the request `scope`: in OTLP's form on OTLP's paths, else in Beacon's."""
    if is_otlp(scope["method"], scope["raw_path"]):
        return otlp_error_reply(error, _content_type(scope["headers"]))
    return error_reply(error)


def otlp_error_reply(error: Exception, content_type: bytes | None) -> Reply:
    """`error` as google.rpc.Status, for a request of this Content-Type (JSON for one that is neither of OTLP's).

    An exporter sends again what was answered 429, 502, 503 or 504, and drops what was answered anything else. A bug
    would be met again by the same request, so it is no 503, which would be retried for ever; and no 500, which some
    exporters take for a reason to try again too: it is a 400 whose code says INTERNAL and whose id is in the log.
    """
    encoding = encoding_of(content_type) or "json"
    headers: Headers = []
    if not isinstance(error, BeaconError):
        error_id = secrets.token_hex(6)
        log.error("bug %s", error_id, exc_info=error)
        message = f"Beacon failed to take this; that is a bug. Its log has the details under {error_id}."
        return Reply(400, (status_body(INTERNAL, message, encoding),), content_type_of(encoding))
    if isinstance(error, UnsupportedMedia) and encoding_of(content_type) is None:
        # a client that speaks neither of the two encodings can read neither
        return Reply(415, (error.detail.encode(),), b"text/plain; charset=utf-8")
    status = 400 if error.status == 422 else error.status
    if isinstance(error, Unavailable):
        headers.append((b"retry-after", b"%d" % error.retry_after))
    if isinstance(error, Unauthorized):
        headers.append((b"www-authenticate", b"Bearer"))
    body = status_body(code_of(status), error.detail, encoding)
    return Reply(status, (body,), content_type_of(encoding), headers)


def check_otlp_content_type(content_type: bytes | None) -> None:
    """Raises `UnsupportedMedia` unless a body is said to be in one of OTLP's encodings."""
    if encoding_of(content_type) is not None:
        return
    given = (content_type or b"").split(b";")[0].strip().lower()
    if given.startswith(b"application/grpc"):
        raise UnsupportedMedia(f"{GRPC_HINT}.")
    what = f"is {given[:100].decode('latin-1')}" if given else "is missing"
    raise UnsupportedMedia(f"The body's Content-Type {what}; OTLP is application/x-protobuf or application/json.")


def _content_type(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    return next((value for name, value in headers if name == b"content-type"), None)
