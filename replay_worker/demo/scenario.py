"""What makes a demo agent: its instructions, its tools, and what counts as having failed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from msgspec import Struct

from replay_worker.demo.tools import Tool, World


def no_fault(_: World) -> str | None:
    """A run that came to an answer is a good one."""
    return None


class Scenario(Struct, frozen=True, kw_only=True):
    """`fault` says, when the agent has answered, what is wrong all the same; None when all is well."""

    instructions: str
    tools: tuple[Tool, ...]
    fault: Callable[[World], str | None] = no_fault


def load_scenario(key: str) -> Scenario:
    """The agent behind the card `key` (beacon.scenarios)."""
    scenario = import_module(f"replay_worker.demo.{key}").SCENARIO
    assert isinstance(scenario, Scenario)
    return scenario
