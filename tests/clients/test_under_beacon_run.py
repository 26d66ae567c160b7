"""A real SDK under `beacon run`: nothing set by hand, and its spans there while it still runs."""

from __future__ import annotations

import subprocess
import time
from typing import Any

import pytest

from tests.clients.environments import python_of
from tests.clients.expected import PROGRAMS
from tests.processes import wait_for
from tests.stack import MakeStack, Stack

pytestmark = [pytest.mark.slow, pytest.mark.clients]

AT_ONCE_S = 2.0
"""Seconds in which an ended span is to be seen: the SDK's own delay of 5 s would miss it."""


def test_spans_are_seen_while_the_program_runs(make_stack: MakeStack) -> None:
    stack = make_stack(BEACON_TOKEN="hush-1").start()  # the SDK sends it as a header
    python = python_of("sdk-proto")
    command = [*stack.program, "run", "--quiet", "--", str(python), str(PROGRAMS / "half_way.py")]
    with subprocess.Popen(
        command,
        env={name: value for name, value in stack.env.items() if not name.startswith("OTEL_")},
        cwd=stack.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "half way\n"
            began = time.monotonic()
            wait_for(lambda: names(stack) == {"first half"}, "the span that has ended", AT_ONCE_S)
            assert time.monotonic() - began < AT_ONCE_S
            assert child.poll() is None
            _, err = child.communicate("go on\n", timeout=30)
            assert (child.returncode, err) == (0, "")
        finally:
            child.kill()
    assert names(stack) == {"the whole", "first half", "second half"}
    [trace] = traces(stack)
    assert "half_way" in trace["tags"].values(), "the service has the script's name"


def traces(stack: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack.ask("GET", "/v1/traces").json["traces"]
    return found


def names(stack: Stack) -> set[str]:
    """Of every span that is stored."""
    return {
        span["name"]
        for trace in traces(stack)
        for span in stack.ask("GET", f"/v1/traces/{trace['trace_id']}").json["spans"]
    }
