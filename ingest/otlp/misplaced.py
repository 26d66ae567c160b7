"""Words for a body that is not what its path or its Content-Type says. Pure."""

from __future__ import annotations

from collections.abc import Mapping

_KINDS: Mapping[str, tuple[str, str]] = {
    "spans": ("traces", "/v1/traces"),
    "logRecords": ("logs", "/v1/logs"),
    "metrics": ("metrics", "/v1/metrics"),
}
_NATIVE = "The body holds spans in Beacon's own form, and was sent to a path of OTLP. Send it to /v1/spans."


def misplaced(found: str, wanted: str) -> str:
    """What to say where a body of `found` was sent to the path of `wanted` (`spans`, `logRecords`, `metrics`; found may
    be `native` too); empty where they are the same, or `found` is not known."""
    if found == "native":
        return _NATIVE
    if found == wanted or found not in _KINDS:
        return ""
    kind, path = _KINDS[found]
    return (
        f"The body holds {kind}, and was sent to the path of {_KINDS[wanted][0]}. Send {kind} to {path} "
        f"(OTEL_EXPORTER_OTLP_{kind.upper()}_ENDPOINT is used as it stands; to OTEL_EXPORTER_OTLP_ENDPOINT the path is "
        "added)."
    )


def first_words(body: bytes, encoding: str) -> str:
    """A hint from the first bytes of a body that cannot be decoded, as a sentence with a space before it."""
    if body.startswith(b"\x1f\x8b"):
        return " It begins as gzip does: send Content-Encoding: gzip with it."
    if body.startswith(b"\x28\xb5\x2f\xfd"):
        return " It begins as zstd does: send Content-Encoding: zstd with it."
    if encoding == "protobuf" and body.lstrip()[:1] in (b"{", b"["):
        return " It begins as JSON does: send it with Content-Type: application/json."
    if encoding == "json" and body[:1] == b"\n":
        return " It begins as protobuf does: send it with Content-Type: application/x-protobuf."
    return ""
