"""Rows of the original layout as rows of ours: what fits stays as it is, what does not is kept beside."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beacon.contract.limits import TIME_MAX_S
from beacon.contract.records import Annotation, Span, encode
from beacon.contract.requests import ImportedSpan
from beacon.contract.units import NS, ns_from_seconds
from ingest.decode import check_span, decode_spans
from ingest.legacy import convert
from ingest.legacy.convert import convert_annotations, convert_span, convert_tags, convert_trace, fit_id, fit_trace_id
from ingest.legacy.layout import LegacySpan, LegacyTrace
from ingest.merge import span_record


def row(**columns: Any) -> LegacySpan:
    """A row as it is read: text as bytes."""
    plain: dict[str, Any] = {
        "key": 0, "rowid": 1, "span_id": "s1", "trace_id": "t1", "parent_span_id": None, "span_type": "custom",
        "name": "step", "status": "ok", "error_message": None, "start_time": 1000.5, "end_time": 1001.25,
        "attributes": "{}", "annotations": None, "sdk_language": None, "created_at": 1002.0,
    }  # fmt: skip
    plain.update(columns)
    stored: dict[str, Any] = {k: v.encode() if isinstance(v, str) else v for k, v in plain.items()}
    return LegacySpan(**stored)


def attributes_of(**columns: Any) -> Any:
    return json.loads(convert_span(row(**columns)).span.attributes)


def test_a_row_that_fits_is_taken_as_it_is() -> None:
    attributes = '{"x": 1.10, "y": [null, {"z": "\\u4e2d"}]}'
    trace_id, span, notes = convert_span(
        row(
            parent_span_id="p1",
            span_type="tool_use",
            status="error",
            error_message="boom",
            attributes=attributes,
            annotations='[{"id": "a1", "text": "look", "created_at": 5.5}]',
            sdk_language="python",
        )
    )
    assert notes == {}
    assert (trace_id, span.span_id, span.parent_span_id) == ("t1", "s1", "p1")
    assert (span.span_type, span.name, span.status, span.error_message) == ("tool_use", "step", "error", "boom")
    assert (span.start_ns, span.end_ns, span.created_ns) == (1000_500_000_000, 1001_250_000_000, 1002 * NS)
    assert span.attributes == attributes, "the text that was sent, byte for byte"
    assert json.loads(span.annotations) == [{"id": "a1", "text": "look", "created_at": 5.5}]
    assert span.sdk_language == "python"


def test_typed_columns_are_those_of_a_posted_span() -> None:
    attributes = {
        "llm.model": "gpt-4o", "llm.tokens.input": 120, "llm.tokens.output": 30, "llm.cost_usd": 3.6e-05,
        "agent.framework": "langgraph", "session.id": "s-9",
    }  # fmt: skip
    body = {"span_id": "s1", "trace_id": "t1", "span_type": "llm_call", "name": "x", "start_time": 1}
    posted = decode_spans(json.dumps({"spans": [{**body, "attributes": attributes}]}).encode()).arrivals[0].columns
    span = convert_span(row(span_type="llm_call", attributes=json.dumps(attributes))).span
    assert (span.model, span.tokens, span.cost_pico, span.framework, span.session_id) == posted
    assert span.tokens == 150


DEEP = '{"a":' + "[" * 10_000 + "]" * 10_000 + "}"


NO_OBJECTS = ["[1]", "null", '"text"', "17", "{not", '{"a": NaN}', "NaN", '{"a": 1e999}', '{"a": "\\ud800"}', DEEP, " "]


@pytest.mark.parametrize("text", NO_OBJECTS)
def test_attributes_that_are_no_object_are_kept_as_text(text: str) -> None:
    converted = convert_span(row(attributes=text))
    assert json.loads(converted.span.attributes) == {"beacon.legacy.attributes": text}
    assert list(converted.notes) == ["beacon.legacy.attributes"]


def test_attributes_that_are_not_utf8_are_kept_with_replacement_characters() -> None:
    assert attributes_of(attributes=b'{"a": "\xff"}') == {"beacon.legacy.attributes": '{"a": "�"}'}


@pytest.mark.parametrize("nothing", [None, ""])
def test_attributes_that_say_nothing_are_an_empty_object(nothing: str | None) -> None:
    converted = convert_span(row(attributes=nothing))
    assert (converted.span.attributes, converted.notes) == ("{}", {})


def test_an_unknown_type_becomes_custom_and_is_kept() -> None:
    converted = convert_span(row(span_type="robot", attributes=' {"a": 1.0}\n'))
    assert converted.span.span_type == "custom"
    assert converted.span.attributes == ' {"a": 1.0,"beacon.legacy.span_type":"robot"}', "the rest keeps its text"
    assert attributes_of(span_type=None) == {"beacon.legacy.span_type": None}


@pytest.mark.parametrize(
    ("stored", "status", "kept"),
    [
        ("error", "error", False), (None, "unset", False), ("", "unset", False), (" ERROR ", "error", False),
        ("done", "unset", True), (3, "unset", True),
    ],
)  # fmt: skip
def test_status(stored: Any, status: str, kept: bool) -> None:
    converted = convert_span(row(status=stored))
    assert converted.span.status == status
    assert converted.notes == ({"beacon.legacy.status": stored} if kept else {})


class TestIds:
    @pytest.mark.parametrize("fits", ["a", "A.b_c:d-9", "x" * 128, "5fa986af-6e73-454c-b8b3-f57f15a1e9fe"])
    def test_one_that_fits_stays(self, fits: str) -> None:
        assert fit_id(fits.encode(), "") == fits
        assert fit_trace_id(fits.encode()) == fits

    @given(st.none() | st.integers() | st.floats() | st.binary(max_size=300) | st.text().map(str.encode))
    def test_any_value_becomes_an_id_of_the_contract(self, value: Any) -> None:
        class Ids(msgspec.Struct):
            span: ImportedSpan

        for fitted in (fit_id(value, "span:1"), fit_trace_id(value)):
            msgspec.convert({"span": {"span_id": fitted, "trace_id": fitted}}, Ids)

    @given(st.lists(st.binary(min_size=1, max_size=200), unique=True, max_size=20))
    def test_different_values_become_different_ids(self, values: list[bytes]) -> None:
        assert len({fit_id(v, "") for v in values}) == len(values)
        assert len({fit_trace_id(v) for v in values}) == len(values)

    def test_null_ids_differ_by_place(self) -> None:
        assert fit_id(None, "span:1") == fit_id(b"", "span:1") != fit_id(None, "span:2")

    @pytest.mark.parametrize("word", ["export", "import", "baseline"])
    def test_words_of_the_routes_are_no_trace_ids(self, word: str) -> None:
        assert fit_trace_id(word.encode()) != word
        assert fit_id(word.encode(), "") == word
        assert attributes_of(trace_id=word) == {"beacon.legacy.trace_id": word}

    def test_a_parent_is_mapped_as_the_span_it_names(self) -> None:
        parent = convert_span(row(span_id="näh/1", trace_id="a b"))
        child = convert_span(row(span_id="c", trace_id="a b", parent_span_id="näh/1"))
        assert child.span.parent_span_id == parent.span.span_id
        assert child.trace_id == parent.trace_id
        assert json.loads(parent.span.attributes) == {"beacon.legacy.span_id": "näh/1", "beacon.legacy.trace_id": "a b"}
        assert json.loads(child.span.attributes)["beacon.legacy.parent_span_id"] == "näh/1"

    def test_an_empty_parent_is_no_parent(self) -> None:
        assert convert_span(row(parent_span_id="")).span.parent_span_id is None


class TestTimes:
    @pytest.mark.parametrize("seconds", [0.0, 1795374542.3475487, 0.1, TIME_MAX_S, 7])
    def test_one_that_fits_is_kept_to_the_last_digit(self, seconds: float) -> None:
        span = convert_span(row(start_time=seconds, end_time=seconds)).span
        assert span.start_ns == span.end_ns == ns_from_seconds(seconds)
        assert span.start_ns / NS == seconds

    @pytest.mark.parametrize(
        ("stored", "start_ns", "kept"),
        [
            (-0.5, 0, -0.5),
            (float("-inf"), 0, "-inf"),
            (None, 1002 * NS, None),
            (1.7e12, 1002 * NS, 1.7e12),
            (float("inf"), 1002 * NS, "inf"),
            ("yesterday", 1002 * NS, "yesterday"),
        ],
    )
    def test_an_absurd_start_is_clamped_and_kept(self, stored: Any, start_ns: int, kept: Any) -> None:
        converted = convert_span(row(start_time=stored))
        assert converted.span.start_ns == start_ns
        assert converted.span.end_ns == 1001_250_000_000
        assert json.loads(converted.span.attributes) == {"beacon.legacy.start_time": kept}

    def test_an_absurd_end_is_clamped_and_kept(self) -> None:
        converted = convert_span(row(end_time=1e300))
        assert converted.span.end_ns == 1002 * NS
        assert json.loads(converted.span.attributes) == {"beacon.legacy.end_time": 1e300}

    def test_no_end_is_a_running_span(self) -> None:
        converted = convert_span(row(end_time=None))
        assert converted.span.end_ns is None
        assert converted.notes == {}

    def test_an_end_before_the_start_is_kept(self) -> None:
        assert convert_span(row(end_time=999.0)).span.end_ns == 999 * NS

    def test_text_that_is_a_number_is_one(self) -> None:
        assert convert_span(row(start_time="1000.5")).span.start_ns == 1000_500_000_000

    def test_with_no_created_at_the_start_stands_in(self) -> None:
        converted = convert_span(row(created_at=None))
        assert converted.span.created_ns == 1000_500_000_000
        assert converted.notes == {"beacon.legacy.created_at": None}
        assert convert_span(row(created_at="?", start_time="?")).span.created_ns == 0


class TestAnnotations:
    @pytest.mark.parametrize("nothing", [None, "", "[]"])
    def test_none(self, nothing: str | None) -> None:
        assert convert_span(row(annotations=nothing)).span.annotations == "[]"

    @pytest.mark.parametrize(
        ("stored", "kept"),
        [
            ("{broken", []),
            ('{"id": "a"}', []),
            ('["look here"]', [("legacy-1", "look here", 1002.0)]),
            ('[{"text": "no id", "created_at": 3}]', [("legacy-1", "no id", 3.0)]),
            ('[null, {"id": 7, "text": "x", "created_at": "today"}, {"id": "b"}]', [("7", "x", 1002.0)]),
            ('[{"id": "a", "text": "half \\ud800", "created_at": NaN}]', [("a", "half ?", 1002.0)]),
            ('[{"id": "a", "text": "t", "created_at": 1, "author": "me"}]', [("a", "t", 1.0)]),
        ],
    )
    def test_what_is_no_list_of_annotations_is_mended_and_kept(self, stored: str, kept: list[Any]) -> None:
        converted = convert_span(row(annotations=stored))
        found = msgspec.json.decode(converted.span.annotations, type=list[Annotation])
        assert [(a.id, a.text, a.created_at) for a in found] == kept
        assert json.loads(converted.span.attributes) == {"beacon.legacy.annotations": stored}

    def test_too_deep_to_read(self) -> None:
        assert convert_annotations(DEEP.encode(), 0.0) == ("[]", False)


@pytest.mark.parametrize(
    ("stored", "tags", "whole"),
    [
        (None, {}, True),
        ("", {}, True),
        ('{"env": "dev", "é": "ü"}', {"env": "dev", "é": "ü"}, True),
        ('{"baseline": true, "n": 1.5, "o": {"a": []}, "z": null}', None, False),
        ('{"a": "\\ud800"}', {"a": "?"}, False),
        ("[1]", {"beacon.legacy.tags": "[1]"}, False),
        ("dev", {"beacon.legacy.tags": "dev"}, False),
        (DEEP, {"beacon.legacy.tags": DEEP}, False),
    ],
)
def test_tags_become_strings(stored: str | None, tags: Any, whole: bool) -> None:
    text, same = convert_tags(stored if stored is None else stored.encode())
    tags = {"baseline": "true", "n": "1.5", "o": '{"a": []}', "z": "null"} if tags is None else tags
    assert (json.loads(text), same) == (tags, whole)


@pytest.mark.parametrize(
    ("created", "first", "ns"),
    [(5.0, 9.0, 5 * NS), (None, 9.0, 9 * NS), (-1.0, 9.0, 9 * NS), (None, None, 0), (0.0, 9.0, 0)],
)
def test_a_trace_was_created_when_its_row_says_or_else_with_its_first_span(created: Any, first: Any, ns: int) -> None:
    assert convert_trace(LegacyTrace(b"t", b"{}", created, None, first)).created_ns == ns


def test_a_long_name_is_cut_and_kept_whole_beside() -> None:
    name = "n" * 10_001
    converted = convert_span(row(name=name, sdk_language="x" * 101))
    assert len(converted.span.name) == 10_000
    assert json.loads(converted.span.attributes) == {
        "beacon.legacy.name": name,
        "beacon.legacy.sdk_language": "x" * 101,
    }


@pytest.mark.parametrize(
    ("stored", "kept"),
    [
        (None, {}),
        ("", {}),
        ('{"llm.prompt": "x"}', {"llm.prompt": "x"}),
        ("plain text", {"beacon.legacy.text": "plain text"}),
        ('["a"]', {"beacon.legacy.text": '["a"]'}),
    ],
)
def test_texts_of_a_replay_run_are_objects(stored: str | None, kept: Any) -> None:
    assert json.loads(convert.json_object(stored if stored is None else stored.encode())) == kept


sqlite_value = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.binary(max_size=40)
    | st.text(max_size=40).map(str.encode)
    | st.sampled_from([b"{}", b'{"a":1}', b"[]", b'[{"id":"a","text":"b","created_at":1}]', b"ok", b"llm_call"])
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode())
)


@given(st.fixed_dictionaries(dict.fromkeys(LegacySpan._fields[2:], sqlite_value)))
def test_any_row_becomes_a_span_that_reads_back_and_could_be_posted(columns: dict[str, Any]) -> None:
    trace_id, span, notes = convert_span(LegacySpan(key=0, rowid=1, **columns))
    text = encode(span_record(trace_id, span))
    read = msgspec.json.decode(text, type=Span)
    assert json.loads(text.decode()), "Python's reader takes it too"
    attributes = json.loads(bytes(read.attributes))
    assert notes.keys() <= attributes.keys()
    posted = msgspec.json.decode(text, type=ImportedSpan)
    arrival = check_span(0, posted)
    assert arrival.start_ns == span.start_ns
    assert arrival.end_ns == span.end_ns
    assert arrival.columns == (span.model, span.tokens, span.cost_pico, span.framework, span.session_id)
