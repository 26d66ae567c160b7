"""A full disk is a state to sit out: spans are refused clearly, reads go on, and it heals when there is room."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.processes import Answer, span, wait_for
from tests.stack import MakeStack, Stack
from tests.system.live import Live
from tests.system.small_disk import SmallDisk, small_disk
from tests.system.test_durable_acks import check_acked
from tests.system.traffic import Client, batch_spans, check_rollups, rows

SPANS = 40
SPAN_BYTES = 20_000

READS = ("/v1/traces", "/v1/spans/first-0", "/v1/traces/first-t0", "/v1/traces/first-t0/graph", "/v1/stats",
         "/v1/search?q=step", "/v1/traces/first-t0/export")  # fmt: skip


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    with small_disk() as found:
        yield found


def check_full(answer: Answer) -> None:
    assert answer.status == 503, answer.body
    assert int(answer.headers["retry-after"]) >= 1
    detail = answer.json["detail"]
    assert "disk" in detail
    assert "full" in detail or "error" in detail, detail


def check_reads(stack: Stack) -> None:
    for path in READS:
        answer = stack.ask("GET", path)
        assert answer.status == 200, (path, answer.body)


def fill(client: Client, acked: list[str], name: str = "b") -> Answer:
    """Post batch after batch until one is refused; its answer."""
    for i in range(400):
        batch = f"{name}{i}"
        answer = client.post(*batch_spans(batch, SPANS, SPAN_BYTES))
        if answer.status != 200:
            return answer
        acked.append(batch)
    raise AssertionError("the disk never filled up")


@pytest.mark.slow
def test_ingest_sits_out_a_full_disk_through_restarts_and_heals(make_stack: MakeStack, disk: SmallDisk) -> None:
    stack = make_stack(BEACON_DB_PATH=str(disk.folder / "traces.db")).start()
    stack.wait_healthy()
    disk.attach(stack)
    acked: list[str] = []
    with Client(stack) as client, Live(stack) as live:
        assert client.post(*batch_spans("first", SPANS)).status == 200
        acked.append("first")
        check_full(fill(client, acked))
        assert len(acked) > 5
        check_reads(stack)
        check_acked(stack, acked, SPANS)
        # a delete needs room too; what is refused has changed nothing
        assert client.ask("PUT", "/v1/traces/first-t0/tags", {"tags": {"x": "y" * 2_000}}).status in (200, 503)

        # killed again and again while it is full: each start meets it anew, and none is the last
        for round_ in range(4):
            old = stack.kill("ingest")
            stack.wait_replaced("ingest", old)
            check_full(_settled(stack, round_))
            check_reads(stack)
            check_acked(stack, acked, SPANS)
        assert [state.state for state in stack.states()] == ["RUNNING"] * 4

        pid = stack.pids()["ingest"]
        disk.free(stack)
        # by itself, with nobody writing
        wait_for(lambda: stack.ask("GET", "/health").json["parts"]["ingest"] == "up", "ingest to heal")
        assert client.post(*batch_spans("last", SPANS, SPAN_BYTES)).status == 200
        acked.append("last")
        live.wait(lambda: f"last-{SPANS - 1}" in live.created, "the live stream to go on")
        assert stack.pids()["ingest"] == pid, "and without another restart"
    assert set(live.created) >= {f"{batch}-{i}" for batch in acked for i in range(SPANS)}
    # what was refused was never announced: an event comes after its commit, and on a full disk there was none
    assert set(live.created) <= {span_id for (span_id,) in rows(stack, "SELECT span_id FROM spans")}
    assert len(live.created) == len(set(live.created))
    check_acked(stack, acked, SPANS)
    check_rollups(stack)
    check_reads(stack)
    stack.stop()
    assert rows(stack, "PRAGMA integrity_check") == [("ok",)]


def _settled(stack: Stack, round_: int) -> Answer:
    """What a batch is answered once ingest is there again and has filled what its start has freed."""
    wait_for(lambda: stack.ask("GET", "/health").status in (200, 503), "the hub to answer")
    with Client(stack) as client:
        for i in range(60):
            answer = client.post(*batch_spans(f"more{round_}-{i}", SPANS, SPAN_BYTES))
            if answer.status == 503 and "not there" not in answer.json["detail"]:
                return answer
    raise AssertionError("it is not full any more")


@pytest.mark.slow
def test_a_stack_that_starts_on_a_full_disk_waits_for_room(make_stack: MakeStack, disk: SmallDisk) -> None:
    """Not even an empty database fits: ingest says so and goes on trying, for as long as it takes."""
    stack = make_stack(BEACON_DB_PATH=str(disk.folder / "traces.db"))
    disk.fill(stack)
    with foreground(stack):
        wait_for(lambda: _health_detail(stack), "the hub")
        wait_for(lambda: "disk" in _health_detail(stack), "ingest to say what is wrong")
        check_full(stack.ask("POST", "/v1/spans", {"spans": [span("s1")]}))
        pid = stack.pids()["ingest"]
        disk.free(stack)
        stack.wait_healthy()
        stack.post_spans([span("s1")])
        assert stack.pids()["ingest"] == pid, "it has waited, and not been started over and over"
        assert "Traceback" not in stack.log("ingest")
        stack.stop()
    assert rows(stack, "PRAGMA integrity_check") == [("ok",)]


def _health_detail(stack: Stack) -> str:
    try:
        return str(stack.ask("GET", "/health").json.get("detail", ""))
    except OSError:
        return ""


@contextmanager
def foreground(stack: Stack) -> Iterator[None]:
    """`beacon up` without --detach, which does not give up after a while."""
    with (stack.folder / "up.txt").open("wb") as out:
        child = subprocess.Popen([*stack.program, "up"], env=stack.env, cwd=stack.folder, stdout=out, stderr=out)
    try:
        yield
    finally:
        stack.pids()
        if child.poll() is None:
            child.terminate()
        child.wait(20)
