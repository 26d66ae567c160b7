"""Which hosts are this machine, by their name alone: nothing is looked up. Pure."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """True for localhost, the addresses of 127.0.0.0/8, and ::1 (without brackets)."""
    if host == "localhost":
        return True
    if not host[:1].isdigit() and ":" not in host:
        return False  # a name: 4 us less than to have it refused as an address
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
