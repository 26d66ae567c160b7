"""`beacon backup` beside a Beacon that goes on, and `beacon restore`."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from tests.processes import span
from tests.stack import MakeStack, Stack
from tests.system.small_disk import small_disk


def test_a_backup_holds_all_that_was_acknowledged_before_it_and_starts_a_beacon(make_stack: MakeStack) -> None:
    stack = make_stack().start()
    stack.wait_healthy()
    acknowledged: list[str] = []
    stop = threading.Event()

    def post() -> None:
        while not stop.is_set():
            n = len(acknowledged)
            stack.post_spans([span(f"s{n}-{i}", f"t{n}", attributes={"text": "x" * 2_000}) for i in range(50)])
            acknowledged.append(f"t{n}")

    poster = threading.Thread(target=post)
    poster.start()
    while len(acknowledged) < 40:
        stop.wait(0.01)
    before = len(acknowledged)
    copy = stack.folder / "copy.db"
    done = stack.beacon("backup", str(copy))
    stop.set()
    poster.join()
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(copy) as db:
        traces, spans = db.execute("SELECT trace_count, span_count FROM counters").fetchone()
        assert db.execute("SELECT count(*) FROM spans").fetchone() == (spans,)
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
    assert before <= traces <= len(acknowledged)
    assert f"{traces} traces, {spans} spans" in done.stdout
    assert f"restore {copy}" in done.stdout
    assert sorted(p.name for p in stack.folder.glob("copy*")) == ["copy.db"]
    assert copy.stat().st_mode & 0o777 == 0o600

    other = make_stack()
    restored = other.beacon("restore", str(copy))
    assert restored.returncode == 0, restored.stderr
    other.start()
    other.wait_healthy()
    for trace_id in acknowledged[:before]:
        assert len(other.ask("GET", f"/v1/traces/{trace_id}?fields=light").json["spans"]) == 50
    assert other.ask("GET", "/v1/stats").json["total_spans"] == spans


def test_a_restore_asks_keeps_what_was_there_and_can_be_taken_back(make_stack: MakeStack) -> None:
    stack = make_stack().start()
    stack.wait_healthy()
    stack.post_spans([span("s1", "early")])
    copy = stack.folder / "copy.db"
    assert stack.beacon("backup", str(copy)).returncode == 0
    stack.post_spans([span("s2", "late")])
    up = stack.beacon("restore", str(copy), "--yes")
    assert (up.returncode, "Stop it first" in up.stderr) == (1, True)
    again = stack.beacon("backup", str(copy))
    assert (again.returncode, "exists already" in again.stderr) == (1, True)
    stack.stop()

    asked = stack.beacon("restore", str(copy))  # nobody is there to answer
    assert (asked.returncode, "--yes" in asked.stderr) == (1, True)
    done = stack.beacon("restore", str(copy), "--yes")
    assert done.returncode == 0, done.stderr
    (kept,) = stack.home.glob("traces.db.before-restore-*")
    assert str(kept) in done.stdout
    assert traces_of(stack) == ["early"]
    # what was there before is a backup like any other
    stack.stop()
    back = stack.beacon("restore", str(kept), "--yes")
    assert back.returncode == 0, back.stderr
    assert traces_of(stack) == ["early", "late"]


def traces_of(stack: Stack) -> list[str]:
    stack.start()
    stack.wait_healthy()
    return sorted(trace["trace_id"] for trace in stack.ask("GET", "/v1/traces").json["traces"])


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_full_disk_leaves_nothing_half_written(make_stack: MakeStack, command: str) -> None:
    with small_disk() as disk:
        stack = make_stack()
        stack.start()
        stack.wait_healthy()
        for n in range(10):
            stack.post_spans([span(f"s{n}-{i}", f"t{n}", attributes={"text": "x" * 50_000}) for i in range(50)])
        whole = stack.folder / "whole.db"
        assert stack.beacon("backup", str(whole)).returncode == 0
        stack.stop()
        disk.fill(stack)
        if command == "backup":
            done = stack.beacon("backup", str(disk.folder / "copy.db"))
        else:
            done = stack.beacon("restore", str(whole), "--yes", BEACON_DB_PATH=str(disk.folder / "traces.db"))
        assert done.returncode == 1
        assert "cannot be written" in done.stderr
        assert "Nothing of it is left" in done.stderr
        assert [p.name for p in Path(disk.folder).iterdir() if p.name.endswith((".db", ".partial", "-journal"))] == []


def test_a_bar_is_drawn_on_a_terminal_alone() -> None:
    from beacon.cli.progress import drawn

    assert drawn("Copying", 500_000_000, 2_000_000_000) == (
        "Copying [#######.......................]  25%  500.0 MB of 2.0 GB"
    )
    assert drawn("Copying", 0, 0).endswith("100%  0 B of 0 B")
