"""How far a migration is: some times a second to the caller, a line a second to the log."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing

import pytest

from ingest.legacy.progress import Progress


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_spans_are_shown_ten_times_a_second_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    shown: list[tuple[int, int]] = []
    progress = Progress("traces.db", lambda done, total: shown.append((done, total)), clock)
    progress.start(120_000)
    with caplog.at_level(logging.INFO):
        for step in range(200):  # two seconds, 10 ms apart
            progress.spans(step * 400)
            clock.now += 0.01
    assert shown[0] == (0, 120_000)
    assert 19 <= len(shown) <= 23
    assert shown == sorted(shown)
    assert caplog.messages == [
        "migrating traces.db: 0 of 120,000 spans (0 %)",
        "migrating traces.db: 40,000 of 120,000 spans (33 %)",
    ]
    progress.end()
    assert shown[-1] == (199 * 400, 120_000)


def test_what_is_no_span_is_named_with_its_share(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    progress = Progress("traces.db", lambda done, total: None, clock)
    with caplog.at_level(logging.INFO):
        progress.doing("backing up")
        clock.now += 1
        progress.share(81, 200)
        clock.now += 1
        progress.spans(0)
    assert caplog.messages == [
        "backing up traces.db",
        "backing up traces.db (40 %)",
        "migrating traces.db: 0 of 0 spans (0 %)",
    ]


LONG = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) SELECT count(*) FROM n"


def test_one_long_statement_shows_too() -> None:
    clock = Clock()
    calls = 0

    def shown(done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        clock.now += 1

    progress = Progress("traces.db", shown, clock)
    with closing(sqlite3.connect(":memory:")) as db, progress.during(db):
        assert db.execute(LONG).fetchone() == (1_000_000,)
    assert calls > 5


def test_raising_stops_a_long_statement() -> None:
    class StopNow(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise StopNow

    with closing(sqlite3.connect(":memory:")) as db:
        with pytest.raises(StopNow), Progress("traces.db", stop).during(db):
            db.execute(LONG).fetchone()
        with pytest.raises(sqlite3.OperationalError, match="no such table"), Progress("", stop).during(db):
            db.execute("SELECT * FROM missing")
        assert db.execute("SELECT 1").fetchone() == (1,), "and no other"
