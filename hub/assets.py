"""The web UI as files: one page for every address a person may open, and what the page loads.

`make ui` writes the files to `hub/static/ui/` under names that do not change. They are served below a folder named
after what is in all of them, `/assets/BUILD/…`: a browser may keep them for good, and a page never mixes files of two
versions.
"""

from __future__ import annotations

import hashlib
import logging
from importlib.resources import files
from typing import NamedTuple

from beacon.contract.operation import Operation
from beacon.errors import NotFound, Unavailable
from beacon.version import VERSION
from beacon.web import Call, Handler, Reply, error_reply
from beacon.web.reply import Headers
from hub.etags import etag_matches

log = logging.getLogger("beacon.hub")

PAGE_PATHS = ("/", "/traces/{trace_id}")
"""What answers with the page, which then shows the view of that address: VIEWS in `hub/ui/src/app/views.ts`."""

ASSET_PATH = "/assets/{build}/{file}"

UI: tuple[Operation, ...] = (
    *(
        Operation(
            name=f"get_page_{i}", method="GET", path=path, owner="hub", tag="docs", summary="The web UI",
            content_types=("text/html",),
        )
        for i, path in enumerate(PAGE_PATHS)
    ),
    Operation(
        name="get_asset", method="GET", path=ASSET_PATH, owner="hub", tag="docs", summary="A file of the web UI",
        content_types=("text/javascript", "text/css", "image/svg+xml"),
    ),
)  # fmt: skip
"""Beside the contract: for people, not for clients."""

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self'",
        "font-src 'none'",
        "media-src 'none'",
        "object-src 'none'",
        "frame-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        # text of an agent never becomes markup but through these two, which clean it first
        "require-trusted-types-for 'script'",
        "trusted-types beacon dompurify",
    )
)
"""Nothing from elsewhere, no script in the page, no eval: what agents write is hostile text."""

_PAGE_HEADERS: Headers = [
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-cache"),
]
_ASSET_HEADERS: Headers = [
    # a worker has the policy it is served with, not that of the page that starts it
    (b"content-security-policy", POLICY.encode()),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"private, max-age=31536000, immutable"),
]

_TYPES = {
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".svg": b"image/svg+xml",
}

_PAGE = "index.html"


class File(NamedTuple):
    """One file, plain and compressed, each with its own strong ETag (RFC 9110 section 8.8.3.3)."""

    content_type: bytes
    plain: bytes
    etag: bytes
    zipped: bytes
    zipped_etag: bytes

    @classmethod
    def of(cls, name: str, body: bytes) -> File:
        import gzip  # with the first page only

        digest = hashlib.sha256(body).hexdigest()[:32].encode()
        suffix = name[name.rindex(".") :]
        return cls(_TYPES[suffix], body, b'"%b"' % digest, gzip.compress(body, 9, mtime=0), b'"%b-gzip"' % digest)


class Build(NamedTuple):
    """Every file of one build by its name; `index.html` among them, with the build's name and the version filled in."""

    name: str
    files: dict[str, File]


_Stamp = tuple[tuple[str, int, int], ...]


class Assets:
    """Handlers for the operations of UI. Files are read with the first request, and again after `make ui`."""

    def __init__(self) -> None:
        self._build: Build | None = None
        self._stamp: _Stamp | None = None

    def handlers(self) -> dict[str, Handler]:
        """One handler for each operation of UI."""
        return {op.name: self.asset if op.name == "get_asset" else self.page for op in UI}

    async def page(self, call: Call) -> Reply:
        build = self._current()
        return _reply(build.files[_PAGE], call, _PAGE_HEADERS)

    def nowhere(self) -> Reply:
        """The page with status 404: it says that nothing is at its address. JSON where the page itself is missing."""
        try:
            file = self._current().files[_PAGE]
        except Unavailable as e:
            return error_reply(e)
        return Reply(404, (file.plain,), file.content_type, list(_PAGE_HEADERS))

    async def asset(self, call: Call) -> Reply:
        """404 for a file that is not there, and for one of another build: a page of that build cannot use ours."""
        build = self._build or self._current()
        found = build.files.get(call.path["file"])
        if call.path["build"] != build.name:
            raise NotFound("This file belongs to another version of Beacon's UI; reload the page.")
        if found is None or call.path["file"] == _PAGE:
            raise NotFound("There is no such file in Beacon's UI.")
        return _reply(found, call, _ASSET_HEADERS)

    def _current(self) -> Build:
        stamp = _look()
        if self._build is None or stamp != self._stamp:
            self._build, self._stamp = _read(), stamp
        return self._build


def _look() -> _Stamp:
    """What tells a build from the one after it, without reading it; empty inside an archive."""
    from pathlib import Path

    folder = files("hub").joinpath("static/ui")
    if not isinstance(folder, Path) or not folder.is_dir():
        return ()
    return tuple(sorted((p.name, (s := p.stat()).st_mtime_ns, s.st_size) for p in folder.iterdir()))


def _read() -> Build:
    """Raises `Unavailable` where the files are missing: a checkout in which somebody deleted them."""
    folder = files("hub").joinpath("static/ui")
    found = (
        {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.name.endswith(tuple(_TYPES))}
        if folder.is_dir()
        else {}
    )
    if _PAGE not in found:
        log.error("the files of the UI are missing in %s", folder)
        raise Unavailable("The files of Beacon's UI are missing; run `make ui`, or install Beacon again.")
    whole = hashlib.sha256(VERSION.encode())
    for name in sorted(found):
        whole.update(name.encode() + b"\0" + found[name])
    build = whole.hexdigest()[:12]
    found[_PAGE] = found[_PAGE].replace(b"{{build}}", build.encode()).replace(b"{{version}}", VERSION.encode())
    return Build(build, {name: File.of(name, body) for name, body in found.items()})


def _reply(file: File, call: Call, more: Headers) -> Reply:
    zipped = takes_gzip(call.headers.get(b"accept-encoding"))
    body, etag = (file.zipped, file.zipped_etag) if zipped else (file.plain, file.etag)
    headers = [(b"etag", etag), (b"vary", b"Accept-Encoding"), *more]
    if etag_matches(call.headers.get(b"if-none-match"), etag):
        return Reply(304, content_type=file.content_type, headers=headers)
    if zipped:
        headers.append((b"content-encoding", b"gzip"))
    return Reply(200, (body,), file.content_type, headers)


def takes_gzip(accepted: bytes | None) -> bool:
    """Whether an Accept-Encoding field lets gzip through (RFC 9110 section 12.5.3)."""
    weights: dict[bytes, bytes] = {}
    for part in (accepted or b"").lower().split(b","):
        name, _, parameters = part.partition(b";")
        weights[name.strip()] = parameters.replace(b" ", b"").removeprefix(b"q=")
    given = weights.get(b"gzip", weights.get(b"*"))
    return given is not None and (given == b"" or given.strip(b"0.") != b"")
