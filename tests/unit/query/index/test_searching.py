"""Searches with an index that lags behind, against a plain reading of the rows, after inserts, updates, deletes."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from beacon.contract.requests import Search
from query import search as searching
from query.database import open_database
from query.index import keeper as keeping
from query.index import segment, vocabulary
from query.index import words as indexed_words
from query.index.file import PAGE_SIZE, open_writer, path_beside, read_segments
from query.index.keeper import Keeper, Replaced
from query.index.reader import Index
from query.scan import Scan
from query.terms import Asked, Text
from tests.store_fixture import Store, stored_span
from tests.unit.query.lane import Lane, lane
from tests.unit.query.test_search import NEEDLES, WORDS, attributes_of, brute_force

MORE_NEEDLES = (
    "straße 中文", "план работ", "中文 한국어", "a/b a_b", '"role": "assistant"', "needle" + "y" * 70, "  ", '", "',
    "。", "t", "before", "before ", " after", "fter", "of interest", "gpt-4o", "nightly", "z" * 40,
)  # fmt: skip


@pytest.fixture(autouse=True)
def small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few dozen spans make segments, large ones, rebuilds and words that are too long."""
    monkeypatch.setattr(keeping, "STEP_SPANS", 7)
    monkeypatch.setattr(keeping, "SMALL", 10)
    monkeypatch.setattr(keeping, "LARGE", 40)
    monkeypatch.setattr(keeping, "BUILD_SPANS", 9)
    monkeypatch.setattr(keeping, "CHANGED_MIN", 3)
    monkeypatch.setattr(keeping, "REST", 0)
    monkeypatch.setattr(keeping, "IDLE_S", 0.0)
    monkeypatch.setattr(keeping, "TINY_MAX", 3)
    monkeypatch.setattr(vocabulary, "MASKED_BYTES", 500)
    monkeypatch.setattr(segment, "MASKED_BYTES", 500)
    monkeypatch.setattr(vocabulary, "BLOCK_BYTES", 64)
    monkeypatch.setattr(searching, "SLICE_ROWS", 3)


class Kept:
    """A store, its index, and both as searches see them."""

    def __init__(self, store: Store, one: Lane) -> None:
        self.store = store
        self.one = one
        self.path = path_beside(store.path)
        self.index = Index(self.path)
        self.source = open_database(store.path)
        self.db = open_writer(self.path, store.epoch)
        self.keeper = Keeper(self.source, self.db)

    def step(self, times: int = 1_000) -> None:
        """So many steps, or until there is nothing to do."""
        for _ in range(times):
            if not self.keeper.step():
                return
        assert times < 1_000, "it never comes to an end"

    def ask(self, needle: str, *others: Text, **page: int) -> Any:
        q = Search(q=needle, **page)
        return json.loads(self.one.walk(searching.search, q, Asked((Text(needle), *others), ()), self.index))

    def check(self, needle: str) -> None:
        found = self.ask(needle, limit=200)
        expected = brute_force(self.store, needle)
        assert [(hit["trace_id"], hit["span_id"]) for hit in found["results"]] == expected[:200], needle
        assert (found["total"], found["total_relation"]) == (len(expected), "eq"), needle
        # what is counted after a full page is known in another way than what is shown
        counted = self.ask(needle, limit=1)
        assert counted["total"] == len(expected), needle
        assert [(hit["trace_id"], hit["span_id"]) for hit in counted["results"]] == expected[:1], needle

    @property
    def spans(self) -> int:
        return self.index.spans(self.store.epoch)

    def close(self) -> None:
        self.index.close()
        self.db.close()
        self.source.close()


@contextlib.contextmanager
def kept(path: Path) -> Iterator[Kept]:
    with Store(path) as store, lane(path) as one:
        both = Kept(store, one)
        try:
            yield both
        finally:
            both.close()


def put_some(rng: random.Random, store: Store, traces: list[str], count: int) -> None:
    for _ in range(count):
        if not traces or rng.random() < 0.5:
            traces.append(f"t{len(traces)}-{rng.randrange(10**6)}")
        trace = rng.choice(traces[-4:])
        store.put(
            stored_span(
                f"s{rng.randrange(6)}",  # some of them again: an update
                trace,
                parent_span_id=rng.choice((None, "s0")),
                name=rng.choice(WORDS) if rng.random() < 0.2 else "step",
                error_message=rng.choice(WORDS) if rng.random() < 0.1 else None,
                attributes=attributes_of(rng),
            )
        )


def change_some(rng: random.Random, kept: Kept, traces: list[str]) -> None:
    store = kept.store
    match rng.randrange(7):
        case 0 | 1 | 2:
            put_some(rng, store, traces, rng.randrange(1, 25))
        case 3 if traces:
            rows = store.db.execute("SELECT trace_id, span_id FROM spans JOIN traces USING (trace_row)").fetchall()
            for trace, span in rng.sample(rows, min(len(rows), rng.randrange(1, 8))):
                store.put(stored_span(span, trace, attributes=attributes_of(rng)))
        case 4 if traces:
            stored = [trace for (trace,) in store.db.execute("SELECT trace_id FROM traces")]
            gone = rng.sample(stored, min(len(stored), rng.randrange(1, 5)))
            traces[:] = [trace for trace in traces if trace not in gone]
            store.delete(*gone)
        case 5:
            store.skip_rows(3, rng.choice((5, 300)))
        case _:
            kept.step(rng.randrange(1, 12))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
@example(seed=0)
def test_a_search_is_exact_at_any_lag(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    rng = random.Random(seed)
    with kept(tmp_path_factory.mktemp("i") / "traces.db") as both:
        traces: list[str] = []
        for _ in range(rng.randrange(5, 30)):
            change_some(rng, both, traces)
            both.check(rng.choice((*NEEDLES, *MORE_NEEDLES)))
        for needle in rng.sample((*NEEDLES, *MORE_NEEDLES), 12):
            both.check(needle)
        both.step()
        (spans,) = both.store.db.execute("SELECT count(*) FROM spans").fetchone()
        assert both.spans == spans
        for needle in rng.sample((*NEEDLES, *MORE_NEEDLES), 12):
            both.check(needle)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    patch = pytest.MonkeyPatch()
    for name, value in (("SMALL", 10), ("LARGE", 40), ("BUILD_SPANS", 9), ("STEP_SPANS", 7)):
        patch.setattr(keeping, name, value)
    rng = random.Random(3)
    with kept(tmp_path_factory.mktemp("filled") / "traces.db") as both:
        traces: list[str] = []
        put_some(rng, both.store, traces, 200)
        both.step()
        put_some(rng, both.store, traces, 25)
        both.step()
        patch.undo()
        yield both


@pytest.mark.parametrize("needle", sorted({*NEEDLES, *MORE_NEEDLES}))
def test_every_kind_of_text_is_found_in_segments(filled: Kept, needle: str) -> None:
    assert read_segments(filled.db)[0].span_count >= 40
    filled.check(needle)


@pytest.mark.parametrize("absent", ["step", "план работ", "中文", " ", "nothing at all"])
@pytest.mark.parametrize("needle", ["e", "before", "Straße", "role", "of interest"])
def test_several_texts_and_texts_that_must_be_absent(filled: Kept, needle: str, absent: str) -> None:
    without = set(brute_force(filled.store, absent))
    expected = [hit for hit in brute_force(filled.store, needle) if hit not in without]
    found = filled.ask(needle, Text(absent, negated=True), limit=200)
    assert [(hit["trace_id"], hit["span_id"]) for hit in found["results"]] == expected[:200]
    both = [hit for hit in brute_force(filled.store, needle) if hit in without]
    found = filled.ask(needle, Text(absent), limit=200)
    assert [(hit["trace_id"], hit["span_id"]) for hit in found["results"]] == both[:200]
    assert found["total"] == len(both)


def test_pages_are_cut_from_one_list(filled: Kept) -> None:
    expected = brute_force(filled.store, "e")
    seen = []
    for offset in range(0, len(expected) + 7, 7):
        page = filled.ask("e", limit=7, offset=offset)
        assert page["total"] == len(expected)
        seen += [(hit["trace_id"], hit["span_id"]) for hit in page["results"]]
    assert seen == expected


def test_hits_beyond_the_limit_are_not_counted(filled: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "TOTAL_MAX", 20)
    expected = brute_force(filled.store, "e")
    for offset in (0, 30):
        page = filled.ask("e", limit=5, offset=offset)
        assert (page["total"], page["total_relation"]) == (20, "gte")
        assert [(hit["trace_id"], hit["span_id"]) for hit in page["results"]] == expected[offset : offset + 5]


def test_what_the_index_covers_is_not_scanned(filled: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scan, "slice", lambda *_: pytest.fail("a span was scanned"))
    monkeypatch.setattr(Scan, "look", lambda self, db, rows: dict.fromkeys(rows) if rows else {})
    assert filled.ask("absent")["total"] == 0


def texts_in_file(path: Path) -> bytes:
    return b"".join(path.with_name(path.name + suffix).read_bytes() for suffix in ("", "-wal"))


@pytest.mark.parametrize("then", ["delete", "redact"])
@pytest.mark.parametrize("spans_after", [0, 12, 60])
def test_a_text_that_is_gone_leaves_the_file(tmp_path: Path, then: str, spans_after: int) -> None:
    with kept(tmp_path / "traces.db") as both:
        both.store.put(stored_span("s", "secret", attributes={"text": "my-password-is-hunter2"}))
        both.store.put(*(stored_span(f"s{i}", "others") for i in range(spans_after)))
        both.step()
        both.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert b"hunter2" in texts_in_file(both.path)
        if then == "delete":
            both.store.delete("secret")
        else:
            both.store.put(*(stored_span("s", "secret", attributes={"text": "redacted"}),))
            # a segment is made anew for many of its spans, or after a while
            both.keeper = Keeper(both.source, both.db, forget_s=0)
        both.step()
        both.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert b"hunter2" not in texts_in_file(both.path)
        both.check("hunter2")


def test_another_database_is_noticed(tmp_path: Path) -> None:
    with kept(tmp_path / "traces.db") as both:
        both.store.put(stored_span("s", "t", name="needle"))
        both.step()
        both.store.db.execute("UPDATE counters SET epoch = 'another'")
        both.store.db.execute("UPDATE spans SET name = 'thimble'")
        both.check("needle")
        both.check("thimble")
        assert both.spans == 0
        with pytest.raises(Replaced):
            both.step()


def test_an_index_of_another_database_is_emptied(tmp_path: Path) -> None:
    with kept(tmp_path / "traces.db") as both:
        both.store.put(*(stored_span(f"s{i}", "t", name="needle") for i in range(30)))
        both.step()
        both.db.close()
        both.db = open_writer(both.path, "another")
        assert both.db.execute("SELECT seq, top FROM meta").fetchone() == (0, 0)
        assert both.db.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE 'words%'").fetchone() == (0,)


def test_a_build_that_was_broken_off_begins_anew(tmp_path: Path) -> None:
    with kept(tmp_path / "traces.db") as both:
        both.store.put(*(stored_span(f"s{i}", "t", name="needle") for i in range(100)))
        both.step(2)
        both.keeper = Keeper(both.source, both.db)  # as after kill -9
        both.step()
        both.check("needle")
        assert both.spans == 100


@pytest.mark.parametrize("steps", [0, 1, 1_000])
def test_a_phrase_is_found_where_it_has_come_since(tmp_path: Path, steps: int) -> None:
    with kept(tmp_path / "traces.db") as both:
        both.store.put(*(stored_span(f"s{i}", "t", attributes={"text": "of peace and war"}) for i in range(20)))
        both.step()
        # once as it is, once escaped, which the segment, that has the words, knows nothing of
        both.store.put(stored_span("s3", "t", attributes={"text": "of war and peace"}))
        both.store.put(stored_span("s5", "t", attributes='{"text": "of w\\u0061r and peace"}'))
        both.step(steps)
        for needle in ("war and peace", "peace and war", "of war"):
            both.check(needle)


def test_spans_of_a_trace_that_is_not_there_yet_wait(tmp_path: Path) -> None:
    with kept(tmp_path / "traces.db") as both:
        both.store.put(*(stored_span(f"s{i}", "t", name="needle") for i in range(100)))
        both.store.db.execute("PRAGMA foreign_keys=OFF")
        trace = both.store.db.execute("SELECT * FROM traces").fetchone()
        both.store.db.execute("DELETE FROM traces")
        both.step()
        assert both.spans == 0
        both.store.db.execute(f"INSERT INTO traces VALUES ({', '.join('?' * len(trace))})", trace)
        both.step()
        both.check("needle")
        assert both.spans == 100


@pytest.mark.parametrize("broken", ["file", "pages"])
def test_without_an_index_that_can_be_read_every_span_is(tmp_path: Path, broken: str) -> None:
    with kept(tmp_path / "traces.db") as both:
        both.store.put(*(stored_span(f"s{i}", "t", name=f"needle {i}") for i in range(50)))
        both.step()
        both.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        both.db.close()
        whole = both.path.read_bytes()
        size = len(b"this is no database")
        kept_bytes = 0 if broken == "file" else PAGE_SIZE
        both.path.write_bytes(whole[:kept_bytes] + b"this is no database" * ((len(whole) - kept_bytes) // size))
        both.check("needle 7")
        both.check("needle")
        assert not both.path.exists()  # for its keeper to make it anew


@pytest.mark.parametrize("size", [2_047, 2_048, 2_049, 3_000, 5_000])
@pytest.mark.parametrize("before", [0, 1, 1_023, 1_500])
def test_a_word_that_is_too_long_makes_a_span_unsure(size: int, before: int) -> None:
    text = "a " * (before // 2) + "b" * (before % 2) + "x" * size
    words = indexed_words.words_of("name", None, None, json.dumps({"k": text}).encode())
    longest = size + before % 2
    assert words.whole == (longest <= indexed_words.WORD_MAX)
    assert max(map(len, words.text.split())) <= indexed_words.WORD_MAX


@pytest.mark.parametrize("steps", [0, 1, 1_000])
def test_what_the_words_do_not_tell_is_found(tmp_path: Path, steps: int) -> None:
    with kept(tmp_path / "traces.db") as both:
        both.store.put(stored_span("s", "t"), stored_span("child", "t", parent_span_id="s"))
        both.store.set_trace("t", name="Nightly run")
        both.store.put(stored_span("long", "u", attributes={"picture": "QUJD" * 1_000 + "needle" + "x" * 3_000}))
        both.store.put(*(stored_span(f"s{i}", "others") for i in range(100)))
        both.step(steps)
        both.check("nightly RUN")
        both.check("Needlex")
        both.check("jdqu")


def test_an_error_of_the_database_is_not_the_index_s(tmp_path: Path) -> None:
    with kept(tmp_path / "traces.db") as both:
        both.store.put(stored_span("s", "t"))
        both.step()
        both.store.db.execute("ALTER TABLE spans RENAME TO elsewhere")
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            both.ask("step")
        assert both.path.exists()
