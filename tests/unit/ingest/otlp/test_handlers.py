"""The handlers over a real writer and a real file: bugs cost the span they are met with, and nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from beacon.contract.operations import PUBLIC
from beacon.errors import QueueFull
from beacon.web import Call, Reply
from ingest.decode import Arrival
from ingest.otlp import handlers as module
from ingest.otlp.arrived import Content
from ingest.otlp.handlers import OtlpHandlers
from ingest.otlp.mapping import Mapped, map_span
from ingest.otlp.prices import Prices
from ingest.otlp.records import LogRecord, OtlpSpan
from ingest.writer import Writer
from tests.otlp_requests import JSON, json_span, json_traces

OPERATIONS = {op.name: op for op in PUBLIC}


def a_call(name: str, body: Any) -> Call:
    async def receive() -> Any:
        raise AssertionError("the body is there")

    headers = {k.encode(): v.encode() for k, v in JSON.items()}
    return Call(OPERATIONS[name], {}, headers, receive, body=msgspec.json.encode(body))


def send(folder: Path, name: str, body: Any, patch: Callable[[Writer], None] = lambda _: None) -> tuple[Reply, Any]:
    async def check() -> Reply:
        opened = asyncio.Event()
        writer = Writer(folder / "t.db", "normal", lambda commit: None, lambda epoch, seq: opened.set())
        writer.start()
        async with asyncio.timeout(20):
            await opened.wait()
            patch(writer)
            try:
                reply: Reply = await getattr(OtlpHandlers(writer, Prices(folder)), name)(a_call(name, body))
            finally:
                await writer.close()
        return reply

    reply = asyncio.run(check())
    return reply, msgspec.json.decode(b"".join(reply.chunks))


def stored(folder: Path) -> set[str]:
    db = sqlite3.connect(folder / "t.db")
    try:
        return {row[0] for row in db.execute("SELECT name FROM spans")}
    finally:
        db.close()


def spans(count: int) -> Any:
    return json_traces(*(json_span(f"{i + 1:016x}", name=f"span {i}") for i in range(count)))


def test_a_bug_in_a_dialect_costs_what_the_dialect_would_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def buggy(span: OtlpSpan, price: Any, *dialects: Any) -> Mapped:
        if span.name in ("span 3", "span 5") and not dialects:
            raise KeyError("a bug that no rule foresees")
        return map_span(span, price, *dialects)

    monkeypatch.setattr(module, "map_span", buggy)
    reply, said = send(tmp_path, "otlp_traces", spans(40))
    assert (reply.status, said) == (200, {})
    assert len(stored(tmp_path)) == 40
    assert sum(1 for record in caplog.records if record.exc_info) == 1


def test_a_bug_in_mapping_costs_its_span(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def buggy(span: OtlpSpan, price: Any, *dialects: Any) -> Mapped:
        if span.name in ("span 3", "span 5"):
            raise RecursionError("a bug that no rule foresees")
        return map_span(span, price, *dialects)

    monkeypatch.setattr(module, "map_span", buggy)
    reply, said = send(tmp_path, "otlp_traces", spans(40))
    assert reply.status == 200
    assert said["partialSuccess"]["rejectedSpans"] == "2"
    message = said["partialSuccess"]["errorMessage"]
    assert "spans[3]" in message
    error_id = message.partition("under ")[2][:12]
    assert message.count(error_id) == 2
    assert caplog.text.count(error_id) == 1
    assert "no rule foresees" not in message
    assert stored(tmp_path) == {f"span {i}" for i in range(40)} - {"span 3", "span 5"}


def test_a_bug_in_storing_costs_its_span(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def patch(writer: Writer) -> None:
        submit = writer.submit

        async def buggy(arrivals: list[Arrival], size: int, contents: Sequence[Content] = ()) -> Any:
            if any(arrival.span.name == "span 7" for arrival in arrivals):
                raise TypeError("a bug that no rule foresees")
            return await submit(arrivals, size, contents)

        writer.submit = buggy  # type: ignore[method-assign]

    reply, said = send(tmp_path, "otlp_traces", spans(100), patch)
    assert reply.status == 200
    assert said["partialSuccess"]["rejectedSpans"] == "1"
    assert "spans[7]: Beacon failed to take it" in said["partialSuccess"]["errorMessage"]
    assert stored(tmp_path) == {f"span {i}" for i in range(100)} - {"span 7"}
    assert sum(1 for record in caplog.records if record.exc_info) == 1


def test_a_value_that_the_file_cannot_hold_costs_its_span(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def buggy(span: OtlpSpan, price: Any, *dialects: Any) -> Mapped:
        mapped = map_span(span, price, *dialects)
        if span.name == "span 7":
            mapped.arrivals[0].start_ns = 2**80
        return mapped

    monkeypatch.setattr(module, "map_span", buggy)
    _, said = send(tmp_path, "otlp_traces", spans(100))
    assert said["partialSuccess"]["rejectedSpans"] == "1"
    assert stored(tmp_path) == {f"span {i}" for i in range(100)} - {"span 7"}


def test_a_full_queue_is_no_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def patch(writer: Writer) -> None:
        async def full(*_: object) -> Any:
            raise QueueFull("full")

        monkeypatch.setattr(writer, "submit", full)

    with pytest.raises(QueueFull):
        send(tmp_path, "otlp_traces", spans(10), patch)


def test_a_bug_in_a_log_record_costs_that_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []

    def buggy(record: LogRecord) -> None:
        seen.append(record.index)
        if record.index == 1:
            raise KeyError("a bug that no rule foresees")

    monkeypatch.setattr(module, "map_log", buggy)
    record = {"traceId": "01" * 16, "spanId": "02" * 8, "body": {"stringValue": "x"}}
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record] * 3}]}]}
    reply, said = send(tmp_path, "otlp_logs", body)
    assert reply.status == 200
    assert said["partialSuccess"]["rejectedLogRecords"] == "1"
    assert "logRecords[1]" in said["partialSuccess"]["errorMessage"]
    assert seen == [0, 1, 2]
    assert "a bug that no rule foresees" in caplog.text


def test_a_large_request_is_stored_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[int] = []

    def watch(writer: Writer) -> None:
        submit = writer.submit

        async def watched(arrivals: list[Arrival], size: int, contents: Sequence[Content] = ()) -> Any:
            turns.append(len(arrivals))
            return await submit(arrivals, size, contents)

        monkeypatch.setattr(writer, "submit", watched)

    monkeypatch.setattr(module, "GROUP_SPANS", 10)
    reply, said = send(tmp_path, "otlp_traces", spans(25), watch)
    assert (reply.status, said) == (200, {})
    assert turns == [10, 10, 5]
    assert stored(tmp_path) == {f"span {i}" for i in range(25)}


@pytest.mark.parametrize(("limit", "elsewhere"), [(0, True), (10**6, False)])
def test_a_large_request_is_mapped_beside_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, elsewhere: bool
) -> None:
    threads: set[bool] = set()

    def mapped(span: OtlpSpan, *more: Any) -> Mapped:
        threads.add(threading.current_thread() is not threading.main_thread())
        return map_span(span, *more)

    monkeypatch.setattr(module, "map_span", mapped)
    monkeypatch.setattr(module, "THREAD_FROM", limit)
    send(tmp_path, "otlp_traces", spans(40))
    assert threads == {elsewhere}
    assert len(stored(tmp_path)) == 40
