"""The API docs and openapi.json, which the hub answers by itself. No script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import shlex
import sys
from collections.abc import Callable
from importlib.resources import files

from beacon.config import Settings
from beacon.web import Call, Reply
from hub.etags import etag_matches

HTML = b"text/html; charset=utf-8"


class _Page:
    """Bytes made once, when first asked for, with the headers that let a browser keep them."""

    def __init__(self, make: Callable[[], bytes], content_type: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        self._make = make
        self._content_type = content_type
        self._headers = headers
        self._body: bytes | None = None
        self._etag = b""

    def reply(self, call: Call) -> Reply:
        if self._body is None:
            self._body = self._make()
            self._etag = b'"%b"' % hashlib.sha256(self._body).hexdigest()[:32].encode()
        headers = [(b"etag", self._etag), (b"cache-control", b"no-cache"), *self._headers]
        if etag_matches(call.headers.get(b"if-none-match"), self._etag):
            return Reply(304, headers=headers)
        return Reply(200, (self._body,), self._content_type, headers)


class Pages:
    """Handlers for get_docs and get_openapi."""

    def __init__(self, settings: Settings) -> None:
        style = files("hub").joinpath("static/docs/style.css").read_text("utf-8")
        html = html_headers(style)

        def docs() -> bytes:
            from beacon.contract.openapi import openapi  # 10 ms, once, and only for a reader
            from hub.docs import docs_page

            # the interpreter that has the websockets package, whatever `python` is in the reader's shell
            python = shlex.quote(sys.executable)
            return docs_page(openapi(), style, settings.base_url, token=bool(settings.token), python=python)

        def document() -> bytes:
            from beacon.contract.openapi import openapi_json

            return openapi_json()

        self._docs = _Page(docs, HTML, html)
        self._openapi = _Page(document, b"application/json", [])

    async def docs(self, call: Call) -> Reply:
        return self._docs.reply(call)

    async def openapi(self, call: Call) -> Reply:
        return self._openapi.reply(call)


def html_headers(style: str) -> list[tuple[bytes, bytes]]:
    """Security fields of a page whose one style sheet is `style` and that has no script: nothing else may load."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return [
        (b"content-security-policy", policy.encode()),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"x-frame-options", b"DENY"),
    ]
