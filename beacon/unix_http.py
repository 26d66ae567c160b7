"""HTTP to a process of the stack over its unix socket: for callers that ask now and then, where no pool is needed."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path


class UnixConnection(http.client.HTTPConnection):
    """An HTTPConnection whose other end is the unix socket at `path`; `timeout` in seconds."""

    def __init__(self, path: Path, timeout: float = 2.0) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(path: Path, method: str, target: str, timeout: float = 2.0) -> tuple[int, bytes]:
    """One request, one answer: (status, body). Raises OSError or http.client.HTTPException when nobody answers."""
    connection = UnixConnection(path, timeout)
    try:
        connection.request(method, target)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
