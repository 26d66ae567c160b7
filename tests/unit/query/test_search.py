"""Search against a brute-force reading of the same spans: several scripts, escapes, deletes, pages."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beacon.contract.requests import Search
from query import search as searching
from query.terms import Asked, Text, parse
from tests.store_fixture import SECOND, START_NS, Store, stored_span
from tests.unit.query.lane import Lane, lane

WORDS = (
    "Straße", "STRASSE", "straße", "café", "CAFÉ", "cafe", "план", "ПЛАН", "план работ", "中文", "한국어", "שלום",
    "İstanbul", "i̇stanbul", "ﬁle", "file", "300 K", "300 k", 'say "hi"', "back\\slash", "a/b", "tab\tnew\nline",
    "100%", "a_b", "aXb", "🙂 smile", "\x1b[31m red", "zürich", "x" * 70 + "needle" + "y" * 70, "null", "true",
)  # fmt: skip
NEEDLES = (
    *WORDS, "strass", "SS", "É", "ПЛА", "文", "국", "🙂", '"hi"', "\\s", "\nline", "%", "_", "İ", "fi", "k", "needle",
    "absent", "ü", "\x1b[31m", "role", "assistant", "7.25", "4096", "content", " ", "e",
)  # fmt: skip


def texts(value: Any) -> Iterator[str]:
    """Every key and every decoded value, JSON text inside strings opened: the plain definition."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value
        if value[:1] in ("[", "{"):
            try:
                yield from texts(json.loads(value))
            except ValueError:
                return
    elif value is not None:
        yield json.dumps(value)


def brute_force(store: Store, needle: str) -> list[tuple[str, str]]:
    """(trace_id, span_id) of every hit, newest first."""
    folded = needle.casefold()
    rows = store.db.execute(
        "SELECT t.trace_id, s.span_id, s.name, s.error_message, a.attributes, t.name, t.head_span_id FROM spans s "
        "JOIN traces t USING (trace_row) JOIN span_attributes a USING (span_row) ORDER BY span_row DESC"
    )
    hits = []
    for trace_id, span_id, name, error, attributes, trace_name, head in rows:
        held = [name, error or "", *texts(json.loads(attributes))]
        if head == span_id:
            held.append(trace_name)
        if any(folded in text.casefold() for text in held):
            hits.append((trace_id, span_id))
    return hits


def as_json(rng: random.Random, value: Any) -> str:
    """One of the ways a client may write `value`."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, None, 1)))
    if rng.random() < 0.3:
        text = text.replace("/", "\\/")
    return text


def attributes_of(rng: random.Random) -> str:
    words = [rng.choice(WORDS) for _ in range(3)]
    nested = as_json(rng, [{"role": "assistant", "content": words[0], "args": as_json(rng, {"q": words[1]})}])
    fields: list[dict[str, Any]] = [
        {"llm.prompt": nested, "llm.temperature": 7.25},
        {words[0]: {"deep": [words[1], 4096, False]}},
        {"text": f"before {words[2]} after"},
        {},
        {"text": "nothing of interest"},
    ]
    return as_json(rng, rng.choice(fields))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Lane]]:
    path: Path = tmp_path_factory.mktemp("search") / "traces.db"
    rng = random.Random(11)
    with Store(path) as store:
        for i in range(150):
            store.put(
                *(
                    stored_span(
                        f"s{k}",
                        f"t{i}",
                        parent_span_id="s0" if k else None,
                        name=rng.choice(WORDS) if rng.random() < 0.2 else "step",
                        error_message=rng.choice(WORDS) if rng.random() < 0.1 else None,
                        attributes=attributes_of(rng),
                    )
                    for k in range(rng.randint(1, 4))
                )
            )
            if i % 25 == 0:
                store.skip_rows(10, 5_000)
        store.delete(*(f"t{i}" for i in range(0, 150, 6)))
        for i in range(1, 150, 10):
            if i % 6:
                store.set_trace(f"t{i}", name=rng.choice(WORDS))
        for i in range(2, 150, 12):
            if i % 6:
                store.put(stored_span("s0", f"t{i}", attributes=attributes_of(rng)))
        with lane(path) as one:
            yield store, one


def ask(one: Lane, needle: str, **page: int) -> Any:
    """What is found for `needle` to the letter."""
    return json.loads(one.walk(searching.search, Search(q=needle, **page), Asked((Text(needle),), ())))


def ask_in_words(one: Lane, q: str, **page: int) -> Any:
    """What is found for a question with terms."""
    return json.loads(one.walk(searching.search, Search(q=q, **page), parse(q, START_NS + 1_000 * SECOND)))


@pytest.mark.parametrize("needle", sorted(set(NEEDLES)))
def test_search_finds_what_a_plain_reading_finds(filled: tuple[Store, Lane], needle: str) -> None:
    store, one = filled
    expected = brute_force(store, needle)
    found = ask(one, needle, limit=200)
    assert [(hit["trace_id"], hit["span_id"]) for hit in found["results"]] == expected[:200]
    assert (found["total"], found["total_relation"]) == (len(expected), "eq")
    for hit in found["results"]:
        start, end = hit["offsets"]
        assert collapsed(needle) in collapsed(hit["match_context"][start:end])


def collapsed(text: str) -> str:
    return " ".join(text.casefold().split())


def test_most_needles_are_there_at_all(filled: tuple[Store, Lane]) -> None:
    store, _ = filled
    assert [n for n in NEEDLES if not brute_force(store, n)] == ["absent"]


def test_pages_are_cut_from_one_list(filled: tuple[Store, Lane]) -> None:
    store, one = filled
    expected = brute_force(store, "e")
    seen = []
    for offset in range(0, len(expected) + 7, 7):
        page = ask(one, "e", limit=7, offset=offset)
        assert page["total"] == len(expected)
        seen += [(hit["trace_id"], hit["span_id"]) for hit in page["results"]]
    assert seen == expected


@pytest.mark.parametrize(
    ("fields", "field", "context"),
    [
        ({"name": "a needle", "error_message": "needle", "attributes": {"needle": "needle"}}, "name", "a needle"),
        ({"error_message": "the needle", "attributes": {"k": "needle"}}, "error_message", "the needle"),
        ({"attributes": {"x": 1, "the needle": 2, "y": "needle"}}, "attributes.the needle", "the needle"),
        ({"attributes": {"x": 1, "tool.output": "one\n  needle\there"}}, "attributes.tool.output", "one needle here"),
    ],
)
def test_a_span_is_one_hit_of_the_first_field_that_matches(
    tmp_path: Path, fields: dict[str, Any], field: str, context: str
) -> None:
    with Store(tmp_path / "traces.db") as store, lane(store.path) as one:
        store.put(stored_span("s", "t", **fields))
        (hit,) = ask(one, "NEEDLE")["results"]
        assert (hit["field"], hit["match_context"]) == (field, context)
        start, end = hit["offsets"]
        assert hit["match_context"][start:end] == "needle"
        assert (hit["trace_id"], hit["span_id"], hit["name"]) == ("t", "s", fields.get("name", "step"))
        assert (hit["span_type"], hit["start_time"]) == ("custom", START_NS / SECOND)


def test_a_trace_is_found_by_its_name_once_at_its_head(tmp_path: Path) -> None:
    with Store(tmp_path / "traces.db") as store, lane(store.path) as one:
        store.put(stored_span("root", "t"), stored_span("child", "t", parent_span_id="root"))
        store.set_trace("t", name="Nightly needle run")
        page = ask(one, "needle")
        assert page["total"] == 1
        (hit,) = page["results"]
        assert (hit["span_id"], hit["field"], hit["trace_name"]) == ("root", "trace_name", "Nightly needle run")
        assert hit["match_context"] == "Nightly needle run"


def test_hits_are_counted_to_ten_thousand_and_the_scan_ends_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "TOTAL_MAX", 20)
    monkeypatch.setattr(searching, "SLICE_SPANS", 1)
    with Store(tmp_path / "traces.db") as store, lane(store.path) as one:
        store.put(*(stored_span(f"s{i}", "t", name="needle") for i in range(20)))
        assert (ask(one, "needle")["total"], ask(one, "needle")["total_relation"]) == (20, "eq")
        store.put(*(stored_span(f"s{i}", "t", name="needle") for i in range(20, 60)))
        page = ask(one, "needle", limit=5)
        assert (page["total"], page["total_relation"]) == (20, "gte")
        deep = ask(one, "needle", limit=5, offset=50)
        assert [hit["span_id"] for hit in deep["results"]] == [f"s{i}" for i in (9, 8, 7, 6, 5)]


# ---------------------------------------------------------------- questions with terms

TERMS = (
    "status:error", "-status:error", "type:llm_call", "name:STEP", "-name:step", "model:GPT-4o", "model:gpt*",
    "tokens>10", "-tokens>10", "cost>=0.001", "duration>1s", "-duration>1s", "since:1790000010", "until:1790000010",
    "session:one", "tag:env=prod", "-tag:env", "alpha", '"beta gamma"', "-beta", '-"alpha"', "-ПЛАН",
)  # fmt: skip
TEXTS = ("alpha", "Beta Gamma", "beta", "план", "alpha beta gamma", "nothing")


def fits(span: dict[str, Any], tags: dict[str, str], trace_name: str | None, term: str) -> bool:
    """Whether one term holds for one stored span, by the plain words of the language."""
    if term.startswith("-"):
        return not fits(span, tags, trace_name, term[1:])
    duration = None if span["end_ns"] is None else max(0, span["end_ns"] - span["start_ns"])
    match term:
        case "status:error":
            return bool(span["status"] == "error")
        case "type:llm_call":
            return bool(span["span_type"] == "llm_call")
        case "name:STEP" | "name:step":
            return "step" in span["name"].casefold()
        case "model:GPT-4o":
            return (span["model"] or "").casefold() == "gpt-4o"
        case "model:gpt*":
            return (span["model"] or "").casefold().startswith("gpt")
        case "tokens>10":
            return span["tokens"] is not None and span["tokens"] > 10
        case "cost>=0.001":
            return span["cost_pico"] is not None and span["cost_pico"] >= 10**9
        case "duration>1s":
            return duration is not None and duration > SECOND
        case "since:1790000010":
            return bool(span["start_ns"] >= START_NS + 10 * SECOND)
        case "until:1790000010":
            return bool(span["start_ns"] < START_NS + 10 * SECOND)
        case "session:one":
            return bool(span["session_id"] == "one")
        case "tag:env=prod":
            return tags.get("env") == "prod"
        case "tag:env":
            return "env" in tags
    held = [span["name"], span["error_message"] or "", trace_name or "", *texts(json.loads(span["attributes"]))]
    return any(term.strip('"').casefold() in text.casefold() for text in held)


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Any], Lane]]:
    """(span, its trace's tags, the trace's name where it is the head's) newest first."""
    path: Path = tmp_path_factory.mktemp("terms") / "traces.db"
    rng = random.Random(5)
    stored: list[Any] = []
    with Store(path) as store:
        for i in range(120):
            start = START_NS + rng.randrange(20) * SECOND
            span = stored_span(
                "s",
                f"t{i}",
                span_type=rng.choice(("llm_call", "custom")),
                name=rng.choice(("a step", "Alpha", "plan")),
                status=rng.choice(("ok", "error")),
                error_message=rng.choice((None, "beta")),
                start_ns=start,
                end_ns=rng.choice((None, start, start + 2 * SECOND)),
                model=rng.choice((None, "gpt-4o", "gpt-4o-mini", "claude")),
                tokens=rng.choice((None, 10, 20)),
                cost_pico=rng.choice((None, 10**6, 10**9)),
                session_id=rng.choice((None, "one", "two")),
                attributes={"text": rng.choice(TEXTS), "more": rng.choice(TEXTS)},
            )
            store.put(span)
            tags = rng.choice(({}, {"env": "prod"}, {"env": "dev"}))
            if tags:
                store.tag(f"t{i}", **tags)
            stored.append((span, tags, span["name"]))
        with lane(path) as one:
            yield stored[::-1], one


@settings(max_examples=150, deadline=None)
@given(chosen=st.lists(st.sampled_from(TERMS), min_size=1, max_size=4, unique=True))
def test_every_term_has_to_hold(varied: tuple[list[Any], Lane], chosen: list[str]) -> None:
    # words that stand beside each other would be one text
    chosen = [f'"{term}"' if term == "alpha" else term for term in chosen]
    stored, one = varied
    found = ask_in_words(one, " ".join(chosen), limit=200)
    expected = [span["trace_id"] for span, tags, name in stored if all(fits(span, tags, name, term) for term in chosen)]
    assert [hit["trace_id"] for hit in found["results"]] == expected
    assert found["total"] == len(expected)


def test_terms_are_worth_asking(varied: tuple[list[Any], Lane]) -> None:
    stored, _ = varied
    for term in TERMS:
        assert 0 < sum(fits(span, tags, name, term) for span, tags, name in stored) < len(stored), term


def test_a_question_of_fields_alone_shows_the_span(tmp_path: Path) -> None:
    with Store(tmp_path / "traces.db") as store, lane(store.path) as one:
        store.put(stored_span("s", "t", name="a  call", status="error"), stored_span("u", "t"))
        page = ask_in_words(one, "status:error")
        (hit,) = page["results"]
        assert (hit["span_id"], hit["field"], hit["match_context"], hit["offsets"]) == ("s", "name", "a call", [0, 0])
        assert page["texts"] == []
        page = ask_in_words(one, 'status:error "A  Call" -nothing')
        assert (page["total"], page["texts"]) == (1, ["A  Call"])
