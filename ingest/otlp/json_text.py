"""The text of an OTLP JSON body down to its spans, each still to be decoded. Pure.

The fast way leaves each span as the bytes it came as. Only for a text that a strict decoder refuses there are slow
ones, which keep what can be kept: NaN and infinities as `json.dumps` writes them, halves of surrogate pairs (JavaScript
cuts them when it shortens a text), bytes that are no UTF-8, and nesting deeper than any decoder follows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw, Struct

from beacon.errors import BadRequest
from ingest.otlp.misplaced import first_words
from ingest.separate import SEPARATE_MAX


class ScopeGroup(Struct):
    """ScopeSpans or ScopeLogs: `scope` is decoded, whatever it is; `items` are for `decode_item`."""

    scope: Any
    schema_url: Any
    items: list[Any]


class ResourceGroup(Struct):
    """ResourceSpans or ResourceLogs; `resource` is decoded, whatever it is."""

    resource: Any
    schema_url: Any
    scopes: list[ScopeGroup]


class _Scope(Struct):
    """ScopeSpans and ScopeLogs, by either of a field's names (camelCase, and as in the .proto file)."""

    scope: Raw = Raw(b"null")
    schemaUrl: Raw = Raw(b"null")  # noqa: N815
    schema_url: Raw = Raw(b"null")
    spans: list[Raw] | None = None
    logRecords: list[Raw] | None = None  # noqa: N815
    log_records: list[Raw] | None = None


class _Resource(Struct):
    resource: Raw = Raw(b"null")
    schemaUrl: Raw = Raw(b"null")  # noqa: N815
    schema_url: Raw = Raw(b"null")
    scopeSpans: list[_Scope] | None = None  # noqa: N815
    scope_spans: list[_Scope] | None = None
    scopeLogs: list[_Scope] | None = None  # noqa: N815
    scope_logs: list[_Scope] | None = None


class _Request(Struct):
    """ExportTraceServiceRequest and ExportLogsServiceRequest; metrics only tell of a body sent to the wrong path."""

    resourceSpans: list[_Resource] | None = None  # noqa: N815
    resource_spans: list[_Resource] | None = None
    resourceLogs: list[_Resource] | None = None  # noqa: N815
    resource_logs: list[_Resource] | None = None
    resourceMetrics: Raw | None = None  # noqa: N815
    resource_metrics: Raw | None = None
    spans: Raw | None = None


class Read(Struct):
    """`found`: which kinds the body holds, of `spans`, `logRecords`, `metrics`, and `native`: POST /v1/spans's."""

    groups: list[ResourceGroup]
    found: list[str]


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_any = msgspec.json.Decoder().decode


def read(body: bytes, what: str) -> Read:
    """The groups of a request of `what`: `spans` or `logRecords`. Raises `BadRequest`, with the byte or the place, when
    it is no JSON or no such request."""
    if not body.strip():
        raise BadRequest('The body is empty; an OTLP request without spans is {"resourceSpans": []}.')
    try:
        request = _decode_request(body)
    except RecursionError:
        return _slowly(cut_deep(body), RecursionError("nested too deeply"), what)
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        return _slowly(body, e, what)
    traces = request.resourceSpans if request.resourceSpans is not None else request.resource_spans
    logs = request.resourceLogs if request.resourceLogs is not None else request.resource_logs
    metrics = request.resourceMetrics or request.resource_metrics
    groups = [_group(one, what) for one in (traces if what == "spans" else logs) or ()]
    return Read(groups, _found(traces, logs, metrics, request.spans))


def _found(traces: Any, logs: Any, metrics: Any, native: Any) -> list[str]:
    kinds = (("spans", traces), ("logRecords", logs), ("metrics", metrics), ("native", native))
    return [name for name, value in kinds if value is not None]


def _group(one: _Resource, what: str) -> ResourceGroup:
    if what == "spans":
        scopes = one.scopeSpans if one.scopeSpans is not None else one.scope_spans
    else:
        scopes = one.scopeLogs if one.scopeLogs is not None else one.scope_logs
    groups = []
    for inner in scopes or ():
        if what == "spans":
            items = inner.spans
        else:
            items = inner.logRecords if inner.logRecords is not None else inner.log_records
        groups.append(ScopeGroup(_whatever(inner.scope), _either(inner.schemaUrl, inner.schema_url), items or []))
    return ResourceGroup(_whatever(one.resource), _either(one.schemaUrl, one.schema_url), groups)


def _either(first: Raw, second: Raw) -> Any:
    found = _whatever(first)
    return _whatever(second) if found is None else found


def _whatever(raw: Raw) -> Any:
    try:
        return decode_item(raw)
    except ValueError:
        return None  # a resource that cannot be read costs its own attributes, not the spans


def decode_item(item: Any) -> Any:
    """A span, log record, resource or scope decoded. Raises ValueError when that cannot be, with the reason."""
    if not isinstance(item, Raw):
        return item
    try:
        return _decode_any(item)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        try:
            return _mended(bytes(item))
        except (ValueError, RecursionError):
            raise ValueError(str(e)) from None


# ---------------------------------------------------------------- the slow way


def _slowly(body: bytes, error: Exception, what: str) -> Read:
    if len(body) > SEPARATE_MAX:
        raise _invalid(error, body)
    try:
        request = _mended(body)
    except (ValueError, RecursionError):
        raise _invalid(error, body) from error
    if not isinstance(request, dict):
        raise BadRequest(f"An OTLP request is an object, {_example(what)}, not {_kind(request)}.")
    names = ("resourceSpans", "scopeSpans", "spans") if what == "spans" else ("resourceLogs", "scopeLogs", "logRecords")
    outer, middle, inner = names
    groups = []
    for place, one in _objects(request, outer, ""):
        scopes = [
            ScopeGroup(scope.get("scope"), _named(scope, "schemaUrl"), _list(scope, inner, f"{where}."))
            for where, scope in _objects(one, middle, f"{place}.")
        ]
        groups.append(ResourceGroup(one.get("resource"), _named(one, "schemaUrl"), scopes))
    found = [_named(request, name) for name in ("resourceSpans", "resourceLogs", "resourceMetrics", "spans")]
    return Read(groups, _found(*found))


def _objects(holder: dict[str, Any], name: str, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for i, one in enumerate(_list(holder, name, place)):
        where = f"{place}{name}[{i}]"
        if not isinstance(one, dict):
            raise BadRequest(f"{where} must be an object, not {_kind(one)}.")
        yield where, one


def _list(holder: dict[str, Any], name: str, place: str) -> list[Any]:
    value = _named(holder, name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequest(f"{place}{name} must be a list, not {_kind(value)}.")
    return value


def _named(holder: dict[str, Any], name: str) -> Any:
    value = holder.get(name)
    return holder.get(_CAPITAL.sub(lambda m: f"_{m[0].lower()}", name)) if value is None else value


_CAPITAL = re.compile(r"[A-Z]")


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return "null" if value is None else "text" if isinstance(value, str) else "a number"


def _example(what: str) -> str:
    return '{"resourceSpans": […]}' if what == "spans" else '{"resourceLogs": […]}'


def _invalid(error: Exception, body: bytes) -> BadRequest:
    said = str(error).removesuffix(" - at `$`")
    return BadRequest(f"The body is not valid JSON: {said}.{first_words(body, 'json')}")


def _mended(body: bytes) -> Any:
    """`body` decoded by Python's own decoder, halves of surrogate pairs replaced. Raises ValueError, RecursionError."""
    return json.loads(_ESCAPES.sub(_whole, body).decode("utf-8-sig", "replace"))


_ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.", re.DOTALL
)


def _whole(found: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if len(found[0]) == 6 else found[0]


# ---------------------------------------------------------------- nesting without end

_MARK = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)

_SPAN_LEVEL = 7
"""Brackets open inside a span: {resourceSpans: [{scopeSpans: [{spans: [{."""

_DEPTH_MAX = 400
"""Brackets that may be open: an attribute of 100 levels has three for each; decoders give up at about a thousand."""


def cut_deep(body: bytes) -> bytes:
    """`body` with an empty object in the place of every span (or other thing of that level) that nests deeper than
    _DEPTH_MAX: it has no ids then, and is rejected alone. Found by counting brackets, in linear time."""
    if len(body) > SEPARATE_MAX:
        return body
    parts: list[bytes] = []
    kept = begin = depth = 0
    deep = False
    for mark in _MARK.finditer(body):
        kind = mark[0]
        if kind in b"[{":
            depth += 1
            if depth == _SPAN_LEVEL:
                begin, deep = mark.start(), False
            elif depth > _DEPTH_MAX:
                deep = True
        elif kind in b"]}":
            if depth == _SPAN_LEVEL and deep:
                parts += (body[kept:begin], TOO_DEEP_MARK)
                kept = mark.end()
            depth -= 1
    parts.append(body[kept:])
    return b"".join(parts)


TOO_DEEP_MARK = b'{"beacon.too_deep":true}'
