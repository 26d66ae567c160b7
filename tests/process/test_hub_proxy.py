"""The hub as a proxy: what goes through untouched, what it bounds, what it sends again and what never."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import psutil
import pytest

from beacon.contract.limits import BODY_MAX
from tests.edge import (
    Behind,
    Hub,
    Request,
    Respond,
    answer,
    behind,
    head,
    polite,
    post_spans,
    read_answer,
    run,
    send_raw,
    until,
)
from tests.processes import short_home

MB = 1024 * 1024


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with short_home() as home, Hub(home) as process:
        yield process


# ---------------------------------------------------------------- untouched


def test_path_query_body_and_fields_go_through_as_they_came(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "query") as query, behind(hub, "ingest") as ingest:
            got = await send_raw(
                hub.port,
                head(
                    "GET",
                    "/v1/traces/a%2Fb%20c?x=%2F&y=1+2&x",
                    "X-Mine: 1",
                    "Cookie: session=1",
                    "TE: trailers",
                    "Authorization: Bearer x",
                    "Connection: keep-alive, X-Secret",
                    "X-Secret: 1",
                    "Accept: a/b",
                ),
            )
            assert got.status == 200
            seen = query.seen[0]
            assert seen.target == "/v1/traces/a%2Fb%20c?x=%2F&y=1+2&x"
            assert dict(seen.headers) == {"host": "localhost", "x-mine": "1", "accept": "a/b"}

            body = b"\x1f\x8b\x00not really gzip\xff\r\n"
            await send_raw(hub.port, post_spans(body, "content-encoding: gzip"))
            assert ingest.seen[0].body == body
            assert ingest.seen[0].header("content-encoding") == "gzip"
            assert ingest.seen[0].header("content-length") == str(len(body))

    run(test)


def test_an_answer_goes_through_but_for_its_hop_by_hop_fields(hub: Hub) -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 418 I'm a teapot\r\nx-mine: 1\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nconnection: x-hop\r\n"
            b"x-hop: 1\r\nkeep-alive: timeout=5\r\ncontent-type: text/csv\r\ncontent-length: 3\r\n\r\na,b"
        )

    async def test() -> None:
        async with behind(hub, "query", respond):
            got = await send_raw(hub.port, head("GET", "/v1/traces"))
            assert got.status == 418
            assert got.body == b"a,b"
            assert got.headers == {
                "x-mine": "1",
                "set-cookie": "a=1, b=2",
                "content-type": "text/csv",
                "content-length": "3",
                "x-content-type-options": "nosniff",
                "vary": "Origin",
            }

    run(test)


def test_connections_are_kept_on_both_sides(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "ingest") as ingest:
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
            for _ in range(20):
                writer.write(post_spans())
                assert (await read_answer(reader)).status == 200
            assert ingest.connections == 1
            writer.close()

    run(test)


def test_a_short_body_in_chunks_goes_on_with_its_length(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "ingest") as ingest:
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
            writer.write(head("POST", "/v1/spans", "transfer-encoding: chunked") + b"3\r\nabc\r\n")
            await writer.drain()
            writer.write(b"2\r\nde\r\n0\r\n\r\n")
            assert (await read_answer(reader)).status == 200
            assert ingest.seen[0].body == b"abcde"
            assert ingest.seen[0].header("content-length") == "5"
            writer.close()

    run(test)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_long_body_is_passed_on_as_it_comes(hub: Hub, chunked: bool) -> None:
    async def test() -> None:
        async with behind(hub, "ingest") as ingest:
            piece = bytes(range(256)) * 4096
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
            framing = "transfer-encoding: chunked" if chunked else f"content-length: {12 * len(piece)}"
            writer.write(head("POST", "/v1/traces/import", framing))
            for _ in range(12):
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                await writer.drain()
            writer.write(b"0\r\n\r\n" if chunked else b"")
            assert (await read_answer(reader)).status == 200
            assert ingest.seen[0].body == piece * 12
            assert ingest.seen[0].header("transfer-encoding") == ("chunked" if chunked else None)
            writer.close()

    run(test)


def test_a_body_of_the_full_size_goes_through(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "ingest") as ingest:
            got = await send_raw(hub.port, post_spans(b"x" * BODY_MAX))
            assert got.status == 200
            assert len(ingest.seen[0].body) == BODY_MAX

    run(test)


def test_head_gets_the_head_alone(hub: Hub) -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        assert request.method == "HEAD"
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12345\r\n\r\n")

    async def test() -> None:
        async with behind(hub, "query", respond):
            got = await send_raw(hub.port, head("HEAD", "/v1/traces"))
            assert (got.status, got.headers["content-length"]) == (200, "12345")

    run(test)


def test_an_informational_answer_is_not_the_answer(hub: Hub) -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        await request.read_body()
        writer.write(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + answer({"real": 1}))

    async def test() -> None:
        async with behind(hub, "query", respond):
            got = await send_raw(hub.port, head("GET", "/v1/traces"))
            assert (got.status, got.json) == (200, {"real": 1})
            assert "link" not in got.headers

    run(test)


def test_an_answer_of_304_has_no_body_and_the_connection_goes_on(hub: Hub) -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 304 Not Modified\r\netag: "a"\r\ncontent-length: 500\r\n\r\n')

    async def test() -> None:
        async with behind(hub, "query", respond) as query:
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
            for _ in range(3):
                writer.write(head("GET", "/v1/traces", 'if-none-match: "a"'))
                got = await read_answer(reader)
                assert (got.status, got.headers["etag"]) == (304, '"a"')
            assert query.connections == 1
            writer.close()

    run(test)


# ---------------------------------------------------------------- limits


def test_a_body_announced_too_long_is_refused_before_it_is_sent(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "ingest") as ingest:
            got = await send_raw(hub.port, head("POST", "/v1/spans", f"content-length: {BODY_MAX + 1}"))
            assert got.status == 413
            assert "64 MiB" in got.json["detail"]
            assert ingest.seen == []

    run(test)


def test_a_body_in_chunks_is_counted_as_it_passes(hub: Hub) -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        while await request.reader.read(MB):
            pass

    async def test() -> None:
        async with behind(hub, "ingest", respond) as ingest:
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
            writer.write(head("POST", "/v1/spans", "transfer-encoding: chunked"))
            piece = b"%x\r\n%b\r\n" % (MB, b"x" * MB)
            for _ in range(65):
                writer.write(piece)
                await writer.drain()
            assert (await read_answer(reader)).status == 413
            await until(lambda: not ingest.open, "the connection with half a body to end")
            writer.close()

    run(test)


@pytest.mark.parametrize(
    "framing",
    [
        ("content-length: 3", "transfer-encoding: chunked"),
        ("content-length: 3", "content-length: 3"),
        ("content-length: 3", "content-length: 5"),
        ("transfer-encoding: gzip, chunked",),
        ("transfer-encoding: chunked", "transfer-encoding: chunked"),
        ("content-length: -3",),
    ],
)
def test_framing_that_can_be_read_in_two_ways_is_refused(hub: Hub, framing: tuple[str, ...]) -> None:
    async def test() -> None:
        async with behind(hub, "ingest") as ingest:
            got = await send_raw(hub.port, head("POST", "/v1/spans", *framing) + b"0\r\n\r\nGET /v1/x HTTP/1.1\r\n\r\n")
            assert got.status == 400
            assert got.json["detail"]
            assert ingest.seen == []

    run(test)


def test_long_work_does_not_hold_up_spans_and_is_bounded_itself(hub: Hub) -> None:
    release = asyncio.Event()

    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        await request.read_body()
        if request.method == "DELETE":
            await release.wait()
        writer.write(answer())

    async def test() -> None:
        async with behind(hub, "ingest", respond) as ingest:
            deletes = [
                asyncio.create_task(
                    send_raw(hub.port, head("DELETE", "/v1/traces", "content-length: 2") + b"{}", timeout=50)
                )
                for _ in range(80)
            ]
            # 8 run and 64 wait: the other 8 hear at once that there is no room
            await until(lambda: sum(t.done() for t in deletes) == 8, "eight to be refused")
            refused = [t.result() for t in deletes if t.done()]
            assert {r.status for r in refused} == {503}
            assert all(r.headers["retry-after"] == "1" for r in refused)
            await until(lambda: len(ingest.seen) == 8, "the eight that run to arrive")
            start = time.monotonic()
            assert (await send_raw(hub.port, post_spans())).status == 200
            assert time.monotonic() - start < 2
            release.set()
            answers = await asyncio.gather(*deletes)
            assert sum(a.status == 200 for a in answers) == 72

    run(test)


def test_an_answer_is_streamed_no_faster_than_the_client_reads(hub: Hub) -> None:
    written = 0

    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(64):
            writer.write(b"%x\r\n%b\r\n" % (MB, b"x" * MB))
            await writer.drain()
            written += MB
        writer.write(b"0\r\n\r\n")

    async def test() -> None:
        async with behind(hub, "query", respond):
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.port, limit=64 * 1024)
            writer.write(head("GET", "/v1/traces/export?trace_ids=a"))
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"  # the head comes before the end
            previous = -1
            while written != previous:
                previous = written
                await asyncio.sleep(0.2)
            assert written < 24 * MB, "the hub takes in what its client does not read"
            # another request is answered meanwhile
            assert (await asyncio.to_thread(hub.ask, "GET", "/openapi.json")).status == 200
            total, tail = 0, b""
            while not tail.endswith(b"\r\n0\r\n\r\n"):
                chunk = await reader.read(MB)
                total, tail = total + len(chunk), (tail + chunk)[-16:]
            assert total > 64 * MB
            writer.close()

    run(test)


def test_a_body_is_taken_no_faster_than_the_process_reads(hub: Hub) -> None:
    go_on = asyncio.Event()

    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        await polite(request, writer)

    async def test() -> None:
        async with behind(hub, "ingest", respond):
            before = _rss(hub)
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
            writer.write(head("POST", "/v1/traces/import", f"content-length: {60 * MB}"))
            sent = 0
            stalled = False
            while sent < 60 and not stalled:
                writer.write(b"x" * MB)
                sent += 1
                try:
                    async with asyncio.timeout(0.5):
                        await writer.drain()
                except TimeoutError:
                    stalled = True
            assert stalled
            assert _rss(hub) - before < 24 * MB
            go_on.set()
            for _ in range(60 - sent):
                writer.write(b"x" * MB)
                await writer.drain()
            assert (await read_answer(reader)).status == 200
            writer.close()

    run(test)


def _rss(hub: Hub) -> int:
    assert hub.child is not None
    return int(psutil.Process(hub.child.pid).memory_info().rss)


def test_when_the_client_leaves_the_process_need_not_finish(hub: Hub) -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await request.reader.read()  # until the hub hangs up

    async def test() -> None:
        async with behind(hub, "query", respond) as query:
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
            writer.write(head("GET", "/v1/traces/export?trace_ids=a"))
            await reader.readuntil(b"hello")
            assert len(query.open) == 1
            writer.close()
            await until(lambda: not query.open, "the hub to hang up")

    run(test)


def test_a_search_nobody_waits_for_is_given_up(hub: Hub) -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.target.endswith("first"):
            writer.write(answer())
        else:
            await request.reader.read()  # works, and sees the hub hang up

    async def test() -> None:
        async with behind(hub, "query", respond) as query:
            # over a kept connection: there a read that is lost would be sent again
            assert (await send_raw(hub.port, head("GET", "/v1/search?q=first"))).status == 200
            _, writer = await asyncio.open_connection("127.0.0.1", hub.port)
            writer.write(head("GET", "/v1/search?q=needle"))
            await until(lambda: len(query.seen) == 2)
            assert query.connections == 1
            writer.close()
            await until(lambda: not query.open, "the hub to hang up")
            assert (await send_raw(hub.port, head("GET", "/v1/search?q=first"))).status == 200
            assert [r.target[-5:] for r in query.seen] == ["first", "eedle", "first"], "it was asked again for nobody"

    run(test)


def test_an_early_answer_to_a_long_body_reaches_the_client(hub: Hub) -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        await request.reader.readexactly(MB)
        writer.write(answer({"detail": "full"}, "503 Service Unavailable", "retry-after: 7\r\n"))
        while await request.reader.read(MB):
            pass

    async def test() -> None:
        async with behind(hub, "ingest", respond) as ingest:
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
            writer.write(head("POST", "/v1/traces/import", f"content-length: {8 * MB}"))
            for _ in range(8):
                writer.write(b"x" * MB)
                await writer.drain()
            got = await read_answer(reader)
            assert (got.status, got.headers["retry-after"]) == (503, "7")
            await until(lambda: not ingest.open, "the half used connection to end")
            writer.close()

    run(test)


# ---------------------------------------------------------------- a process that is away


def dies_at_first(times: int, then: Respond = polite) -> Respond:
    """Reads the request and hangs up without an answer, `times` times."""
    left = times

    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        if left:
            left -= 1
            await request.read_body()
            writer.transport.abort()
        else:
            await then(request, writer)

    return respond


def test_spans_wait_for_an_ingest_that_is_just_starting(hub: Hub) -> None:
    async def test() -> None:
        body = b'{"spans":[' + b" " * 100_000 + b"]}"
        posts = [asyncio.create_task(send_raw(hub.port, post_spans(body))) for _ in range(20)]
        await asyncio.sleep(0.6)
        assert not any(t.done() for t in posts)
        async with behind(hub, "ingest") as ingest:
            answers = await asyncio.gather(*posts)
            assert [a.status for a in answers] == [200] * 20
            assert [len(r.body) for r in ingest.seen] == [len(body)] * 20

    run(test)


def test_spans_do_not_wait_for_ever(hub: Hub) -> None:
    async def test() -> None:
        start = time.monotonic()
        got = await send_raw(hub.port, post_spans())
        took = time.monotonic() - start
        assert (got.status, got.headers["retry-after"]) == (503, "1")
        assert "ingest" in got.json["detail"]
        assert 1.8 < took < 4

    run(test)


def test_spans_are_sent_again_when_ingest_dies_over_them(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "ingest", dies_at_first(2)) as ingest:
            got = await send_raw(hub.port, post_spans(b'{"spans":[1]}'))
            assert got.status == 200
            assert [r.body for r in ingest.seen] == [b'{"spans":[1]}'] * 3

    run(test)


def test_half_an_answer_about_spans_is_no_answer(hub: Hub) -> None:
    async def half(request: Request, writer: asyncio.StreamWriter) -> None:
        await request.read_body()
        if len(ingest.seen) == 1:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{")
            await writer.drain()
            writer.close()
        else:
            writer.write(answer({"ok": "whole"}))

    ingest: Behind

    async def test() -> None:
        nonlocal ingest
        async with behind(hub, "ingest", half) as ingest:
            got = await send_raw(hub.port, post_spans())
            assert (got.status, got.json) == (200, {"ok": "whole"})
            assert len(ingest.seen) == 2

    run(test)


def test_a_killed_ingest_costs_no_span_of_a_client_that_never_retries(hub: Hub) -> None:
    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        await request.read_body()
        await asyncio.sleep(30)

    async def test() -> None:
        first = Behind(hub.home / "run" / "ingest.sock", slow)
        await first.start()
        posts = [asyncio.create_task(send_raw(hub.port, post_spans(b"%d" % i))) for i in range(50)]
        await until(lambda: len(first.seen) == 50)
        await first.stop()
        await asyncio.sleep(0.3)
        async with behind(hub, "ingest") as second:
            assert [a.status for a in await asyncio.gather(*posts)] == [200] * 50
            assert sorted(int(r.body) for r in second.seen) == list(range(50))

    run(test)


def test_what_is_not_idempotent_is_never_sent_twice(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "ingest", dies_at_first(1)) as ingest:
            got = await send_raw(hub.port, head("PUT", "/v1/traces/t/tags", "content-length: 2") + b"{}")
            assert got.status == 503
            assert got.headers["retry-after"] == "1"
            assert "may or may not have been done" in got.json["detail"]
            assert len(ingest.seen) == 1

    run(test)


def test_what_was_never_sent_was_not_done_and_the_answer_says_so(hub: Hub) -> None:
    async def test() -> None:
        start = time.monotonic()
        got = await send_raw(hub.port, head("DELETE", "/v1/traces/t"))
        assert time.monotonic() - start < 1.5
        assert got.status == 503
        assert "not there" in got.json["detail"]

    run(test)


def test_a_read_survives_a_connection_that_went_stale(hub: Hub) -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.target == "/v1/stats":
            writer.write(answer())
        elif len([r for r in query.seen if r.target == request.target]) == 1:
            writer.transport.abort()  # the kept connection is closed in the moment it is used
        else:
            writer.write(answer({"second": "connection"}))

    query: Behind

    async def test() -> None:
        nonlocal query
        async with behind(hub, "query", respond) as query:
            assert (await send_raw(hub.port, head("GET", "/v1/stats"))).status == 200
            got = await send_raw(hub.port, head("GET", "/v1/traces"))
            assert (got.status, got.json) == (200, {"second": "connection"})
            assert query.connections == 2

    run(test)


def test_a_read_that_ends_the_process_is_not_repeated_for_ever(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "query", dies_at_first(1000)) as query:
            got = await send_raw(hub.port, head("GET", "/v1/traces"))
            assert (got.status, got.headers["retry-after"]) == (503, "1")
            assert len(query.seen) <= 2

    run(test)


@pytest.mark.parametrize("nonsense", [b"no http at all\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"])
def test_an_answer_that_is_no_http_is_a_503(hub: Hub, nonsense: bytes) -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(nonsense)

    async def test() -> None:
        async with behind(hub, "query", respond):
            got = await send_raw(hub.port, head("GET", "/v1/traces"))
            assert got.status == 503
            assert "not HTTP" in got.json["detail"]

    run(test)


@pytest.mark.parametrize("framing", [b"content-length: 1000", b"transfer-encoding: chunked"])
def test_an_answer_that_breaks_off_ends_in_the_middle_for_the_client_too(hub: Hub, framing: bytes) -> None:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        piece = b"5\r\nhello\r\n" if b"chunked" in framing else b"hello"
        writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (framing, piece))
        await writer.drain()
        writer.close()

    async def test() -> None:
        async with behind(hub, "query", respond):
            with pytest.raises((asyncio.IncompleteReadError, ValueError)):
                await send_raw(hub.port, head("GET", "/v1/traces"))
            # and the hub is none the worse for it
            assert (await asyncio.to_thread(hub.ask, "GET", "/openapi.json")).status == 200

    run(test)


def test_with_one_process_away_the_other_answers(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "query"):
            assert (await send_raw(hub.port, head("GET", "/v1/traces"))).status == 200
            assert (await send_raw(hub.port, head("DELETE", "/v1/traces/t"))).status == 503

    run(test)


# ---------------------------------------------------------------- what the hub answers by itself


def test_paths_and_methods_that_are_not_there(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "query") as query, behind(hub, "ingest") as ingest:
            for method, path, status in [
                ("GET", "/nothing", 404),
                ("GET", "/v1/traces/", 404),
                ("GET", "/v1//traces", 404),
                ("GET", "/internal/changes?after=0", 404),
                ("PUT", "/internal/workers/1", 404),
                ("PATCH", "/v1/traces", 405),
                ("GET", "/v1/traces/import", 405),
                ("GET", "/ws/live", 400),
            ]:
                got = await send_raw(hub.port, head(method, path))
                assert got.status == status, path
                if status >= 400:
                    assert got.headers["content-type"] == "application/json"
                    assert got.json["detail"]
            got = await send_raw(hub.port, head("PATCH", "/v1/traces"))
            assert got.headers["allow"] == "DELETE, GET, POST"
            got = await send_raw(hub.port, head("OPTIONS", "/v1/traces"))
            assert (got.status, got.headers["allow"]) == (204, "DELETE, GET, POST")
            assert query.seen == ingest.seen == []

    run(test)


def test_a_client_that_hangs_up_in_its_body_leaves_nothing_behind(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "ingest") as ingest:
            for _ in range(20):
                _, writer = await asyncio.open_connection("127.0.0.1", hub.port)
                writer.write(head("POST", "/v1/spans", "content-length: 1000") + b"half")
                await writer.drain()
                writer.close()
            for _ in range(5):
                _, writer = await asyncio.open_connection("127.0.0.1", hub.port)
                writer.write(head("POST", "/v1/traces/import", f"content-length: {20 * MB}") + b"x" * MB)
                await writer.drain()
                writer.transport.abort()
            await until(lambda: len(ingest.open) == 0, "the halves to end")
            assert (await send_raw(hub.port, post_spans())).status == 200
            assert all(r.target != "/v1/spans" or r.body == b'{"spans":[]}' for r in ingest.seen)
        assert hub.child is not None
        assert hub.child.poll() is None
        assert "Traceback" not in hub.log.read_text()

    run(test)
