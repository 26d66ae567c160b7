"""The API docs as HTML, rendered from the OpenAPI document itself. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any
from urllib.parse import urlencode

from beacon.version import VERSION

Json = Mapping[str, Any]

EVENTS = (
    ("trace_created", "a trace row appears; before its first span_created", "trace"),
    ("span_created", "a span is stored for the first time", "span"),
    ("span_updated", "a stored span changes", "span_id, trace_id, updates"),
    ("trace_updated", "the summary of a trace changes", "trace"),
    ("traces_deleted", "traces are deleted", "trace_ids"),
    ("resync", "this client may have missed something: fetch anew what you show", ""),
)


def docs_page(document: Json, style: str, base_url: str, *, token: bool, python: str = "python") -> bytes:
    """The whole contract on one page: operations by tag, live events, models. `style` is the text of its style sheet,
    `base_url` and `token` make the curl lines work as they stand, `python` (a command, quoted for a shell) that for the
    websocket."""
    operations = list(_operations(document))
    tags = [tag["name"] for tag in document["tags"]]
    nav = "".join(
        f"<li><b>{escape(tag)}</b><ul>"
        + "".join(
            f'<li><a href="#{op["operationId"]}">{_method(method)} {escape(path)}</a></li>'
            for method, path, op in operations
            if tag in op["tags"]
        )
        + "</ul></li>"
        for tag in tags
    )
    sections = "".join(
        f"<h2>{escape(tag)}</h2>"
        + "".join(
            _operation(document, method, path, op, base_url, token=token)
            for method, path, op in operations
            if tag in op["tags"]
        )
        for tag in tags
    )
    schemas: Json = document["components"]["schemas"]
    models = "".join(_model(name, schema) for name, schema in schemas.items())
    about = "".join(f"<p>{_ticks(p)}</p>" for p in document["info"]["description"].strip().split("\n\n"))
    body = (
        f'<nav><p class="brand"><a href="/">Beacon</a> {VERSION}</p><ul>{nav}'
        '<li><a href="#live">Live events</a></li><li><a href="#models">Models</a></li>'
        '<li><a href="/openapi.json">openapi.json</a></li></ul></nav>'
        f"<main><h1>Beacon's HTTP API</h1>{about}{sections}{_live(base_url, python)}"
        f'<h2 id="models">Models</h2>{models}</main>'
    )
    return _page("Beacon: API", style, body)


def _page(title: str, style: str, body: str) -> bytes:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{style}</style></head>'
        f"<body>{body}</body></html>\n"
    ).encode()


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _operation(document: Json, method: str, path: str, op: Json, base_url: str, *, token: bool) -> str:
    body = op.get("requestBody")
    example = body["content"]["application/json"].get("example") if body else None
    parts = [
        f'<section id="{op["operationId"]}"><h3>{_method(method)} <code>{escape(path)}</code></h3>'
        f"<p>{_ticks(op['summary'])}</p>"
    ]
    if op.get("parameters"):
        rows = "".join(_parameter(p) for p in op["parameters"])
        parts.append(
            f"<table><tr><th>parameter</th><th>in</th><th>meaning</th><th>type</th><th>default</th></tr>{rows}</table>"
        )
    if body:
        parts.append(f"<p>Body: {_type(body['content']['application/json']['schema'])}</p>")
    parts.append(
        "<table><tr><th>status</th><th>meaning</th><th>body</th></tr>"
        + "".join(_response(document, s, r) for s, r in op["responses"].items())
        + "</table>"
    )
    target = path + _required_query(op.get("parameters", ()))
    parts.append(f"<pre>{escape(_curl(method, target, example, base_url, token=token))}</pre></section>")
    return "".join(parts)


def _parameter(parameter: Json) -> str:
    schema = parameter["schema"]
    default = f"<code>{escape(json.dumps(schema['default']))}</code>" if "default" in schema else ""
    required = " (required)" if parameter["required"] else ""
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code>{required}</td><td>{parameter['in']}</td>"
        f"<td>{_ticks(parameter.get('description', ''))}</td><td>{_type(schema)}</td><td>{default}</td></tr>"
    )


def _required_query(parameters: Iterable[Json]) -> str:
    """`?name=example` of the parameters without which the request is refused; empty when there are none."""
    needed = {p["name"]: p["schema"]["examples"][0] for p in parameters if p["in"] == "query" and p["required"]}
    return f"?{urlencode(needed, safe=',')}" if needed else ""


def _response(document: Json, status: str, response: Json) -> str:
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    kinds = " or ".join(
        _type(content["schema"]) if kind == "application/json" else f"<code>{escape(kind)}</code>"
        for kind, content in response["content"].items()
    )
    return f"<tr><td>{escape(status)}</td><td>{_ticks(response['description'])}</td><td>{kinds}</td></tr>"


def _model(name: str, schema: Json) -> str:
    required = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code></td><td>{'yes' if field in required else ''}</td>"
        f"<td>{_type(kind)}</td></tr>"
        for field, kind in schema.get("properties", {}).items()
    )
    about = f"<p>{_ticks(schema['description'])}</p>" if "description" in schema else ""
    table = f"<table><tr><th>field</th><th>always there</th><th>type</th></tr>{rows}</table>" if rows else ""
    return f'<section id="model-{escape(name)}"><h3>{escape(name)}</h3>{about}{table}</section>'


_LIMITS = (
    ("minimum", "≥ {}"),
    ("maximum", "≤ {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("maxItems", "at most {}"),
    ("pattern", "matches {}"),
)


def _type(schema: Json) -> str:
    """A JSON schema in words, models as links."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#model-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(s) for s in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(v))}</code>" for v in schema["enum"])
    kind = escape(str(schema.get("type", "any")))
    if kind == "array":
        of = schema.get("items") or (schema.get("prefixItems") or [{}])[0]
        kind = f"list of {_type(of)}" if of else "list"
    elif isinstance(schema.get("additionalProperties"), Mapping):
        kind = f"object of {_type(schema['additionalProperties'])}"
    limits = [text.format(schema[key]) for key, text in _LIMITS if key in schema]
    return f"{kind} <small>{escape(', '.join(limits))}</small>" if limits else kind


def _live(base_url: str, python: str) -> str:
    rows = "".join(
        f"<tr><td><code>{name}</code></td><td>{when}</td><td><code>{fields}</code></td></tr>"
        for name, when, fields in EVENTS
    )
    url = f"{base_url.replace('http', 'ws', 1)}/ws/live"
    return (
        f'<h2 id="live">Live events</h2><section><h3><span class="m">WS</span> <code>/ws/live</code></h3>'
        "<p>One JSON object a message, in commit order, each at most once, never before it can be read. Every event "
        "but <code>resync</code> carries its change number <code>seq</code>; a trace's detail says the "
        "<code>seq</code> it was read at.</p>"
        f"<table><tr><th>event</th><th>when</th><th>with</th></tr>{rows}</table>"
        '<p>Send <code>{"action": "subscribe_trace", "trace_id": "…"}</code> for one trace\'s events alone, '
        '<code>{"action": "unsubscribe_trace"}</code> for all again. Anything else is answered with '
        '<code>{"error": "…"}</code>.</p>'
        f"<pre>{escape(python)} -m websockets {escape(url)}</pre></section>"
    )


def _curl(method: str, path: str, body: Any, base_url: str, *, token: bool) -> str:
    parts = ["curl"]
    if method != "GET":
        parts.append(f"-X {method}")
    parts.append(f"'{base_url}{path}'")
    if token:
        parts.append('-H "authorization: Bearer $BEACON_TOKEN"')
    if body is not None:
        text = json.dumps(body, ensure_ascii=False).replace("'", "'\\''")
        parts += ["-H 'content-type: application/json'", f"-d '{text}'"]
    return " \\\n  ".join(parts) if body is not None else " ".join(parts)


def _method(method: str) -> str:
    return f'<span class="m {method.lower()}">{method}</span>'


def _ticks(text: str) -> str:
    """Escaped text with `ticked` words as code."""
    pieces = escape(text, quote=False).split("`")
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces))
