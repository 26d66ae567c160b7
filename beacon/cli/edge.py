"""HTTP to Beacon's own port, as any client would speak it."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from typing import NamedTuple
from urllib.parse import urlsplit


class Unreachable(Exception):
    """No HTTP answer from the port."""


class Answer(NamedTuple):
    status: int
    body: bytes


def request(
    url: str, method: str, path: str, *, body: bytes | None = None, token: str | None = None, timeout: float = 5.0
) -> Answer:
    """The answer of `method` `path` at base URL `url`; `timeout` in seconds. Raises `Unreachable`."""
    where = urlsplit(url)
    connection = HTTPConnection(where.hostname or "127.0.0.1", where.port, timeout=timeout)
    headers = {"Connection": "close"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return Answer(response.status, response.read())
    except (OSError, HTTPException, ValueError) as e:
        raise Unreachable(f"{url} does not answer: {e}") from e
    finally:
        connection.close()
