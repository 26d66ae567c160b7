"""Text that looks like what agents say: sentences of made-up and common words, code, JSON, newlines, some non-ASCII."""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from random import Random

CORPUS_CHARS = 1_200_000

_COMMON = ("the", "of", "to", "in", "is", "with", "this", "can", "file", "error", "return", "result", "user", "query")
_ONSETS = ("b", "br", "c", "d", "dr", "f", "g", "h", "k", "l", "m", "n", "p", "pr", "qu", "r", "s", "st", "t", "v")
_VOWELS = ("a", "e", "i", "o", "u", "ea", "ou", "io")
_CODAS = ("", "", "n", "r", "s", "t", "l", "nd", "ck", "ng")
_FOREIGN = ("café", "Zürich", "naïve", "日本語", "данные", "→", "€", "🙂")


@lru_cache(maxsize=1)
def corpus() -> str:
    """The one text all spans are cut from: CORPUS_CHARS characters, the same on every machine."""
    rng = Random("prose")
    words = list(_COMMON)
    for _ in range(4_000):
        syllables = rng.choice((1, 2, 2, 3))
        words.append("".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(syllables)))
    # the n-th word as often as 1/n, as in real text
    weights = list(accumulate(1.0 / (n + 3) for n in range(len(words))))
    parts: list[str] = []
    chars = 0
    while chars < CORPUS_CHARS:
        sentence = _sentence(rng, rng.choices(words, cum_weights=weights, k=rng.randint(5, 24)))
        parts.append(sentence)
        chars += len(sentence)
    return "".join(parts)[:CORPUS_CHARS]


def _sentence(rng: Random, words: list[str]) -> str:
    kind = rng.random()
    if kind < 0.05:
        words[-1] = rng.choice(_FOREIGN)
    elif kind < 0.10:
        words.append(f'{{"{words[0]}": {rng.randint(0, 99_999)}, "{words[1]}": "{words[2]}"}}')
    elif kind < 0.15:
        words.append(f"`{words[0]}_{words[1]}({words[2]})`")
    words[0] = words[0].capitalize()
    return " ".join(words) + rng.choice((". ", ". ", ". ", "? ", ": ", ".\n"))


def cut(rng: Random, low: int, high: int) -> str:
    """Between `low` and `high` characters from anywhere in the corpus."""
    text = corpus()
    length = low + int(rng.random() * (high - low))
    start = int(rng.random() * (len(text) - length))
    return text[start : start + length]
