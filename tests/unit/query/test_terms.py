"""The language of a question: what is text, what is a term, and what is said of a mistake and where."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beacon.errors import Invalid
from query.terms import INT64_MAX, Asked, Field, Text, parse

SECOND = 1_000_000_000
NOW_NS = 2_000_000_000 * SECOND


def texts(*said: str) -> Asked:
    return Asked(tuple(Text(text) for text in said), ())


@pytest.mark.parametrize(
    "q",
    [
        "timeout", "web search", " padded  text ", "http://x:80/?a=b", "Error: no such file", "status: done", "a:b",
        "--help", "pytest -k x", 'print("hi")', '"', '-', 'he said "hi', "x<y", "a -m b", "my.status:ok", "предел: 5",
        "cost", "status:", '{"a": "b c"}',
    ],
)  # fmt: skip
def test_what_holds_no_term_is_looked_for_to_the_letter(q: str) -> None:
    assert parse(q, NOW_NS) == texts(q)


@pytest.mark.parametrize(
    ("q", "asked"),
    [
        ('"web search"', texts("web search")),
        ('say "hi there" twice', texts("say", "twice", "hi there")),
        (r'"a \"b\" \\ c"', texts(r'a "b" \ c')),
        ("status:error web  search", Asked((Text("web  search"),), (Field("status", ":", "error"),))),
        ("one -two", Asked((Text("one"), Text("two", True)), ())),
        ('-"not this"', Asked((Text("not this", True),), ())),
        ("-type:llm_call", Asked((), (Field("type", ":", "llm_call", True),))),
        ("STATUS:error", texts("STATUS:error")),
        ("status:ERROR", Asked((), (Field("status", ":", "error"),))),
        ('name:"two words"', Asked((), (Field("name", ":", "two words"),))),
        ("tag:k=v", Asked((), (Field("tag", ":", "k=v"),))),
        ("model:gpt-4*", Asked((), (Field("model", ":", "gpt-4*"),))),
        ("cost>0.01", Asked((), (Field("cost", ">", 10**10),))),
        ("cost<=$2", Asked((), (Field("cost", "<=", 2 * 10**12),))),
        ("tokens=500", Asked((), (Field("tokens", ":", 500),))),
        ("tokens>=1.5k", Asked((), (Field("tokens", ">=", 1_500),))),
        ("duration>2s", Asked((), (Field("duration", ">", 2 * SECOND),))),
        ("duration<300ms", Asked((), (Field("duration", "<", 300_000_000),))),
        ("duration>.5m", Asked((), (Field("duration", ">", 30 * SECOND),))),
        ("since:2h", Asked((), (Field("since", ":", NOW_NS - 7_200 * SECOND),))),
        ("until:7d", Asked((), (Field("until", ":", NOW_NS - 604_800 * SECOND),))),
        ("since:1790000000.5", Asked((), (Field("since", ":", 1_790_000_000_500_000_000),))),
        ("since:2026-11-23T14:30Z", Asked((), (Field("since", ":", 1_795_444_200 * SECOND),))),
        ("since:999999w", Asked((), (Field("since", ":", 0),))),
        ("cost>999999999999999", Asked((), (Field("cost", ">", INT64_MAX),))),
    ],
)
def test_terms(q: str, asked: Asked) -> None:
    assert parse(q, NOW_NS) == asked


def test_a_date_without_a_zone_is_by_the_clock_of_this_machine() -> None:
    assert parse("since:2026-11-23", NOW_NS).fields[0].value == round(datetime(2026, 11, 23).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("q", "at", "said"),
    [
        ("status:eror", 8, "there is no status 'eror'; there is ok, error, unset"),
        ("x type:tool", 8, "there is no type 'tool'; there is llm_call"),
        ("duration>2", 10, "'2' is no time; write 300ms, 2s or 1.5m"),
        ("a cost>much", 8, "'much' is no amount of US dollars"),
        ("tokens:many", 8, "'many' is no number of tokens"),
        ("since:yesterday", 7, "'yesterday' is no time; write 30m, 2h, 7d, a date"),
        ("since:2026-13-40", 7, "'2026-13-40' is no date"),
        ("status>1", 7, "status is not a number; write status:1"),
        ('""', 1, "is an empty text"),
        ('name:""', 6, "is an empty text"),
        (" ".join(["type:custom"] * 21), 241, "is more than 20 terms"),
    ],
)
def test_a_mistake_is_named_with_its_place(q: str, at: int, said: str) -> None:
    with pytest.raises(Invalid) as failed:
        parse(q, NOW_NS)
    assert failed.value.detail.startswith(f"query.q: at character {at}: {said}")
    assert failed.value.errors[0][0] == "query.q"


PIECES = st.one_of(
    st.sampled_from(("status", "cost", "since", "2h", "1e9", "ok", "x", "文", "٣")), st.sampled_from(':><=-" \\\n')
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_anything_is_read_or_refused(q: str) -> None:
    try:
        asked = parse(q, NOW_NS)
    except Invalid:
        return
    assert all(text.text for text in asked.texts) or asked == texts(q)
    assert all(0 <= field.value <= INT64_MAX for field in asked.fields if isinstance(field.value, int))


@given(st.text(min_size=1, max_size=40))
def test_any_text_is_found_to_the_letter_in_quotes(text: str) -> None:
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert parse(quoted, NOW_NS) == texts(text)
