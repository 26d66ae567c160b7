"""Content in log records and sibling spans: the span has it, whatever comes first, twice, or later."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import separate_contents
from ingest.interrupted import CONTENTS_KEPT_NS, forget_unclaimed
from ingest.otlp.arrived import Content, Otel
from ingest.otlp.contents import content_of, map_log
from ingest.traces import delete_trace
from tests.unit.ingest.otlp.spans import SPAN, START, TRACE, log, mapped, otlp_span
from tests.unit.ingest.writing import Written, native

CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini", "own": "kept"}
ASKED = log("gen_ai.user.message", {"content": "how are you?"}, time_ns=START + 1)
ANSWERED = log(
    "gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"content": "well"}}, time_ns=START + 2
)


def content(record: Any) -> Content:
    found = map_log(record)
    assert found is not None
    return found


def listening(span_id: str, start_s: int, *addresses: str, **fields: Any) -> Any:
    (arrival,) = native(
        {
            "span_id": span_id,
            "trace_id": TRACE,
            "span_type": "llm_call",
            "name": "call",
            "start_time": start_s,
            "end_time": start_s + 100,
            "attributes": {"own": span_id},
            **fields,
        }
    )
    return msgspec.structs.replace(arrival, otel=Otel("{}", "{}", "{}", listens=addresses))


def told(address: str, at_s: int, completion: str, tokens: int) -> Content:
    said = {"llm.completion": completion, "llm.tokens.total": tokens}
    return content_of(TRACE, address, at_s * 1_000_000_000, said)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path)


@pytest.mark.parametrize("first", ["span", "content", "together"])
def test_a_span_has_its_content_in_either_order(written: Written, first: str) -> None:
    span = mapped(otlp_span(CALL)).arrivals[0]
    contents = [content(ASKED), content(ANSWERED)]
    if first == "together":
        written.store(span, contents=contents)
    elif first == "span":
        written.store(span)
        written.store(contents=contents)
        assert [c.before is not None for c in written.changes.spans] == [True]  # and a live event says so
        assert len(written.changes.traces_updated) == 1
    else:
        written.store(contents=contents)
        written.store(span)
    found = written.attributes(SPAN)
    assert json.loads(found["llm.prompt"]) == [{"role": "user", "content": "how are you?"}]
    assert (found["llm.completion"], found["own"]) == ("well", "kept")


def test_content_survives_every_later_update_of_its_span(written: Written) -> None:
    written.store(mapped(otlp_span(CALL)).arrivals[0], contents=[content(ANSWERED)])
    written.post({"span_id": SPAN, "trace_id": TRACE, "attributes": {"llm.model": "m", "llm.tokens.total": 4}})
    assert written.attributes(SPAN)["llm.completion"] == "well"
    assert written.trace(TRACE).total_tokens == 4
    written.post({"span_id": SPAN, "trace_id": TRACE, "attributes": {"llm.completion": "the span's own wins"}})
    assert written.attributes(SPAN)["llm.completion"] == "the span's own wins"
    written.post({"span_id": SPAN, "trace_id": TRACE, "attributes": {}})
    assert written.attributes(SPAN)["llm.completion"] == "well"


def test_the_same_again_is_no_change(written: Written) -> None:
    span = mapped(otlp_span(CALL)).arrivals[0]
    contents = [content(ASKED), content(ANSWERED)]
    written.store(span, contents=contents)
    seq = written.seq
    for _ in range(2):
        written.store(mapped(otlp_span(CALL)).arrivals[0])
        written.store(contents=contents)
        written.store(mapped(otlp_span(CALL)).arrivals[0], contents=contents)
    assert written.seq == seq
    assert written.rows("SELECT count(*) FROM contents") == [(2,)]


def test_one_span_takes_so_much_content_and_no_more(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separate_contents, "CONTENTS_MAX", 3)
    pieces = [told("span:" + SPAN, i, f"piece {i}", 1) for i in range(5)]
    assert written.store(contents=pieces[:2]) == 0
    assert written.store(contents=pieces[1:]) == 2  # one was known, one fits
    assert written.store(contents=pieces[:3]) == 0  # sent again: they are kept already
    assert written.rows("SELECT time_ns / 1000000000 FROM contents ORDER BY time_ns") == [(0,), (1,), (2,)]
    assert written.store(contents=[told("span:other", 1, "another span's", 1)]) == 0
    monkeypatch.setattr(separate_contents, "CONTENT_CHARACTERS_MAX", 500)
    large = [told("span:large", i, "x" * size, 1) for i, size in enumerate((600, 600, 10))]
    assert written.store(contents=large) == 2  # one alone may be larger
    assert written.store(contents=[told("span:small", i, "x" * 100, 1) for i in range(9)][:2]) == 0


def test_content_of_an_address_goes_to_who_started_to_listen_last_before_it(written: Written) -> None:
    written.store(listening("first", 10, "input:x"))
    written.store(contents=[told("input:x", 30, "answer", 7)])
    assert written.attributes("first")["llm.completion"] == "answer"
    written.store(listening("second", 20, "input:x"), listening("third", 31, "input:x"))
    assert written.attributes("second")["llm.completion"] == "answer"
    assert written.attributes("first") == {"own": "first"}
    assert written.attributes("third") == {"own": "third"}
    assert written.trace(TRACE).total_tokens == 7


arrivals = st.sampled_from(["one", "two", "plain", "rename"])
parts = ["one", "two", "plain", "rename", "early", "late", "later", "own"]


def part(name: str) -> tuple[list[Any], list[Content]]:
    """One of the things that arrive."""
    if name == "one":
        return [listening("one", 10, "input:x", "input:y")], []
    if name == "two":
        return [listening("two", 20, "input:x")], []
    if name == "plain":
        return [listening("plain", 20)], []
    if name == "rename":
        return [listening("plain", 20, end_time=None)], []  # an open copy, which may come late
    said = {"early": ("input:x", 15), "late": ("input:x", 25), "later": ("input:y", 26), "own": ("span:plain", 1)}
    address, at_s = said[name]
    return [], [told(address, at_s, name, len(name))]


@settings(max_examples=60, deadline=None)
@given(
    chosen=st.lists(st.sampled_from(parts), min_size=1, max_size=8),
    seed=st.integers(0, 2**32),
)
def test_order_grouping_and_repetition_change_nothing(chosen: list[str], seed: int, tmp_path_factory: Any) -> None:
    shuffle = random.Random(seed)
    results = []
    for _ in range(3):
        written = Written(tmp_path_factory.getbasetemp())
        order = shuffle.sample(chosen, len(chosen)) + shuffle.sample(chosen, len(chosen) // 2)
        while order:
            size = shuffle.randint(1, 3)
            both = [part(name) for name in order[:size]]
            del order[:size]
            written.store(*[a for spans, _ in both for a in spans], contents=[c for _, told in both for c in told])
            if shuffle.random() < 0.2:
                written.kept.clear()
        spans = written.rows(
            "SELECT span_id, attributes, tokens FROM spans JOIN span_attributes USING (span_row) ORDER BY span_id"
        )
        totals = written.rows("SELECT tokens FROM traces")
        assert sum(tokens for (tokens,) in totals) == sum(row[2] or 0 for row in spans)
        results.append((spans, totals))
        written.db.close()
    assert results[0] == results[1] == results[2]


def test_content_goes_with_its_trace_and_does_not_come_back(written: Written) -> None:
    written.store(listening("one", 10, "input:x"), contents=[told("input:x", 20, "a", 1)])
    written.run(delete_trace(TRACE))
    assert written.rows("SELECT count(*) FROM contents") == written.rows("SELECT count(*) FROM content_listeners")
    assert written.rows("SELECT count(*) FROM contents") == [(0,)]
    written.store(listening("one", 10, "input:x"))
    assert written.attributes("one") == {"own": "one"}


def test_content_whose_span_does_not_come_is_dropped_in_time(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.interrupted.CONTENTS_KEPT", 2)
    written.store(listening("one", 10, "input:x"), contents=[told("input:x", 20, "claimed", 1)])
    written.store(contents=[told("span:never", at, "nobody's", 1) for at in range(5)])
    written.run(forget_unclaimed)
    assert written.rows("SELECT time_ns FROM contents WHERE claimed = 0") == [(3_000_000_000,), (4_000_000_000,)]
    written.now_ns += CONTENTS_KEPT_NS + 1
    written.run(forget_unclaimed)
    assert written.rows("SELECT address FROM contents") == [("input:x",)]


def test_junk_as_content_hurts_nobody(written: Written) -> None:
    junk = [Content(TRACE, f"span:{SPAN}", 1, text) for text in ("", "{", "[]", '{"attributes": 3}', "null", "\x00")]
    written.store(mapped(otlp_span(CALL)).arrivals[0], contents=junk)
    written.store(contents=[content(ANSWERED), *junk])
    assert written.attributes(SPAN)["llm.completion"] == "well"


def test_an_imported_span_keeps_what_it_had_from_logs(written: Written) -> None:
    (arrival,) = native(
        {
            "span_id": "s",
            "trace_id": "t",
            "span_type": "llm_call",
            "name": "n",
            "start_time": 1,
            "attributes": {"llm.completion": "well", "beacon.from_logs": ["llm.completion"]},
        }
    )
    written.store(contents=[told("span:other", 1, "x", 1)])
    written.store(arrival)
    assert written.attributes("s")["llm.completion"] == "well"
