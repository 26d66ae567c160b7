"""Local means private: Host, Origin, CORS and the token, through real HTTP and a real websocket."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from tests.edge import Behind, Hub, behind, head, post_spans, run, send_raw
from tests.processes import Answer, short_home


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with short_home() as home, Hub(home, BEACON_ALLOWED_HOSTS="beacon.lan,box:8080") as process:
        yield process


@pytest.fixture(scope="module")
def locked() -> Iterator[Hub]:
    with short_home() as home, Hub(home, BEACON_TOKEN="s3cret") as process:
        yield process


async def get(hub: Hub, *fields: str, host: str = "localhost", path: str = "/v1/traces", method: str = "GET") -> Answer:
    return await send_raw(hub.port, head(method, path, *fields, host=host))


def test_a_foreign_host_is_refused_before_anything_is_asked(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "query") as query, behind(hub, "ingest") as ingest:
            for path in ("/v1/traces", "/health", "/docs", "/", "/openapi.json", "/nothing"):
                got = await get(hub, host="rebound.example", path=path)
                assert got.status == 403
                assert "BEACON_ALLOWED_HOSTS" in got.json["detail"]
                assert got.headers["x-content-type-options"] == "nosniff"
            assert (await get(hub, host="")).status == 400
            assert (await get(hub, "Host: localhost")).status == 400
            assert query.seen == ingest.seen == []
            for host in ("localhost", "127.0.0.1:1", "[::1]", "beacon.lan:9", "box:8080"):
                assert (await get(hub, host=host)).status == 200
            assert (await get(hub, host="box:8081")).status == 403

    run(test)


def test_a_foreign_page_changes_nothing(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "ingest") as ingest:
            for origin in ("http://evil.example", "null", "http://localhost:3000"):
                got = await get(hub, f"Origin: {origin}", "content-length: 0", method="DELETE")
                assert got.status == 403
                assert "BEACON_CORS_ORIGINS" in got.json["detail"]
                assert "access-control-allow-origin" not in got.headers
            # what a page can send without a preflight: a form
            form = b"--x\r\n\r\n"
            fields = ("Origin: http://evil.example", "content-type: text/plain", f"content-length: {len(form)}")
            got = await send_raw(hub.port, head("POST", "/v1/spans", *fields) + form)
            assert got.status == 403
            assert ingest.seen == []

    run(test)


def test_pages_of_this_machine_may_post_spans(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "ingest"):
            preflight = await get(
                hub, "Origin: http://localhost:3000", "Access-Control-Request-Method: POST",
                "Access-Control-Request-Headers: content-type", method="OPTIONS", path="/v1/spans",
            )  # fmt: skip
            assert preflight.status == 204
            assert preflight.headers["access-control-allow-origin"] == "http://localhost:3000"
            assert "content-type" in preflight.headers["access-control-allow-headers"]
            got = await send_raw(hub.port, post_spans(b"{}", "Origin: http://localhost:3000"))
            assert got.status == 200
            assert got.headers["access-control-allow-origin"] == "http://localhost:3000"
            assert "Origin" in got.headers["vary"]

    run(test)


def test_the_listed_page_may_do_everything_and_a_foreign_one_may_not_even_read(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "query"), behind(hub, "ingest"):
            for method in ("GET", "PUT", "DELETE"):
                preflight = await get(
                    hub, "Origin: http://localhost:5173", f"Access-Control-Request-Method: {method}", method="OPTIONS"
                )
                assert preflight.status == 204
                assert method in preflight.headers["access-control-allow-methods"]
            for path in ("/v1/traces", "/health", "/nothing"):
                got = await get(hub, "Origin: http://localhost:5173", path=path)
                assert got.headers["access-control-allow-origin"] == "http://localhost:5173"
                got = await get(hub, "Origin: http://evil.example", path=path)
                assert "access-control-allow-origin" not in got.headers
                assert "access-control-allow-credentials" not in got.headers
                assert "Origin" in got.headers["vary"]
            refused = await get(
                hub, "Origin: http://evil.example", "Access-Control-Request-Method: GET", method="OPTIONS"
            )
            assert refused.status == 403

    run(test)


def test_another_sites_page_starts_nothing_by_reading(hub: Hub) -> None:
    async def test() -> None:
        foreign = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image")
        link = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
        async with behind(hub, "query") as query, behind(hub, "ingest") as ingest:
            for path in ("/v1/models", "/v1/traces", "/v1/jobs"):
                for fields in (foreign, link):
                    got = await get(hub, *fields, path=path)
                    assert got.status == 403
                    assert "another site" in got.json["detail"]
                    assert "access-control-allow-origin" not in got.headers
            assert query.seen == ingest.seen == []
            assert (await get(hub, *link, path="/docs")).status == 200
            assert (await get(hub, *foreign, "Origin: http://localhost:5173")).status == 200
            assert (await get(hub, path="/v1/models")).status == 200
            assert len(query.seen) == len(ingest.seen) == 1

    run(test)


def test_a_field_of_a_request_cannot_become_a_field_of_the_answer(hub: Hub) -> None:
    async def test() -> None:
        async with behind(hub, "query"):
            for origin in (
                "http://localhost:5173\rX-Evil: 1",
                "http://localhost:5173\nX-Evil: 1",
                "http://localhost:5173\x00",
            ):
                try:
                    got = await get(hub, f"Origin: {origin}")
                except (ConnectionError, asyncio.IncompleteReadError):
                    continue
                assert "x-evil" not in got.headers
                assert "access-control-allow-origin" not in got.headers

    run(test)


def test_the_websocket_is_for_beacons_own_pages_and_listed_ones(hub: Hub) -> None:
    async def test() -> None:
        own = f"http://127.0.0.1:{hub.port}"
        for origin in (None, own, "http://localhost:5173"):
            async with connect(f"{own.replace('http', 'ws')}/ws/live", origin=Origin(origin) if origin else None):
                pass
        for foreign in ("http://evil.example", "null", "http://localhost:3000"):
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"{own.replace('http', 'ws')}/ws/live", origin=Origin(foreign))
            assert refused.value.response.status_code == 403
            assert b"BEACON_CORS_ORIGINS" in (refused.value.response.body or b"")
        with pytest.raises(InvalidStatus) as refused:
            await connect("ws://rebound.example/ws/live", host="127.0.0.1", port=hub.port)
        assert refused.value.response.status_code == 403
        assert "without completing handshake" not in hub.log.read_text()  # a page that may not is no error of Beacon's

    run(test)


def test_with_a_token_nothing_answers_without_it(locked: Hub) -> None:
    async def test() -> None:
        async with behind(locked, "query") as query, behind(locked, "ingest") as ingest:
            for path in ("/v1/traces", "/health", "/docs", "/openapi.json", "/nothing"):
                for fields in ((), ("Authorization: Bearer wrong",), ("Authorization: Basic s3cret",)):
                    got = await get(locked, *fields, path=path)
                    assert got.status == 401
                    assert got.headers["www-authenticate"] == "Bearer"
                    assert "s3cret" not in got.json["detail"]
            assert (await send_raw(locked.port, post_spans())).status == 401
            assert query.seen == ingest.seen == []
            assert (await get(locked, "Authorization: Bearer s3cret")).status == 200
            got = await send_raw(locked.port, post_spans(b"{}", "Authorization: Bearer s3cret"))
            assert got.status == 200
            assert all(r.header("authorization") is None for r in (*query.seen, *ingest.seen))
            preflight = await get(
                locked, "Origin: http://localhost:5173", "Access-Control-Request-Method: GET", method="OPTIONS"
            )
            assert preflight.status == 204
        assert "s3cret" not in locked.log.read_text()

    run(test)


def test_with_a_token_the_page_that_asks_for_it_is_served(locked: Hub) -> None:
    async def test() -> None:
        page = await get(locked, path="/")
        assert page.status == 200
        assert b"s3cret" not in page.body
        script = re.search(rb'src="(/assets/[^"]+)"', page.body)
        assert script is not None
        assert (await get(locked, path=script[1].decode())).status == 200
        assert (await get(locked, path="/traces/t1")).status == 200

    run(test)


def test_with_a_token_the_websocket_needs_it_too(locked: Hub) -> None:
    async def test() -> None:
        url = f"ws://127.0.0.1:{locked.port}/ws/live"
        for how in (
            {},
            {"additional_headers": {"Authorization": "Bearer no"}},
            {"subprotocols": [Subprotocol("beacon.bearer.no")]},
        ):
            with pytest.raises(InvalidStatus) as refused:
                await connect(url, **how)
            assert refused.value.response.status_code == 401
        async with connect(url, additional_headers={"Authorization": "Bearer s3cret"}):
            pass
        async with connect(url, subprotocols=[Subprotocol("beacon.bearer.s3cret")]) as websocket:
            assert websocket.subprotocol == "beacon.bearer.s3cret"
        offered = [Subprotocol("beacon.live"), Subprotocol("beacon.bearer.s3cret")]
        async with connect(url, subprotocols=offered) as websocket:
            assert websocket.subprotocol == "beacon.live"

    run(test)


def test_a_person_who_opens_an_address_that_is_none_gets_the_page_that_says_so(hub: Hub) -> None:
    async def test() -> None:
        opened = "Sec-Fetch-Dest: document"
        for path in ("/nowhere", "/v1/nothing", "/traces/a/b"):
            got = await get(hub, opened, path=path)
            assert (got.status, got.headers["content-type"]) == (404, "text/html; charset=utf-8")
            assert "frame-ancestors 'none'" in got.headers["content-security-policy"]
            assert b'<div id="app">' in got.body
            got = await get(hub, path=path)
            assert (got.status, got.headers["content-type"]) == (404, "application/json")
            assert got.json["detail"].startswith(f"There is nothing at {path}.")

    run(test)


def test_pages_may_load_nothing_and_be_framed_by_nobody(hub: Hub) -> None:
    async def test() -> None:
        for path in ("/", "/docs"):
            got = await get(hub, path=path)
            assert got.status == 200
            policy = got.headers["content-security-policy"]
            assert f"default-src '{'self' if path == '/' else 'none'}'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert got.headers["referrer-policy"] == "no-referrer"
            assert got.headers["x-content-type-options"] == "nosniff"
            assert re.search(rb'(src|href)="(https?:)?//', got.body) is None
            again = await get(hub, f"If-None-Match: {got.headers['etag']}", path=path)
            assert again.status == 304
        got = await get(hub, path="/openapi.json")
        assert got.headers["content-type"] == "application/json"
        assert got.json["openapi"] == "3.1.0"
        assert (await get(hub, f"If-None-Match: {got.headers['etag']}", path="/openapi.json")).status == 304

    run(test)


def test_the_process_behind_sees_nothing_of_what_was_refused(hub: Hub) -> None:
    async def test() -> None:
        seen: Behind
        async with behind(hub, "ingest") as seen:
            got = await send_raw(
                hub.port, post_spans(b"{}", "Origin: http://a.example", "Origin: http://localhost:5173")
            )
            assert got.status == 400
            assert seen.seen == []

    run(test)
