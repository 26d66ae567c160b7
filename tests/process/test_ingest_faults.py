"""ingest alone, in bad conditions: two of it, a locked file, a disk that takes nothing, files it must not open."""

from __future__ import annotations

import signal
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from beacon.errors import REFUSED_EXIT
from tests.process.test_ingest_spans import post, rows
from tests.processes import Answer, Process, short_home, span, wait_for


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as folder:
        yield folder


def test_the_second_ingest_refuses_and_names_the_first(home: Path) -> None:
    with Process("ingest", home) as first, short_home() as other_home:
        assert first.child is not None
        # another home and run folder, the same file through a symlink: still one database
        link = other_home / "link.db"
        link.symlink_to(home / "traces.db")
        second = Process("ingest", other_home, BEACON_DB_PATH=str(link))
        second.start(wait=False)
        assert second.child is not None
        assert second.child.wait(10) == REFUSED_EXIT
        said = second.log.read_text()
        assert f"process {first.child.pid}" in said
        assert str(home / "traces.db") in said
        assert post(first, span()) == {"accepted": 1, "rejected": 0}


def test_a_killed_ingest_leaves_the_lock_free(home: Path) -> None:
    with Process("ingest", home) as ingest:
        post(ingest, span("s1"))
        ingest.end(signal.SIGKILL)
        ingest.start()
        post(ingest, span("s2"))
        assert rows(home, "SELECT span_id FROM spans ORDER BY span_row") == [("s1",), ("s2",)]


def test_a_newer_schema_is_refused_by_name_and_path(home: Path) -> None:
    with Process("ingest", home) as ingest:
        post(ingest, span())
    db = sqlite3.connect(home / "traces.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = (home / "traces.db").read_bytes()
    again = Process("ingest", home)
    again.start(wait=False)
    assert again.child is not None
    assert again.child.wait(10) == REFUSED_EXIT
    assert f"{home / 'traces.db'} has schema 99" in again.log.read_text()
    assert (home / "traces.db").read_bytes() == before


def test_a_foreign_database_is_refused_and_left_alone(home: Path) -> None:
    db = sqlite3.connect(home / "traces.db")
    db.execute("CREATE TABLE recipes (id INTEGER)")
    db.close()
    before = (home / "traces.db").read_bytes()
    ingest = Process("ingest", home)
    ingest.start(wait=False)
    assert ingest.child is not None
    assert ingest.child.wait(10) == REFUSED_EXIT
    assert "not a Beacon database" in ingest.log.read_text()
    assert (home / "traces.db").read_bytes() == before


def test_a_lock_of_another_program_is_waited_for(home: Path) -> None:
    with Process("ingest", home) as ingest:
        post(ingest, span("s1"))
        other = sqlite3.connect(home / "traces.db", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        answers: list[Answer] = []
        asking = threading.Thread(
            target=lambda: answers.append(ingest.ask("POST", "/v1/spans", {"spans": [span("s2")]}))
        )
        asking.start()
        asking.join(0.3)
        assert not answers
        other.execute("COMMIT")
        asking.join(10)
        assert answers[0].status == 200

        other.execute("BEGIN IMMEDIATE")
        answer = ingest.ask("POST", "/v1/spans", {"spans": [span("s3")]})
        assert (answer.status, "locked" in answer.json["detail"]) == (503, True)
        assert int(answer.headers["retry-after"]) >= 1
        other.execute("ROLLBACK")
        other.close()
        post(ingest, span("s4"))
        assert rows(home, "SELECT span_id FROM spans ORDER BY span_row") == [("s1",), ("s2",), ("s4",)]


def limit_file_size(ingest: Process, size: int) -> None:
    """What a full disk is to a process: writes beyond `size` bytes of a file fail."""
    assert ingest.child is not None
    psutil.Process(ingest.child.pid).rlimit(psutil.RLIMIT_FSIZE, (size, psutil.RLIM_INFINITY))


def test_a_disk_that_takes_nothing_is_sat_out(home: Path) -> None:
    with Process("ingest", home) as ingest:
        post(ingest, span("s0"))
        limit_file_size(ingest, 1)
        big = [span(f"b{i}", attributes={"text": "x" * 50_000}) for i in range(20)]
        answer = ingest.ask("POST", "/v1/spans", {"spans": big})
        assert answer.status == 503, answer.body
        assert int(answer.headers["retry-after"]) >= 1
        assert not ingest.answers()
        assert not ingest.ended()
        limit_file_size(ingest, psutil.RLIM_INFINITY)
        wait_for(ingest.answers, "the writer to find the disk well again, with nobody writing")
        post(ingest, *big)
        assert rows(home, "SELECT count(*) FROM spans") == [(21,)]
        assert rows(home, "PRAGMA integrity_check") == [("ok",)]


def test_starting_on_a_disk_that_takes_nothing_is_sat_out_too(home: Path) -> None:
    ingest = Process("ingest", home)
    ingest.start(wait=False, file_size_blocks=16)
    try:
        status = wait_for(lambda: _status(ingest), "ingest to say what is wrong")
        assert status[0] == 503
        for _ in range(3):  # and again after each restart, for as long as it lasts
            ingest.end(signal.SIGKILL)
            ingest.start(wait=False, file_size_blocks=16)
            assert wait_for(lambda: _status(ingest), "ingest to say what is wrong")[0] == 503
        limit_file_size(ingest, psutil.RLIM_INFINITY)
        wait_for(ingest.answers, "ingest to make the database once it can")
        post(ingest, span("s2"))
    finally:
        ingest.end(signal.SIGKILL)


def _status(ingest: Process) -> tuple[int, Any] | None:
    try:
        answer = ingest.ask("POST", "/v1/spans", {"spans": [span()]})
    except OSError:
        return None
    return answer.status, answer.json


def test_one_requests_bad_data_does_not_sink_its_group(home: Path) -> None:
    """Requests of one group commit: one that the database itself refuses must not fail the others."""
    with Process("ingest", home) as ingest:
        post(ingest, span("s0"))
        db = sqlite3.connect(home / "traces.db", isolation_level=None)
        db.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON spans WHEN new.name = 'poison' "
            "BEGIN SELECT raise(ABORT, 'poison'); END"
        )
        statuses: dict[str, int] = {}
        db.execute("BEGIN IMMEDIATE")  # hold the writer, so that all of them gather into one group

        def send(name: str) -> None:
            answer = ingest.ask("POST", "/v1/spans", {"spans": [span(f"{name}-1", "tg", name=name)]})
            statuses[name] = answer.status

        threads = [threading.Thread(target=send, args=(n,)) for n in ("first", "good", "poison", "fine")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(0.1)
        db.execute("COMMIT")
        for thread in threads:
            thread.join(20)
        db.close()
        assert statuses == {"first": 200, "good": 200, "poison": 500, "fine": 200}
        assert rows(home, "SELECT count(*) FROM spans WHERE name IN ('first', 'good', 'fine')") == [(3,)]


@pytest.mark.parametrize("how", ["deleted", "moved away", "deleted without its WAL"])
def test_a_database_that_is_taken_away_is_made_anew(home: Path, how: str) -> None:
    with Process("ingest", home) as ingest:
        post(ingest, span("s1"))
        epoch = rows(home, "SELECT epoch FROM counters")
        path = home / "traces.db"
        if how == "moved away":
            path.rename(home / "kept.db")
        else:
            path.unlink()
        if how == "deleted":
            for suffix in ("-wal", "-shm"):
                (home / f"traces.db{suffix}").unlink(missing_ok=True)
        wait_for(lambda: path.exists() and ingest.answers(), "a new database")
        post(ingest, span("s2"))
        assert rows(home, "SELECT span_id FROM spans") == [("s2",)]
        assert rows(home, "SELECT epoch FROM counters") != epoch
        assert rows(home, "PRAGMA integrity_check") == [("ok",)]


def test_a_damaged_row_of_counters_is_refused(home: Path) -> None:
    with Process("ingest", home) as ingest:
        post(ingest, span("s1"))
    db = sqlite3.connect(home / "traces.db", isolation_level=None)
    db.execute("DELETE FROM counters")
    db.close()
    again = Process("ingest", home)
    again.start(wait=False)
    assert again.child is not None
    assert again.child.wait(10) == REFUSED_EXIT
    assert "counters is gone" in again.log.read_text()


def test_counters_lost_while_it_runs_are_answered(home: Path) -> None:
    with Process("ingest", home) as ingest:
        post(ingest, span("s1"))
        db = sqlite3.connect(home / "traces.db", isolation_level=None)
        db.execute("DELETE FROM counters")
        db.close()
        answer = ingest.ask("POST", "/v1/spans", {"spans": [span("s2")]})
        assert answer.status in (500, 503), answer.body


def test_more_spans_than_the_queue_holds_are_stored(home: Path) -> None:
    with Process("ingest", home) as ingest:
        spans = [
            {"span_id": f"s{i}", "trace_id": "t", "span_type": "custom", "name": "n", "start_time": 1}
            for i in range(60_500)
        ]
        assert post(ingest, *spans) == {"accepted": 60_500, "rejected": 0}
