"""Live never lies: events in commit order, after the data can be read, none lost and none twice, or else `resync`."""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections import Counter
from typing import Any

import psutil
import pytest

from beacon.unix_http import UnixConnection
from tests.processes import span, wait_for
from tests.stack import Stack
from tests.system.live import RESYNC, Event, Live, Sleeper
from tests.system.traffic import Client, Posters, rows

MB = 1024 * 1024


class Mirror:
    """What a client shows that believes every event: spans by (trace_id, span_id), and traces."""

    def __init__(self, events: list[Event]) -> None:
        self.spans: dict[tuple[str, str], Any] = {}
        self.traces: dict[str, Any] = {}
        for event in events:
            self._apply(event)

    def _apply(self, event: Event) -> None:
        match event["event"]:
            case "span_created":
                key = event["span"]["trace_id"], event["span"]["span_id"]
                assert key not in self.spans, f"{key} was created twice"
                assert key[0] in self.traces, f"{key} came before its trace"
                self.spans[key] = event["span"]
            case "span_updated":
                self.spans[event["trace_id"], event["span_id"]] |= event["updates"]
            case "trace_created":
                assert event["trace"]["trace_id"] not in self.traces, f"{event['trace']} was created twice"
                self.traces[event["trace"]["trace_id"]] = event["trace"]
            case "trace_updated":
                assert event["trace"]["trace_id"] in self.traces
                self.traces[event["trace"]["trace_id"]] = event["trace"]
            case "traces_deleted":
                for trace_id in event["trace_ids"]:
                    self.traces.pop(trace_id, None)
                self.spans = {key: span for key, span in self.spans.items() if key[0] not in event["trace_ids"]}

    def check(self, stack: Stack) -> None:
        """Fails unless this is what the API says."""
        with Client(stack) as client:
            stored: list[Any] = []
            while True:
                page = client.ask("GET", f"/v1/traces?limit=200&offset={len(stored)}").json
                stored += page["traces"]
                if not page["traces"]:
                    break
            assert self.traces == {trace["trace_id"]: trace for trace in stored}
            for trace_id in self.traces:
                for found in client.ask("GET", f"/v1/traces/{trace_id}").json["spans"]:
                    assert self.spans.pop((trace_id, found["span_id"])) == found
            assert not self.spans


def check_order(events: list[Event]) -> None:
    """Fails unless the change numbers rise from event to event: in commit order, and none twice."""
    seqs = [event["seq"] for event in events if event != RESYNC]
    assert all(a < b for a, b in itertools.pairwise(seqs))


def newest_seq(stack: Stack) -> int:
    ((seq,),) = rows(stack, "SELECT seq FROM counters")
    return int(seq)


# ---------------------------------------------------------------- what a client sees


def test_an_event_comes_in_order_and_only_when_its_data_can_be_read(stack: Stack) -> None:
    """Each span is asked for in the very moment its event arrives, while others post."""
    missing: list[tuple[str, int]] = []
    with Client(stack) as reader:

        def look(event: Event) -> None:
            path = {
                "span_created": lambda: f"/v1/spans/{event['span']['span_id']}",
                "trace_created": lambda: f"/v1/traces/{event['trace']['trace_id']}?fields=light",
            }.get(event["event"])
            if path is not None and (answer := reader.ask("GET", path())).status != 200:
                missing.append((path(), answer.status))

        with Live(stack, look) as live:
            with Posters(stack, clients=4, spans=5) as posters:
                posters.wait_acked(120)
            live.wait_created(len(posters.acked) * 5)
    assert missing == []
    assert live.resyncs == 0
    check_order(live.events)
    assert Counter(live.created) == Counter(f"{b}-{i}" for b in posters.acked for i in range(5))
    Mirror(live.events).check(stack)


def test_updates_notes_tags_and_deletes_arrive_too(stack: Stack) -> None:
    with Live(stack) as live:
        stack.post_spans([span("s1", "t1", status="unset", end_time=None), span("s2", "t1"), span("s3", "t2")])
        stack.post_spans([span("s1", "t1", attributes={"done": True})])
        stack.ask("PUT", "/v1/spans/s2/annotations", {"annotations": [{"id": "n", "text": "look", "created_at": 1.5}]})
        stack.ask("PUT", "/v1/traces/t1/tags", {"tags": {"branch": "main"}})
        stack.ask("POST", "/v1/traces/import", stack.ask("GET", "/v1/traces/t2/export").json)  # 409: no event
        stack.ask("DELETE", "/v1/traces/t2")
        live.wait(lambda: live.of("traces_deleted"), "the last event")
    check_order(live.events)
    assert live.resyncs == 0
    Mirror(live.events).check(stack)


def test_a_client_may_follow_one_trace_and_then_all_again(stack: Stack) -> None:
    with Live(stack) as live, Live(stack) as everything:
        live.send({"action": "subscribe_trace", "trace_id": "mine"})
        live.send("not JSON")  # answered after the subscription was taken: a fence
        live.wait(lambda: len(live.events) == 1, "the answer")
        stack.post_spans([span("a", "other"), span("b", "mine"), span("c", "other")])
        stack.post_spans([span("d", "mine")])
        live.wait(lambda: "d" in live.created, "the events of the trace")
        live.send({"action": "unsubscribe_trace", "trace_id": "mine"})
        live.send("not JSON")
        live.wait(lambda: sum("error" in event for event in live.events) == 2, "the answer")
        stack.post_spans([span("e", "other")])
        live.wait(lambda: "e" in live.created, "the events of all again")
        assert live.created == ["b", "d", "e"]
        everything.wait(lambda: "e" in everything.created, "all events")
        assert everything.created == ["a", "b", "c", "d", "e"]


NO_REQUESTS: dict[str, str | bytes] = {
    "broken": "{",
    "not UTF-8": b"\xff\xfe",
    "a list": "[]",
    "null": "null",
    "another action": '{"action": "dance"}',
    "no text": '{"action": ["subscribe_trace"]}',
    "no id": '{"action": "subscribe_trace", "trace_id": "a/b"}',
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("name", NO_REQUESTS)
def test_what_is_no_request_is_answered_and_the_connection_stays(shared: Stack, name: str) -> None:
    with Live(shared) as live:
        live.send(NO_REQUESTS[name])
        live.wait(lambda: [event for event in live.events if "error" in event], "the answer")
        trace = f"after-{name}".replace(" ", "-")
        shared.post_spans([span("s", trace)])
        live.wait(lambda: any(event["span"]["trace_id"] == trace for event in live.of("span_created")), "its event")


# ---------------------------------------------------------------- a client that does not read


def memory(stack: Stack) -> int:
    """Resident bytes of every process of the stack."""
    return sum(psutil.Process(pid).memory_info().rss for pid in stack.pids().values())


@pytest.mark.slow
def test_a_client_that_never_reads_costs_its_queue_and_nobody_else(stack: Stack) -> None:
    """150 MB of events pass. Another client gets all of them; the sleeper gets `resync` when it wakes up."""
    batches, per_batch, size = 50, 100, 30_000
    with Client(stack) as client, Live(stack) as awake, Sleeper(stack) as sleeper:
        assert client.post(span("first", "t")).status == 200
        assert sleeper.read()["event"] == "trace_created"
        before = memory(stack)
        for i in range(batches):
            body = [span(f"{i}-{j}", f"t{i}", attributes={"text": "x" * size}) for j in range(per_batch)]
            assert client.post(*body).status == 200
            awake.wait_created(1 + (i + 1) * per_batch)
            for event in awake.events[-per_batch:]:
                event.get("span", {}).pop("attributes", None)  # this test's own memory
        assert awake.resyncs == 0
        assert memory(stack) - before < 110 * MB, "150 MB went by; a queue is 32 MB"
        seen: list[Event] = []
        while not seen or seen[-1] != RESYNC:
            seen.append(sleeper.read())
        # what was on its way when it fell behind came first, in order and with no hole
        seqs = [event["seq"] for event in seen[:-1]]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
        # and from the resync on it is a client like any other
        assert client.post(span("last", "t")).status == 200
        after = [sleeper.read(), sleeper.read()]
        assert [event["event"] for event in after] == ["span_created", "trace_updated"]
        assert after[0]["span"]["span_id"] == "last"
        assert after[0]["seq"] > 1 + batches * per_batch


# ---------------------------------------------------------------- messages that are lost


class Direct:
    """Posts to ingest's own socket: the hub is stopped in these tests."""

    def __init__(self, stack: Stack) -> None:
        self._http = UnixConnection(stack.settings.socket_path("ingest"), 30)

    def post(self, spans: list[dict[str, Any]]) -> None:
        body = json.dumps({"spans": spans})
        self._http.request("POST", "/v1/spans", body, {"content-type": "application/json"})
        answer = self._http.getresponse()
        answer.read()
        assert answer.status == 200

    def __enter__(self) -> Direct:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()


def burst(stack: Stack, direct: Direct, name: str, commits: int, size: int) -> None:
    """As many messages on the bus, one a commit, while the hub stands still."""
    hub = stack.pids()["hub"]
    os.kill(hub, signal.SIGSTOP)
    try:
        for i in range(commits):
            direct.post([span(f"{name}-{i}", f"{name}-{i % 7}", attributes={"text": "x" * size})])
    finally:
        os.kill(hub, signal.SIGCONT)


@pytest.mark.slow
def test_what_the_bus_drops_is_healed_the_tail_too(stack: Stack) -> None:
    """More messages than both high-water marks and the socket between them hold: PUB drops what is too much, and the
    end of it, with nothing behind that would show the gap but a heartbeat."""
    with Live(stack) as live, Direct(stack) as direct:
        direct.post([span("before", "t")])
        live.wait_created(1)
        burst(stack, direct, "tail", 900, size=8_000)
        live.wait_created(901)
        assert "healed a gap" in stack.log("hub"), "nothing was dropped: the test does not test"
        # in the middle: more comes while the gap is being healed
        burst(stack, direct, "middle", 900, size=8_000)
        for i in range(50):
            direct.post([span(f"behind-{i}", "t")])
        live.wait_created(901 + 950)
        assert stack.log("hub").count("healed a gap") >= 2
    assert live.resyncs == 0
    check_order(live.events)
    Mirror(live.events).check(stack)


@pytest.mark.slow
def test_more_than_can_be_healed_is_a_resync_and_then_goes_on(stack: Stack) -> None:
    with Live(stack) as live, Direct(stack) as direct:
        direct.post([span("before", "t")])
        live.wait_created(1)
        burst(stack, direct, "much", 2_900, size=10)
        live.wait(lambda: live.resyncs, "the resync")
        told = live.events.index(RESYNC)
        # after it the client fetches anew, and what comes then is newer than what it can have fetched
        direct.post([span("after", "t")])
        live.wait(lambda: "after" in live.created, "the stream to go on")
        later = [event for event in live.events[told:] if event != RESYNC]
        assert later[0]["seq"] > 2_900
        # nothing in between is missing: the events after the resync join on to each other
        assert [event["seq"] for event in later] == list(range(later[0]["seq"], later[-1]["seq"] + 1))
        assert later[-1]["seq"] == newest_seq(stack)
    check_order(live.events)


# ---------------------------------------------------------------- processes that are killed under a live client


@pytest.mark.slow
@pytest.mark.parametrize("names", [("ingest",), ("query",), ("ingest", "query")], ids=" and ".join)
def test_a_live_client_loses_nothing_when_processes_are_killed(stack: Stack, names: tuple[str, ...]) -> None:
    with Live(stack) as live:
        with Posters(stack, clients=3, spans=5) as posters:
            for _ in range(2):
                pids = stack.pids()
                for name in names[1:]:
                    stack.kill(name)
                posters.kill_at_an_ack(pids[names[0]])
                for name in names:
                    stack.wait_replaced(name, pids[name])
                posters.wait_acked(20)
        stack.wait_healthy()
        live.wait(lambda: live.events[-1].get("seq") == newest_seq(stack), "the newest event")
    assert live.resyncs == 0
    check_order(live.events)
    assert set(live.created) >= {f"{b}-{i}" for b in posters.acked for i in range(5)}
    Mirror(live.events).check(stack)


def test_a_live_client_finds_the_stream_again_when_the_hub_was_killed(stack: Stack) -> None:
    with Live(stack) as live:
        stack.post_spans([span("before", "t")])
        live.wait(lambda: "before" in live.created, "the first event")
        old = stack.kill("hub")
        wait_for(lambda: not live.open, "the connection to end")
        stack.wait_replaced("hub", old)
    stack.wait_healthy()
    with Live(stack) as again:
        stack.post_spans([span("after", "t")])
        again.wait(lambda: "after" in again.created, "the next event")
        # its snapshot and the stream join on: nothing that came is newer than what a read says it is
        assert stack.ask("GET", "/v1/traces/t").json["seq"] >= again.events[-1]["seq"]
