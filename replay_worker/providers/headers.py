"""The headers of a request: who asks, in what form the answer is wanted, and the key where there is one."""

from __future__ import annotations

from beacon.keys import Endpoint
from beacon.version import VERSION


def plain() -> dict[str, str]:
    """`accept-encoding`: a compressed stream comes in lumps, and what is small on the wire can be huge inflated."""
    return {
        "content-type": "application/json",
        "accept-encoding": "identity",
        "user-agent": f"beacon-debugger/{VERSION}",
    }


def bearer(endpoint: Endpoint) -> dict[str, str]:
    """As OpenAI has it: https://platform.openai.com/docs/api-reference/authentication."""
    return keyed(endpoint, "authorization", "Bearer ")


def keyed(endpoint: Endpoint, header: str, before: str = "") -> dict[str, str]:
    return plain() | ({header: before + endpoint.key} if endpoint.key else {})
