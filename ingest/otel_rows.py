"""What OTLP has and a Beacon span has no field for, as rows beside the span's: span_otel, and origins once for all the
spans that share one."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable

import msgspec

from ingest.inserts import RowInserts
from ingest.kept import ORIGINS_MAX, PAIRS_MAX, Kept
from ingest.merge import SpanState
from ingest.otlp.arrived import Otel

PUT_OTEL = RowInserts("span_otel", ("span_row", "origin_row", "otel"), update=("origin_row", "otel"))
SELECT_OTEL = "SELECT span_row, origin_row, otel FROM span_otel WHERE span_row IN (SELECT value FROM json_each(?))"
SELECT_ORIGIN = "SELECT origin_row FROM origins WHERE digest = ?"
INSERT_ORIGIN = "INSERT INTO origins (digest, resource, scope, run_id) VALUES (?, ?, ?, ?) RETURNING origin_row"
INSERT_PAIR = "INSERT OR IGNORE INTO trace_origins (trace_row, origin_row) VALUES (?, ?)"
DROP_UNUSED = (
    "DELETE FROM origins WHERE NOT EXISTS (SELECT 1 FROM trace_origins t WHERE t.origin_row = origins.origin_row)"
)


class OtelRows:
    """The rows of one transaction's spans."""

    def __init__(self, db: sqlite3.Connection, kept: Kept) -> None:
        self._db = db
        self._kept = kept
        self._stored: dict[int, tuple[int, str]] = {}
        self._changed: dict[int, tuple[SpanState, int, str]] = {}

    def load(self, span_rows: Iterable[int]) -> None:
        """Read what is stored of spans that come again."""
        wanted = list(span_rows)
        if wanted:
            rows = self._db.execute(SELECT_OTEL, (msgspec.json.encode(wanted).decode(),))
            self._stored = {span_row: (origin_row, text) for span_row, origin_row, text in rows}

    def put(self, span: SpanState, otel: Otel, *, late: bool) -> bool:
        """Take what came with an arrival of `span`; whether that is news. A `late` open copy is not, where the closed
        span has brought its own."""
        if not (otel.text or otel.resource or otel.scope):
            return False  # of an export of native spans: only tags
        stored = self._stored.get(span.span_row)
        if stored is not None and late:
            return False
        row = (self._origin(otel), otel.text or "{}")
        if row == stored:
            return False
        self._stored[span.span_row] = row
        self._changed[span.span_row] = (span, *row)
        return True

    def write(self) -> None:
        """To be called when the spans and their traces are written."""
        if not self._changed:
            return
        PUT_OTEL(self._db, [(span_row, origin, text) for span_row, (_, origin, text) in self._changed.items()])
        pairs = {(span.trace_row, origin) for span, origin, _ in self._changed.values()} - self._kept.pairs
        if pairs:
            self._db.executemany(INSERT_PAIR, list(pairs))
            if len(self._kept.pairs) > PAIRS_MAX:
                self._kept.pairs.clear()
            self._kept.pairs |= pairs

    def _origin(self, otel: Otel) -> int:
        origins = self._kept.origins
        pair = (otel.resource, otel.scope)
        row = origins.get(pair)
        if row is None:
            digest = hashlib.sha256("\0".join(pair).encode()).hexdigest()
            found = self._db.execute(SELECT_ORIGIN, (digest,)).fetchone()
            if found is None:
                found = self._db.execute(INSERT_ORIGIN, (digest, *pair, otel.run_id)).fetchone()
            if len(origins) >= ORIGINS_MAX:
                origins.clear()
            row = origins[pair] = int(found[0])
        return row
