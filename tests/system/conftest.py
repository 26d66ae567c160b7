"""Stacks for the tests of the whole: `stack` is up, `shared` for a whole module; `make_stack(**env)` makes others."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.stack import COMMAND, MakeStack, Stack


@pytest.fixture(scope="session", autouse=True)
def default_signals() -> None:
    """A shell ignores these for what it starts with `&`, and so would every program under test."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def make_stack() -> Iterator[MakeStack]:
    """Makes stacks with BEACON_* values of their own (and, first, another command for `beacon`); they end with the
    test. Call `.start()` on them."""
    made: list[Stack] = []

    def make(program: tuple[str, ...] = COMMAND, /, **env: str) -> Stack:
        made.append(Stack(program, **env))
        return made[-1]

    yield make
    for stack in made:
        stack.destroy()


@pytest.fixture
def stack(make_stack: MakeStack) -> Stack:
    """A stack that is up and healthy, on a free port, with a home of its own; it ends with the test."""
    stack = make_stack().start()
    stack.wait_healthy()
    return stack


@pytest.fixture(scope="module")
def shared() -> Iterator[Stack]:
    """A stack that is up and healthy for all tests of a module, for those that leave it as well as they found it."""
    stack = Stack().start()
    try:
        stack.wait_healthy()
        yield stack
    finally:
        stack.destroy()
