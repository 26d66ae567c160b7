"""`beacon import`: whole or not at all, whatever is killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from beacon.unix_http import UnixConnection
from tests.processes import span, wait_for
from tests.stack import COMMAND, MakeStack, Stack
from tests.system.live import Live

TRACES = 60


def archive(stack: Stack, traces: int = TRACES, name: str = "x.jsonl") -> list[bytes]:
    """The lines of an archive in `stack.folder`."""
    lines = [b'{"format":"beacon-archive","version":1,"beacon":"0","exported_at":1.0}\n']
    for n in range(traces):
        spans = [span(f"s{n}-{i}", f"t{n}", name="needle", attributes={"text": "x" * 2_000}) for i in range(40)]
        one = {
            "version": "1",
            "format": "beacon",
            "trace": {"trace_id": f"t{n}", "tags": {"n": str(n)}},
            "spans": spans,
        }
        lines.append(json.dumps(one).encode() + b"\n")
    (stack.folder / name).write_bytes(b"".join(lines))
    return lines


def staged(stack: Stack) -> int:
    """Spans in the file, whoever may see them."""
    try:
        with closing(sqlite3.connect(f"file:{stack.home}/traces.db?mode=ro", uri=True)) as db:
            found: int = db.execute("SELECT count(*) FROM spans").fetchone()[0]
            return found
    except sqlite3.OperationalError:
        return 0


def reads(stack: Stack) -> dict[str, Any]:
    """What every kind of read says of the import's traces."""
    return {
        "list": stack.ask("GET", "/v1/traces?count=true").json["total"],
        "filtered": stack.ask("GET", "/v1/traces?q=tag:n=1").json["total"],
        "sorted": len(stack.ask("GET", "/v1/traces?sort=-total_cost_usd&limit=200").json["traces"]),
        "search": stack.ask("GET", "/v1/search?q=needle").json["total"],
        "spans": stack.ask("GET", "/v1/stats").json["total_spans"],
        "traces": stack.ask("GET", "/v1/stats").json["total_traces"],
        "trace": stack.ask("GET", "/v1/traces/t1").status,
        "span": stack.ask("GET", "/v1/spans/s1-0").status,
        "graph": stack.ask("GET", "/v1/traces/t1/graph").status,
        "tags": stack.ask("PUT", "/v1/spans/s1-0/annotations", {"annotations": []}).status,
        "sessions": stack.ask("GET", "/v1/sessions").json["total"],
        "costs": len(stack.ask("GET", "/v1/stats/top-duration").json["tools"]),
        "export": stack.beacon("export").stdout.count("needle"),
    }


NOTHING = {
    "list": 0, "filtered": 0, "sorted": 0, "search": 0, "spans": 0, "traces": 0, "trace": 404, "span": 404,
    "graph": 404, "tags": 404, "sessions": 0, "costs": 0, "export": 0,
}  # fmt: skip
ALL = {
    "list": TRACES, "filtered": 1, "sorted": TRACES, "search": TRACES * 40, "spans": TRACES * 40, "traces": TRACES,
    "trace": 200, "span": 200, "graph": 200, "tags": 200, "sessions": 0, "costs": 0, "export": TRACES * 40 + TRACES,
}  # fmt: skip


@contextmanager
def half_sent(stack: Stack, lines: list[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """`beacon import` that has sent the first half of `lines`, of which some are staged, and waits for the rest."""
    child = subprocess.Popen(
        [*COMMAND, "import", "-"], env=stack.env, cwd=stack.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None
    child.stdin.write(b"".join(lines[: len(lines) // 2]))
    child.stdin.flush()
    wait_for(lambda: staged(stack) > 0, "some of it to be staged")
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def test_an_archive_comes_in_beside_a_beacon_and_is_told_to_who_looks_on(make_stack: MakeStack) -> None:
    stack = make_stack().start()
    stack.wait_healthy()
    archive(stack)
    with Live(stack) as live:
        done = stack.beacon("import", "x.jsonl")
        assert done.returncode == 0, done.stderr
        assert done.stdout == "Imported 60 traces, 2400 spans.\n"
        wait_for(lambda: any(event["event"] == "resync" for event in live.events), "clients to be told to ask anew")
        assert {event["event"] for event in live.events} <= {"connected", "resync", "subscribed"}
    assert reads(stack) == ALL
    again = stack.beacon("import", "x.jsonl")
    assert (again.returncode, "Line 2: trace t0 is stored already" in again.stderr) == (1, True)
    skipped = stack.beacon("import", "x.jsonl", "--skip-existing")
    assert skipped.stdout == "Imported 0 traces, 0 spans. 60 traces stood there already.\n"
    missing = stack.beacon("import", "none.jsonl")
    assert (missing.returncode, "none.jsonl cannot be read" in missing.stderr) == (1, True)
    assert reads(stack) == ALL


@pytest.mark.parametrize("killed", ["command", "ingest"])
def test_a_kill_in_the_middle_leaves_nothing_of_it(make_stack: MakeStack, killed: str) -> None:
    stack = make_stack().start()
    stack.wait_healthy()
    lines = archive(stack)
    with half_sent(stack, lines) as child:
        assert reads(stack) == NOTHING
        if killed == "command":
            child.kill()
        else:
            os.kill(stack.pids()["ingest"], signal.SIGKILL)
            _, said = child.communicate(b"".join(lines[len(lines) // 2 :]), timeout=30)
            assert child.returncode == 1
            assert b"all of it is there now, or nothing" in said
    wait_for(lambda: staged(stack) == 0, "what was staged to be swept")
    stack.wait_healthy()
    assert reads(stack) == NOTHING
    done = stack.beacon("import", "x.jsonl")
    assert done.returncode == 0, done.stderr
    assert reads(stack) == ALL


def test_with_beacon_down_the_command_takes_its_ingest_with_it(make_stack: MakeStack) -> None:
    stack = make_stack()
    lines = archive(stack)
    with half_sent(stack, lines) as child:
        up = stack.beacon("up", "--detach")
        assert up.returncode != 0  # one writer a database
        stack.beacon("down")
        child.kill()
        child.wait()
    lock = stack.home / "traces.db.lock"
    holder = int(lock.read_text())
    wait_for(lambda: not Path(f"/proc/{holder}").exists(), "its ingest to end")
    stack.start()
    stack.wait_healthy()
    wait_for(lambda: staged(stack) == 0, "what was staged to be swept")
    assert reads(stack) == NOTHING
    stack.stop()
    done = stack.beacon("import", "x.jsonl")
    assert (done.returncode, done.stdout) == (0, "Imported 60 traces, 2400 spans.\n"), done.stderr
    assert not (stack.home / "traces.db-wal").exists() or (stack.home / "traces.db-wal").stat().st_size == 0
    stack.start()
    stack.wait_healthy()
    assert reads(stack) == ALL


def test_a_long_line_and_a_bad_one(make_stack: MakeStack) -> None:
    stack = make_stack()
    lines = archive(stack, 1)
    long = json.loads(lines[1])
    long["spans"] = [span(f"l{i}", "t0", attributes={"text": "y" * 20_000}) for i in range(200)]  # 4 MB
    (stack.folder / "long.jsonl").write_bytes(lines[0] + json.dumps(long).encode() + b"\n" + lines[1][:-40] + b"\n")
    bad = stack.beacon("import", "long.jsonl")
    assert (bad.returncode, "Line 3: this is not valid JSON" in bad.stderr) == (1, True), bad.stderr
    assert "Nothing was imported" in bad.stderr
    (stack.folder / "long.jsonl").write_bytes(lines[0] + json.dumps(long).encode() + b"\n")
    assert stack.beacon("import", "long.jsonl").stdout == "Imported 1 trace, 200 spans.\n"
    exported = stack.beacon("export")
    assert len(json.loads(exported.stdout.splitlines()[1])["spans"]) == 200


def test_a_broken_connection_is_as_good_as_a_kill(make_stack: MakeStack) -> None:
    stack = make_stack().start()
    stack.wait_healthy()
    lines = archive(stack)
    connection = UnixConnection(stack.settings.socket_path("ingest"))
    connection.putrequest("POST", "/internal/imports")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    body = b"".join(lines)  # all of it, but for the end of the body
    connection.send(b"%x\r\n%b\r\n" % (len(body), body))
    wait_for(lambda: staged(stack) > 2_000, "most of it to be staged")
    connection.close()
    wait_for(lambda: staged(stack) == 0, "what was staged to be swept")
    assert reads(stack) == NOTHING
