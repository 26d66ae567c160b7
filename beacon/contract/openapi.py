"""The contract as OpenAPI 3.1, made from the table of operations and the models that validate. Pure.

python -m beacon.contract.openapi > openapi.json
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Any, get_args, get_origin

import msgspec

from beacon.contract.examples import BODIES
from beacon.contract.operation import Operation
from beacon.contract.operations import PUBLIC
from beacon.contract.otlp import PROTOBUF
from beacon.contract.otlp_records import RpcStatus
from beacon.contract.records import ErrorBody
from beacon.version import VERSION

Json = dict[str, Any]

_REF = "#/components/schemas/{name}"

DESCRIPTION = """\
Beacon is a local-first debugger for AI agents. Post spans, read traces, watch them live.

Times are Unix epoch seconds, durations milliseconds, costs US dollars. Every answer of 400 and above is
`{"detail": "..."}`: one sentence that says what is wrong and what to do; OpenTelemetry's paths answer in OTLP's form
instead. Bodies may be compressed
(`Content-Encoding: gzip`, `deflate` or `zstd`) and have at most 64 MiB, compressed or not.

Live events come over the websocket `/ws/live`, one JSON object a message: `trace_created`, `span_created`,
`span_updated`, `trace_updated`, `traces_deleted`, each with a `seq`; `{"event": "resync"}` asks the client to fetch
anew what it shows. Send `{"action": "subscribe_trace", "trace_id": "..."}` for the events of one trace alone, and
`{"action": "unsubscribe_trace"}` for all of them again.
"""

_STATUS_TEXT = {
    400: "Well-formed, but it cannot be done",
    401: "A token is asked for (BEACON_TOKEN)",
    403: "The Host is not a name of Beacon's, or the page that asks is not one it trusts (Origin, Sec-Fetch-Site)",
    404: "There is no such thing",
    409: "It exists already",
    413: "The body is too large",
    415: "The content type or encoding is not known",
    422: "A value is wrong; `errors` names each place",
    502: "The model's provider failed; its own words",
    503: "Full, or a part is down; send it again after `Retry-After` seconds",
}

_BUG = "Any other error; a bug of Beacon's is a 500 whose `error_id` stands in its log"

_EVERYWHERE = (401, 403)

_OTLP_TEXT = {
    **{status: _STATUS_TEXT[status] for status in (401, 403, 413, 503)},
    400: "The body cannot be decoded; not to be sent again. Code 13: a bug of Beacon's, found in its log by the id",
    415: "The content type is neither of OTLP's two (then the answer is text), or the encoding is not known",
}
"""Of the paths of OTLP, whose errors are a google.rpc.Status in the encoding of the request."""

_BINARY: Json = {PROTOBUF.decode(): {"schema": {"type": "string", "format": "binary"}}}


def openapi(operations: Iterable[Operation] = PUBLIC) -> Json:
    """The whole document. Deterministic: the same table gives the same text."""
    table = tuple(operations)
    models = {m for op in table for m in (op.query, op.body, op.response) if m is not None} | {ErrorBody}
    with_otlp = any(op.protocol == "otlp" for op in table)
    if with_otlp:
        models.add(RpcStatus)
    _, components = msgspec.json.schema_components(sorted(models, key=str), ref_template=_REF)
    paths: dict[str, Json] = {}
    for op in table:
        paths.setdefault(op.path, {})[op.method.lower()] = _operation(op, components)
    for name in {op.query.__name__ for op in table if op.query}:
        del components[name]  # stands as parameters
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Beacon",
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "http://127.0.0.1:7474", "description": "The default; BEACON_BACKEND_PORT changes it"}],
        "security": [{}, {"token": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(op.tag for op in table)],
        "paths": paths,
        "components": {
            "schemas": {name: _cleaned(components[name]) for name in sorted(components)},
            "responses": {_error_name(status): _error(status) for status in sorted(_STATUS_TEXT)}
            | {"Bug": _error(None)}
            | ({_otlp_error_name(status): _otlp_error(status) for status in sorted(_OTLP_TEXT)} if with_otlp else {}),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Asked for where BEACON_TOKEN is set"}
            },
        },
    }


def openapi_json(operations: Iterable[Operation] = PUBLIC) -> bytes:
    """The document as indented JSON with a final newline: what /openapi.json answers and the repository keeps."""
    return msgspec.json.format(msgspec.json.encode(openapi(operations)), indent=2) + b"\n"


def _operation(op: Operation, components: Json) -> Json:
    out: Json = {"operationId": op.name, "summary": op.summary, "tags": [op.tag]}
    if op.aliases:
        out["description"] = f"The same at {', '.join(f'`{path}`' for path in op.aliases)}."
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", op.path)
    ]
    if op.query is not None:
        parameters += _query_parameters(components[op.query.__name__])
    if parameters:
        out["parameters"] = parameters
    if op.body is not None:
        out["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _reference(op.body), "example": BODIES[op.name]}},
        }
        if op.protocol == "otlp":
            out["requestBody"]["content"] |= _BINARY
    out["responses"] = _responses(op)
    return out


def _query_parameters(model: Json) -> list[Json]:
    required = set(model.get("required", ()))
    return [
        _query_parameter(name, _cleaned(_without_null(schema)), required=name in required)
        for name, schema in model["properties"].items()
    ]


def _query_parameter(name: str, schema: Json, *, required: bool) -> Json:
    about = {"description": schema.pop("description")} if "description" in schema else {}
    return {"name": name, "in": "query", "required": required, **about, "schema": schema}


def _without_null(schema: Json) -> Json:
    """A query string has no null: leaving the parameter out is how it is said."""
    kinds = [s for s in schema.get("anyOf", ()) if s != {"type": "null"}]
    rest = {k: v for k, v in schema.items() if k != "anyOf" and not (k == "default" and v is None)}
    if not kinds:
        return rest
    return {**rest, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})}


def _responses(op: Operation) -> Json:
    content: Json = {}
    for content_type in op.content_types:
        if content_type in _BINARY:
            content |= _BINARY
        elif content_type != "application/json":
            content[content_type] = {"schema": {"type": "string"}}
        elif op.response is None:
            content[content_type] = {"schema": {"type": "object"}}
        else:
            schema = _reference(op.response)
            content[content_type] = {"schema": {"anyOf": [schema, {"type": "null"}]} if op.nullable else schema}
    responses: Json = {str(op.success): {"description": "Done" if op.method != "GET" else "Found", "content": content}}
    name_of = _otlp_error_name if op.protocol == "otlp" else _error_name
    for status in sorted({*op.errors, *_EVERYWHERE}):
        responses[str(status)] = {"$ref": f"#/components/responses/{name_of(status)}"}
    if op.name == "get_health":
        responses["503"] = {**_error(503), "content": content}
    responses["default"] = {"$ref": "#/components/responses/Bug"}
    return responses


def _error_name(status: int) -> str:
    return f"Error{status}"


def _error(status: int | None) -> Json:
    out: Json = {
        "description": _STATUS_TEXT[status] if status else _BUG,
        "content": {"application/json": {"schema": _reference(ErrorBody)}},
    }
    if status == 503:
        out["headers"] = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}
    return out


def _otlp_error_name(status: int) -> str:
    return f"OtlpError{status}"


def _otlp_error(status: int) -> Json:
    out = _error(status)
    out["description"] = _OTLP_TEXT[status]
    out["content"] = {"application/json": {"schema": _reference(RpcStatus)}, **_BINARY}
    if status == 415:
        out["content"]["text/plain"] = {"schema": {"type": "string"}}
    return out


def _reference(model: Any) -> Json:
    if get_origin(model) is list:
        return {"type": "array", "items": _reference(get_args(model)[0])}
    return {"$ref": _REF.format(name=model.__name__)}


_PYTHON_ONLY = "(?!\\n)"


def _cleaned(schema: Any) -> Any:
    """Descriptions in one piece, and patterns without the look-ahead that only Python's `$` needs."""
    if isinstance(schema, list):
        return [_cleaned(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    out = {k: _cleaned(v) for k, v in schema.items()}
    if isinstance(out.get("pattern"), str):
        out["pattern"] = out["pattern"].replace(_PYTHON_ONLY, "")
    if isinstance(out.get("description"), str):
        out["description"] = " ".join(out["description"].split())
    return out


if __name__ == "__main__":
    sys.stdout.buffer.write(openapi_json())
