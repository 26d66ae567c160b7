"""An ASGI application made from the table of operations: finds the operation, validates, calls its handler, and turns
every error into the contract's answer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints
from urllib.parse import parse_qs

import msgspec
from starlette.types import Receive, Scope, Send

from beacon.contract.limits import ID_PATTERN
from beacon.contract.operation import Operation
from beacon.contract.records import SpanType, Status
from beacon.contract.requests import SortKey
from beacon.contract.routing import Routes
from beacon.errors import Invalid, UnsupportedMedia
from beacon.web.body import Body, BodyBudget, Disconnected
from beacon.web.otlp import check_otlp_content_type, otlp_error_reply
from beacon.web.reply import Reply, error_reply, send_reply
from beacon.web.wording import plainly


@dataclass(slots=True)
class Call:
    """What a handler gets: `query` is the operation's query model, `body` its body model or, with `raw_body`, bytes."""

    operation: Operation
    path: dict[str, str]
    headers: dict[bytes, bytes]
    receive: Receive
    query: Any = None
    body: Any = None

    async def disconnected(self) -> None:
        """Returns when the client has gone away. For requests without a body, whose work is worth stopping."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


Handler = Callable[[Call], Awaitable[Reply]]


class Application:
    """`handlers` maps operation names to handlers; each operation must have one, and none may be left over."""

    def __init__(self, operations: Iterable[Operation], handlers: Mapping[str, Handler]) -> None:
        table = tuple(operations)
        names = {op.name for op in table}
        if names != set(handlers):
            raise ValueError(f"operations without handler or handlers without operation: {names ^ set(handlers)}")
        self._routes = Routes(table)
        self._handlers = dict(handlers)
        self._bodies = {op.name: msgspec.json.Decoder(op.body) for op in table if op.body and not op.raw_body}
        self._queries = {op.name: _QueryDecoder(op.query) for op in table if op.query}
        self.budget = BodyBudget()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with Body(self.budget) as body:
                reply = await self._answer(scope, receive, body)
                await send_reply(reply, send)
        except Disconnected:
            return

    async def _answer(self, scope: Scope, receive: Receive, body: Body) -> Reply:
        operation: Operation | None = None
        try:
            # the raw path: an encoded slash must stay inside its segment
            operation, path = self._routes.match(scope["method"], scope["raw_path"].decode("ascii"))
            call = Call(operation, path, dict(scope["headers"]), receive)
            if operation.query is not None:
                call.query = self._queries[operation.name](scope["query_string"])
            if operation.body is not None:
                if operation.protocol == "otlp":
                    check_otlp_content_type(call.headers.get(b"content-type"))
                else:
                    check_content_type(call.headers)
                if not operation.discarded:
                    raw = await body.read(call.headers, receive)
                    call.body = raw if operation.raw_body else self._decode(operation, raw)
            return await self._handlers[operation.name](call)
        except Disconnected:
            raise
        except Exception as e:
            if operation is not None and operation.protocol == "otlp":
                return otlp_error_reply(e, dict(scope["headers"]).get(b"content-type"))
            return error_reply(e)

    def _decode(self, operation: Operation, raw: bytes) -> Any:
        try:
            return self._bodies[operation.name].decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
            raise invalid_json(e, raw) from e


def check_content_type(headers: Mapping[bytes, bytes]) -> None:
    """Raises `UnsupportedMedia` unless the body is said to be JSON, or nothing is said."""
    given = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if given and given != b"application/json" and not given.endswith(b"+json"):
        raise UnsupportedMedia(
            f"The body's Content-Type is {given[:100].decode('latin-1')}; send application/json "
            "(with curl: -H 'content-type: application/json')."
        )


def invalid_json(error: Exception, raw: bytes) -> Invalid:
    """A decoding error as a 422 that says where: the field for a wrong value, the byte for broken JSON."""
    if isinstance(error, msgspec.ValidationError):
        msg, loc = split_location(str(error))
        return Invalid(f"{loc or 'body'}: {msg}.", [(loc or "body", msg)])
    if isinstance(error, UnicodeDecodeError):
        return Invalid(f"The body is not UTF-8: {error.reason}.", [("body", f"not UTF-8: {error.reason}")])
    if isinstance(error, RecursionError):
        return Invalid("The body is nested too deeply.", [("body", "nested too deeply")])
    msg = str(error)
    if "byte" not in msg:
        msg = f"{msg} (byte {len(raw)})"
    return Invalid(f"The body is not valid JSON: {msg}.", [("body", msg)])


_LOCATION = re.compile(r"^(?P<msg>.*) - at `(?P<key>key` in `)?\$?\.?(?P<loc>[^`]*)`$", re.DOTALL)

_CHOICES = {
    "span_type": get_args(SpanType),
    "status": get_args(Status),
    "sort": get_args(SortKey),
    "bucket": ("day", "hour"),
    "fields": ("full", "light"),
}
"""What a field may be, by its last name: msgspec says only that a value is none of it."""

_PATTERNS = {"cursor": "a cursor is what next_cursor of the page before said", "tag": "a tag is written key:value"}


def split_location(message: str) -> tuple[str, str]:
    """msgspec's "Expected `int`, got `str` - at `$.a[0].b`" as ("must be a whole number, not text", "a[0].b")."""
    found = _LOCATION.match(message)
    msg, loc = (found["msg"], found["loc"]) if found else (message, "")
    if found and found["key"]:
        msg = f"a key of it {plainly(msg)}"
    name = loc.rpartition(".")[2].partition("[")[0]
    if msg.startswith("Invalid enum value") and name in _CHOICES:
        msg = f"{msg}; it may be {', '.join(_CHOICES[name])}"
    if "matching regex" in msg and name in _PATTERNS:
        msg = _PATTERNS[name]
    if repr(ID_PATTERN) in msg or (loc.endswith("_id") and "length" in msg):
        msg = "an id is 1 to 128 characters of A-Z a-z 0-9 . _ : -"
    return plainly(msg), loc


class _QueryDecoder:
    """A query string as its model: repeated names become lists where the model wants one, else the last one counts."""

    def __init__(self, model: type[msgspec.Struct]) -> None:
        self._model = model
        hints = get_type_hints(model)
        self._lists = {name for name, hint in hints.items() if get_origin(hint) is list}

    def __call__(self, query_string: bytes) -> msgspec.Struct:
        if not query_string:
            return self._convert({})
        try:
            pairs = parse_qs(query_string.decode("ascii"), keep_blank_values=True, errors="strict")
        except (UnicodeDecodeError, ValueError) as e:
            raise Invalid(f"The query string cannot be read: {e}.", [("query", str(e))]) from e
        return self._convert({k: v if k in self._lists else v[-1] for k, v in pairs.items()})

    def _convert(self, values: dict[str, Any]) -> msgspec.Struct:
        try:
            return msgspec.convert(values, self._model, strict=False)
        except msgspec.ValidationError as e:
            msg, loc = split_location(str(e))
            where = f"query.{loc}" if loc else "query"
            raise Invalid(f"{where}: {msg}.", [(where, msg)]) from e
