"""Copies of a database are whole or not there, whatever is written meanwhile."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from beacon.errors import Refused
from beacon.store import copying
from beacon.store.connect import connect_reader, connect_writer
from beacon.store.copying import Contents, back_up, restore
from beacon.store.version import newest_schema, upgrade


def made(path: Path, spans: int = 0) -> sqlite3.Connection:
    db = connect_writer(path)
    upgrade(db, path)
    db.execute("UPDATE counters SET trace_count = 1, span_count = ?", (spans,))
    return db


def quiet(_done: int, _whole: int) -> None:
    pass


def contents_of(path: Path) -> Contents:
    with sqlite3.connect(path) as db:
        return Contents(*db.execute("SELECT trace_count, span_count FROM counters").fetchone())


def test_a_copy_is_of_one_moment_while_others_write(tmp_path: Path) -> None:
    """Every commit moves a counter and adds as many rows; a copy of two moments has them apart. A copy that began anew
    with every write of another connection would never end."""
    path = tmp_path / "traces.db"
    db = made(path)
    db.execute("CREATE TABLE filler (n INTEGER, text TEXT)")
    db.executemany("INSERT INTO filler VALUES (0, ?)", [("x" * 8_000,)] * 3_000)
    stop = threading.Event()

    def write() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            db.execute("BEGIN")
            db.execute("INSERT INTO filler VALUES (?, ?)", (n, "y" * 4_000))
            db.execute("UPDATE counters SET span_count = ?", (n,))
            db.execute("COMMIT")

    writer = threading.Thread(target=write)
    writer.start()
    reader = connect_reader(path)
    steps: list[tuple[int, int]] = []
    try:
        contents = back_up(reader, tmp_path / "copy.db", lambda done, whole: steps.append((done, whole)))
    finally:
        stop.set()
        writer.join()
        reader.close()
    copy = sqlite3.connect(tmp_path / "copy.db")
    assert copy.execute("SELECT max(n) FROM filler").fetchone()[0] == contents.spans
    assert copy.execute("SELECT span_count FROM counters").fetchone()[0] == contents.spans
    assert copy.execute("PRAGMA quick_check").fetchone() == ("ok",)
    copy.close()
    assert db.execute("SELECT span_count FROM counters").fetchone()[0] > contents.spans > 0
    db.close()
    assert len(steps) > 3
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1]
    assert sorted(p.name for p in tmp_path.glob("copy*")) == ["copy.db"]
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_over_and_nothing_left_of_what_failed(tmp_path: Path) -> None:
    made(tmp_path / "traces.db").close()
    reader = connect_reader(tmp_path / "traces.db")
    there = tmp_path / "there.db"
    there.write_text("mine")
    with pytest.raises(Refused, match="exists already"):
        back_up(reader, there, quiet)
    assert there.read_text() == "mine"
    with pytest.raises(Refused, match="No such file or directory"):
        back_up(reader, tmp_path / "no" / "folder.db", quiet)

    def stop(_done: int, _whole: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(reader, tmp_path / "half.db", stop)
    assert list(tmp_path.glob("half*")) == []
    assert back_up(reader, tmp_path / "whole.db", quiet) == Contents(1, 0)
    reader.close()


def test_a_file_that_comes_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    made(tmp_path / "traces.db").close()
    reader = connect_reader(tmp_path / "traces.db")
    target = tmp_path / "copy.db"

    def comes(_done: int, _whole: int) -> None:
        target.write_text("somebody's")

    with pytest.raises(Refused, match="exists already"):
        back_up(reader, target, comes)
    assert target.read_text() == "somebody's"
    reader.close()


def test_a_restored_file_takes_the_place_of_the_old_one_which_is_kept(tmp_path: Path) -> None:
    path, copy, kept = (tmp_path / name for name in ("traces.db", "copy.db", "kept.db"))
    db = made(path, 5)
    reader = connect_reader(path)
    back_up(reader, copy, quiet)
    reader.close()
    db.execute("UPDATE counters SET span_count = 9")  # lies in the WAL alone
    (epoch,) = db.execute("SELECT epoch FROM counters").fetchone()
    db.close()
    assert restore(copy, path, kept, quiet) == Contents(1, 5)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy.db", "kept.db", "traces.db"]
    assert (contents_of(path).spans, contents_of(kept).spans) == (5, 9)
    with sqlite3.connect(path) as new:
        assert new.execute("SELECT epoch FROM counters").fetchone()[0] != epoch
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("before", ["_copy", "_settle", "_keep", "_sync_folder"])
def test_a_restore_that_is_cut_off_leaves_one_of_both_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    path, copy, kept = (tmp_path / name for name in ("traces.db", "copy.db", "kept.db"))
    made(copy, 5).close()
    made(path, 9).close()

    def die(*_: object) -> None:
        os._exit(7)  # as kill -9: nothing is tidied up

    monkeypatch.setattr(copying, before, die)
    child = os.fork()
    if child == 0:
        restore(copy, path, kept, quiet)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    monkeypatch.undo()
    assert contents_of(path).spans == (5 if before == "_sync_folder" else 9)
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
    # and it can be done again
    assert restore(copy, path, tmp_path / "kept2.db", quiet).spans == 5
    assert contents_of(path).spans == 5


def test_what_is_no_whole_database_of_this_beacons_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    made(path, 9).close()
    newer, other, text, damaged = (tmp_path / name for name in ("newer.db", "other.db", "text.db", "damaged.db"))
    db = made(newer)
    db.execute(f"PRAGMA user_version={newest_schema() + 1}")
    db.close()
    with sqlite3.connect(other) as somebodys:
        somebodys.execute("CREATE TABLE t (a)")
    text.write_text("hello")
    db = made(damaged)
    db.execute("CREATE TABLE filler AS SELECT hex(zeroblob(100000)) AS b")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-40_000])
    for file, why in (
        (newer, "upgrade it first"),
        (other, "not a database of Beacon"),
        (text, "cannot be read"),
        (damaged, "damaged|cannot be read"),
    ):
        with pytest.raises(Refused, match=why):
            restore(file, path, tmp_path / "kept.db", quiet)
        assert contents_of(path).spans == 9
    assert not (tmp_path / "kept.db").exists()
    db = made(path)
    db.execute("BEGIN IMMEDIATE")  # somebody who does not know of the lock
    good = tmp_path / "good.db"
    made(good, 1).close()
    with pytest.raises(Refused):
        restore(good, path, tmp_path / "kept.db", quiet)
    db.execute("ROLLBACK")
    db.close()
