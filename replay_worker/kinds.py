"""Which function does which kind of job. Each is imported when the first job of its kind comes: an idle worker has no
HTTP client and no price list in memory."""

from __future__ import annotations

import importlib

from beacon.contract.jobs import JobKind
from replay_worker.work import Kind

FUNCTIONS: dict[JobKind, str] = {
    "replay": "replay_worker.replay:run_replay",
    "chat": "replay_worker.playground:run_chat",
    "compare": "replay_worker.playground:run_compare",
    "compare_prompts": "replay_worker.playground:run_compare_prompts",
    "demo": "replay_worker.demo.run:run_demo",
    "analysis": "replay_worker.analysis.run:run_analysis",
    "key_test": "replay_worker.servers:run_key_test",
    "models": "replay_worker.servers:run_models",
}


def function_of(kind: str) -> Kind:
    """The function that does jobs of `kind`. Raises `KeyError` for a kind this worker does not know."""
    module, _, name = FUNCTIONS[kind].partition(":")  # type: ignore[index]
    found: Kind = getattr(importlib.import_module(module), name)
    return found
