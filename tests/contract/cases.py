"""How a case of the contract is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Ask(NamedTuple):
    """A request: `path` with its query, `{job}` in it stands for the newest job; `body` is sent as JSON, or as it
    stands."""

    path: str
    body: Any = None
    headers: Mapping[str, str] | None = None


class Case(NamedTuple):
    """What is asked of one operation: `good` in this order, and `errors` by status. What holds for every operation with
    a body (413, 415) or an owner (503) needs no entry."""

    good: tuple[Ask, ...]
    errors: dict[int, tuple[Ask, ...]]
