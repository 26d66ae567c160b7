"""One row of the table of operations."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

Owner = Literal["ingest", "query", "hub"]
Lane = Literal["spans", "short", "long", "llm"]
"""Which connections of the hub a request may use: spans have their own, so that long work never holds them up; so have
calls of a model, which wait for minutes."""


Protocol = Literal["beacon", "otlp"]
"""In whose form bodies come and errors are answered: Beacon's `{"detail": …}`, or OTLP's (beacon/contract/otlp.py)."""


class Operation(Struct, frozen=True, kw_only=True):
    """One route. `body` is the model of the request body, decoded before the handler is called, unless `raw_body`:
    then the handler gets the bytes. `errors` are the statuses of 400 and above it documents beside the common ones.
    `aliases` are further paths that mean the same. `discarded`: the handler reads the body itself, and keeps none."""

    name: str
    method: str
    path: str
    owner: Owner
    summary: str
    tag: str
    query: type[Struct] | None = None
    body: type[Struct] | None = None
    raw_body: bool = False
    response: Any = None
    success: int = 200
    content_types: tuple[str, ...] = ("application/json",)
    errors: tuple[int, ...] = ()
    lane: Lane = "short"
    nullable: bool = False
    aliases: tuple[str, ...] = ()
    protocol: Protocol = "beacon"
    discarded: bool = False
