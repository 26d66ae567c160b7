"""A stack with a provider, `lab`, that the test has in its own hands: recorded calls of it, and calls under way."""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from tests.fake_provider import FakeProvider
from tests.processes import Answer, wait_for
from tests.stack import Stack

KEY = "sk-lab-0123456789-abcdefghij"

USER = {"role": "user", "content": "Weather in Paris?"}

ANSWER_S = 60.0


class Lab:
    """`stack` is up, and `fake` is its provider `lab`, saved with KEY."""

    def __init__(self, stack: Stack, fake: FakeProvider) -> None:
        self.stack = stack
        self.fake = fake
        self._pool = ThreadPoolExecutor(256)

    def record(self, messages: list[dict[str, Any]] | None = None, **attributes: Any) -> str:
        """Store an ended llm_call of the model fake-large, in a trace of its own with the same id; its id."""
        span_id = str(uuid.uuid4())
        recorded = {
            "llm.provider": "lab",
            "llm.model": "fake-large",
            "llm.prompt": json.dumps(messages or [USER]),
            "llm.completion": "It is 18C in Paris.",
            "llm.tokens.input": 12,
            "llm.tokens.output": 7,
            "llm.cost_usd": 0.25,
        } | {f"llm.{name}": value for name, value in attributes.items()}
        self.stack.post_spans(
            [
                {
                    "span_id": span_id,
                    "trace_id": span_id,
                    "span_type": "llm_call",
                    "name": "chat fake-large",
                    "status": "ok",
                    "start_time": 1_790_000_000.0,
                    "end_time": 1_790_000_001.0,
                    "attributes": recorded,
                }
            ]
        )
        return span_id

    def replay(self, span_id: str, headers: dict[str, str] | None = None, **more: Any) -> Answer:
        return self.stack.ask("POST", "/v1/replay", {"span_id": span_id, **more}, headers, timeout=ANSWER_S)

    def soon(self, method: str, path: str, body: Any = None) -> Future[Answer]:
        """The request on a thread of its own."""
        return self._pool.submit(self.stack.ask, method, path, body, timeout=ANSWER_S)

    @contextmanager
    def streaming(self, path: str, body: dict[str, Any]) -> Iterator[Iterator[tuple[str, Any]]]:
        """The server-sent events of a POST as they come: each its name and its JSON, comments left out."""
        connection = http.client.HTTPConnection("127.0.0.1", self.stack.port, timeout=ANSWER_S)
        try:
            connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
            response = connection.getresponse()
            assert response.status == 200, response.read()
            assert response.headers["content-type"].startswith("text/event-stream")
            yield _events(response)
        finally:
            connection.close()

    def replay_soon(self, span_id: str, **more: Any) -> Future[Answer]:
        return self.soon("POST", "/v1/replay", {"span_id": span_id, **more})

    def replays(self, span_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.stack.ask("GET", f"/v1/spans/{span_id}/replays").json["replays"]
        return found

    def spans(self, trace_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.stack.ask("GET", f"/v1/traces/{trace_id}").json["spans"]
        return found

    def job(self, kind: str, state: str) -> dict[str, Any]:
        """The newest job of that kind, once it is in that state."""

        def look() -> dict[str, Any] | None:
            jobs = self.stack.ask("GET", f"/v1/jobs?state={state}").json["jobs"]
            return next((job for job in jobs if job["kind"] == kind), None)

        found: dict[str, Any] = wait_for(look, f"a {kind} job to be {state}")
        return found

    def calls(self) -> int:
        """Calls the provider has got; models that were listed do not count."""
        return sum(request.method == "POST" for request in self.fake.requests)

    def wait_calls(self, count: int) -> None:
        self.fake.wait(lambda: self.calls() >= count, f"{count} calls")

    def close(self) -> None:
        self._pool.shutdown()


def _events(response: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in response:
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


@contextmanager
def open_lab(**env: str) -> Iterator[Lab]:
    """A lab of its own; BEACON_* values by `env`."""
    with FakeProvider() as fake:
        fake.key = KEY
        stack = Stack(**env)
        lab = Lab(stack, fake)
        try:
            stack.start()
            stack.wait_healthy()
            saved = {"provider": "lab", "api_key": KEY, "base_url": fake.base_url()}
            answer = stack.ask("PUT", "/v1/settings/api-keys", saved)
            assert answer.status == 200, answer.body
            yield lab
        finally:
            stack.destroy()
            lab.close()
