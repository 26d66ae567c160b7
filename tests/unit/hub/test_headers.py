from __future__ import annotations

import pytest

from beacon.errors import BadRequest
from hub.headers import body_framing, request_head


def test_a_head_keeps_what_is_about_the_message() -> None:
    head = request_head(
        "POST",
        b"/v1/spans?a=%2F",
        [
            (b"host", b"localhost"),
            (b"content-type", b"application/json"),
            (b"x-latin", b"\xe9"),
            (b"content-length", b"5"),
            (b"connection", b"close, X-Hop"),
            (b"x-hop", b"1"),
            (b"expect", b"100-continue"),
            (b"authorization", b"Bearer t"),
            (b"cookie", b"a=b"),
            (b"upgrade", b"h2c"),
        ],
        length=5,
    )
    assert head == (
        b"POST /v1/spans?a=%2F HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nx-latin: \xe9\r\n"
        b"content-length: 5\r\n\r\n"
    )


def test_the_length_is_what_is_sent() -> None:
    assert request_head("GET", b"/", [], length=0) == b"GET / HTTP/1.1\r\n\r\n"
    assert request_head("DELETE", b"/", [], length=0) == b"DELETE / HTTP/1.1\r\ncontent-length: 0\r\n\r\n"
    assert request_head("POST", b"/", [], length=None) == b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], (0, False)),
        ([(b"content-length", b"0")], (0, False)),
        ([(b"content-length", b"12")], (12, False)),
        ([(b"transfer-encoding", b"Chunked")], (0, True)),
    ],
)
def test_framing_is_read(headers: list[tuple[bytes, bytes]], expected: tuple[int, bool]) -> None:
    assert body_framing(headers) == expected


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"1"), (b"content-length", b"1")],
        [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")],
        [(b"content-length", b"+1")],
        [(b"content-length", b"1, 1")],
        [(b"content-length", b"")],
        [(b"transfer-encoding", b"gzip, chunked")],
        [(b"transfer-encoding", b"identity")],
        [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")],
    ],
)
def test_framing_that_is_not_plain_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(BadRequest):
        body_framing(headers)
