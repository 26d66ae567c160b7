"""Hunks join back to both texts, whatever the texts are; they are words, and large texts do not take long."""

from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beacon.contract.jobs import Hunk
from replay_worker.diff import compare, hunks, words

TEXT = st.text(alphabet=st.sampled_from("ab cé\n中,."), max_size=40) | st.text(max_size=60)


def old_of(found: list[Hunk]) -> str:
    return "".join(hunk.text for hunk in found if hunk.op != "insert")


def new_of(found: list[Hunk]) -> str:
    return "".join(hunk.text for hunk in found if hunk.op != "delete")


def check(old: str, new: str) -> list[Hunk]:
    found = hunks(old, new)
    assert old_of(found) == old
    assert new_of(found) == new
    assert all(hunk.text for hunk in found)
    for left, right in pairwise(found):
        assert left.op != right.op
        assert (left.op, right.op) != ("insert", "delete"), "a deletion stands before the insertion at its place"
    return found


@given(TEXT, TEXT)
def test_hunks_join_back_to_both_texts(old: str, new: str) -> None:
    check(old, new)


@given(st.lists(st.sampled_from(["word", "other", " ", "\n", "中文"]), max_size=40), st.data())
def test_hunks_of_an_edited_text_join_back(parts: list[str], data: st.DataObject) -> None:
    edited = [part for part in parts if data.draw(st.booleans())]
    found = check("".join(parts), "".join(edited))
    assert all(hunk.op != "insert" for hunk in found) or not edited or "".join(edited) != "".join(parts)


@given(st.text())
def test_words_join_back(text: str) -> None:
    assert "".join(words(text)) == text


def test_a_changed_word_is_a_deletion_and_an_insertion() -> None:
    assert [(hunk.op, hunk.text) for hunk in hunks("It is 18C in Paris.", "It is 21C in Paris.")] == [
        ("equal", "It is "),
        ("delete", "18C"),
        ("insert", "21C"),
        ("equal", " in Paris."),
    ]


def test_words_are_never_cut() -> None:
    assert [(hunk.op, hunk.text) for hunk in hunks("nine houses", "one house")] == [
        ("delete", "nine houses"),
        ("insert", "one house"),
    ]


def test_scripts_without_spaces_go_by_the_character() -> None:
    assert [(hunk.op, hunk.text) for hunk in hunks("我喜欢茶", "我喜欢咖啡")] == [
        ("equal", "我喜欢"),
        ("delete", "茶"),
        ("insert", "咖啡"),
    ]


def test_equal_texts_are_one_hunk_and_not_changed() -> None:
    found = compare("the same", "the same")
    assert not found.changed
    assert found.hunks == [Hunk("equal", "the same")]


def test_without_an_old_text_everything_is_new() -> None:
    found = compare(None, "new")
    assert found.changed
    assert found.old_completion is None
    assert found.hunks == [Hunk("insert", "new")]


LARGE = 1_000_000


def _large(name: str) -> tuple[str, str]:
    chance = random.Random(7)

    def text(of: list[str]) -> str:
        return " ".join(chance.choices(of, k=LARGE // 5))[:LARGE]

    many = [f"w{number}" for number in range(3_000)]
    numbers = [f"{number:06}" for number in range(LARGE // 7)]
    one = text(many)
    return {
        "two texts that share a vocabulary": (one, text(many)),
        "two words in any order": (text(["a", "b"]), text(["a", "b"])),
        "the other way round": (" ".join(numbers), " ".join(reversed(numbers))),
        "shifted": ("a b " * (LARGE // 4), "b a " * (LARGE // 4)),
        "one line each": ("x" * LARGE, "y" * LARGE),
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "two texts that share a vocabulary",
        "two words in any order",
        "the other way round",
        "shifted",
        "one line each",
    ],
)
def test_large_texts_take_bounded_time(name: str) -> None:
    old, new = _large(name)
    began = time.process_time()
    found = hunks(old, new)
    assert time.process_time() - began < 5.0, "0.6 s where it was measured; an unbounded search takes minutes"
    assert old_of(found) == old
    assert new_of(found) == new


def test_few_edits_of_a_large_text_are_all_found() -> None:
    chance = random.Random(3)
    parts = [f"w{chance.randrange(3_000)}" for _ in range(LARGE // 6)]
    edited = list(parts)
    places = sorted(chance.sample(range(len(parts)), 50))
    for place in places:
        edited[place] = "CHANGED"
    found = check(" ".join(parts), " ".join(edited))
    assert [hunk.text for hunk in found if hunk.op == "insert"] == ["CHANGED"] * 50
    assert [hunk.text for hunk in found if hunk.op == "delete"] == [parts[place] for place in places]
