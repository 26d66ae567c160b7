"""traces.db taken away under ingest and query together: the old WAL must not come back, nothing acked after is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.test_ingest_spans import post, rows
from tests.processes import Process, short_home, span, wait_for


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as folder:
        yield folder


def traces(query: Process) -> list[str]:
    answer = query.ask("GET", "/v1/traces")
    return [t["trace_id"] for t in answer.json["traces"]] if answer.status == 200 else []


def test_a_deleted_database_starts_anew_and_keeps_what_comes_after(home: Path) -> None:
    with Process("ingest", home) as ingest, Process("query", home) as query:
        post(ingest, span("s1", "before"))
        assert traces(query) == ["before"]
        (home / "traces.db").unlink()
        wait_for(lambda: (home / "traces.db").exists() and ingest.answers(), "a new database")
        post(ingest, span("s2", "after"))
        wait_for(lambda: traces(query) == ["after"], "query to read the new file")
        ingest.end()
        ingest.start()
        assert rows(home, "SELECT trace_id FROM traces") == [("after",)]
        assert rows(home, "PRAGMA integrity_check") == [("ok",)]
        assert "malformed" not in ingest.log.read_text()


def test_a_database_moved_into_its_place_is_taken_as_it_is(home: Path) -> None:
    with short_home() as elsewhere, Process("ingest", elsewhere) as other:
        post(other, *[span(f"o{i}", "other") for i in range(50)])
        other.end()
        with Process("ingest", home) as ingest, Process("query", home) as query:
            post(ingest, *[span(f"s{i}", "mine") for i in range(50)])
            assert traces(query) == ["mine"]
            (elsewhere / "traces.db").rename(home / "traces.db")
            epoch = sqlite3.connect(f"file:{home}/traces.db?mode=ro&immutable=1", uri=True)
            (wanted,) = epoch.execute("SELECT epoch FROM counters").fetchone()
            epoch.close()
            wait_for(lambda: traces(query) == ["other"], "query to read the other file")
            wait_for(lambda: "deleted or replaced" in ingest.log.read_text(), "ingest to notice")
            wait_for(ingest.answers, "ingest to have opened it")
            post(ingest, span("s", "later"))
            assert rows(home, "SELECT epoch FROM counters") == [(wanted,)]
            assert rows(home, "PRAGMA integrity_check") == [("ok",)]
            assert sorted(traces(query)) == ["later", "other"]
