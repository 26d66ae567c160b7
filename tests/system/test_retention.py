"""A Beacon whose database is bounded, by size and by age."""

from __future__ import annotations

import time
from typing import Any

from tests.processes import span, wait_for
from tests.stack import MakeStack, Stack
from tests.system.live import Live

TEXT = "x" * 20_000


def post(stack: Stack, *names: str, spans: int = 20) -> None:
    for name in names:
        stack.post_spans([span(f"s{i}", name, attributes={"text": TEXT}) for i in range(spans)])


def listed(stack: Stack) -> list[str]:
    answer: Any = stack.ask("GET", "/v1/traces?limit=200").json
    return [trace["trace_id"] for trace in reversed(answer["traces"])]


def test_the_oldest_make_room_and_the_disk_gets_it_back(make_stack: MakeStack) -> None:
    stack = make_stack(BEACON_MAX_DB_SIZE="16MB").start()
    stack.wait_healthy()
    post(stack, "kept")
    assert stack.ask("PUT", "/v1/traces/kept/tags", {"tags": {"keep": "true"}}).status == 200
    post(stack, *(f"t{n:02}" for n in range(60)))  # 24 MB
    file = stack.home / "traces.db"
    with Live(stack) as live:
        wait_for(lambda: 10 < len(listed(stack)) < 45, "the oldest are gone", 40)
        wait_for(lambda: file.stat().st_size <= 16_000_000, "the disk has its room again", 40)
        deleted = [id_ for event in live.events if event["event"] == "traces_deleted" for id_ in event["trace_ids"]]
    left = listed(stack)
    assert left[0] == "kept"
    assert left[1:] == [f"t{n:02}" for n in range(61 - len(left), 60)]
    assert set(deleted) == {f"t{n:02}" for n in range(61 - len(left))}
    assert stack.ask("GET", "/v1/stats").json["total_spans"] == 20 * len(left)
    spans = stack.ask("GET", "/v1/traces/t59").json["spans"]
    assert [one["attributes"]["text"] for one in spans] == [TEXT] * 20
    post(stack, "more")  # and it goes on
    assert listed(stack)[-1] == "more"


def test_what_is_kept_by_tags_stays_and_the_log_says_so_once(make_stack: MakeStack) -> None:
    stack = make_stack(BEACON_MAX_DB_SIZE="16MB", BEACON_RETENTION_DAYS=str(4 / 86_400)).start()
    stack.wait_healthy()
    for n in range(50):  # kept before there is too much
        post(stack, f"kept{n}", spans=1)
        assert stack.ask("PUT", f"/v1/traces/kept{n}/tags", {"tags": {"keep": "true"}}).status == 200
    post(stack, *(f"kept{n}" for n in range(50)))
    log = stack.home / "logs" / "ingest.log"
    wait_for(lambda: "above BEACON_MAX_DB_SIZE" in log.read_text(), "the log to say so", 40)

    def looked_twice() -> bool:
        if "goes" not in listed(stack):
            post(stack, "goes", spans=1)
        return log.read_text().count("older than BEACON_RETENTION_DAYS") == 2

    wait_for(looked_twice, "two more looks", 60)  # a line each: at the second, the first is over
    assert {f"kept{n}" for n in range(50)} <= set(listed(stack))
    assert log.read_text().count("above BEACON_MAX_DB_SIZE") == 1


def test_what_is_old_goes_and_what_goes_on_stays(make_stack: MakeStack) -> None:
    stack = make_stack(BEACON_RETENTION_DAYS=str(4 / 86_400)).start()  # four seconds
    stack.wait_healthy()
    post(stack, "old", "goes-on", spans=1)

    def alive() -> bool:
        stack.post_spans([span("s1", "goes-on"), span("s2", "goes-on", attributes={"now": time.time()})])
        return listed(stack) == ["goes-on"]

    wait_for(alive, "the silent one is gone, and the other is not", 40)
