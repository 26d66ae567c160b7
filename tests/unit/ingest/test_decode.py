from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beacon.contract.limits import ID_PATTERN
from beacon.errors import Invalid
from ingest.decode import decode_spans

SPAN: dict[str, Any] = {"span_id": "s", "trace_id": "t", "span_type": "custom", "name": "n", "start_time": 1.5}


def body(*spans: bytes | dict[str, Any]) -> bytes:
    parts = [s if isinstance(s, bytes) else json.dumps(s).encode() for s in spans]
    return b'{"spans":[' + b",".join(parts) + b"]}"


def with_attributes(text: bytes) -> bytes:
    return b'{"span_id":"bad","trace_id":"t","span_type":"custom","name":"n","start_time":1,"attributes":%b}' % text


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        (b"null", "must be an object, not null"),
        (b"[]", "must be an object, not a list"),
        (b'"text"', "must be an object, not text"),
        (b'{"a":1e999}', "beyond what a 64-bit float holds"),
        (b'{"a":"\xff"}', "UTF-8"),
        (b'{"\xff":1}', "UTF-8"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (b'{"a":"x\\udc00y"}', "surrogate"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":-Infinity}', "infinite"),
        (b'{"a":' + b"[" * 150 + b"]" * 150 + b"}", "100 levels"),
        (b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}", "100 levels"),
        (b'{"a":"]}\\"",' + b'"b":' + b'{"c":' * 50_000 + b"1" + b"}" * 50_000 + b"}", "100 levels"),
        (b'{"a":' + b'{"b":' * 150 + b"1" + b"}" * 150 + b"}", "100 levels"),
    ],
)
def test_attributes_a_read_could_not_splice_are_refused_and_the_span_beside_is_kept(
    attributes: bytes, says: str
) -> None:
    decoded = decode_spans(body(SPAN, with_attributes(attributes)))
    assert [a.span.span_id for a in decoded.arrivals] == ["s"]
    assert [(e.index, e.loc) for e in decoded.errors] == [(1, "spans[1].attributes")]
    assert says in decoded.errors[0].msg


def test_attributes_just_deep_enough_are_kept_to_the_byte() -> None:
    text = b'{ "a" : ' + b"[" * 99 + b"]" * 99 + b' , "b": "\\u4e2d" }'
    (arrival,) = decode_spans(body(with_attributes(text))).arrivals
    assert arrival.attributes == text.decode()


@pytest.mark.parametrize(
    ("change", "loc", "says"),
    [
        ({"span_id": "a/b"}, "span_id", "128 characters"),
        ({"span_id": ""}, "span_id", "128 characters"),
        ({"span_id": "a\n"}, "span_id", "128 characters"),
        ({"span_id": "x" * 2**20}, "span_id", "128 characters"),
        ({"trace_id": "export"}, "trace_id", "word of the routes"),
        ({"start_time": -1}, "start_time", "at least 0"),
        ({"start_time": 1795374542347}, "start_time", "milliseconds"),
        ({"start_time": 1795374542347000}, "start_time", "microseconds"),
        ({"end_time": 1795374542347000000}, "end_time", "nanoseconds"),
        ({"start_time": 9.3e9}, "start_time", "at most"),
        ({"start_time": "1"}, "start_time", "must be a number"),
        ({"span_type": "nope"}, "span_type", "Invalid enum"),
        ({"status": None}, "status", "must be"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], loc: str, says: str) -> None:
    decoded = decode_spans(body({**SPAN, **change}, SPAN))
    assert [(e.index, e.loc) for e in decoded.errors] == [(0, f"spans[0].{loc}")]
    assert says in decoded.errors[0].msg
    assert len(decoded.arrivals) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b'{"spans":[nope]}', "byte"),
        (b'{"spans":[', "byte 10"),
        (b'{"spans":{}}', "must be a list"),
        (b"[]", "must be an object"),
        (b"{}", "spans"),
        (b"", "byte 0"),
        (b'{"spans":[' + b"[" * 10_000 + b"]" * 10_000 + b"]}", "nested"),
    ],
)
def test_a_body_that_is_no_list_of_spans_is_refused_whole(text: bytes, says: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode_spans(text)
    assert says in caught.value.detail


def test_times_are_read_back_as_they_were_sent() -> None:
    sent = 1795374542.3475487
    (arrival,) = decode_spans(body({**SPAN, "start_time": sent})).arrivals
    assert isinstance(arrival.start_ns, int)
    assert arrival.start_ns / 10**9 == sent


ID_CHARACTERS = "aZ09._:-/ \n\u0000é٣"
ID_TEXTS = st.text(st.sampled_from(ID_CHARACTERS), max_size=4) | st.sampled_from(["x" * 128, "x" * 129, "-" * 9])


@given(span_id=ID_TEXTS, trace_id=ID_TEXTS, parent=st.none() | ID_TEXTS)
def test_the_quick_look_at_ids_says_what_the_pattern_says(span_id: str, trace_id: str, parent: str | None) -> None:
    decoded = decode_spans(body({**SPAN, "span_id": span_id, "trace_id": trace_id, "parent_span_id": parent}, SPAN))
    fits = all(re.search(ID_PATTERN, one) for one in (span_id, trace_id, *([] if parent is None else [parent])))
    assert len(decoded.arrivals) == 1 + fits
