"""Which addresses the hub takes, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from beacon.errors import REFUSED_EXIT, Refused
from hub.listen import listen
from tests.edge import Hub, free_port, run
from tests.processes import short_home, wait_for


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


def connects(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False


@needs_ipv6
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_default_is_both_loopback_addresses_and_nothing_else(host: str) -> None:
    with short_home() as home, Hub(home, BEACON_HOST=host) as hub:
        assert connects("127.0.0.1", hub.port)
        assert connects("::1", hub.port)
        assert not connects("127.0.0.2", hub.port)


def test_another_loopback_address_is_taken_as_given() -> None:
    with short_home() as home:
        hub = Hub(home, BEACON_HOST="127.0.0.3")
        hub.start(wait=False)
        try:
            wait_for(lambda: connects("127.0.0.3", hub.port), "the hub")
            assert not connects("127.0.0.1", hub.port)
        finally:
            hub.end()


def test_a_taken_port_is_refused_and_the_holder_named() -> None:
    with short_home() as home, socket.socket() as other:
        hub = Hub(home)
        other.bind(("127.0.0.1", hub.port))
        other.listen()
        hub.start(wait=False)
        wait_for(hub.ended, "the refusal")
        assert hub.child is not None
        assert hub.child.returncode == REFUSED_EXIT
        said = hub.log.read_text()
        assert f"Port {hub.port} is taken by" in said
        assert f"(pid {os.getpid()})" in said
        assert "BEACON_BACKEND_PORT" in said
        assert "Traceback" not in said


@needs_ipv6
def test_half_of_localhost_is_not_enough() -> None:
    port = free_port()
    with socket.socket(socket.AF_INET6) as other:
        other.bind(("::1", port))
        other.listen()
        with pytest.raises(Refused, match=f"Port {port}"):
            asyncio.run(listen("127.0.0.1", port, patience_s=0.2))
    # and the half it could have was given back
    for listener in asyncio.run(listen("127.0.0.1", port, patience_s=0.2)):
        listener.close()


def test_a_port_that_a_dying_predecessor_still_holds_is_waited_for() -> None:
    async def test() -> None:
        port = free_port()
        with socket.socket() as predecessor:
            predecessor.bind(("127.0.0.1", port))
            predecessor.listen()
            taking = asyncio.create_task(listen("127.0.0.1", port))
            done, _ = await asyncio.wait({taking}, timeout=0.5)
            assert not done
        for listener in await taking:
            assert listener.getsockname()[1] == port
            listener.close()

    run(test)


def test_a_port_this_machine_cannot_have_is_refused() -> None:
    with short_home() as home:
        hub = Hub(home, BEACON_HOST="192.0.2.1", BEACON_TOKEN="t", BEACON_BACKEND_PORT=str(free_port()))
        hub.start(wait=False)
        wait_for(hub.ended, "the refusal")
        assert hub.child is not None
        assert hub.child.returncode == REFUSED_EXIT
        assert "BEACON_HOST" in hub.log.read_text()


def test_sigterm_ends_it_in_good_order() -> None:
    with short_home() as home, Hub(home) as hub:
        assert hub.end() == 0
        said = hub.log.read_text()
        assert "Traceback" not in said
        assert "ERROR" not in said
