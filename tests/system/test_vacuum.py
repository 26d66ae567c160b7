"""`beacon vacuum`, beside a Beacon that goes on and, --full, without one."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from beacon.errors import Refused
from beacon.store import copying
from beacon.store.copying import rewrite
from tests.processes import span, wait_for
from tests.stack import COMMAND, MakeStack, Stack
from tests.store_fixture import Store, stored_span


def half_empty(make_stack: MakeStack) -> Stack:
    stack = make_stack().start()
    stack.wait_healthy()
    for n in range(30):
        stack.post_spans([span(f"s{i}", f"t{n}", attributes={"text": "x" * 20_000}) for i in range(20)])
    gone = [f"t{n}" for n in range(20)]
    assert stack.ask("DELETE", "/v1/traces", {"trace_ids": gone}).json == {"deleted_count": 20}
    return stack


def pragma(path: Path, name: str) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        found: int = db.execute(f"PRAGMA {name}").fetchone()[0]
        return found


def test_free_pages_are_given_back_while_beacon_is_up(make_stack: MakeStack) -> None:
    stack = half_empty(make_stack)
    path = stack.home / "traces.db"
    assert pragma(path, "freelist_count") > 200
    done = stack.beacon("vacuum")
    assert done.returncode == 0, done.stderr
    assert "MB given back" in done.stdout
    assert pragma(path, "freelist_count") == 0
    wait_for(lambda: path.stat().st_size < 6_000_000, "the file to be smaller")
    assert "nothing to give back" in stack.beacon("vacuum").stdout
    full = stack.beacon("vacuum", "--full")
    assert (full.returncode, "Stop it first" in full.stderr) == (1, True)
    assert stack.ask("GET", "/v1/stats").json["total_traces"] == 10


def test_full_writes_the_file_anew(make_stack: MakeStack) -> None:
    stack = half_empty(make_stack)
    path = stack.home / "traces.db"
    stack.stop()
    before = path.stat().st_size
    done = stack.beacon("vacuum", "--full")
    assert done.returncode == 0, done.stderr
    assert path.stat().st_size < before / 2
    assert path.stat().st_mode & 0o777 == 0o600
    assert (pragma(path, "auto_vacuum"), pragma(path, "page_size")) == (2, 16_384)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
    assert [p.name for p in stack.home.glob("traces.db*") if "vacuum" in p.name or p.name.endswith("-wal")] == []
    stack.start()
    stack.wait_healthy()
    assert len(stack.ask("GET", "/v1/traces/t25").json["spans"]) == 20
    assert stack.ask("GET", "/v1/search?q=xxxx").json["total"] == 200


def test_a_kill_in_the_middle_leaves_the_old_file_whole(make_stack: MakeStack) -> None:
    stack = half_empty(make_stack)
    path = stack.home / "traces.db"
    stack.stop()
    before = path.read_bytes()
    partial = path.with_name("traces.db.vacuuming.partial")
    child = subprocess.Popen([*COMMAND, "vacuum", "--full"], env=stack.env, cwd=stack.folder)
    wait_for(lambda: partial.exists() or child.poll() is not None, "it to be under way")
    child.send_signal(signal.SIGKILL)
    child.wait(20)
    if partial.exists():  # it was
        assert path.read_bytes() == before
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) FROM spans").fetchone() == (200,)
    assert stack.beacon("vacuum", "--full").returncode == 0
    assert not partial.exists()


def test_no_room_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "traces.db"
    with Store(path) as store:
        store.put(stored_span("s", "t"))
    usage = os.statvfs(tmp_path)
    monkeypatch.setattr(copying, "ROOM_BYTES", usage.f_bavail * usage.f_frsize * 2)
    before = path.read_bytes()
    with pytest.raises(Refused, match=r"are free\. Nothing was changed"):
        rewrite(path, lambda done, whole: None)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["traces.db"]
