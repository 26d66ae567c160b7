"""Chromium of the system, a whole stack beside it, and tabs that fail when anything leaves the machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.chromium import ARGUMENTS, MISSING, program
from tests.e2e.tab import OpenTab, Tab, tabs
from tests.stack import MakeStack, Stack


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = program()
    assert path, MISSING
    # of the module, not of the session: its event loop runs in this thread, where other tests have theirs
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield chromium
        finally:
            chromium.close()


@pytest.fixture
def open_tab(browser: Browser) -> Iterator[OpenTab]:
    with tabs(browser) as make:
        yield make


@pytest.fixture
def make_stack() -> Iterator[MakeStack]:
    made: list[Stack] = []

    def make(**env: str) -> Stack:
        made.append(Stack(**env))
        return made[-1]

    yield make
    for stack in made:
        stack.destroy()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack for all tests of a module: each makes traces of its own."""
    stack = Stack().start()
    try:
        stack.wait_healthy()
        yield stack
    finally:
        stack.destroy()


@pytest.fixture
def tab(open_tab: OpenTab, stack: Stack) -> Tab:
    """A tab for the stack of the module."""
    return open_tab(stack.url)
