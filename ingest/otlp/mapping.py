"""An OTLP span as what Beacon stores: an arrival with Beacon's attributes beside the span's own, and content that goes
to other spans. Pure, but for the price that is handed in.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, Struct, UnsetType

from beacon.contract.limits import ID_PATTERN, RESERVED_TRACE_IDS, TIME_MAX_S
from beacon.contract.otlp_ids import SPAN_ID_DIGITS, TRACE_ID_DIGITS, hex_id
from beacon.contract.otlp_values import any_value
from beacon.contract.records import Annotation, SpanType, Status
from beacon.contract.requests import SpanInput
from beacon.contract.units import NS, seconds_from_ns
from ingest.columns import derive_columns
from ingest.decode import Arrival
from ingest.otlp.arrived import Content, Otel
from ingest.otlp.attributes import beacon_attributes
from ingest.otlp.contents import content_of
from ingest.otlp.dialects import (
    claude_code,
    gemini_cli,
    genai,
    langsmith,
    logfire,
    mcp,
    openinference,
    others,
    plain,
    traceloop,
    vercel,
)
from ingest.otlp.facts import Facts
from ingest.otlp.otel_text import otel_text
from ingest.otlp.prices import Price
from ingest.otlp.records import OtlpSpan
from ingest.otlp.sources import ReadResource, bounded_tags, read_resource, read_scope
from ingest.otlp.span_types import said_type, span_type_of
from ingest.otlp.values import is_plain, json_text
from ingest.otlp.values import plain as plain_value
from ingest.separate import SpanWrong


class Dialect(Protocol):
    """A module of ingest/otlp/dialects: `matches` is cheap, `read` never raises, whatever the values are."""

    @property
    def NAME(self) -> str: ...  # noqa: N802

    def matches(self, span: OtlpSpan) -> bool: ...

    def read(self, span: OtlpSpan) -> Facts: ...


DIALECTS: tuple[Dialect, ...] = (
    plain,
    claude_code,
    openinference,
    langsmith,
    gemini_cli,
    mcp,
    logfire,
    vercel,
    others,
    traceloop,
    genai,
)
"""In the order they are asked, the first that matches reads the span: `plain` first, to be done with most spans, then
those with marks of their own, which also bear OpenTelemetry's."""

DIALECT = "beacon.dialect"
SCOPE = "beacon.scope"

NAME_CHARS_MAX = 10_000
"""As POST /v1/spans has it."""

UNNAMED = "unnamed"

_TIME_MAX_NS = int(TIME_MAX_S) * NS
_STATUSES: tuple[Status, ...] = ("unset", "ok", "error")
_OWN_SCOPE = "beacon"

_is_id = re.compile(ID_PATTERN).search
_decode_notes = msgspec.json.Decoder(list[Annotation]).decode


class Mapped(Struct):
    """`arrivals` for the writer: one, of the span itself or of the span it stands for. `contents` for other spans."""

    arrivals: list[Arrival]
    contents: list[Content]


def map_span(span: OtlpSpan, price: Price, dialects: tuple[Dialect, ...] = DIALECTS) -> Mapped:
    """`span` as an arrival, and what it says of other spans.

    Every attribute of its own is kept; Beacon's keys are added where it has none of that name. A span that Beacon has
    mapped before (it holds `beacon.dialect`) keeps its attributes as they are. Raises `SpanWrong` for a time that
    cannot be stored; nothing else about a span is a reason to refuse it.
    """
    start_ns = _start(span)
    _check_time("endTimeUnixNano", span.end_ns)
    resource = read_resource(span.resource)
    native = resource.exported and span.scope.name == _OWN_SCOPE and DIALECT not in span.attributes
    own, typed = _json_values(span.attributes)
    restored = _restored(span, own)
    if native:
        return Mapped([_native(span, own, restored, resource)], [])

    dialect = _dialect_of(span, dialects)
    facts = dialect.read(span)
    chosen = restored.span_type or facts.span_type
    if chosen is None:
        chosen, chain_type = span_type_of(span.attributes, span.name)
        if facts.tells is not None:
            chosen = "custom"  # it speaks of another span's call, which is counted there
        elif chain_type is not None and facts.chain_type is None:
            facts = msgspec.structs.replace(facts, chain_type=chain_type)
    scope = read_scope(span.scope)
    if facts.framework is None and scope.framework is not None:
        facts = msgspec.structs.replace(facts, framework=scope.framework)

    contents: list[Content] = []
    if facts.tells is not None:
        told = beacon_attributes(facts, "llm_call", own, start_ns, price)
        contents.append(content_of(restored.trace_id, facts.tells, start_ns, told))
    if DIALECT not in own:
        if dialect is not plain or chosen != "custom":
            added = beacon_attributes(facts, chosen, own, start_ns, price if facts.tells is None else None)
            own |= {key: value for key, value in added.items() if key not in own}
        own[DIALECT] = dialect.NAME
        if span.scope.name and SCOPE not in own:
            own[SCOPE] = span.scope.name

    stands_for = facts.stands_for
    end_ns = None if stands_for is not None else span.end_ns
    status, error_message = _status(span, facts, end_ns)
    name = (facts.name or (facts.tool_name if chosen == "tool_use" else None) or span.name or UNNAMED)[:NAME_CHARS_MAX]
    otel = Otel(
        text=otel_text(span, name, status, error_message, start_ns, typed),
        resource=resource.text,
        scope=scope.text,
        service=resource.service,
        run_id=resource.run_id,
        listens=tuple(facts.listens),
        tags=resource.tags if not facts.tags else {**bounded_tags(facts.tags), **resource.tags},
        tags_whole=resource.exported,
    )
    arrival = _arrival(
        span, own, restored, chosen, name, status, error_message, start_ns, end_ns,
        restored.language or resource.language, otel,
    )  # fmt: skip
    if stands_for is not None:
        arrival.span.span_id = stands_for.span_id
        arrival.span.parent_span_id = stands_for.parent_span_id
    return Mapped([arrival], contents)


def _dialect_of(span: OtlpSpan, dialects: tuple[Dialect, ...]) -> Dialect:
    """The dialect that read the span when it was mapped before, else the first that knows it, else `plain`."""
    said = span.attributes.get(DIALECT)
    if said is not None:
        for dialect in dialects:
            if said == dialect.NAME:
                return dialect
    for dialect in dialects:
        if dialect.matches(span):
            return dialect
    return plain


def _arrival(
    span: OtlpSpan,
    own: dict[str, Any],
    restored: _Restored,
    span_type: SpanType,
    name: str,
    status: Status,
    error_message: str | None,
    start_ns: int,
    end_ns: int | None,
    language: str | None,
    otel: Otel,
) -> Arrival:
    return Arrival(
        span.index,
        SpanInput(
            span_id=restored.span_id,
            trace_id=restored.trace_id,
            parent_span_id=restored.parent_span_id,
            span_type=span_type,
            name=name,
            status=status,
            error_message=error_message,
            start_time=seconds_from_ns(start_ns),
            end_time=None if end_ns is None else seconds_from_ns(end_ns),
            sdk_language=language,
        ),
        start_ns,
        end_ns,
        json_text(own),
        derive_columns(span_type, own),
        restored.annotations,
        otel,
    )


def _native(span: OtlpSpan, own: dict[str, Any], restored: _Restored, resource: ReadResource) -> Arrival:
    """A span of Beacon's own that comes back from an export: what it was, with nothing added."""
    status = _STATUSES[span.status_code] if 0 <= span.status_code < len(_STATUSES) else "unset"
    chosen = restored.span_type or span_type_of(own, span.name).span_type
    return _arrival(
        span, own, restored, chosen, span.name[:NAME_CHARS_MAX], status, span.status_message or None, span.start_ns,
        span.end_ns, restored.language, Otel("", "", "", tags=resource.tags, tags_whole=True),
    )  # fmt: skip


# ---------------------------------------------------------------- values


def _json_values(attributes: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The attributes as JSON has them, and those JSON does not give back as they were, as AnyValues."""
    for value in attributes.values():
        if type(value) is not str and type(value) is not int and not is_plain(value):
            break
    else:
        return dict(attributes), None
    typed = {key: any_value(value) for key, value in attributes.items() if not is_plain(value)}
    return {key: plain_value(value) for key, value in attributes.items()}, typed


# ---------------------------------------------------------------- what Beacon said when it exported the span


class _Restored(Struct):
    """What is a field of a Beacon span, and an attribute of an exported one."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    span_type: SpanType | None = None
    language: str | None = None
    annotations: str | UnsetType = UNSET


def _restored(span: OtlpSpan, own: dict[str, Any]) -> _Restored:
    """Takes those attributes out of `own`. An id counts where hashing it gives the one on the wire; what does not hold
    stays an attribute like any other."""
    found = _Restored(span.trace_id, span.span_id, span.parent_span_id, said_type(own))
    if own.get("beacon.span_type") == found.span_type is not None:
        del own["beacon.span_type"]
    trace_id = own.get("beacon.trace_id")
    if _is_native(trace_id, span.trace_id, TRACE_ID_DIGITS) and trace_id not in RESERVED_TRACE_IDS:
        found.trace_id = own.pop("beacon.trace_id")
    if _is_native(own.get("beacon.span_id"), span.span_id, SPAN_ID_DIGITS):
        found.span_id = own.pop("beacon.span_id")
    if span.parent_span_id is not None and _is_native(
        own.get("beacon.parent_span_id"), span.parent_span_id, SPAN_ID_DIGITS
    ):
        found.parent_span_id = own.pop("beacon.parent_span_id")
    language = own.get("beacon.sdk_language")
    if isinstance(language, str) and 0 < len(language) <= 100:
        found.language = own.pop("beacon.sdk_language")
    notes = own.get("beacon.annotations")
    if isinstance(notes, str):
        try:
            _decode_notes(notes)
        except (ValueError, RecursionError):
            pass
        else:
            found.annotations = own.pop("beacon.annotations")
    return found


def _is_native(native: Any, on_the_wire: str, digits: int) -> bool:
    return isinstance(native, str) and _is_id(native) is not None and hex_id(native, digits) == on_the_wire


# ---------------------------------------------------------------- times and status


def _start(span: OtlpSpan) -> int:
    """When the span started. 0 is no time but none: then it is when the span ended, or when it first said something,
    and 0 where nothing is known; else the trace would last since 1970."""
    _check_time("startTimeUnixNano", span.start_ns)
    if span.start_ns:
        return span.start_ns
    if span.end_ns:
        return span.end_ns
    return min((event.time_ns for event in span.events if 0 < event.time_ns <= _TIME_MAX_NS), default=0)


def _check_time(field: str, ns: int | None) -> None:
    if ns is not None and not 0 <= ns <= _TIME_MAX_NS:
        raise SpanWrong(field, f"{ns} is no time Beacon can keep: nanoseconds since 1970, up to the year 2262")


def _status(span: OtlpSpan, facts: Facts, end_ns: int | None) -> tuple[Status, str | None]:
    """Libraries leave the status unset when all went well: an ended span of no status is ok."""
    if span.status_code == 2 or facts.failed:
        return "error", span.status_message or facts.error_message or _exception(span) or _error_type(span)
    if span.status_code == 1:
        return "ok", span.status_message or None
    return ("unset" if end_ns is None else "ok"), span.status_message or None


def _exception(span: OtlpSpan) -> str | None:
    """The last exception that was recorded: https://opentelemetry.io/docs/specs/otel/trace/exceptions/"""
    for event in reversed(span.events):
        if event.name == "exception":
            kind, said = event.attributes.get("exception.type"), event.attributes.get("exception.message")
            words = [word for word in (kind, said) if isinstance(word, str) and word]
            if words:
                return ": ".join(words)
    return None


def _error_type(span: OtlpSpan) -> str | None:
    said = span.attributes.get("error.type")
    return said if isinstance(said, str) and said else None
