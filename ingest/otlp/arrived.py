"""What an OTLP request brings for the writer beside plain arrivals. Pure."""

from __future__ import annotations

from msgspec import Struct


class Otel(Struct, gc=False):
    """What OTLP has and a Beacon span has no field for; JSON text in OTLP's own JSON form, so that an export splices
    it. One object of `resource` and `scope` for all the spans that share them."""

    text: str  # {"kind", "traceState", "flags", "events", "links", "dropped…Count", "typed"}: only what is not default
    resource: str  # {"resource": {"attributes": […]}, "schemaUrl": …}
    scope: str  # {"scope": {"name", "version", "attributes"}, "schemaUrl": …}
    service: str | None = None  # service.name
    run_id: str | None = None  # beacon.run_id of the resource: the program was started by `beacon run`
    listens: tuple[str, ...] = ()  # addresses of content for this span, beside its own
    tags: dict[str, str] = {}  # for the trace, where it does not have them
    tags_whole: bool = False  # they came in an export of Beacon's, and are all the trace had


class Content(Struct, gc=False):
    """Content that travels apart from its span, in a log record or a sibling span. `address` names the span within the
    trace: `span:ID`, or what a span `listens` to. `text` is JSON that `with_contents` reads (ingest/otlp/contents.py).
    The same content again is the same row."""

    trace_id: str
    address: str
    time_ns: int
    text: str
