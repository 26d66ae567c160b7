"""Conditional requests. Pure."""

from __future__ import annotations


def etag_matches(given: bytes | None, etag: bytes) -> bool:
    """Whether an If-None-Match field names this entity (RFC 9110 section 13.1.2: compared weakly)."""
    if given is None:
        return False
    if given.strip() == b"*":
        return True
    return any(part.strip().removeprefix(b"W/") == etag for part in given.split(b","))
