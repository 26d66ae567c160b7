"""What an export is answered, once all of it that can be is stored. Pure."""

from __future__ import annotations

from beacon.contract.otlp import Rejected, content_type_of, encoding_of, success_body
from beacon.web.reply import Reply, json_reply
from ingest.otlp.decoded import Decoded

MESSAGE_CHARS_MAX = 2_000
"""An exporter writes the whole of it into its user's log."""


def answer(content_type: bytes | None, decoded: Decoded, things: str, what: Rejected) -> Reply:
    """An Export…ServiceResponse in the encoding of the request, with `partial_success` where anything was left out of
    what is called `things`: a client does not send those again (opentelemetry-proto docs/specification.md)."""
    encoding = encoding_of(content_type) or "json"
    body = success_body(encoding, decoded.rejected, message_of(decoded, things), what)
    return Reply(200, (body,) if body else (), content_type_of(encoding))


def older_answer(decoded: Decoded) -> Reply:
    """What POST /v1/otlp/traces has always said."""
    return json_reply({"accepted": decoded.count - decoded.rejected, "rejected": decoded.rejected})


def message_of(decoded: Decoded, things: str) -> str:
    """Why some were left out, or what else was wrong; empty when nothing was."""
    reasons = decoded.reasons
    if not reasons:
        return ""
    said = "; ".join(reason.rstrip(".") for reason in reasons)
    if decoded.rejected and not decoded.elsewhere:
        more = "" if decoded.rejected <= len(reasons) else f"; and {decoded.rejected - len(reasons)} more"
        said = f"{decoded.rejected} of {decoded.count} {things} were not stored: {said}{more}"
    return f"{said}."[:MESSAGE_CHARS_MAX]
