"""The write-ahead log stays short while spans pour in and others read, and it is empty when there is nothing to do."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack

import pytest

from tests.processes import wait_for
from tests.stack import Stack
from tests.system.traffic import Client, Posters, batch_spans, rows

MIB = 1024 * 1024
WAL_MAX = 64 * MIB
SPANS_BYTES = 160 * MIB
SPAN_BYTES = 2_500
BATCH = 100

READS = ("/v1/traces?limit=200", "/v1/search?q=nowhere+to+be+found", "/v1/traces/{trace}", "/v1/stats/trends")


def wal_bytes(stack: Stack) -> int:
    path = stack.settings.db_path
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except FileNotFoundError:
        return 0


class Readers:
    """Use as a context: a client for each of READS, without pause. `statuses` has what they were answered."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._ending = threading.Event()
        self.statuses: dict[str, list[int]] = {path: [] for path in READS}
        self._threads = [threading.Thread(target=self._run, args=(path,)) for path in READS]

    def __enter__(self) -> Readers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _run(self, path: str) -> None:
        with Client(self._stack, timeout=60) as client:
            while not self._ending.is_set():
                answer = client.ask("GET", path.format(trace="first-t0"))
                self.statuses[path].append(answer.status)


@pytest.mark.slow
def test_it_stays_short_under_ingest_with_four_clients_reading(stack: Stack) -> None:
    stack.post_spans(batch_spans("first", 500, SPAN_BYTES))
    pattern = json.dumps({"spans": batch_spans("NAME", BATCH, SPAN_BYTES)})

    def body(name: str) -> bytes:
        return pattern.replace("NAME", name).encode()

    longest = 0
    with ExitStack() as running:
        readers = running.enter_context(Readers(stack))
        posters = running.enter_context(Posters(stack, clients=4, spans=BATCH, body=body))

        def enough() -> bool:
            nonlocal longest
            longest = max(longest, wal_bytes(stack))
            return len(posters.acked) * BATCH * SPAN_BYTES > SPANS_BYTES

        wait_for(enough, f"{SPANS_BYTES // MIB} MiB of spans to be stored", 120)
    longest = max(longest, wal_bytes(stack))
    assert longest <= WAL_MAX, f"{longest / MIB:.0f} MiB"
    assert (posters.refused, posters.failed) == ([], [])
    for path, statuses in readers.statuses.items():
        assert set(statuses) == {200}, path
        assert statuses, path

    # and with nothing to do the disk holds each span once
    wait_for(lambda: wal_bytes(stack) == 0, "the log to be emptied")
    assert stack.settings.db_path.stat().st_size > SPANS_BYTES
    stored = len(posters.acked) * BATCH + 500
    assert stack.ask("GET", "/v1/stats").json["total_spans"] == stored
    assert rows(stack, "SELECT count(*) FROM span_attributes") == [(stored,)]


def test_single_spans_do_not_let_it_grow_either(stack: Stack) -> None:
    """Each commit writes the pages at the ends of tables and indexes again: 50 KB of log for 3 KB of span."""
    longest = 0
    with Posters(stack, clients=8, spans=1, size=2_500) as posters:

        def enough() -> bool:
            nonlocal longest
            longest = max(longest, wal_bytes(stack))
            return len(posters.acked) > 4_000

        wait_for(enough, "4,000 single spans", 60)
    assert longest <= WAL_MAX, f"{longest / MIB:.0f} MiB"
    assert (posters.refused, posters.failed) == ([], [])
    wait_for(lambda: wal_bytes(stack) == 0, "the log to be emptied")
