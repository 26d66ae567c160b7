from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import sys
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.types import Message

from beacon.config import Settings
from beacon.contract.openapi import openapi
from beacon.contract.operations import PUBLIC
from beacon.web import Call
from hub.assets import UI
from hub.docs import docs_page
from hub.etags import etag_matches
from hub.health import describe_workers, workers_missing
from hub.pages import Pages, html_headers

SETTINGS = Settings(home=Path("/h"), db_path=Path("/h/a<b>.db"), run_dir=Path("/h"), token="never-shown")


def call(if_none_match: bytes | None = None) -> Call:
    async def receive() -> Message:
        raise AssertionError("a page needs nothing more from its client")

    return Call(PUBLIC[0], {}, {b"if-none-match": if_none_match} if if_none_match else {}, receive)


class Found(HTMLParser):
    """Every tag with its attributes, ids and links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            if name in ("href", "src") and value:
                self.links.append(value)


def test_the_docs_show_every_operation_parameter_and_model_of_the_document() -> None:
    document = openapi()
    page = docs_page(document, "body{}", "http://127.0.0.1:7474", token=False).decode()
    found = Found(page)
    for operation in PUBLIC:
        assert operation.name in found.ids
        assert f"<code>{operation.path}</code>" in page
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                assert f"<code>{parameter['name']}</code>" in page
                assert escape(parameter.get("description", ""), quote=False).partition("`")[0] in page
    for name in document["components"]["schemas"]:
        assert f"model-{name}" in found.ids
    assert "/ws/live" in page
    assert "traces_deleted" in page


def test_the_curl_line_of_an_operation_has_every_parameter_that_is_required() -> None:
    page = unescape(docs_page(openapi(), "", "http://127.0.0.1:7474", token=False).decode())
    assert "curl 'http://127.0.0.1:7474/v1/search?q=timeout'" in page
    assert "curl 'http://127.0.0.1:7474/v1/traces/export?trace_ids=trace-1,trace-2'" in page
    assert "curl 'http://127.0.0.1:7474/v1/traces'" in page


def test_the_websocket_line_names_the_python_that_has_the_package() -> None:
    page = bytes(asyncio.run(Pages(SETTINGS).docs(call())).chunks[0]).decode()
    assert f"<pre>{escape(sys.executable)} -m websockets ws://127.0.0.1:7474/ws/live</pre>" in page


@pytest.mark.parametrize("token", [True, False])
def test_the_docs_need_nothing_from_elsewhere_and_no_script(token: bool) -> None:
    page = docs_page(openapi(), "body{}", "http://127.0.0.1:7474", token=token).decode()
    found = Found(page)
    assert "script" not in found.tags
    assert all(link.startswith(("/", "#", "data:,")) for link in found.links), found.links
    assert {link[1:] for link in found.links if link.startswith("#")} <= found.ids
    assert ("$BEACON_TOKEN" in page) is token
    assert "never-shown" not in page
    assert "<b>.db" not in page


def test_every_link_of_the_docs_is_a_route() -> None:
    known = {operation.path for operation in PUBLIC + UI}
    page = docs_page(openapi(), "", "http://127.0.0.1:7474", token=False).decode()
    assert {link for link in Found(page).links if link.startswith("/")} <= known


def test_the_policy_of_a_page_allows_its_own_style_and_nothing_else() -> None:
    policy = dict(html_headers("body{}"))[b"content-security-policy"].decode()
    digest = base64.b64encode(hashlib.sha256(b"body{}").digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("given", "matches"),
    [
        (None, False),
        (b'"a"', True),
        (b'W/"a"', True),
        (b'"b", "a"', True),
        (b"*", True),
        (b'"b"', False),
        (b"a", False),
    ],
)
def test_entity_tags_are_compared(given: bytes | None, matches: bool) -> None:
    assert etag_matches(given, b'"a"') is matches


def test_a_page_is_sent_once_and_then_confirmed() -> None:
    async def test() -> None:
        pages = Pages(SETTINGS)
        for handler in (pages.docs, pages.openapi):
            first = await handler(call())
            assert first.status == 200
            assert first.chunks[0]
            etag = dict(first.headers)[b"etag"]
            again = await handler(call(etag))
            assert (again.status, list(again.chunks)) == (304, [])
            other = await handler(call(b'"other"'))
            assert other.status == 200

    asyncio.run(test())


def test_the_style_of_a_served_page_is_the_one_its_policy_names() -> None:
    reply = asyncio.run(Pages(SETTINGS).docs(call()))
    found = re.search(r"<style>(.*?)</style>", bytes(reply.chunks[0]).decode(), re.DOTALL)
    assert found is not None
    digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
    assert digest.encode() in dict(reply.headers)[b"content-security-policy"]


@pytest.mark.parametrize(
    ("wanted", "there", "says", "missing"),
    [
        (0, 0, "none", False),
        (0, None, "none", False),
        (1, None, "down", True),
        (1, 0, "down", True),
        (1, 1, "1 up", False),
        (2, 2, "2 up", False),
        (2, 1, "1 of 2 up", True),
        (1, 3, "3 up", False),
        (0, 1, "1 up", False),
    ],
)
def test_workers_are_described(wanted: int, there: int | None, says: str, missing: bool) -> None:
    assert describe_workers(wanted, there) == says
    assert workers_missing(wanted, there) is missing
