from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.decode import Arrival, decode_spans
from ingest.merge import Incomplete, SpanState, changed_fields, first_seen, merge


def arrival(**fields: Any) -> Arrival:
    span = {"span_id": "s", "trace_id": "t", **fields}
    decoded = decode_spans(json.dumps({"spans": [span]}).encode())
    assert not decoded.errors
    return decoded.arrivals[0]


OPEN: dict[str, Any] = {"span_type": "llm_call", "name": "chat", "start_time": 1.0}
CLOSED: dict[str, Any] = {
    **OPEN, "end_time": 3.0, "status": "ok", "attributes": {"llm.model": "m", "llm.tokens.total": 5}
}  # fmt: skip


def stored(**fields: Any) -> SpanState:
    return first_seen(arrival(**fields))


def test_a_span_seen_first_needs_type_name_and_start() -> None:
    with pytest.raises(Incomplete) as caught:
        first_seen(arrival(status="ok"))
    assert caught.value.missing == ["span_type", "name", "start_time"]


def test_an_open_copy_says_nothing_about_a_closed_span() -> None:
    closed = stored(**CLOSED)
    assert merge(closed, arrival(**OPEN)) is closed
    assert merge(closed, arrival(**OPEN, end_time=None, attributes={})) is closed


def test_open_then_closed_is_closed_then_open() -> None:
    one = merge(stored(**OPEN), arrival(**CLOSED))
    other = merge(stored(**CLOSED), arrival(**OPEN))
    assert one == other


def test_a_partial_update_changes_what_it_sends_and_leaves_the_end() -> None:
    closed = stored(**CLOSED)
    after = merge(closed, arrival(status="error", error_message="boom", end_time=None))
    assert (after.status, after.error_message, after.end_ns) == ("error", "boom", closed.end_ns)
    assert after.attributes == closed.attributes
    assert changed_fields(closed, after) == ["status", "error_message"]


def test_the_same_again_is_no_change() -> None:
    closed = stored(**CLOSED)
    assert merge(closed, arrival(**CLOSED)) is closed


def test_columns_follow_attributes_and_type() -> None:
    closed = stored(**CLOSED)
    assert (closed.model, closed.tokens) == ("m", 5)
    assert merge(closed, arrival(attributes={"llm.tokens.total": 7})).tokens == 7
    other_type = merge(closed, arrival(span_type="custom"))
    assert (other_type.model, other_type.tokens) == (None, None)
    assert merge(other_type, arrival(span_type="llm_call")).tokens == 5


def test_null_takes_a_value_away() -> None:
    after = merge(stored(**CLOSED, parent_span_id="p"), arrival(parent_span_id=None))
    assert after.parent_span_id is None


def test_a_late_open_copy_fills_in_what_the_closed_one_did_not_send() -> None:
    opened = arrival(**OPEN, parent_span_id="p", attributes={"llm.cost_usd": 1}, sdk_language="python")
    closed = arrival(span_type="llm_call", name="chat", start_time=1.0, end_time=3.0, sdk_language=None)
    one = merge(first_seen(opened), closed)
    other = merge(first_seen(closed), opened)
    assert one == other
    assert (one.parent_span_id, one.cost_pico, one.sdk_language) == ("p", 10**12, None)
    assert merge(other, opened) is other
