from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from beacon.contract import events
from beacon.contract.events import Event
from beacon.contract.limits import EVENT_BYTES_MAX
from beacon.contract.records import Span


@given(sizes=st.lists(st.integers(1, 200_000), max_size=12), prev=st.integers(0, 50), tail=st.integers(0, 3))
def test_parts_chain_from_prev_to_last_and_lose_nothing(sizes: list[int], prev: int, tail: int) -> None:
    sent = [Event(prev + 1 + i, "span_created", ("t",), b"x" * size) for i, size in enumerate(sizes)]
    last = prev + len(sent) + tail
    parts = list(events.split("e", prev, last, sent))
    assert parts[0].prev == prev
    assert parts[-1].last == last
    assert all(a.last == b.prev for a, b in pairwise(parts))
    assert [e for p in parts for e in p.events] == sent
    assert all(len(p.events) == 1 or sum(len(e.frame) for e in p.events) <= EVENT_BYTES_MAX for p in parts)


def test_envelopes_and_heartbeats_survive_the_bus() -> None:
    envelope = events.Envelope("epoch", 1, 3, [events.traces_deleted(2, ["a", "b"])])
    assert events.unpack(events.pack(envelope)) == envelope
    beat = events.Heartbeat("epoch", 7, 2)
    assert events.unpack_heartbeat(events.pack_heartbeat(beat)) == beat


def test_another_version_is_refused() -> None:
    import msgpack

    with pytest.raises(ValueError, match="version 2"):
        events.unpack(msgpack.packb([2, "e", 0, 0, []]))


def test_updates_carry_the_named_fields_only() -> None:
    span = Span("s", "t", None, "custom", "n", "ok", None, 1.0, 2.0, 1000.0, Raw(b'{"a" : 1}'), Raw(b"[]"), None, False)
    frame = json.loads(events.span_updated(9, span, ["status", "attributes"]).frame)
    assert frame == {
        "event": "span_updated", "seq": 9, "span_id": "s", "trace_id": "t",
        "updates": {"status": "ok", "attributes": {"a": 1}},
    }  # fmt: skip
    assert len(json.loads(events.span_updated(9, span).frame)["updates"]) == 12
