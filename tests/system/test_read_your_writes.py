"""Read your writes: a read that starts after the 200 sees what was written, whoever else reads and writes meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from tests.processes import span
from tests.stack import Stack
from tests.system.traffic import Client, Posters

CLIENTS = 8
ROUNDS = 12

EXPORTERS = 4
"""Clients that export too: query runs so many exports at a time, and answers 503 above it."""


def side_by_side(client: Callable[[int], None]) -> None:
    """Run `client(number)` for CLIENTS numbers at once; raises what any of them raises."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(client, number) for number in range(CLIENTS)]:
            done.result()


def get(client: Client, path: str) -> Any:
    answer = client.ask("GET", path)
    assert answer.status == 200, (path, answer.status, answer.body[:300])
    return answer.json


def test_every_kind_of_read_sees_a_span_that_was_acknowledged(stack: Stack) -> None:
    acked = 0
    counting = threading.Lock()

    def one(number: int) -> None:
        nonlocal acked
        with Client(stack) as client:
            for i in range(ROUNDS):
                word = f"word{number}x{i}y"
                span_id, trace_id = f"s{number}-{i}", f"t{number}-{i}"
                posted = span(span_id, trace_id, name=f"step {word}", attributes={"note": f"a {word} of its own"})
                assert client.post(posted).status == 200
                with counting:
                    acked += 1
                    at_least = acked
                assert get(client, f"/v1/spans/{span_id}")["attributes"] == posted["attributes"]
                detail = get(client, f"/v1/traces/{trace_id}")
                assert [s["span_id"] for s in detail["spans"]] == [span_id]
                assert [n["id"] for n in get(client, f"/v1/traces/{trace_id}/graph")["nodes"]] == [span_id]
                page = get(client, f"/v1/traces?q={quote(word)}")
                assert ([t["trace_id"] for t in page["traces"]], page["total"]) == ([trace_id], 1)
                # newest first: on the first page as long as no more than its 200 came after it
                assert trace_id in {t["trace_id"] for t in get(client, "/v1/traces?limit=200&count=false")["traces"]}
                found = get(client, f"/v1/search?q={word}")
                assert [hit["span_id"] for hit in found["results"]] == [span_id]
                stats = get(client, "/v1/stats")
                assert stats["total_spans"] >= at_least
                assert stats["total_traces"] >= at_least
                if number < EXPORTERS:
                    export = get(client, f"/v1/traces/{trace_id}/export?format=json")
                    assert [s["span_id"] for s in export["spans"]] == [span_id]

    side_by_side(one)


def test_changes_and_deletes_are_seen_too(stack: Stack) -> None:
    def one(number: int) -> None:
        trace_id = f"t{number}"
        with Client(stack) as client:
            for i in range(ROUNDS):
                span_id = f"s{number}-{i}"
                started = span(span_id, trace_id, span_type="llm_call", status="unset", end_time=None)
                assert client.post(started).status == 200
                assert get(client, f"/v1/spans/{span_id}")["end_time"] is None
                ended = {"span_id": span_id, "trace_id": trace_id, "end_time": 1_790_000_005.0, "status": "error"}
                assert client.post(ended).status == 200
                assert get(client, f"/v1/spans/{span_id}")["status"] == "error"
                # by its id, not from a page cached by ETag or by a connection's old snapshot
                assert get(client, f"/v1/traces/{trace_id}")["error_count"] == 1

                notes = [{"id": "n", "text": f"note {i}", "created_at": 1_790_000_006.0}]
                put = client.ask("PUT", f"/v1/spans/{span_id}/annotations", {"annotations": notes})
                assert put.status == 200
                assert get(client, f"/v1/spans/{span_id}")["annotations"] == notes
                assert client.ask("PUT", f"/v1/traces/{trace_id}/tags", {"tags": {"round": f"{i}"}}).status == 200
                page = get(client, f"/v1/traces?tag=round:{i}&limit=200")
                assert trace_id in {t["trace_id"] for t in page["traces"]}
                version = client.ask("POST", f"/v1/spans/{span_id}/prompt-versions", {"prompt_text": f"p{i}"})
                assert version.status == 201
                assert get(client, f"/v1/spans/{span_id}/prompt-versions")["versions"] == [version.json]

                assert client.ask("DELETE", f"/v1/traces/{trace_id}").json == {"deleted_count": 1}
                assert client.ask("GET", f"/v1/traces/{trace_id}").status == 404
                assert client.ask("GET", f"/v1/spans/{span_id}").status == 404

    side_by_side(one)


def test_while_the_writer_is_busy_with_others(stack: Stack) -> None:
    """Group commits put many requests into one transaction, and reads run while the next is being written."""
    with Posters(stack, clients=4, spans=50, size=2_000) as posters, Client(stack) as client:
        for i in range(60):
            assert client.post(span(f"mine-{i}", "mine")).status == 200
            assert get(client, f"/v1/spans/mine-{i}")["trace_id"] == "mine"
            assert get(client, "/v1/traces/mine?fields=light")["span_count"] == i + 1
        posters.wait_acked(1)
