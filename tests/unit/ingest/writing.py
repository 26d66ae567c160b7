"""Transactions as the writer runs them, on a database of a test's own."""

from __future__ import annotations

import json
import sqlite3
import uuid
from pathlib import Path
from typing import Any

from beacon.contract.records import Span, TraceSummary
from beacon.store.connect import connect_writer
from beacon.store.rows import SPAN_COLUMNS, TRACE_COLUMNS, span_of, trace_of
from beacon.store.version import upgrade
from ingest.changes import Changes, read_counters, write_counters
from ingest.database import Command, Transaction
from ingest.decode import Arrival, decode_spans
from ingest.kept import Kept
from ingest.otlp.arrived import Content
from ingest.spans import store


class Written:
    """A database, and what its writer remembers of it. `now_ns` is the time that transactions have."""

    def __init__(self, folder: Path) -> None:
        path = folder / f"{uuid.uuid4().hex}.db"  # not from `random`: hypothesis seeds that anew for each example
        self.db: sqlite3.Connection = connect_writer(path)
        self.db.execute("PRAGMA synchronous=OFF")
        upgrade(self.db, path)
        self.kept = Kept()
        self.now_ns = 1_790_000_000_000_000_000
        self.changes = Changes([], [], [], [])

    def run(self, command: Command) -> Any:
        self.db.execute("BEGIN IMMEDIATE")
        try:
            tx = Transaction(self.db, read_counters(self.db), self.now_ns, self.kept)
            result = command(tx)
            write_counters(self.db, tx.counters)
        except BaseException:
            self.db.execute("ROLLBACK")
            self.kept.clear()
            raise
        self.db.execute("COMMIT")
        self.changes = tx.changes
        return result

    def store(self, *arrivals: Arrival, contents: list[Content] | None = None) -> int:
        """How many of the contents were refused."""
        [stored] = self.run(lambda tx: store(tx, [list(arrivals)], [contents or []]))
        refused: int = stored.refused_contents
        return refused

    def post(self, *spans: dict[str, Any]) -> None:
        self.store(*native(*spans))

    @property
    def seq(self) -> int:
        return read_counters(self.db).seq

    def span(self, span_id: str) -> Span:
        row = self.db.execute(
            f"SELECT {SPAN_COLUMNS} FROM spans s JOIN traces t USING (trace_row) "
            "JOIN span_attributes a USING (span_row) WHERE s.span_id = ?",
            (span_id,),
        ).fetchone()
        return span_of(row)

    def attributes(self, span_id: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(bytes(self.span(span_id).attributes))
        return found

    def trace(self, trace_id: str) -> TraceSummary:
        row = self.db.execute(f"SELECT {TRACE_COLUMNS} FROM traces t WHERE trace_id = ?", (trace_id,)).fetchone()
        return trace_of(row)

    def tags(self, trace_id: str) -> dict[str, str]:
        found: dict[str, str] = json.loads(bytes(self.trace(trace_id).tags))
        return found

    def rows(self, sql: str, *params: Any) -> list[Any]:
        return self.db.execute(sql, params).fetchall()


def native(*spans: dict[str, Any]) -> list[Arrival]:
    decoded = decode_spans(json.dumps({"spans": spans}, separators=(",", ":")).encode())
    assert not decoded.errors
    return decoded.arrivals
