"""The web seam under odd HTTP: every answer is JSON, and no head takes memory without limit."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.processes import Process, short_home


@pytest.fixture(scope="module")
def ingest() -> Iterator[Process]:
    with short_home() as home, Process("ingest", home) as process:
        yield process


def raw(ingest: Process, *parts: bytes) -> tuple[int, dict[str, str], Any]:
    """Send bytes as they are; the first answer as (status, headers, JSON body)."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(ingest.socket))
        for part in parts:
            try:
                client.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                break
        with client.makefile("rb") as stream:
            status = int(stream.readline().split()[1])
            headers = {}
            while (line := stream.readline().strip()) != b"":
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            return status, headers, json.loads(stream.read(int(headers["content-length"])))


def test_malformed_http_is_answered_in_json(ingest: Process) -> None:
    status, headers, body = raw(ingest, b"this is no HTTP\r\n\r\n")
    assert (status, headers["content-type"]) == (400, "application/json")
    assert "HTTP" in body["detail"]


@pytest.mark.parametrize(
    "head",
    [b"GET /x HTTP/1.1\r\nhost: x\r\nbig: ", b"GET /", b"GET /x HTTP/1.1\r\n"],
    ids=["one value", "the path", "many headers"],
)
def test_a_head_that_never_ends_is_cut_off(ingest: Process, head: bytes) -> None:
    assert ingest.child is not None
    filler = b"a: b\r\n" * 20_000 if head.endswith(b"\r\n") else b"x" * 120_000
    before = psutil.Process(ingest.child.pid).memory_info().rss
    status, _, body = raw(ingest, head, *[filler] * 200)
    assert status in (400, 431)
    assert "detail" in body
    assert psutil.Process(ingest.child.pid).memory_info().rss - before < 20 * 2**20


def test_a_large_head_that_ends_is_fine(ingest: Process) -> None:
    head = b"GET /internal/ingest/health HTTP/1.1\r\nhost: x\r\nbig: " + b"x" * 30_000 + b"\r\n\r\n"
    assert raw(ingest, head)[0] == 200


def test_many_large_bodies_on_one_connection_are_no_large_head(ingest: Process) -> None:
    body = b'{"spans":[],"ignored":"' + b"x" * 1_500_000 + b'"}'
    request = (
        b"POST /v1/spans HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        % (len(body), body)
    )
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(ingest.socket))
        with client.makefile("rb") as stream:
            for _ in range(5):
                client.sendall(request)
                assert b"200" in stream.readline()
                while stream.readline().strip():
                    pass
                assert stream.read(len(b'{"accepted":0,"rejected":0}')) == b'{"accepted":0,"rejected":0}'


def test_a_head_over_the_limit_is_refused_however_it_arrives(ingest: Process) -> None:
    head = b"GET /internal/ingest/health HTTP/1.1\r\nhost: x\r\nbig: " + b"x" * 66_000 + b"\r\n\r\n"
    assert raw(ingest, head)[0] == 431


def test_trailers_are_no_headers(ingest: Process) -> None:
    head = b"POST /v1/spans HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    body = b'd\r\n{"spans": []}\r\n0\r\ncontent-encoding: gzip\r\n\r\n'
    assert raw(ingest, head + body)[2] == {"accepted": 0, "rejected": 0}


@pytest.mark.parametrize(
    "lines",
    [
        b"POST /v1/spans HTTP/1.1\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
        b"GET /ws/live HTTP/1.1\r\nsec-websocket-version: 13",
        b"GET /ws/live HTTP/1.1\r\nsec-websocket-version: 7\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    ],
    ids=["not a GET", "no key", "another version"],
)
def test_what_is_no_websocket_handshake_is_refused_in_json(ingest: Process, lines: bytes) -> None:
    status, headers, body = raw(
        ingest, lines + b"\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 3\r\n\r\nabc"
    )
    assert (status, headers["content-type"]) == (400, "application/json")
    assert "handshake" in body["detail"]
    assert ingest.answers()


def test_unknown_paths_and_wrong_methods_are_json_too(ingest: Process) -> None:
    missing = ingest.ask("GET", "/nothing/here")
    assert (missing.status, "detail" in missing.json) == (404, True)
    wrong = ingest.ask("GET", "/v1/spans")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")


def test_a_client_that_goes_away_in_the_middle_harms_nobody(ingest: Process) -> None:
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(ingest.socket))
            client.sendall(b"POST /v1/spans HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{")
    assert ingest.answers()
    assert "Traceback" not in ingest.log.read_text()
