"""What an archive holds, line by line, and how long the transactions are that it is read in."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from beacon.store import archive
from beacon.store.archive import Archive, Choice, Read, header, read_in
from beacon.store.connect import connect_reader
from beacon.version import VERSION
from tests.store_fixture import SECOND, START_NS, Store, stored_span


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "traces.db") as made:
        yield made


def exported(store: Store, choice: Choice | None = None, wrap: Callable[[Read], Read] = lambda read: read) -> list[Any]:
    """The lines, decoded; each is one line."""
    with closing(connect_reader(store.path)) as db:
        lines = []
        for line in Archive(wrap(read_in(db)), choice or Choice()).lines():
            text = b"".join(line.pieces)
            assert text.endswith(b"\n")
            assert len(text.splitlines()) == 1
            lines.append(json.loads(text))
            assert len(lines[-1]["spans"]) == line.spans
        return lines


def ids(lines: list[Any]) -> list[str]:
    return [line["trace"]["trace_id"] for line in lines]


def test_the_first_line_says_what_it_is() -> None:
    assert json.loads(header(12.5)) == {
        "format": "beacon-archive",
        "version": 1,
        "beacon": VERSION,
        "exported_at": 12.5,
    }
    assert header(12.5).count(b"\n") == 1


def test_a_line_is_a_trace_with_its_spans_in_their_order(store: Store) -> None:
    late = stored_span("a", "t", start_ns=START_NS + SECOND, parent_span_id="b")
    store.put(late, stored_span("c", "t"), stored_span("b", "t", attributes='{"x": 1.50}'))
    store.tag("t", env="prod")
    (line,) = exported(store)
    assert {"version": "1", "format": "beacon"}.items() <= line.items()
    assert "exported_at" not in line
    assert line["trace"]["tags"] == {"env": "prod"}
    assert [span["span_id"] for span in line["spans"]] == ["b", "c", "a"]
    with closing(connect_reader(store.path)) as db:
        (text,) = (b"".join(line.pieces) for line in Archive(read_in(db), Choice()).lines())
    assert b'"attributes":{"x": 1.50}' in text


def test_a_choice_is_by_start_and_session(store: Store) -> None:
    for n in range(5):
        store.put(stored_span("s", f"t{n}", start_ns=START_NS + n * SECOND, session_id="odd" if n % 2 else None))
    store.delete("t3")
    bounds = Choice(START_NS + SECOND, START_NS + 4 * SECOND)
    assert ids(exported(store)) == ["t0", "t1", "t2", "t4"]
    assert ids(exported(store, bounds)) == ["t1", "t2"]
    assert ids(exported(store, Choice(session_id="odd"))) == ["t1"]
    assert ids(exported(store, Choice(session_id="even"))) == []


def test_line_breaks_between_values_do_not_break_a_line(store: Store) -> None:
    sent = '{"a":\r\n  "x\\ny",\n "b": 2}'
    store.put(stored_span("s", "t", attributes=sent), stored_span("plain", "t"))
    (line,) = exported(store)
    plain, broken = line["spans"]
    assert broken["attributes"] == {"a": "x\ny", "b": 2}
    assert broken["attributes_text"] == sent
    assert "attributes_text" not in plain


def test_every_transaction_is_short_however_large_a_trace_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(300):
        store.put(*(stored_span(f"{n}-{i}", f"t{n}", attributes={"text": "x" * 2_000}) for i in range(10)))
    monkeypatch.setattr(archive, "LARGE_BYTES", 500_000)
    big = [stored_span(f"{i:05}", "large", attributes={"text": "y" * 2_000}) for i in range(3_000)]
    store.put(*big)
    store.put(stored_span("s", "last"))
    transactions = 0

    def counted(read: Read) -> Read:
        def slice(fn: Callable[[sqlite3.Connection], Any]) -> Any:
            nonlocal transactions
            transactions += 1
            return read(fn)

        return slice

    lines = exported(store, wrap=counted)
    assert ids(lines) == [*(f"t{n}" for n in range(300)), "large", "last"]
    assert [span["span_id"] for span in lines[-2]["spans"]] == [f"{i:05}" for i in range(3_000)]
    assert transactions > 10


def test_a_large_trace_that_changes_while_it_is_read_is_of_one_moment(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "LARGE_BYTES", 10_000)
    monkeypatch.setattr(archive, "PART_SPANS", 16)
    spans = [stored_span(f"{i:03}", "t", name="old", attributes={"text": "y" * 1_000}) for i in range(200)]
    store.put(*spans)
    reads = 0

    def changing(read: Read) -> Read:
        def slice(fn: Callable[[sqlite3.Connection], Any]) -> Any:
            nonlocal reads
            reads += 1
            if reads in (8, 20):
                store.put(*({**span, "name": f"new {reads}"} for span in spans))
            return read(fn)

        return slice

    (line,) = exported(store, wrap=changing)
    assert reads > 20
    assert {span["name"] for span in line["spans"]} == {"new 20"}


def test_a_trace_that_always_changes_is_read_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGE_BYTES", 10_000)
    spans = [stored_span(f"{i:03}", "t", name="n0", attributes={"text": "y" * 1_000}) for i in range(200)]
    store.put(*spans)
    reads = 0

    def changing(read: Read) -> Read:
        def slice(fn: Callable[[sqlite3.Connection], Any]) -> Any:
            nonlocal reads
            reads += 1
            store.put(*({**span, "name": f"n{reads}"} for span in spans))
            return read(fn)

        return slice

    (line,) = exported(store, wrap=changing)
    assert len(line["spans"]) == 200
    assert len({span["name"] for span in line["spans"]}) == 1


def test_a_trace_deleted_meanwhile_is_left_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "SLICE_BYTES", 0)
    for n in range(4):
        store.put(stored_span("s", f"t{n}"))
    with closing(connect_reader(store.path)) as db:
        lines = Archive(read_in(db), Choice()).lines()
        first = json.loads(b"".join(next(lines).pieces))
        store.delete("t2")
        assert ids([first, *(json.loads(b"".join(line.pieces)) for line in lines)]) == ["t0", "t1", "t3"]
