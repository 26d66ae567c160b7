"""What search means by a match: against a brute-force reading of the same texts."""

from __future__ import annotations

import json
import sqlite3
import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from query.matching import (
    CONTEXT_CHARS,
    FOLD_TO_ASCII,
    Probe,
    _is_plain,
    context,
    find,
    find_in_attributes,
    probe,
)

# Few letters, so that matches happen; among them all that fold oddly, escapes, LIKE's wildcards, scripts without case
LETTERS = 'aAsSkKiIfF \n\t"\\/%_ßſKİŉﬁẞéÉПпσςΣ中文한ש🙂\u0301\u0000'
TEXTS = st.text(st.sampled_from(LETTERS), max_size=12)
NEEDLES = st.text(st.sampled_from(LETTERS), min_size=1, max_size=4)


@given(TEXTS, NEEDLES)
@example("Straße", "ASS")
@example("xİy", "i̇Y")
@example("İ", "i")
@example("ß", "s")
def test_find_is_a_substring_of_the_folded_text_and_its_offsets_cover_the_match(text: str, needle: str) -> None:
    folded = needle.casefold()
    match = find(text, folded)
    assert (match is not None) == (folded in text.casefold())
    if match is not None:
        covered = match.text[match.start : match.end]
        assert folded in covered.casefold()
        # nothing more than the characters the match needs
        assert folded not in covered[1:].casefold()
        assert folded not in covered[:-1].casefold()


def test_every_folding_outside_ascii_that_gives_ascii_letters_is_known() -> None:
    found = [
        char
        for char in map(chr, range(128, sys.maxunicode + 1))
        if not char.isascii() and any(c.isascii() for c in char.casefold())
    ]
    assert sorted(found) == sorted(FOLD_TO_ASCII)
    letters = {c for char in found for c in char.casefold() if c.isascii()}
    for letter in letters:
        assert probe(letter).letters_fold, letter


def test_no_folding_leads_to_a_character_taken_as_caseless() -> None:
    for code in range(128, sys.maxunicode + 1):
        char = chr(code)
        folded = char.casefold()
        if folded != char:
            assert not any(_is_plain(c) for c in folded if not c.isascii()), hex(code)


@pytest.mark.parametrize("text", ["  lead", "a\n\n b\t c", "x" * 200, "one two three " * 30, "中" * 300, ""])
@pytest.mark.parametrize("needle", ["needle", "Nee dle", "针", " n "])
def test_the_context_shows_the_match_where_its_offsets_say(text: str, needle: str) -> None:
    match = find(text + needle + text, needle.casefold())
    assert match is not None
    words, (start, end) = context(match)
    assert words[start:end].split() == needle.split()
    assert "\n" not in words
    assert "  " not in words
    assert len(words) <= 2 * CONTEXT_CHARS + len(needle) + 2
    assert words.startswith("…") == (len(text) > CONTEXT_CHARS)
    assert words.endswith("…") == (len(text) > CONTEXT_CHARS)


def test_the_context_begins_and_ends_with_whole_words() -> None:
    match = find("alpha " * 30 + "needle" + " omega" * 30, "needle")
    assert match is not None
    words, _ = context(match)
    assert set(words.strip("…").split()) == {"alpha", "needle", "omega"}


def test_values_are_decoded_keys_count_and_nested_json_is_opened() -> None:
    prompt = json.dumps(
        [{"role": "user", "content": "中文\nnext \\ line", "calls": [{"arguments": '{"q": "\\u00e9"}'}]}]
    )
    raw = json.dumps({"llm.prompt": prompt, "n": {"deep key": [1.50, True, None, 12]}}).encode()
    for needle, key in [
        ("中文", "llm.prompt"),
        ("文\nnext", "llm.prompt"),
        ("next \\ line", "llm.prompt"),
        ("É", "llm.prompt"),
        ("LLM.Prom", "llm.prompt"),
        ("deep k", "n"),
        ("1.5", "n"),
        ("true", "n"),
        ("12", "n"),
    ]:
        found = find_in_attributes(raw, needle.casefold())
        assert found is not None, needle
        assert found[0] == key
    assert find_in_attributes(raw, "null") is None
    # a match lies within one text
    assert find_in_attributes(b'{"a": "x", "b": "y"}', "xy") is None


def test_numbers_are_found_as_they_were_written() -> None:
    raw = b'{"cost": 0.00001, "big": 123456789012345678901234567890, "e": 1E5}'
    for needle in ("0.00001", "345678901234567890", "1e5"):
        assert find_in_attributes(raw, needle) is not None
    assert find_in_attributes(raw, "1e-05") is None


def test_a_string_nested_deeper_than_any_decoder_goes_is_still_searched() -> None:
    raw = json.dumps({"a": "[" * 5_000 + '"deep"' + "]" * 5_000}).encode()
    assert find_in_attributes(raw, '["deep') is not None


def escaped(value: Any, how: int) -> str:
    """`value` as JSON text, its characters written in one of several valid ways."""
    text = json.dumps(value, ensure_ascii=how in (0, 1))
    if how % 3 == 1:
        text = text.replace("/", "\\/")
    if how % 3 == 2:
        text = "".join(f"\\u{ord(c):04X}" if c in "aAkK中" and unicodedata.category(c) != "Cs" else c for c in text)
    return text


def through_sqlite(likely: Probe, attributes: str, name: str) -> tuple[bool, bool]:
    """Whether the probe lets this attribute text, and this name, through."""
    db = sqlite3.connect(":memory:")
    try:
        db.execute("CREATE TABLE a (attributes TEXT, name TEXT)")
        db.execute("INSERT INTO a VALUES (?, ?)", (attributes, name))
        by_attributes, by_name = db.execute(
            f"SELECT {likely.attributes_sql}, {likely.sql('a.name')} FROM a", {"like": likely.like}
        ).fetchone()
        return bool(by_attributes) and likely.might_match(attributes.encode()), bool(by_name)
    finally:
        db.close()


@settings(max_examples=400)
@given(st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS, max_size=2), max_size=2), TEXTS, NEEDLES, st.integers(0, 5))
@example({"k": "max_tokens%"}, "", "x_T", 0)
@example({"k": "K"}, "", "k", 1)
@example({"k": "中"}, "", "中", 2)
@example({"k": json.dumps("中文")}, "", "文", 2)
@example({"k": "xay"}, "", "A", 2)
@example({"xKy": ""}, "", "k", 5)
def test_the_probe_never_drops_a_match(value: dict[str, Any], name: str, needle: str, how: int) -> None:
    folded = needle.casefold()
    text = escaped(value, how)
    likely = probe(folded)
    by_attributes, by_name = through_sqlite(likely, text, name)
    if find_in_attributes(text.encode(), folded) is not None:
        assert by_attributes
    if find(name, folded) is not None:
        assert by_name


def test_the_probe_knows_an_escape_whose_backslash_is_escaped() -> None:
    raw = rb"""{"k": "[\"\u005cu4e2d\"]"}"""
    assert find_in_attributes(raw, "中") is not None
    assert through_sqlite(probe("中"), raw.decode(), "")[0]


def test_the_probe_spares_most_texts_from_decoding() -> None:
    for needle in ("backpressure", "max_tokens", "中文", "100%"):
        by_attributes, by_name = through_sqlite(probe(needle.casefold()), '{"text": "nothing like that"}', "step")
        assert not by_attributes, needle
        assert not by_name, needle
    # an escape that cannot become part of the needle does not cost a decoding
    assert not probe("backpressure").might_match(b'{"text": "\\u4e2d"}')
