from __future__ import annotations

import os
import socket

import pytest

from beacon.ports import addresses, holder, taken_address
from tests.stack import free_port


def listen(address: str, port: int = 0) -> socket.socket:
    return socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)


def test_localhost_means_both_loopback_addresses() -> None:
    assert addresses("127.0.0.1") == addresses("localhost") == ("127.0.0.1", "::1")
    assert addresses("10.0.0.1") == ("10.0.0.1",)
    assert addresses("::1") == ("::1",)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "0.0.0.0", "::"])
def test_a_port_somebody_listens_on_is_taken(address: str) -> None:
    port = free_port()
    assert taken_address("127.0.0.1", port) is None
    with listen(address, port):
        assert taken_address("127.0.0.1", port) in ("127.0.0.1", "::1")
    assert taken_address("127.0.0.1", port) is None


def test_a_port_in_time_wait_is_free() -> None:
    """A Beacon that is started again at once finds connections of the last one in TIME_WAIT."""
    with listen("127.0.0.1") as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = server.accept()
            accepted.close()  # the server closes first: the waiting is on its side
    assert taken_address("127.0.0.1", port) is None


def test_the_holder_is_named() -> None:
    with listen("127.0.0.1") as server:
        found = holder(server.getsockname()[1])
    assert found is not None
    assert found.pid == os.getpid()
    assert str(os.getpid()) in str(found)
    assert "pytest" in found.command


def test_nobody_holds_a_free_port() -> None:
    assert holder(free_port()) is None
