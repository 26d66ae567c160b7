"""Hostile input, through the port: a clear 4xx, every process lives on, nothing is half-written, and whatever is read
afterwards is valid JSON."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import socket
import zlib
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple
from urllib.parse import quote

import msgpack
import pytest

from beacon.unix_http import UnixConnection
from tests.processes import Answer, span
from tests.stack import Stack
from tests.system.live import Live
from tests.system.traffic import rows

MIB = 1024 * 1024


def strict(text: bytes) -> Any:
    """`text` as JSON of RFC 8259, in UTF-8: Python's own reader lets NaN and halves of surrogate pairs pass."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    decoded = json.loads(text.decode("utf-8"), parse_constant=refuse)
    json.dumps(decoded, ensure_ascii=False, allow_nan=False).encode("utf-8")
    return decoded


# ---------------------------------------------------------------- the trace that everything is aimed at

TRACE = "aimed-at"


@pytest.fixture(scope="module")
def target(shared: Stack) -> Stack:
    """A stack with a trace of two good spans, of which hostile ones want to become part."""
    shared.post_spans(
        [
            span("root", TRACE, span_type="agent_step", name="good step"),
            span("call", TRACE, span_type="llm_call", parent_span_id="root", attributes={"llm.model": "m"}),
        ]
    )
    return shared


class State(NamedTuple):
    """What must not change: processes, rows, the newest change number."""

    pids: dict[str, int]
    counters: list[Any]
    spans: list[Any]


def state(stack: Stack) -> State:
    return State(
        stack.pids(),
        rows(stack, "SELECT * FROM counters"),
        rows(
            stack, "SELECT span_id, name, annotations, attributes, seq FROM spans JOIN span_attributes USING (span_row)"
        ),
    )


@pytest.fixture
def untouched(target: Stack) -> Iterator[Stack]:
    """Fails when what the test sent has left a trace, or ended a process."""
    before = state(target)
    yield target
    assert state(target) == before
    check_readable(target)


def check_readable(stack: Stack, trace_id: str = TRACE) -> None:
    """Every read that this trace is part of: 200, and JSON to the letter."""
    for path in (
        f"/v1/traces/{trace_id}",
        f"/v1/traces/{trace_id}?fields=light",
        f"/v1/traces/{trace_id}/graph",
        f"/v1/traces/{trace_id}/export?format=json",
        f"/v1/traces/{trace_id}/export?format=otel",
        f"/v1/traces/export?trace_ids={trace_id}",
        "/v1/traces?limit=200",
        "/v1/search?q=e",
        "/v1/search?q=%5C",
        "/v1/stats",
        "/v1/stats/trends",
        "/v1/stats/top-costs",
        "/v1/stats/top-duration",
    ):
        answer = stack.ask("GET", path)
        assert answer.status == 200, (path, answer.body[:300])
        strict(answer.body)
    detail = strict(stack.ask("GET", f"/v1/traces/{trace_id}").body)
    for found in detail["spans"]:
        answer = stack.ask("GET", f"/v1/spans/{found['span_id']}?trace_id={trace_id}")
        assert strict(answer.body) == found
        assert isinstance(found["attributes"], dict)
        assert isinstance(found["annotations"], list)
    table = list(
        csv.DictReader(io.StringIO(stack.ask("GET", f"/v1/traces/{trace_id}/export?format=csv").body.decode()))
    )
    assert {row["span_id"] for row in table} == {found["span_id"] for found in detail["spans"]}
    # what a gap in the live stream would be healed with
    for frame in changes(stack):
        strict(frame)


def changes(stack: Stack) -> list[bytes]:
    with closing(UnixConnection(stack.settings.socket_path("query"), 20)) as connection:
        connection.request("GET", "/internal/changes?after=0")
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return [event[3] for event in msgpack.unpackb(body)[4]]


def check_refused(answer: Answer, *statuses: int) -> None:
    assert answer.status in statuses, (answer.status, answer.body[:300])
    said = strict(answer.body)
    assert 10 < len(said["detail"]) < 1_000, "one sentence, and not the hostile input all over"


# ---------------------------------------------------------------- bodies

GOOD = json.dumps(span("hostile", TRACE))


def body_with(field: str, text: str | bytes) -> bytes:
    """A batch of one span of the target's trace, whose `field` is this very JSON text."""
    value = text.encode() if isinstance(text, str) else text
    whole = json.dumps({"spans": [{**span("hostile", TRACE), field: "@@"}]}).encode()
    return whole.replace(b'"@@"', value)


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"spans!",
    "cut off": b'{"spans": [' + GOOD.encode()[:-5],
    "no object": b"[1, 2, 3]",
    "null": b"null",
    "no spans": b"{}",
    "spans that are no list": b'{"spans": {"a": 1}}',
    "spans that are no spans": b'{"spans": [1, null, "x", []]}',
    "not UTF-8": b'{"spans": [\xff\xfe]}',
    "UTF-16": ('{"spans": [' + GOOD + "]}").encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + b'{"spans": [' + GOOD.encode() + b"]}x",
    "10,000 levels of lists": b"[" * 10_000 + b"]" * 10_000,
    "10,000 levels in place of a span": b'{"spans": [' + b"[" * 10_000 + b"]" * 10_000 + b"]}",
    "10,000 levels of objects in attributes": body_with("attributes", '{"a":' * 10_000 + "1" + "}" * 10_000),
    "10,000 levels of lists in attributes": body_with("attributes", '{"a":' + "[" * 10_000 + "]" * 10_000 + "}"),
    "101 levels in attributes": body_with("attributes", '{"a":' * 101 + "1" + "}" * 101),
    "10,000 levels in an unknown field": body_with("whatever", "[" * 10_000 + "]" * 10_000),
    "NaN in attributes": body_with("attributes", '{"a": NaN}'),
    "Infinity in attributes": body_with("attributes", '{"a": [-Infinity]}'),
    "NaN as a time": body_with("start_time", "NaN"),
    "1e999 in attributes": body_with("attributes", '{"a": {"b": 1e999}}'),
    "1e999 as a time": body_with("start_time", "1e999"),
    "half a surrogate pair in attributes": body_with("attributes", '{"a": "\\ud800"}'),
    "half a surrogate pair in a key": body_with("attributes", '{"\\udfff": 1}'),
    "half a surrogate pair in the name": body_with("name", '"\\ud83d"'),
    "half a surrogate pair in the error": body_with("error_message", '"x\\udc00y"'),
    "invalid UTF-8 in attributes": body_with("attributes", b'{"a": "\xc3\x28"}'),
    "invalid UTF-8 in a key": body_with("attributes", b'{"\xff": 1}'),
    "an overlong encoding in attributes": body_with("attributes", b'{"a": "\xc0\xaf"}'),
    "an encoded surrogate in attributes": body_with("attributes", b'{"a": "\xed\xa0\x80"}'),
    "invalid UTF-8 in the name": body_with("name", b'"\xf5\x80\x80\x80"'),
    "a control character in attributes": body_with("attributes", b'{"a": "\x01"}'),
    "attributes that are null": body_with("attributes", "null"),
    "attributes that are a list": body_with("attributes", "[]"),
    "attributes that are text": body_with("attributes", '"{}"'),
    "attributes that end early": body_with("attributes", '{"a": 1'),
    "a number with two points": body_with("attributes", '{"a": 1.2.3}'),
    "a comment": body_with("attributes", '{/* */ "a": 1}'),
    "an id of 1 MiB": body_with("span_id", f'"{"a" * MIB}"'),
    "an empty id": body_with("span_id", '""'),
    "an id with a slash": body_with("span_id", '"a/b"'),
    "an id with a line break": body_with("span_id", '"ab\\n"'),
    "an id with a NUL": body_with("span_id", '"a\\u0000b"'),
    "an id of dots and slashes": body_with("trace_id", '"../../etc/passwd"'),
    "an id that is a number": body_with("span_id", "17"),
    "an id that is null": body_with("trace_id", "null"),
    "a trace called export": body_with("trace_id", '"export"'),
    "a parent with a slash": body_with("parent_span_id", '"a/b"'),
    "a negative time": body_with("start_time", "-1"),
    "a time in milliseconds": body_with("start_time", "1790000000250"),
    "a time in nanoseconds": body_with("end_time", "1790000000250000000"),
    "a time after 2262": body_with("start_time", "9300000000"),
    "a time of 400 digits": body_with("start_time", "1" * 400),
    "a time that is text": body_with("start_time", '"2026-01-01"'),
    "a time that is true": body_with("start_time", "true"),
    "a type nobody knows": body_with("span_type", '"llm"'),
    "a status nobody knows": body_with("status", '"fine"'),
    "a name that is too long": body_with("name", f'"{"n" * 10_001}"'),
    "a name that is an object": body_with("name", "{}"),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_batch_of_nothing_good_is_refused(untouched: Stack, name: str) -> None:
    answer = untouched.ask("POST", "/v1/spans", BODIES[name])
    check_refused(answer, 422)
    assert answer.json["errors"]


INSEPARABLE = {
    "cut off",
    "a control character in attributes",
    "attributes that end early",
    "a number with two points",
    "a comment",
}
"""Bodies that cannot be told apart into spans: not JSON, not even to Python."""


@pytest.mark.parametrize("name", [name for name in BODIES if BODIES[name].startswith(b'{"spans": [{"span_id"')])
def test_a_good_span_beside_it_is_kept_and_can_be_read(target: Stack, name: str) -> None:
    """One bad span does not sink its batch, as far as the batch can be told apart into spans at all."""
    trace_id = "beside-" + re.sub(r"[^a-z0-9]+", "-", name.lower())
    good = json.dumps(span("good", trace_id, attributes={"text": "kept"})).encode()
    hostile = BODIES[name].replace(TRACE.encode(), trace_id.encode())
    before = target.pids()
    answer = target.ask("POST", "/v1/spans", hostile.replace(b'{"spans": [', b'{"spans": [' + good + b", "))
    assert target.pids() == before
    if name in INSEPARABLE:
        check_refused(answer, 422)
        assert target.ask("GET", f"/v1/traces/{trace_id}").status == 404
        assert rows(target, "SELECT count(*) FROM traces WHERE trace_id = ?", trace_id) == [(0,)]
        return
    assert answer.status == 200, answer.body[:300]
    said = strict(answer.body)
    assert (said["accepted"], said["rejected"]) == (1, 1)
    assert [error["index"] for error in said["errors"]] == [1]
    assert len(answer.body) < 2_000
    check_readable(target, trace_id)
    assert target.ask("GET", f"/v1/traces/{trace_id}").json["span_count"] == 1
    assert target.ask("DELETE", f"/v1/traces/{trace_id}").status == 200


def test_large_and_compressed_bodies_end_at_the_limit(untouched: Stack) -> None:
    bomb = gzip.compress(b'{"spans": [' + b" " * (65 * MIB), 9)
    assert len(bomb) < MIB
    for encoding, body, status in (
        ("gzip", bomb, 413),
        ("deflate", zlib.compress(b"[" + b" " * (65 * MIB), 9), 413),
        ("gzip", gzip.compress(bomb), 422),  # once is what was said
        ("gzip", b"no gzip", 422),
        ("gzip", bomb[:200], 422),
        ("gzip, gzip", bomb, 415),
        ("br", b"x", 415),
    ):
        check_refused(untouched.ask("POST", "/v1/spans", body, {"content-encoding": encoding}), status)


def test_a_body_of_64_mib_is_taken_or_refused_for_what_it_holds(target: Stack) -> None:
    before = target.pids()
    text = b"x" * (64 * MIB - 400)
    whole = json.dumps({"spans": [span("large", "large", attributes={"text": "@@"})]}).encode().replace(b"@@", text)
    assert len(whole) <= 64 * MIB
    assert target.ask("POST", "/v1/spans", whole, timeout=60).json == {"accepted": 1, "rejected": 0}
    found = target.ask("GET", "/v1/spans/large", timeout=60)
    assert len(found.json["attributes"]["text"]) == len(text)
    assert target.ask("GET", "/v1/traces/large/graph").status == 200
    assert target.ask("DELETE", "/v1/traces/large").status == 200
    check_refused(target.ask("POST", "/v1/spans", b"[" * (64 * MIB), timeout=60), 422)
    assert target.pids() == before
    check_readable(target)


def raw(stack: Stack, head: bytes, *parts: bytes) -> Answer:
    """The answer to these very bytes, which may come before all of them are sent."""
    with closing(socket.create_connection(("127.0.0.1", stack.port), timeout=30)) as tcp:
        try:
            for part in (head.replace(b"\n", b"\r\n"), *parts):
                tcp.sendall(part)
        except ConnectionError:
            pass  # answered and closed: there is no need to send the rest
        said = b""
        while b"\r\n\r\n" not in said:
            more = tcp.recv(65_536)
            assert more, said
            said += more
        fields, _, body = said.partition(b"\r\n\r\n")
        status, *lines = fields.decode().split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        while len(body) < int(headers["content-length"]):
            body += tcp.recv(65_536)
        return Answer(int(status.split()[1]), headers, body)


HEAD = b"POST /v1/spans HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"


def test_a_body_over_the_limit_is_refused_however_it_is_framed(untouched: Stack) -> None:
    announced = raw(untouched, HEAD + b"Content-Length: %d\n\n" % (64 * MIB + 1))
    check_refused(announced, 413)
    chunk = b"%x\r\n" % MIB + b" " * MIB + b"\r\n"
    chunked = raw(untouched, HEAD + b"Transfer-Encoding: chunked\n\n", *[chunk] * 66)
    check_refused(chunked, 413)
    check_refused(raw(untouched, HEAD + b"Content-Length: -1\n\n"), 400)
    check_refused(raw(untouched, HEAD + b"Content-Length: 1\nTransfer-Encoding: chunked\n\n0\r\n\r\n"), 400)
    check_refused(raw(untouched, HEAD + b"X-Long: " + b"x" * 200_000 + b"\n\n"), 431)


def test_ids_in_paths(untouched: Stack) -> None:
    for path in ("/v1/spans/a%2Fb", "/v1/traces/a%2Fb", "/v1/traces/..%2F..%2Fetc%2Fpasswd", "/v1/traces/%00",
                 "/v1/spans/%ff%fe", "/v1/traces/" + "a" * 4_000, "/v1/traces/a%2Fb/graph", "/v1/spans/%ED%A0%80",
                 "/v1/traces/" + quote("💥"), "/v1/traces/a%2Fb/export"):  # fmt: skip
        check_refused(untouched.ask("GET", path), 404)
    long = untouched.ask("GET", "/v1/spans/" + "a" * MIB)
    check_refused(long, 414, 431)
    for query in ("q=" + "x" * 501, "q=%ff", "q=", "", "q=x&limit=0", "q=x&limit=1e99", "q=x&offset=-1",
                  "q=x&offset=" + "9" * 40):  # fmt: skip
        check_refused(untouched.ask("GET", f"/v1/search?{query}"), 422)
    for query in ("limit=NaN", "since=-1", "since=1e999", "cursor=" + "9" * 19 + "9", "cursor=x", "tag=novalue",
                  "sort=name", "status=fine", "min_cost_usd=NaN", "until=NaN"):  # fmt: skip
        check_refused(untouched.ask("GET", f"/v1/traces?{query}"), 422)


HOSTILE_VALUES = {
    "NaN": b"NaN",
    "half a surrogate pair": b'"\\ud800"',
    "invalid UTF-8": b'"\xff"',
    "10,000 levels": b"[" * 10_000 + b"]" * 10_000,
    "1e999": b"1e999",
}


@pytest.mark.parametrize("name", HOSTILE_VALUES)
def test_notes_tags_prompts_and_imports(untouched: Stack, name: str) -> None:
    export = untouched.ask("GET", f"/v1/traces/{TRACE}/export").body.replace(TRACE.encode(), b"imported")
    asks: list[tuple[str, str, bytes]] = [
        ("PUT", "/v1/spans/call/annotations", b'{"annotations": [{"id": "n", "text": @, "created_at": 1}]}'),
        ("PUT", "/v1/spans/call/annotations", b'{"annotations": [{"id": "n", "text": "t", "created_at": @}]}'),
        ("PUT", "/v1/spans/call/annotations", b'{"annotations": @}'),
        ("PUT", f"/v1/traces/{TRACE}/tags", b'{"tags": {"k": @}}'),
        ("PUT", f"/v1/traces/{TRACE}/tags", b'{"tags": @}'),
        ("POST", "/v1/spans/call/prompt-versions", b'{"prompt_text": @}'),
        ("POST", "/v1/spans/call/prompt-versions", b'{"prompt_text": "p", "label": @}'),
        ("DELETE", "/v1/traces", b'{"trace_ids": [@]}'),
        ("DELETE", "/v1/traces", b'{"older_than": @}'),
        ("POST", "/v1/traces/import", export.replace(b'{"llm.model":', b'{"evil": @, "llm.model":')),
        ("POST", "/v1/traces/import", export.replace(b'"tags":{}', b'"tags":{"k":@}')),
    ]
    for method, path, pattern in asks:
        assert b"@" in pattern, path
        check_refused(untouched.ask(method, path, pattern.replace(b"@", HOSTILE_VALUES[name])), 422)
    assert untouched.ask("GET", "/v1/traces/imported").status == 404


# ---------------------------------------------------------------- strange, and good

STRANGE: dict[str, str] = {
    "100 levels": '{"a":' * 99 + "{}" + "}" * 99,
    "escapes of all kinds": '{"\\u0000\\"\\\\\\/\\b\\f\\n\\r\\t": "\\u2028\\u2029\\ud83d\\ude00 \\u0001 \\u007f"}',
    "raw line separators": '{"a": "\u2028\u2029\u0085\ufeff\ufffe\U0010ffff"}',
    "whitespace": '\n\t{ "a"\r\n:\t1 ,"b" : [ ] }\n',
    "the same key twice": '{"a": 1, "a": {"b": 2}}',
    "numbers at the edge": '{"a": 1e308, "b": -1e-400, "c": 18446744073709551615, "d": -9223372036854775808}',
    "numbers beyond 64 bits": '{"a": 123456789012345678901234567890, "b": -99999999999999999999}',
    "names that are code": '{"__proto__": 1, "constructor": "</script><script>alert(1)</script>", "=1+1": "@SUM(A1)"}',
    "numbers that are no tokens": '{"llm.tokens.total": -5, "llm.cost_usd": "free", "llm.tokens.input": 1e300}',
    "costs beyond belief": '{"llm.cost_usd": 1e300, "llm.tokens.total": 1e18, "llm.tokens.output": true}',
    "models that are objects": '{"llm.model": {"a": 1}, "session.id": ["x"], "agent.framework": 7}',
    "JSON inside JSON inside JSON": json.dumps({"llm.prompt": json.dumps([json.dumps({"a": "[" * 5_000})])}),
    "no keys": "{}",
    "an empty key": '{"": ""}',
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_strange_but_json_is_kept_as_it_was_sent(target: Stack, name: str) -> None:
    trace_id = "strange-" + re.sub(r"[^a-z0-9]+", "-", name.lower())
    before = target.pids()
    body = json.dumps({"spans": [span("s", trace_id, span_type="llm_call", attributes="@@")]}).encode()
    with Live(target) as live:
        answer = target.ask("POST", "/v1/spans", body.replace(b'"@@"', STRANGE[name].encode()))
        assert answer.json == {"accepted": 1, "rejected": 0}
        found = target.ask("GET", f"/v1/spans/s?trace_id={trace_id}")
        assert STRANGE[name].strip() in found.body.decode(), "to the letter"
        live.wait(lambda: [e for e in live.of("span_created") if e["span"]["trace_id"] == trace_id], "its event")
        check_readable(target, trace_id)
    assert target.pids() == before
    assert target.ask("DELETE", f"/v1/traces/{trace_id}").status == 200


def test_texts_that_break_other_formats(target: Stack) -> None:
    """Names and messages with what CSV, HTML, paths and terminals make something of."""
    nasty = 'a,b"c\r\nd;\t=cmd|\' /C calc\'!A0 <b>&amp; \x7f \u202e \x1b[31m \\ %00 {"a": [\u2028]}'
    target.post_spans(
        [
            span("n1", "nasty", name=nasty, error_message=nasty, status="error", attributes={nasty: nasty}),
            span("n2", "nasty", name=nasty, parent_span_id="n1", start_time=0, end_time=9_223_372_035.0),
            span("n3", "nasty", name="", parent_span_id="n3", start_time=5.0, end_time=1.0),
        ]
    )
    assert target.ask("PUT", "/v1/traces/nasty/tags", {"tags": {nasty: nasty}}).status == 200
    check_readable(target, "nasty")
    found = target.ask("GET", "/v1/traces/nasty").json
    assert found["tags"] == {nasty: nasty}
    n1 = next(s for s in found["spans"] if s["span_id"] == "n1")
    assert (n1["name"], n1["error_message"], n1["attributes"]) == (nasty, nasty, {nasty: nasty})
    assert next(s for s in found["spans"] if s["span_id"] == "n3")["duration_ms"] == 0
    assert target.ask("GET", f"/v1/search?q={quote(nasty)}").json["total"] == 2
    assert target.ask("DELETE", "/v1/traces/nasty").status == 200
