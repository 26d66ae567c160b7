"""A replay worker in a test's own hands: it speaks to a real ingest over the real sockets, step by step."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import zmq

from tests.processes import Answer, Process

ANNOUNCE_S = 1.0


class HandWorker:
    """A context: from entering to leaving it announces itself, as a worker does. What it is told of, it claims when the
    test says so. `announced=False`: nobody knows of it."""

    def __init__(self, ingest: Process, worker_id: str = "hand", *, announced: bool = True) -> None:
        self._ingest = ingest
        self.worker_id = worker_id
        self._announced = announced
        self._context = zmq.Context()
        self._hints = self._socket(zmq.PULL, "jobs")
        self._deltas = self._socket(zmq.PUSH, "deltas")
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._announce)

    def __enter__(self) -> HandWorker:
        if self._announced:
            assert self._ingest.ask("PUT", f"/internal/workers/{self.worker_id}").status == 200
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.vanish()

    def vanish(self) -> None:
        """Gone, as by kill -9: nothing is said."""
        self._gone.set()
        if self._thread.is_alive():
            self._thread.join()
        if not self._context.closed:
            self._hints.close(linger=0)
            self._deltas.close(linger=0)
            self._context.term()

    # ------------------------------------------------------------ the protocol

    def hint(self, timeout: float = 10.0) -> str:
        """The job of the next hint."""
        assert self._hints.poll(int(timeout * 1000)), f"no hint within {timeout} s"
        (job_id,) = msgspec.msgpack.decode(self._hints.recv())
        assert isinstance(job_id, str)
        return job_id

    def hinted(self, timeout: float) -> bool:
        """Whether a hint comes within `timeout`."""
        return bool(self._hints.poll(int(timeout * 1000)))

    def claim(self, job_id: str) -> Answer:
        return self._ingest.ask("POST", "/internal/jobs/claim", {"job_id": job_id, "worker_id": self.worker_id})

    def take(self, timeout: float = 10.0) -> dict[str, Any]:
        """The next job that can be claimed: what ingest answers to the claim."""
        deadline = time.monotonic() + timeout
        while True:
            answer = self.claim(self.hint(max(0.01, deadline - time.monotonic())))
            if answer.status == 200:
                found: dict[str, Any] = answer.json
                return found

    def renew(self, job: dict[str, Any], token: str | None = None) -> Answer:
        body = {"token": token or job["token"]}
        return self._ingest.ask("POST", f"/internal/jobs/{job['job_id']}/renew", body)

    def complete(self, job: dict[str, Any], token: str | None = None, **outcome: Any) -> Answer:
        """`outcome` is `result=` or `error=`."""
        body = {"token": token or job["token"], **outcome}
        return self._ingest.ask("POST", f"/internal/jobs/{job['job_id']}/complete", body)

    def say(self, job: dict[str, Any], text: str, run: int = 0, token: str | None = None) -> None:
        self._deltas.send(msgspec.msgpack.encode([job["job_id"], token or job["token"], run, text]))

    def say_raw(self, message: bytes) -> None:
        self._deltas.send(message)

    # ------------------------------------------------------------ inside

    def _socket(self, kind: int, name: str) -> zmq.Socket[bytes]:
        path: Path = self._ingest.home / "run" / f"{name}.zmq"
        made = self._context.socket(kind)
        made.setsockopt(zmq.LINGER, 0)
        made.setsockopt(zmq.RECONNECT_IVL, 20)
        made.connect(f"ipc://{path}")
        return made

    def _announce(self) -> None:
        while not self._gone.wait(ANNOUNCE_S):
            with contextlib.suppress(OSError):
                self._ingest.ask("PUT", f"/internal/workers/{self.worker_id}", timeout=2)


def replay_done(completion: str = "fresh", old: str | None = "old", **output: Any) -> dict[str, Any]:
    """What a worker completes a replay of one run with."""
    return {"runs": [replay_run(completion, old, **output)]}


def replay_run(completion: str = "fresh", old: str | None = "old", **output: Any) -> dict[str, Any]:
    return {
        "new_output": {
            "llm.completion": completion,
            "llm.tokens.input": 7,
            "llm.tokens.output": 5,
            "llm.cost_usd": 0.0,
            **output,
        },
        "diff": {
            "old_completion": old,
            "new_completion": completion,
            "changed": completion != old,
            "hunks": [{"op": "insert", "text": completion}],
        },
    }
