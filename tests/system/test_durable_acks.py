"""Acknowledged is durable: whatever is killed in mid-load, every acknowledged span is there, every batch is whole."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.processes import REPOSITORY, span, wait_for
from tests.stack import MakeStack, Stack
from tests.system.traffic import Posters, check_rollups, rows, stored_batches

ROUNDS = 5


def check_acked(stack: Stack, acked: Collection[str], spans: int) -> None:
    """Fails unless each of these batches is stored whole."""
    stored = stored_batches(stack)
    lost = {name: stored[name] for name in acked if stored[name] != spans}
    assert not lost, f"acknowledged, and stored only so far: {lost}"


def check_end(stack: Stack, posters: Posters) -> None:
    """Fails unless, after the posters' end, all is there that was acknowledged, and nothing by halves."""
    check_acked(stack, posters.acked, posters.spans)
    torn = {name: count for name, count in stored_batches(stack).items() if count != posters.spans}
    assert not torn, f"batches stored in part: {torn}"
    assert set(stored_batches(stack)) <= set(posters.sent)
    check_rollups(stack)
    assert rows(stack, "PRAGMA integrity_check") == [("ok",)]
    # and it is what the API says
    stats = stack.ask("GET", "/v1/stats").json
    assert [(stats["total_traces"], stats["total_spans"])] == rows(
        stack, "SELECT trace_count, span_count FROM counters"
    )
    assert stack.ask("GET", "/v1/traces?limit=1").json["total"] == stats["total_traces"]


@pytest.mark.slow
def test_ingest_killed_in_mid_load_loses_nothing_acknowledged(stack: Stack) -> None:
    with Posters(stack) as posters:
        for _ in range(ROUNDS):
            pid = stack.pids()["ingest"]
            acked = posters.kill_at_an_ack(pid)
            stack.wait_replaced("ingest", pid)
            posters.wait_acked(20)
            check_acked(stack, acked, posters.spans)
    check_end(stack, posters)
    # a client is told the truth or nothing: acknowledged, or try again
    assert {answer.status for answer in posters.refused} <= {503}
    assert posters.failed == []


@pytest.mark.slow
def test_large_batches_are_stored_whole_or_not_at_all(stack: Stack) -> None:
    """Batches larger than a group commit takes at once, so that the kill comes in the middle of one."""
    with Posters(stack, clients=3, spans=3_000) as posters:
        for _ in range(3):
            pid = stack.pids()["ingest"]
            acked = posters.kill_at_an_ack(pid, after=3)
            stack.wait_replaced("ingest", pid)
            posters.wait_acked(3)
            check_acked(stack, acked, posters.spans)
    check_end(stack, posters)


@pytest.mark.parametrize("name", ["hub", "query"])
def test_killing_what_does_not_write_loses_nothing_either(stack: Stack, name: str) -> None:
    with Posters(stack) as posters:
        for _ in range(2):
            pid = stack.pids()[name]
            posters.kill_at_an_ack(pid)
            stack.wait_replaced(name, pid)
            posters.wait_acked(20)
        stack.wait_healthy()
    check_end(stack, posters)
    assert posters.refused == []
    if name == "query":
        assert posters.failed == [], "posting goes past query"


def test_everything_killed_at_once_loses_nothing(stack: Stack) -> None:
    """supervisord first, and its orphans with it: what an out-of-memory killer or a closing laptop does."""
    with Posters(stack) as posters:
        pids = stack.pids()
        posters.kill_at_an_ack(pids["supervisord"])
        for name in ("ingest", "query", "replay_worker", "hub"):
            os.kill(pids[name], signal.SIGKILL)
        stack.wait_gone(pids)
    stack.start()
    check_end(stack, posters)


STATEMENTS = """\
import os, sqlite3

def connect(*arguments, **named):
    db = original(*arguments, **named)
    log = open(os.environ["STATEMENTS"], "a", buffering=1)
    db.set_trace_callback(lambda sql: print(os.getpid(), sql, file=log))
    return db

original, sqlite3.connect = sqlite3.connect, connect
"""
"""A sitecustomize that writes down every statement of every connection a process makes."""


@pytest.mark.parametrize(("durability", "level"), [("full", "FULL"), ("normal", "NORMAL")])
def test_durability_is_what_was_asked_for(make_stack: MakeStack, tmp_path: Path, durability: str, level: str) -> None:
    """`full` syncs at each commit; nothing, in either, ever turns it lower than NORMAL."""
    (tmp_path / "sitecustomize.py").write_text(STATEMENTS)
    statements = tmp_path / "statements"
    stack = make_stack(
        BEACON_DURABILITY=durability, PYTHONPATH=f"{tmp_path}:{REPOSITORY}", STATEMENTS=str(statements)
    ).start()
    stack.post_spans([span("s1")])
    assert stack.ask("GET", "/v1/spans/s1").status == 200
    pid = stack.pids()["ingest"]
    wait_for(lambda: "INSERT INTO spans" in statements.read_text(), "the statements to be written down")
    by_ingest = [line for line in statements.read_text().splitlines() if line.startswith(f"{pid} ")]
    asked = [found[1].upper() for line in by_ingest if (found := re.search(r"synchronous\s*=\s*(\w+)", line, re.I))]
    assert asked == [level]
    stack.restart()
    assert stack.ask("GET", "/v1/spans/s1").status == 200
