"""What the writer remembers of its file is forgotten with the transaction that failed, and with the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ingest.database import Database, Transaction
from ingest.otlp.arrived import Content, Otel
from ingest.spans import store
from tests.unit.ingest.writing import native

OTEL = Otel('{"kind":1}', '{"resource":{}}', '{"scope":{}}')


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(tmp_path / "traces.db", "normal", lambda epoch, seq: None, lambda refused: None)
    assert found.ready()
    yield found
    found.close()


def arrivals(*spans: tuple[str, str | None]) -> list[Any]:
    decoded = native(
        *(
            {
                "span_id": span_id,
                "trace_id": "t",
                "parent_span_id": parent,
                "span_type": "llm_call",
                "name": "n",
                "start_time": 1,
                "attributes": {"llm.tokens.total": 5},
            }
            for span_id, parent in spans
        )
    )
    return [msgspec.structs.replace(one, otel=OTEL) for one in decoded]


def put(database: Database, *spans: tuple[str, str | None], fails: bool = False) -> None:
    def command(tx: Transaction) -> None:
        store(tx, [arrivals(*spans)], [[Content("t", "span:x", 1, "{}")]] if fails else [])
        if fails:
            raise sqlite3.IntegrityError("as a bad span beside these would")

    if fails:
        with pytest.raises(sqlite3.IntegrityError):
            database.transact(command)
    else:
        database.transact(command)


def totals(path: Path) -> Any:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(
            "SELECT t.tokens, count(o.origin_row), count(p.trace_row) FROM traces t JOIN spans s USING (trace_row) "
            "LEFT JOIN span_otel x USING (span_row) LEFT JOIN origins o USING (origin_row) "
            "LEFT JOIN trace_origins p ON p.trace_row = t.trace_row AND p.origin_row = o.origin_row"
        ).fetchone()


def test_a_failed_transaction_leaves_nothing_remembered(database: Database, tmp_path: Path) -> None:
    put(database, ("outer", None), ("inner", "outer"), fails=True)
    put(database, ("outer", None))
    assert totals(tmp_path / "traces.db") == (5, 1, 1)
    put(database, ("inner", "outer"), fails=True)
    put(database, ("other", None))
    assert totals(tmp_path / "traces.db") == (10, 2, 2)


def test_another_file_at_the_path_is_known_anew(database: Database, tmp_path: Path) -> None:
    put(database, ("outer", None))
    for file in tmp_path.iterdir():
        file.unlink()
    database._seen_in_place = 0.0
    assert database.ready()
    put(database, ("inner", "outer"))
    assert totals(tmp_path / "traces.db") == (5, 1, 1)
