"""The files of the web UI as the hub answers them, and what they are allowed to weigh."""

from __future__ import annotations

import asyncio
import gzip
import re
from pathlib import Path

import pytest
from starlette.types import Message

from beacon.errors import NotFound
from beacon.version import VERSION
from beacon.web import Call, Reply
from hub.assets import PAGE_PATHS, POLICY, UI, Assets, takes_gzip

HUB = Path(__file__).parents[3] / "hub"
FILES = HUB / "static" / "ui"

FIRST_LOAD_MAX = 120_000
"""Bytes of all that a browser fetches before it shows the list, compressed."""


def call(path: dict[str, str], headers: dict[str, str]) -> Call:
    async def receive() -> Message:
        raise AssertionError("a file needs nothing more from its client")

    given = {k.replace("_", "-").encode(): v.encode() for k, v in headers.items()}
    return Call(UI[0], path, given, receive)


def page(assets: Assets, **headers: str) -> Reply:
    return asyncio.run(assets.page(call({}, headers)))


def asset(assets: Assets, build: str, file: str, **headers: str) -> Reply:
    return asyncio.run(assets.asset(call({"build": build, "file": file}, headers)))


def text(reply: Reply) -> str:
    return b"".join(bytes(chunk) for chunk in reply.chunks).decode()


def build_of(assets: Assets) -> str:
    found = re.search(r"/assets/([0-9a-f]{12})/app\.js", text(page(assets)))
    assert found is not None
    return found[1]


def test_the_page_loads_files_of_its_own_build_and_says_its_version() -> None:
    assets = Assets()
    build = build_of(assets)
    html = text(page(assets))
    assert "{{" not in html
    assert f'content="{VERSION}"' in html
    named = re.findall(r'(?:src|href)="/assets/([^/]+)/([^"]+)"', html)
    assert {file for _, file in named} >= {"app.js", "app.css", "early.js", "icon.svg"}
    for of, file in named:
        assert of == build
        assert asset(assets, build, file).status == 200


def test_a_page_has_no_script_or_style_in_itself() -> None:
    html = text(page(Assets()))
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert "<style" not in html
    assert re.search(r"\son\w+=", html) is None
    assert "style=" not in html


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    headers = dict(page(Assets()).headers)
    assert headers[b"content-security-policy"] == POLICY.encode()
    directives = dict(d.split(" ", 1) for d in POLICY.split("; "))
    assert directives["default-src"] == directives["script-src"] == directives["connect-src"] == "'self'"
    assert directives["img-src"] == "'self' data:"
    assert directives["frame-ancestors"] == directives["base-uri"] == "'none'"
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    assert headers[b"x-frame-options"] == b"DENY"


def test_files_come_compressed_to_who_takes_it_and_not_again_to_who_has_them() -> None:
    assets = Assets()
    build = build_of(assets)
    plain = asset(assets, build, "app.js")
    zipped = asset(assets, build, "app.js", accept_encoding="br, gzip")
    assert dict(zipped.headers)[b"content-encoding"] == b"gzip"
    assert b"content-encoding" not in dict(plain.headers)
    assert gzip.decompress(bytes(zipped.chunks[0])) == plain.chunks[0] == (FILES / "app.js").read_bytes()
    assert plain.content_type == b"text/javascript; charset=utf-8"
    etags = {dict(reply.headers)[b"etag"] for reply in (plain, zipped)}
    assert len(etags) == 2
    for reply in (plain, zipped):
        assert b"immutable" in dict(reply.headers)[b"cache-control"]
        assert dict(reply.headers)[b"vary"] == b"Accept-Encoding"
    again = asset(assets, build, "app.js", accept_encoding="gzip", if_none_match=dict(zipped.headers)[b"etag"].decode())
    assert again.status == 304
    assert not again.chunks
    html = page(assets)
    assert dict(html.headers)[b"cache-control"] == b"no-cache"
    assert page(assets, if_none_match=dict(html.headers)[b"etag"].decode()).status == 304


@pytest.mark.parametrize("file", ["nothing.js", "..", "../index.html", "index.html", "", "app.js/"])
def test_what_is_not_there_is_a_404(file: str) -> None:
    assets = Assets()
    with pytest.raises(NotFound, match="no such file"):
        asset(assets, build_of(assets), file)


def test_a_file_of_another_build_is_a_404_that_says_to_reload() -> None:
    with pytest.raises(NotFound, match="reload"):
        asset(Assets(), "000000000000", "app.js")


def test_a_new_build_is_served_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "static" / "ui"
    folder.mkdir(parents=True)
    for path in FILES.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr("hub.assets.files", lambda package: tmp_path)
    assets = Assets()
    before = build_of(assets)
    (folder / "app.css").write_text("body { color: red }")
    after = build_of(assets)
    assert after != before
    assert text(asset(assets, after, "app.css")) == "body { color: red }"


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        (None, False),
        (b"", False),
        (b"gzip", True),
        (b"GZIP;q=0.5, br", True),
        (b"gzip;q=0", False),
        (b"gzip;q=0.000", False),
        (b"br", False),
        (b"*", True),
        (b"*;q=0", False),
        (b"identity, *;q=0.1, gzip;q=0", False),
    ],
)
def test_who_takes_gzip(accepted: bytes | None, taken: bool) -> None:
    assert takes_gzip(accepted) is taken


def test_the_addresses_of_the_page_are_those_of_its_views() -> None:
    views = (HUB / "ui" / "src" / "app" / "views.ts").read_text("utf-8")
    known = {re.sub(r":(\w+)", r"{\1}", path) for path in re.findall(r'\bpath: "([^"]+)"', views)}
    assert known == set(PAGE_PATHS)


def test_the_first_load_is_light() -> None:
    """The page, its styles, and every script that `app.js` imports without waiting."""
    wanted = {"index.html", "early.js", "app.css", "icon.svg"}
    scripts = ["app.js"]
    while scripts:
        name = scripts.pop()
        if name not in wanted:
            wanted.add(name)
            source = (FILES / name).read_text("utf-8")
            scripts += re.findall(r'(?:from|import)\s*"\./([^"]+)"', source)
    assert any(name.startswith("shared-") for name in wanted)
    assert "view-trace.js" not in wanted
    weight = sum(len(gzip.compress((FILES / name).read_bytes(), 9)) for name in wanted)
    assert weight <= FIRST_LOAD_MAX


def test_no_file_names_another_host() -> None:
    """But the names of XML namespaces, and where marked asks for a report of its bugs: fetched by nobody."""
    for path in FILES.iterdir():
        text = path.read_text("utf-8").replace("https://github.com/markedjs/marked", "")
        hosts = re.findall(r"https?://[\w.-]+", text)
        assert {h for h in hosts if not h.endswith("www.w3.org")} == set(), path.name
