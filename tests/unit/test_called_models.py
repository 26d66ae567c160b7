"""The models of a trace follow its calls, whatever the order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beacon import called_models

MODELS = ["a", "b", "c", "d", "e", 'q"\\', "中"]


@pytest.fixture(autouse=True, scope="module")
def few() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(called_models, "KEPT", 3)
        yield


def counted(calls: Counter[str]) -> str:
    called = called_models.NONE
    for model in calls.elements():
        called = called_models.with_call(called, model)
    return called


@given(st.lists(st.tuples(st.sampled_from(MODELS), st.booleans())))
def test_models_are_those_of_the_calls(steps: list[tuple[str, bool]]) -> None:
    calls: Counter[str] = Counter()
    called: str = called_models.NONE
    for model, comes in steps:
        if comes:
            calls[model] += 1
            called = called_models.with_call(called, model)
        elif calls[model]:
            calls[model] -= 1
            left = called_models.without_call(called, model)
            called = counted(calls) if left is None else left
        kept = sorted(+calls)[:3]
        assert called_models.names(called) == sorted(kept, key=lambda name: (-calls[name], name))


def test_only_a_full_row_that_loses_one_is_counted_anew() -> None:
    full = counted(Counter("aabc"))
    assert called_models.without_call(full, "a") is not None
    assert called_models.without_call(full, "b") is None
    assert called_models.without_call(full, "e") == full
    assert called_models.without_call(counted(Counter("ab")), "b") == counted(Counter("a"))
