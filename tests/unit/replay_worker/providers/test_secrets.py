from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from replay_worker.providers.calls import Completion
from replay_worker.providers.secrets import HIDDEN, StreamScrubber, scrub, scrubbed

KEY = "sk-abcabcab/1"


def test_a_key_is_taken_out_in_every_spelling() -> None:
    assert scrubbed(f"a {KEY} b sk-abcabcab%2F1", KEY) == f"a {HIDDEN} b {HIDDEN}"
    assert scrubbed("x", None) == "x"


def test_a_word_in_the_place_of_a_key_is_none() -> None:
    assert scrubbed("try: ollama pull", "ollama") == "try: ollama pull"


def test_everything_an_answer_says_is_looked_at() -> None:
    function = {"name": f"f{KEY}", "arguments": f'{{"k": "{KEY}"}}'}
    call = {"id": KEY, "type": "function", "function": function, "extra_content": {"google": [KEY]}}
    found = Completion(text=KEY, reasoning=KEY, model=KEY, tool_calls=[call])
    scrub(found, KEY)
    assert KEY not in repr(found)
    assert repr(found).count(HIDDEN) == 7


def test_text_without_the_key_is_held_back_only_where_it_may_begin_one() -> None:
    scrubber = StreamScrubber(KEY)
    assert scrubber.feed("hello ") == "hello "
    assert scrubber.feed("sk-abc") == ""
    assert scrubber.feed("d") == "sk-abcd"
    assert scrubber.feed("ask") == "a"
    assert scrubber.end() == "sk"


@given(st.lists(st.sampled_from(["sk-", "abc", "ab", "/1", KEY, "x", KEY[:5], KEY[5:]])))
def test_a_streamed_answer_never_shows_the_key(pieces: list[str]) -> None:
    scrubber = StreamScrubber(KEY)
    shown = "".join(scrubber.feed(piece) for piece in pieces) + scrubber.end()
    assert KEY not in shown
    assert shown == "".join(pieces).replace(KEY, HIDDEN)
