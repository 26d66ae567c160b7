"""Clients that keep a running stack busy, and the log each keeps of what was acknowledged."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from tests.processes import Answer, span, wait_for
from tests.stack import Stack

BACK_OFF_S = 0.02
"""Seconds a client waits after a request that failed, as a polite one does."""

TRACES_A_BATCH = 3


class Client:
    """A connection to the port that is kept, and opened anew after it has failed."""

    def __init__(self, stack: Stack, timeout: float = 30.0) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One request; `body` is bytes, or anything to send as JSON. Raises `OSError` and `HTTPException`."""
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        given = {"content-type": "application/json"} if body is not None else {}
        try:
            self._http.request(method, path, sent, {**given, **(headers or {})})
            response = self._http.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        except (OSError, http.client.HTTPException):
            self._http.close()
            raise

    def post(self, *spans: dict[str, Any]) -> Answer:
        return self.ask("POST", "/v1/spans", {"spans": list(spans)})

    def close(self) -> None:
        self._http.close()


class Posters:
    """Use as a context: `clients` threads post batches of `spans` spans without pause, each batch over a few traces.

    A batch is known by its name; `sent` has all that went out, `acked` those that were answered 200, in the order the
    answers came, `refused` every other answer, `failed` the connections that broke.
    """

    def __init__(
        self,
        stack: Stack,
        clients: int = 4,
        spans: int = 20,
        size: int = 500,
        body: Callable[[str], bytes] | None = None,
    ) -> None:
        self.spans = spans
        self.sent: list[str] = []
        self.acked: list[str] = []
        self.refused: list[Answer] = []
        self.failed: list[Exception] = []
        self._stack = stack
        self._size = size
        self._body = body or self._batch
        self._ending = threading.Event()
        self._victim: tuple[int, int] | None = None  # (batches acknowledged, pid)
        self._threads = [threading.Thread(target=self._run, args=(i,), name=f"poster-{i}") for i in range(clients)]

    def __enter__(self) -> Posters:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def wait_acked(self, more: int, timeout: float = 30.0) -> None:
        """Wait until `more` batches were acknowledged from now on."""
        wanted = len(self.acked) + more
        wait_for(lambda: len(self.acked) >= wanted, f"{more} more batches to be acknowledged", timeout)

    def kill_at_an_ack(self, pid: int, after: int = 10) -> list[str]:
        """SIGKILL `pid` in the very moment in which a client reads an acknowledgement, `after` more of them from now;
        the batches acknowledged up to then."""
        self._victim = (len(self.acked) + after, pid)
        wait_for(lambda: self._victim is None, "the acknowledgement to kill at")
        return list(self.acked)

    def _run(self, number: int) -> None:
        batch = 0
        with Client(self._stack) as client:
            while not self._ending.is_set():
                name = f"c{number}-b{batch}"
                batch += 1
                body = self._body(name)
                self.sent.append(name)
                try:
                    answer = client.ask("POST", "/v1/spans", body)
                except (OSError, http.client.HTTPException) as e:
                    self.failed.append(e)
                    self._ending.wait(BACK_OFF_S)
                    continue
                if answer.status != 200:
                    self.refused.append(answer)
                    self._ending.wait(BACK_OFF_S)
                    continue
                self.acked.append(name)
                victim = self._victim
                if victim is not None and len(self.acked) >= victim[0]:
                    os.kill(victim[1], signal.SIGKILL)
                    self._victim = None

    def _batch(self, name: str) -> bytes:
        return json.dumps({"spans": batch_spans(name, self.spans, self._size)}).encode()


def batch_spans(name: str, count: int, size: int = 0) -> list[dict[str, Any]]:
    """`count` spans over TRACES_A_BATCH traces, all named after the batch, with `size` bytes of attributes each."""
    return [
        span(f"{name}-{i}", f"{name}-t{i % TRACES_A_BATCH}", attributes={"text": "x" * size} if size else {})
        for i in range(count)
    ]


def rows(stack: Stack, sql: str, *parameters: Any) -> list[Any]:
    """What `sql` gives, read from the file itself."""
    with closing(sqlite3.connect(f"file:{stack.settings.db_path}?mode=ro", uri=True)) as db:
        return db.execute(sql, parameters).fetchall()


def stored_batches(stack: Stack) -> Counter[str]:
    """How many spans of each batch are stored."""
    return Counter(span_id.rpartition("-")[0] for (span_id,) in rows(stack, "SELECT span_id FROM spans"))


def check_rollups(stack: Stack) -> None:
    """Fails unless every trace row and every counter is what the stored spans say."""
    assert (
        rows(
            stack,
            "SELECT t.trace_id FROM traces t LEFT JOIN spans s ON s.trace_row = t.trace_row GROUP BY t.trace_row "
            "HAVING count(s.span_row) <> t.span_count OR min(s.start_ns) <> t.start_ns OR max(s.end_ns) <> t.end_ns",
        )
        == []
    )
    ((traces, spans),) = rows(stack, "SELECT trace_count, span_count FROM counters")
    assert rows(stack, "SELECT count(*) FROM traces") == [(traces,)]
    assert rows(stack, "SELECT count(*) FROM spans") == [(spans,)]
    assert rows(stack, "SELECT count(*) FROM span_attributes") == [(spans,)]
