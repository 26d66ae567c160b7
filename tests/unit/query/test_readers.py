"""Reader threads: one snapshot a read, bounded in time and number, at the file that stands at the path now."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from beacon.errors import QueueFull, StoreBusy, Unavailable
from beacon.store.connect import connect_writer
from query import readers, walk
from query.connections import Connections
from query.readers import Readers
from query.walk import Walk
from tests.processes import wait_for
from tests.store_fixture import Store, stored_span
from tests.unit.query.lane import Lane, lane

FOR_EVER = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "traces.db") as filled:
        filled.put(stored_span("s1", "t1"))
        yield filled


@pytest.fixture
def one(store: Store) -> Iterator[Lane]:
    with lane(store.path) as opened:
        yield opened


def count(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM traces").fetchone()[0])


def test_a_read_is_of_one_moment(store: Store, one: Lane) -> None:
    def twice(db: sqlite3.Connection) -> tuple[int, int]:
        before = count(db)
        store.put(stored_span("s1", "t2"))
        return before, count(db)

    assert one.read(twice) == (1, 1)
    assert one.read(count) == 2


def test_no_transaction_is_left_open_after_a_read(store: Store, one: Lane) -> None:
    one.read(count)
    with pytest.raises(ZeroDivisionError):
        one.read(lambda db: count(db) / 0)
    store.put(*(stored_span(f"x{i}", "t3", attributes={"k": "v" * 1000}) for i in range(200)))
    # a checkpoint that resets the WAL succeeds only when no reader holds a snapshot
    assert store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


def test_a_reader_cannot_write(one: Lane) -> None:
    with pytest.raises(StoreBusy):
        one.read(lambda db: db.execute("DELETE FROM traces"))


def test_a_statement_that_does_not_end_is_stopped_and_the_next_read_works(
    one: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "READ_MAX_S", 0.2)
    monkeypatch.setattr(walk, "READ_MAX_S", 0.2)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="took too long"):
        one.read(lambda db: db.execute(FOR_EVER).fetchone())
    assert time.monotonic() - began < 5
    assert one.read(count) == 1


def test_a_cancelled_walk_stops(store: Store) -> None:
    between, go_on = threading.Event(), threading.Event()

    def endless(walking: Walk) -> None:
        while True:
            with walking.snapshot() as db:
                count(db)
            between.set()  # where an interrupt finds no statement to stop
            go_on.wait(20)

    async def main() -> None:
        lane = Readers(Connections(store.path), "test", threads=1, waiting_max=4)
        try:
            walking = asyncio.create_task(lane.walk(endless))
            while not between.is_set():
                await asyncio.sleep(0.001)
            walking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await walking
            go_on.set()
            # the only thread is free again
            assert await asyncio.wait_for(lane.read(count), 10) == 1
        finally:
            await lane.close()

    asyncio.run(main())


def test_a_cancelled_statement_stops(store: Store) -> None:
    async def main() -> None:
        lane = Readers(Connections(store.path), "test", threads=1, waiting_max=4)
        started = threading.Event()

        def for_ever(db: sqlite3.Connection) -> None:
            db.create_function("started", 0, started.set)
            # called from inside the statement: an interrupt before it would pass unnoticed
            db.execute(FOR_EVER.replace("SELECT 1", "SELECT started() IS NOT NULL")).fetchone()

        try:
            reading = asyncio.create_task(lane.read(for_ever))
            while not started.is_set():
                await asyncio.sleep(0.001)
            reading.cancel()
            assert await asyncio.wait_for(lane.read(count), 3) == 1
        finally:
            await lane.close()

    asyncio.run(main())


def test_too_many_waiting_reads_are_refused_at_once(store: Store) -> None:
    async def main() -> None:
        lane = Readers(Connections(store.path), "test", threads=1, waiting_max=3)
        gate = threading.Event()
        waiting = [asyncio.create_task(lane.read(lambda db: gate.wait(20))) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await lane.read(count)
        gate.set()
        await asyncio.gather(*waiting)
        assert await lane.read(count) == 1
        await lane.close()

    asyncio.run(main())


def test_readers_work_side_by_side(store: Store) -> None:
    async def main() -> None:
        lane = Readers(Connections(store.path), "test", threads=3, waiting_max=8)
        together = threading.Barrier(3, timeout=20)
        await asyncio.gather(*(lane.read(lambda db: together.wait()) for _ in range(3)))
        await lane.close()

    asyncio.run(main())


def test_threads_are_started_as_they_are_needed(store: Store) -> None:
    def threads() -> int:
        return sum(t.name.startswith("few-") for t in threading.enumerate())

    async def main() -> None:
        lane = Readers(Connections(store.path), "few", threads=3, waiting_max=8)
        assert threads() == 0
        for _ in range(5):
            await lane.read(count)
        assert threads() == 1
        await lane.close()
        assert threads() == 0

    asyncio.run(main())


def test_an_idle_reader_closes_its_connection(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "IDLE_S", 0.05)
    with lane(store.path) as one:
        assert one.read(count) == 1
        store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        # leaving WAL mode takes the lock that every open connection holds a share of
        wait_for(lambda: left_wal(store), "the reader to let go of the file")
        store.db.execute("PRAGMA journal_mode=WAL")
        assert one.read(count) == 1


def left_wal(store: Store) -> bool:
    try:
        store.db.execute("PRAGMA busy_timeout=0")
        return bool(store.db.execute("PRAGMA journal_mode=DELETE").fetchone()[0] == "delete")
    except sqlite3.OperationalError:
        return False


# ---------------------------------------------------------------- the file


def test_a_missing_file_is_said_and_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    with lane(path) as one:
        with pytest.raises(StoreBusy, match="no database yet"):
            one.read(count)
        assert not path.exists()
        with Store(path) as store:
            store.put(stored_span("s1", "t1"))
            assert one.read(count) == 1


def test_a_file_without_our_tables_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE traces (trace_id TEXT)")
    other.close()
    with lane(path) as one, pytest.raises(StoreBusy, match="not ready"):
        one.read(count)


def test_a_file_of_another_schema_is_not_read(store: Store, one: Lane) -> None:
    store.db.execute("PRAGMA user_version=999")
    with pytest.raises(StoreBusy, match="schema 999"):
        one.read(count)


def test_a_broken_file_is_said_and_its_repair_noticed(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    path.write_bytes(b"not a database at all" * 500)
    with lane(path) as one:
        with pytest.raises(StoreBusy, match="beacon doctor"):
            one.read(count)
        path.unlink()
        with Store(path):
            assert one.read(count) == 0


def test_a_file_renamed_over_the_old_one_is_read_at_once(store: Store, one: Lane) -> None:
    assert one.read(count) == 1
    newer = store.path.with_name("new.db")
    with Store(newer) as other:
        for i in range(3):
            other.put(stored_span("s1", f"t{i}"))
        other.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    # as whoever replaces the file must leave it: no log behind, for SQLite would play it back into the new file
    assert store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    store.db.close()
    newer.rename(store.path)
    assert one.read(count) == 3
    store.path.unlink()
    with pytest.raises(StoreBusy, match="no database yet"):
        one.read(count)


@pytest.mark.skipif(sys.platform != "linux", reason="open files are counted through /proc")
def test_no_connection_to_a_replaced_file_is_left_when_the_new_one_is_opened(store: Store) -> None:
    async def main() -> None:
        lane = Readers(Connections(store.path), "test", threads=3, waiting_max=8)
        together = threading.Barrier(3, timeout=20)

        def meet(db: sqlite3.Connection) -> None:
            count(db)
            together.wait()

        await asyncio.gather(*(lane.read(meet) for _ in range(3)))
        old = store.path.stat().st_ino
        assert store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        store.db.close()
        newer = store.path.with_name("new.db")
        with Store(newer) as other:
            other.put(*(stored_span("s1", f"t{i}", attributes={"k": "v" * 9_000}) for i in range(100)))
        newer.rename(store.path)
        assert await lane.read(count) == 100
        assert old not in {os.stat(f"/proc/self/fd/{fd}").st_ino for fd in open_files()}
        await lane.close()

    asyncio.run(main())


def open_files() -> list[str]:
    return [fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")]


def test_a_locked_file_is_a_503_not_a_bug(store: Store, one: Lane) -> None:
    store.db.close()
    exclusive = connect_writer(store.path)
    exclusive.execute("PRAGMA busy_timeout=0")
    try:
        exclusive.execute("PRAGMA journal_mode=DELETE")
        exclusive.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreBusy, match="locked"):
            one.read(count)
        exclusive.execute("ROLLBACK")
        assert one.read(count) == 1
    finally:
        exclusive.close()


# ---------------------------------------------------------------- walking in slices


def test_slices_cover_every_row_once_from_the_top_down(one: Lane) -> None:
    def ranges_from(walk: Walk, top: int) -> list[tuple[int, int]]:
        return list(walk.descend(top, lambda _, low, high: (low, high), size=5))

    for top in (0, 1, 7, 2_048, 10_001, 300_000):
        ranges = one.walk(ranges_from, top)
        assert [high for _, high in ranges] == [top, *(low for low, _ in ranges)][: len(ranges)]
        assert (ranges[-1][0] if ranges else top) == 0


def test_a_slice_that_takes_too_long_is_tried_again_smaller(one: Lane) -> None:
    tried: list[tuple[int, int, float]] = []

    def slow_for_many(db: sqlite3.Connection, low: int, high: int) -> int:
        began = time.monotonic()
        try:
            if high - low > 10:
                db.execute(FOR_EVER).fetchone()
        finally:
            tried.append((low, high, time.monotonic() - began))
        return high - low

    done = one.walk(lambda walk: list(walk.descend(60, slow_for_many, size=60)))
    assert sum(done) == 60
    assert max(done) <= 10
    assert max(seconds for _, _, seconds in tried) < 1


def test_every_slice_is_a_snapshot_of_its_own(store: Store, one: Lane) -> None:
    def read(db: sqlite3.Connection, low: int, high: int) -> int:
        store.put(stored_span("s1", f"new{high}"))
        return count(db)

    counts = one.walk(lambda walk: list(walk.descend(3, read, size=1)))
    assert counts == sorted(set(counts))
    assert len(counts) >= 2
