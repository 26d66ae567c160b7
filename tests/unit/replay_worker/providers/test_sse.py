from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beacon.errors import UpstreamFailed
from replay_worker.providers import sse
from replay_worker.providers.sse import Event, SseParser
from tests.unit.replay_worker.providers.reading import cut


def parse(*pieces: bytes) -> list[Event]:
    parser = SseParser()
    return [event for piece in pieces for event in parser.feed(piece)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_events_end_with_an_empty_line_whatever_a_line_ends_with(end: bytes) -> None:
    text = end.join([b"event: a", b"data: 1", b"data:2", b"id: 7", b"", b": a comment", b"data: three", b"", b""])
    assert parse(text) == [Event("a", "1\n2"), Event("message", "three")]


def test_one_space_after_the_colon_is_not_part_of_the_data() -> None:
    assert parse(b"data:  x\n\n") == [Event("message", " x")]


def test_a_line_without_a_colon_is_a_field_without_a_value() -> None:
    assert parse(b"data\ndata: x\n\n") == [Event("message", "\nx")]


def test_a_bom_at_the_beginning_is_passed_over() -> None:
    assert parse(b"\xef", b"\xbb\xbfdata: x\n\n", b"data: y\n\n") == [Event("message", "x"), Event("message", "y")]


def test_an_event_without_data_is_none_and_its_name_is_forgotten() -> None:
    assert parse(b"event: ping\n\ndata: x\n\n") == [Event("message", "x")]


def test_what_has_not_ended_is_no_event() -> None:
    assert parse(b"data: x\n\ndata: [DO") == [Event("message", "x")]


@pytest.mark.parametrize("last", [b"data: y", b"data: y\n", b"event: message\ndata: y\r\n"])
def test_a_body_that_ends_well_may_leave_its_last_blank_line_out(last: bytes) -> None:
    parser = SseParser()
    assert parser.feed(b"data: x\n\n" + last) == [Event("message", "x")]
    assert parser.end() == [Event("message", "y")]
    assert parser.end() == []


def test_a_cr_that_ends_a_piece_ends_its_line_once() -> None:
    assert parse(b"data: x\r", b"\ndata: y\r", b"\n\r", b"\n") == [Event("message", "x\ny")]
    assert parse(b"data: x\r", b"", b"\n\r\n") == [Event("message", "x")]


def test_bytes_that_are_no_utf8_do_not_end_the_stream() -> None:
    assert parse(b"data: \xff\n\n") == [Event("message", "\ufffd")]


def test_an_event_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "EVENT_BYTES_MAX", 1_000)
    parser = SseParser()
    parser.feed(b"data: " + b"x" * 900)
    with pytest.raises(UpstreamFailed, match="event of its stream"):
        parser.feed(b"x" * 100)
    lines = SseParser()
    lines.feed(b"data: 12345678\n" * 100)
    with pytest.raises(UpstreamFailed):
        lines.feed(b"data: 12345678\n" * 100)


def test_many_events_are_not_one_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "EVENT_BYTES_MAX", 1_000)
    assert len(parse(b"data: 12345678\n\n" * 500)) == 500


ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
LINES = st.sampled_from(
    [b"", b"data: x", b"data:", b"data: \xc3\xbc \xf0\x9f\x8c\xa7", b"event: a", b": c", b"id: 1", b"retry: 5"]
)


@given(st.lists(st.tuples(LINES, ENDS)), st.lists(st.integers(0, 2_000)))
def test_any_chunking_gives_the_same_events(lines: list[tuple[bytes, bytes]], places: list[int]) -> None:
    data = b"".join(line + end for line, end in lines)
    assert parse(*cut(data, places)) == parse(data)
