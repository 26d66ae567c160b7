"""What came with a span by OpenTelemetry, read back from an export of Beacon's own form. Pure.

Whoever reads it later relies on its shape, and an export may have been edited; so every part is checked.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from beacon.contract.records import SpanOtel
from beacon.contract.units import seconds_from_ns
from ingest.otlp.arrived import Otel

T = TypeVar("T")


class _KeyValue(Struct):
    key: str
    value: dict[str, Any] = {}


class _Event(Struct):
    timeUnixNano: str | int = 0  # noqa: N815  (OTLP's names)
    name: str = ""
    attributes: list[_KeyValue] = []


class _Link(Struct):
    traceId: str = ""  # noqa: N815
    spanId: str = ""  # noqa: N815
    traceState: str = ""  # noqa: N815
    attributes: list[_KeyValue] = []


class _Status(Struct, frozen=True):
    code: int = 0
    message: str = ""


class _Span(Struct):
    kind: int = 0
    flags: int = 0
    traceState: str = ""  # noqa: N815
    name: str = ""
    startTimeUnixNano: str | int = 0  # noqa: N815
    status: _Status = _Status()
    events: list[_Event] = []
    links: list[_Link] = []
    droppedAttributesCount: int = 0  # noqa: N815
    droppedEventsCount: int = 0  # noqa: N815
    droppedLinksCount: int = 0  # noqa: N815
    typed: dict[str, dict[str, Any]] = {}


class _Named(Struct, frozen=True):
    name: str = ""
    version: str = ""
    attributes: list[_KeyValue] = []


class _Scope(Struct):
    scope: _Named = _Named()


class _Resource(Struct):
    resource: _Named = _Named()


def read_exported(said: SpanOtel) -> Otel:
    """`said` for the writer. Raises msgspec errors for what is not of OTLP's shape. The program it came from, if
    `beacon run` started it, is no program of this Beacon's."""
    msgspec.json.decode(said.span, type=_Span)
    msgspec.json.decode(said.scope, type=_Scope)
    resource = msgspec.json.decode(said.resource, type=_Resource).resource
    service = next((one.value.get("stringValue") for one in resource.attributes if one.key == "service.name"), None)
    return Otel(
        str(said.span, "utf-8"),
        str(said.resource, "utf-8"),
        str(said.scope, "utf-8"),
        service=service if isinstance(service, str) and service else None,
    )


def exact(ns: T, said: str | None) -> T | int:
    """The nanoseconds that are `said`, where `ns` is what seconds hold of them; else `ns`."""
    if said is None or not isinstance(ns, int):
        return ns
    found = int(said)
    return found if seconds_from_ns(found) == seconds_from_ns(ns) else ns
