"""What decoding an OTLP request gives, from protobuf and JSON alike. Pure."""

from __future__ import annotations

from msgspec import Struct

from ingest.otlp.records import LogRecord, OtlpSpan

SLICE = 64
"""Spans or log records decoded between two turns of the event loop: about 1 ms."""

REASONS_MAX = 5
"""Reasons kept of those why something was rejected: a client shows one line of them."""


class Decoded(Struct):
    """`count` is how many spans, or log records, the request held; `rejected` how many of them are left out, and
    `reasons` why, for the first few, and what else was wrong. `malformed` is set where a body is no OTLP in a way that
    no exporter's is: that is an error of the whole request where nothing of it could be read.
    `elsewhere`: the body is of another kind than its path takes; `reasons` says so."""

    count: int = 0
    rejected: int = 0
    reasons: list[str] = []
    malformed: str = ""
    elsewhere: bool = False

    def warn(self, place: str, why: str) -> None:
        """Something of a span that is kept is left out."""
        self._say(f"{place}: {why}")

    def reject(self, place: str, why: str) -> None:
        """Leave out the span, or record, of `place`."""
        self.rejected += 1
        self._say(f"{place}: {why}")

    def redirect(self, said: str) -> None:
        """The body is of another kind than its path takes."""
        self.elsewhere = True
        self.rejected = max(self.rejected, 1)
        self.reasons = [said]

    def _say(self, reason: str) -> None:
        if len(self.reasons) < REASONS_MAX:
            self.reasons.append(reason)


class DecodedTraces(Decoded):
    spans: list[OtlpSpan] = []


class DecodedLogs(Decoded):
    """Records that name no span are counted, and are in no list: Beacon has no use for them, which is no error."""

    records: list[LogRecord] = []
