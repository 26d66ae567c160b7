from __future__ import annotations

import contextlib
import gzip
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from beacon.errors import Invalid, TooLarge, UnsupportedMedia
from beacon.web.body import BodyBudget, inflate


@given(st.binary(max_size=5000), st.integers(1, 3))
def test_what_was_packed_comes_out(data: bytes, members: int) -> None:
    assert inflate(gzip.compress(data) * members, "gzip") == data * members
    assert inflate(zlib.compress(data), "deflate") == data
    assert inflate(zstandard.ZstdCompressor().compress(data), "zstd") == data


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "zstd"]))
def test_anything_else_is_a_clear_error(data: bytes, encoding: str) -> None:
    with contextlib.suppress(Invalid, TooLarge):
        inflate(data, encoding)


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"0" * 10_001)),
        ("gzip", gzip.compress(b"0" * 6_000) * 2),
        ("deflate", zlib.compress(b"0" * 10_001)),
        ("zstd", zstandard.ZstdCompressor().compress(b"0" * 10_001)),
    ],
)
def test_the_limit_counts_what_comes_out(encoding: str, packed: bytes) -> None:
    with pytest.raises(TooLarge):
        inflate(packed, encoding, limit=10_000)
    assert len(inflate(packed, encoding, limit=12_000)) >= 10_001


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(UnsupportedMedia, match="br"):
        inflate(b"", "br")


def test_a_budget_gives_back_what_it_took() -> None:
    budget = BodyBudget(100)
    budget.take(60)
    with pytest.raises(Exception, match="as many request bodies"):
        budget.take(41)
    budget.give_back(60)
    budget.take(100)
    assert budget.held == 100
