"""Every provider's streams: whole, in odd pieces, cut off, with an error in the middle."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beacon.errors import UpstreamFailed
from replay_worker.providers import anthropic, google, openai_chat, openai_responses
from replay_worker.providers.calls import Completion, StreamParser
from tests.unit.replay_worker.providers.reading import body, cut, read

New = Callable[[], StreamParser]

PARSERS: dict[str, New] = {
    "openai_chat_text": openai_chat.new_parser,
    "openai_chat_tools": openai_chat.new_parser,
    "ollama_chat_reasoning": openai_chat.new_parser,
    "openai_responses_text": openai_responses.new_parser,
    "openai_responses_tools": openai_responses.new_parser,
    "anthropic_text": anthropic.new_parser,
    "anthropic_tools": anthropic.new_parser,
    "google_text": google.new_parser,
    "google_tools": google.new_parser,
}

BROKEN: dict[str, tuple[New, str]] = {
    "openrouter_chat_broken": (openai_chat.new_parser, "Provider disconnected unexpectedly"),
    "openai_responses_error": (openai_responses.new_parser, "Something went wrong."),
    "anthropic_error": (anthropic.new_parser, "Overloaded"),
    "google_error": (google.new_parser, "The model is overloaded. Please try again later."),
}

WHOLE: dict[str, Completion] = {name: read(new(), [body(name)])[0] for name, new in PARSERS.items()}


def parser_of(name: str) -> StreamParser:
    return PARSERS[name]()


@pytest.mark.parametrize("name", PARSERS)
def test_the_text_that_came_is_the_text_of_the_answer(name: str) -> None:
    completion, said = read(parser_of(name), [body(name)])
    assert said == completion.text


@pytest.mark.parametrize("name", PARSERS)
def test_byte_by_byte_gives_the_same_answer(name: str) -> None:
    data = body(name)
    assert read(parser_of(name), (data[i : i + 1] for i in range(len(data))))[0] == WHOLE[name]


@given(st.sampled_from(sorted(PARSERS)), st.lists(st.integers(0, 10_000), max_size=40))
def test_any_chunking_gives_the_same_answer(name: str, places: list[int]) -> None:
    completion, said = read(parser_of(name), cut(body(name), places))
    assert completion == WHOLE[name]
    assert said == completion.text


@pytest.mark.parametrize("name", PARSERS)
def test_a_stream_that_ends_before_its_answer_says_so(name: str) -> None:
    """Cut after each event but those that come after the finish reason."""
    end = b"\r\n\r\n" if name.startswith("google") else b"\n\n"
    events = body(name).split(end)[:-1]
    last = {"openai": 3, "ollama": 3}.get(name.partition("_")[0], 1)
    last = 1 if "responses" in name else last
    for count in range(1, len(events) - last + 1):
        with pytest.raises(UpstreamFailed, match=r"ended before|no candidates"):
            read(parser_of(name), [end.join(events[:count]) + end])
    assert read(parser_of(name), [end.join(events) + end])[0] == WHOLE[name]


@pytest.mark.parametrize("name", BROKEN)
def test_an_error_in_the_stream_is_the_providers_own_words(name: str) -> None:
    new, words = BROKEN[name]
    with pytest.raises(UpstreamFailed) as failed:
        read(new(), [body(name)])
    assert failed.value.detail == f"it failed: {words}"


@pytest.mark.parametrize("new", [openai_chat.new_parser, openai_responses.new_parser, anthropic.new_parser,
                                 google.new_parser])  # fmt: skip
@pytest.mark.parametrize(
    "data", [b"{", b"[1]", b'"x"', b"null", b'{"choices": 7, "candidates": {}, "type": 5, "index": "x"}', b"{}" * 3]
)
def test_garbage_is_never_an_answer(new: New, data: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        read(new(), [b"data: " + data + b"\n\n"])


def test_a_done_stream_says_so() -> None:
    for name, new in PARSERS.items():
        parser = new()
        read(parser, [body(name)])
        assert parser.done or name.startswith("google")
